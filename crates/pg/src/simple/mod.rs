//! One session in which everything the server says is seen in the order in which it was said.
//!
//! [`crate::Session`] hands results to whoever asked and notices to nobody, so it cannot tell whether a notice came
//! before or after a row. Scripted interleavings are judged by that order, start a statement without waiting for it,
//! and send several statements at once; a [`SimpleSession`] does so. It speaks the simple query protocol alone (text
//! results, several statements in one message), the one that PostgreSQL's own isolation tester uses; there are no
//! parameters, no `copy` and no TLS.
//!
//! Source: PostgreSQL documentation, "Message Flow" (55.2.3 in version 15) and "Message Formats".

mod copy_both;
mod login;
mod message;
mod stream;

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::time::timeout;

pub(crate) use copy_both::Copied;
pub use message::{Column, Keep, Reply, Rows, ServerMessage, TransactionStatus};

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use message::Folding;
use stream::{Address, Stream};

/// How long a cancel request may take; it opens a connection of its own.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// How long [`SimpleSession::close`] waits for the farewell to be sent.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Why a statement that would copy data through the connection ends with an error.
const NO_COPY: &str = "this session does not copy data";

/// An open connection that speaks the simple query protocol, driven by whoever asks it for replies.
///
/// No task runs behind it: what the server sends waits in the socket until [`SimpleSession::next`] is called. So what a
/// session has said so far is what its owner has looked at so far, whatever the timing. Dropping it hangs up.
pub struct SimpleSession {
    stream: Stream,
    inbox: BytesMut,
    folding: Folding,
    address: Address,
    backend_pid: i32,
    secret_key: i32,
    state: State,
    /// The server waits for data to copy, and is to be told that there is none.
    refusal_due: bool,
}

/// Where a session is in the exchange with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The server waits for us.
    Idle,
    /// Something was sent, and the server has not yet said that it is ready for more.
    Busy,
    /// The connection has ended.
    Closed,
}

