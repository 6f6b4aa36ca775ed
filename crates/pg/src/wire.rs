//! The Unix socket under a session, registered with the reactor for reading only.
//!
//! A statement is written in one go and its answer is waited for, so a session has to be woken when there is something
//! to read. A socket that is registered for writing too also wakes whenever the server takes what was sent
//! (`unix_write_space` in Linux): a tenth of the client CPU of a short statement. Here interest in
//! writing is registered only while a write would block. It does not connect to TCP and knows no protocol.
#![expect(unsafe_code, reason = "registering a descriptor with the reactor is unsafe; see the SAFETY comment below")]

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// How much is read at first, bytes: more than the answer to a short statement. The library hands over memory that has
/// to be cleared before each read, which costs more than the read when there is much of it.
const SHORT_READ: usize = 2 << 10;

/// How much is read at most, bytes, while answers keep filling what was asked for.
const LONG_READ: usize = 64 << 10;

/// A connected Unix socket.
#[derive(Debug)]
pub(crate) struct UnixWire {
    socket: AsyncFd<UnixStream>,
    /// The same socket, registered for writing while the server does not take what is sent.
    blocked: Option<AsyncFd<UnixStream>>,
    read_size: usize,
}

impl UnixWire {
    /// Connects to a server's socket file; a full queue of waiting clients is an error, as with `connect(2)`.
    pub(crate) async fn connect(path: &Path) -> io::Result<Self> {
        let socket = tokio::net::UnixStream::connect(path).await?.into_std()?;
        let socket = register(socket, Interest::READABLE)?;
        Ok(Self { socket, blocked: None, read_size: SHORT_READ })
    }
}

fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: a `UnixStream` owns its descriptor, names the same one all its life, and closes it only when it is
    // dropped, with or after the registration.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(io::Error::from)
}

impl AsyncRead for UnixWire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { socket, read_size, .. } = self.get_mut();
        loop {
            let mut guard = ready!(socket.poll_read_ready(context))?;
            let wanted = buffer.remaining().min(*read_size);
            let read = guard.try_io(|socket| socket.get_ref().read(buffer.initialize_unfilled_to(wanted)));
            match read {
                Ok(Ok(length)) => {
                    // The kernel has no more for now, and says so by an edge when it has; asking again would be a
                    // system call that is told nothing. The end of the stream stays ready.
                    if length > 0 && length < wanted {
                        guard.clear_ready();
                    }
                    *read_size = if length == wanted { (*read_size * 2).min(LONG_READ) } else { SHORT_READ };
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                // Not ready after all; waiting is registered at the next turn.
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for UnixWire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, blocked, .. } = self.get_mut();
        loop {
            if let Some(blocked) = blocked {
                ready!(blocked.poll_write_ready(context))?.clear_ready();
            }
            match socket.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if blocked.is_none() {
                        let same = socket.get_ref().try_clone()?;
                        *blocked = Some(register(same, Interest::WRITABLE)?);
                    }
                }
                outcome => {
                    *blocked = None;
                    return Poll::Ready(outcome);
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}
