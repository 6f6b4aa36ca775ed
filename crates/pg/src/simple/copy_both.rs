//! The replication side of a session: copying in both directions, which the driver and the codec do not know.
//!
//! Source: PostgreSQL documentation, "Streaming Replication Protocol" and "Message Formats" (`CopyBothResponse`).

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend::{self, CopyData};
use tokio::time::timeout;

use super::message::ServerMessage;
use super::{SimpleSession, State, garbled, login};
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};

/// A message longer than this is refused; the server sends at most 128 kB of log at once (`MAX_SEND_SIZE`).
const MESSAGE_BYTES_MAX: usize = 16 << 20;

const COPY_BOTH_TAG: u8 = b'W';
const COPY_DATA_TAG: u8 = b'd';
const COPY_DONE_TAG: u8 = b'c';
const ERROR_TAG: u8 = b'E';

/// What comes while both sides copy.
#[derive(Debug)]
pub(crate) enum Copied {
    /// Data.
    Data(Bytes),
    /// The server has no more; it waits for us to say so too.
    Done,
    /// It has ended with an error.
    Error(Box<ServerMessage>),
    /// The connection has ended.
    Closed,
}

impl SimpleSession {
    /// Opens a session that takes replication commands (`replication=true`); bounded like [`Endpoint::connect`].
    pub(crate) async fn connect_for_replication(endpoint: &Endpoint) -> Result<Self, Error> {
        let limit = endpoint.connect_limit();
        let kind = match timeout(limit, login::open(endpoint.config(), true)).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(kind)) => kind,
            Err(_) => Kind::ConnectTimeout { limit_ms: limit.as_millis() },
        };
        Err(Error::new(format!("connect to {endpoint} for replication"), kind))
    }

    /// Sends a command that begins copying in both directions. `Ok(Some)` is the server's refusal; the session can go on
    /// after it was read to the end.
    pub(crate) async fn start_copy(&mut self, command: &str) -> Result<Option<ServerMessage>, Error> {
        self.start(command).await?;
        loop {
            let Some((tag, body)) = self.frame().await? else {
                self.state = State::Closed;
                return Err(Error::new("start replication", Kind::SessionClosed));
            };
            match tag {
                COPY_BOTH_TAG => return Ok(None),
                ERROR_TAG => return Ok(Some(error_of(tag, &body)?)),
                // Notices and settings.
                _ => {}
            }
        }
    }

    /// The next message while both sides copy. Giving up the wait loses nothing.
    pub(crate) async fn next_copied(&mut self) -> Result<Copied, Error> {
        loop {
            let Some((tag, body)) = self.frame().await? else {
                self.state = State::Closed;
                return Ok(Copied::Closed);
            };
            return Ok(match tag {
                COPY_DATA_TAG => Copied::Data(body),
                COPY_DONE_TAG => Copied::Done,
                ERROR_TAG => Copied::Error(Box::new(error_of(tag, &body)?)),
                _ => continue,
            });
        }
    }

    /// Sends data to a server that copies.
    pub(crate) async fn send_copied(&mut self, data: &[u8]) -> Result<(), Error> {
        let mut outbox = BytesMut::new();
        CopyData::new(data).map_err(garbled)?.write(&mut outbox);
        self.stream.send(&outbox).await.map_err(|source| Error::new("answer the server", Kind::Io(source)))
    }

    /// Says that we have no more either; results follow as for a statement.
    pub(crate) async fn finish_copying(&mut self) -> Result<(), Error> {
        let mut outbox = BytesMut::new();
        frontend::copy_done(&mut outbox);
        self.stream.send(&outbox).await.map_err(|source| Error::new("end replication", Kind::Io(source)))
    }

    /// The next data if it has come already; whatever else has is left for [`Self::next_copied`].
    pub(crate) async fn data_at_once(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if self.inbox.first().is_some_and(|tag| *tag != COPY_DATA_TAG) {
                return Ok(None);
            }
            if let Some((_, body)) = self.frame_in_inbox()? {
                return Ok(Some(body));
            }
            tokio::select! {
                biased;
                filled = self.fill() => filled?,
                () = std::future::ready(()) => return Ok(None),
            }
            if self.is_closed() {
                return Ok(None);
            }
        }
    }

    /// The next message as its tag and body, `None` at the end of the connection.
    async fn frame(&mut self) -> Result<Option<(u8, Bytes)>, Error> {
        loop {
            if let Some(frame) = self.frame_in_inbox()? {
                return Ok(Some(frame));
            }
            self.fill().await?;
            if self.is_closed() {
                return Ok(None);
            }
        }
    }

    /// The same of what was received, if all of it was.
    fn frame_in_inbox(&mut self) -> Result<Option<(u8, Bytes)>, Error> {
        let Some(header) = Header::parse(&self.inbox).map_err(garbled)? else { return Ok(None) };
        // The length counts itself, not the tag.
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
        if length > MESSAGE_BYTES_MAX {
            return Err(garbled(io::Error::new(io::ErrorKind::InvalidData, "a message of more than 16 MB")));
        }
        if self.inbox.len() <= length {
            return Ok(None);
        }
        let mut message = self.inbox.split_to(length + 1).freeze();
        message.advance(5);
        Ok(Some((header.tag(), message)))
    }
}

/// The server's error, by the codec.
fn error_of(tag: u8, body: &[u8]) -> Result<ServerMessage, Error> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    let mut whole = BytesMut::with_capacity(body.len() + 5);
    whole.extend_from_slice(&[tag]);
    whole.extend_from_slice(&length.to_be_bytes());
    whole.extend_from_slice(body);
    match Message::parse(&mut whole).map_err(garbled)? {
        Some(Message::ErrorResponse(body)) => ServerMessage::of(body.fields()).map_err(garbled),
        _ => Err(garbled(io::Error::new(io::ErrorKind::InvalidData, "an error that is none"))),
    }
}