impl SimpleSession {
    /// Opens a session; one attempt, bounded like [`Endpoint::connect`]. Every error means that none was opened.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let limit = endpoint.connect_limit();
        let opened = timeout(limit, login::open(endpoint.config(), false)).await;
        let kind = match opened {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(kind)) => kind,
            Err(_) => Kind::ConnectTimeout { limit_ms: limit.as_millis() },
        };
        Err(Error::new(format!("connect to {endpoint}"), kind))
    }

    /// The process id of the server process behind this session, as it gave it at log-in.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// From now on keeps only so much of a result.
    pub fn keep(&mut self, keep: Keep) {
        self.folding.keep = Some(keep);
    }

    /// Whether something was sent whose [`Reply::Ready`] has not been seen.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state == State::Busy
    }

    /// Whether the connection has ended, as far as it was looked at.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Sends one or more statements, and returns when they are on their way; the answers are for [`Self::next`].
    ///
    /// Errors: [`Kind::SessionClosed`], [`Kind::Io`] when the text holds a zero byte or the connection breaks.
    ///
    /// # Panics
    /// When the session is still busy: its caller has lost count.
    pub async fn start(&mut self, sql: &str) -> Result<(), Error> {
        assert_ne!(self.state, State::Busy, "a session was given work before it was ready");
        if self.state == State::Closed {
            return Err(Error::new("start a statement", Kind::SessionClosed));
        }
        let fail = |source| Error::new("start a statement", Kind::Io(source));
        let mut outbox = BytesMut::new();
        frontend::query(sql, &mut outbox).map_err(fail)?;
        // A server that has hung up is found out by reading, which also shows its last words.
        match self.stream.send(&outbox).await {
            Err(error) if !is_hang_up(&error) => Err(fail(error)),
            _ => {
                self.state = State::Busy;
                Ok(())
            }
        }
    }

    /// The next thing the server says, waiting for it without a limit. Giving up the wait loses nothing.
    ///
    /// After [`Reply::Ready`] only notices, notifications and a farewell can come; after [`Reply::Closed`] only that.
    pub async fn next_reply(&mut self) -> Result<Reply, Error> {
        loop {
            if self.refusal_due {
                self.refuse_copy().await?;
            }
            if let Some(reply) = self.take()? {
                return Ok(reply);
            }
            if !self.refusal_due {
                self.fill().await?;
            }
        }
    }

    /// The next thing the server says, if it comes within the limit.
    pub async fn next_reply_within(&mut self, limit: Duration) -> Result<Option<Reply>, Error> {
        timeout(limit, self.next_reply()).await.map_or(Ok(None), |reply| reply.map(Some))
    }

    /// What the server has already said and nobody has looked at; `None` when that is nothing. Does not wait.
    pub fn next_reply_at_once(&mut self) -> Result<Option<Reply>, Error> {
        loop {
            if let Some(reply) = self.take()? {
                return Ok(Some(reply));
            }
            if self.refusal_due {
                return Ok(None);
            }
            match self.stream.receive_at_once(&mut self.inbox) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                received => self.received(received)?,
            }
        }
    }

    /// Sends statements and collects everything until the server is ready for more, or has hung up.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Reply>, Error> {
        self.start(sql).await?;
        let mut replies = Vec::new();
        loop {
            let reply = self.next_reply().await?;
            let is_last = matches!(reply, Reply::Ready(_) | Reply::Closed);
            replies.push(reply);
            if is_last {
                return Ok(replies);
            }
        }
    }

    /// Asks the server to cancel whatever this session runs now; bounded to five seconds.
    ///
    /// `Ok` means that the request was sent: a cancelled statement fails with SQLSTATE 57014 on its own session.
    pub async fn cancel(&self) -> Result<(), Error> {
        let mut outbox = BytesMut::new();
        frontend::cancel_request(self.backend_pid, self.secret_key, &mut outbox);
        let request = async {
            let mut stream = Stream::open(&self.address).await?;
            stream.send(&outbox).await?;
            // The server hangs up when it has done so; nothing else is said here.
            stream.receive(&mut BytesMut::new()).await
        };
        match timeout(CANCEL_LIMIT, request).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) if is_hang_up(&source) => Ok(()),
            Ok(Err(source)) => Err(Error::new("cancel a statement", Kind::Io(source))),
            Err(_) => {
                let kind = Kind::ConnectTimeout { limit_ms: CANCEL_LIMIT.as_millis() };
                Err(Error::new("cancel a statement", kind))
            }
        }
    }

    /// Says goodbye, at most for two seconds. A server that is busy with a statement finishes it by itself.
    pub async fn close(mut self) {
        let mut outbox = BytesMut::new();
        frontend::terminate(&mut outbox);
        // Whoever cannot be told goodbye has gone already.
        let _ = timeout(CLOSE_LIMIT, self.stream.send(&outbox)).await;
    }

    /// What lies in the inbox as a whole reply.
    fn take(&mut self) -> Result<Option<Reply>, Error> {
        while let Some(message) = Message::parse(&mut self.inbox).map_err(garbled)? {
            if matches!(message, Message::CopyInResponse(_)) {
                self.refusal_due = true;
                return Ok(None);
            }
            if let Some(reply) = self.folding.take(message).map_err(garbled)? {
                if matches!(reply, Reply::Ready(_)) {
                    self.state = State::Idle;
                }
                return Ok(Some(reply));
            }
        }
        Ok((self.state == State::Closed).then_some(Reply::Closed))
    }

    /// Tells the server that the data which it waits for will not come. Ten bytes on a connection on which nothing else
    /// is under way are taken whole or not at all, so giving up the wait loses nothing.
    async fn refuse_copy(&mut self) -> Result<(), Error> {
        let mut outbox = BytesMut::new();
        frontend::copy_fail(NO_COPY, &mut outbox).map_err(garbled)?;
        self.stream.send(&outbox).await.map_err(garbled)?;
        self.refusal_due = false;
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let received = self.stream.receive(&mut self.inbox).await;
        self.received(received)
    }

    fn received(&mut self, received: io::Result<usize>) -> Result<(), Error> {
        match received {
            Ok(0) => self.state = State::Closed,
            Ok(_) => {}
            Err(error) if is_hang_up(&error) => self.state = State::Closed,
            Err(error) => return Err(Error::new("read from the server", Kind::Io(error))),
        }
        Ok(())
    }
}

impl fmt::Debug for SimpleSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret key allows cancelling.
        f.debug_struct("SimpleSession")
            .field("backend_pid", &self.backend_pid)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn garbled(source: io::Error) -> Error {
    Error::new("understand the server", Kind::Io(source))
}

/// Whether an error means that the other side has gone.
fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}
