//! One open connection.
//!
//! A [`Session`] is a `tokio_postgres::Client` (it dereferences to one, so the hot path has nothing of ours in it)
//! together with the task that moves its bytes; dropping it ends both. It does not reconnect, pool or retry.

use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Connection, NoTls, tls::NoTlsStream};

use crate::error::{Error, Kind};
use crate::wire::UnixWire;

/// How long [`Session::close`] waits for the server to take the farewell before it hangs up.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How long a cancel request may take; it opens a connection of its own.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// An open connection; a [`Client`] by dereference.
///
/// Dropping it says goodbye to an idle server, and hangs up on a server that still owes an answer (the server finishes
/// the statement on its own, as when a client dies).
pub struct Session {
    // The order matters: the client goes first, so that the task sees "no more requests" before it is told to end.
    client: Client,
    end: EndOfSession,
    task: JoinHandle<()>,
    backend_pid: OnceCell<i32>,
    /// The server's socket file, where there is one: cancelling opens a connection of its own.
    socket_path: Option<PathBuf>,
}

impl Session {
    /// Takes over a fresh connection; its bytes move on a task of the current tokio runtime.
    pub(crate) fn spawn<S>(client: Client, connection: Connection<S, NoTlsStream>, socket_path: Option<PathBuf>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let end = EndOfSession::default();
        let task = tokio::spawn(drive(connection, Arc::clone(&end.0)));
        Self { client, end, task, backend_pid: OnceCell::new(), socket_path }
    }

    /// The process id of the server process behind this session; asked for once.
    ///
    /// The first call runs a statement, so make it outside a transaction that has failed.
    pub async fn backend_pid(&self) -> Result<i32, Error> {
        let pid = self.backend_pid.get_or_try_init(|| async {
            let row = self.client.query_one("select pg_backend_pid()", &[]).await?;
            row.try_get(0)
        });
        pid.await.copied().map_err(|source| Error::new("ask for the server process id", Kind::Sql(source)))
    }

    /// Refuses when the connection is known to be gone, with an error that says nothing was sent.
    ///
    /// A statement on a closed session fails with [`crate::ErrorClass::ServerLost`], because in general nobody can
    /// tell whether it had been sent. Ask here first, and that case becomes [`crate::ErrorClass::NotConnected`].
    pub fn ensure_open(&self) -> Result<(), Error> {
        if self.client.is_closed() {
            return Err(Error::new("use a session", Kind::SessionClosed));
        }
        Ok(())
    }

    /// A handle that can cancel this session's running statement from another task.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller { token: self.client.cancel_token(), socket_path: self.socket_path.clone() }
    }

    /// Says goodbye and waits until the connection has ended, at most two seconds.
    pub async fn close(self) {
        let Self { client, end, mut task, .. } = self;
        drop(client);
        if tokio::time::timeout(CLOSE_LIMIT, &mut task).await.is_err() {
            drop(end);
            // The task ends at its next poll, which that has just caused.
            let _ = task.await;
        }
    }
}

/// Tells the session's task to end when it is dropped.
///
/// Made of the cheapest parts there are, because the task looks here at each wake-up of each statement.
#[derive(Default)]
struct EndOfSession(Arc<Signal>);

#[derive(Default)]
struct Signal {
    is_given: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    /// Whether it was given; if not, the task is woken when it is.
    fn poll(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.is_given.load(Ordering::Acquire)
    }
}

impl Drop for EndOfSession {
    fn drop(&mut self) {
        self.0.is_given.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("backend_pid", &self.backend_pid.get())
            .field("closed", &self.client.is_closed())
            .finish_non_exhaustive()
    }
}

/// Cancels the statement that a session is running. Cheap to clone; may outlive the session.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    socket_path: Option<PathBuf>,
}

impl Canceller {
    /// Asks the server to cancel whatever the session runs now; bounded to five seconds.
    ///
    /// `Ok` means that the server took the request, not that a statement was running or has ended: a statement that
    /// is cancelled fails with [`crate::ErrorClass::Cancelled`] on its own session.
    pub async fn cancel(&self) -> Result<(), Error> {
        let kind = match tokio::time::timeout(CANCEL_LIMIT, self.ask()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(kind)) => kind,
            Err(_) => Kind::ConnectTimeout { limit_ms: CANCEL_LIMIT.as_millis() },
        };
        Err(Error::new("cancel a statement", kind))
    }

    async fn ask(&self) -> Result<(), Kind> {
        let asked = match &self.socket_path {
            Some(path) => {
                let wire = UnixWire::connect(path).await.map_err(Kind::Socket)?;
                self.token.cancel_query_raw(wire, NoTls).await
            }
            None => self.token.cancel_query(NoTls).await,
        };
        asked.map_err(Kind::Connect)
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token holds the secret that allows cancelling.
        f.write_str("Canceller")
    }
}

/// Moves the bytes of one connection until it ends by itself, or until its session is gone.
///
/// Each wake-up looks at the connection first: on an idle connection a dropped client makes it say goodbye
/// (`Terminate`) and end. Only when that does not end it at once does the dropped session hang up.
async fn drive<S>(mut connection: Connection<S, NoTlsStream>, end: Arc<Signal>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outcome = poll_fn(|context| {
        loop {
            match connection.poll_message(context) {
                Poll::Ready(Some(Ok(message))) => trace_message(&message),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending if end.poll(context) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    if let Err(error) = outcome {
        // Whoever waits for an answer learns of the loss there; this is for those who look for the cause.
        tracing::debug!(error = %error, sqlstate = error.code().map(tokio_postgres::error::SqlState::code), "connection lost");
    }
}

/// Notices carry the data of whoever raised them, so only their kind is traced. Notifications have no reader yet.
fn trace_message(message: &AsyncMessage) {
    if let AsyncMessage::Notice(notice) = message {
        tracing::trace!(severity = notice.severity(), sqlstate = notice.code().code(), "notice");
    }
}
