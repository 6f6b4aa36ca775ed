//! What a server says in the simple query protocol, put together from its messages.

use std::io;

use postgres_protocol::message::backend::{ErrorFields, Message};

/// A result with more rows than this is refused: scripts look at small tables.
const ROWS_MAX: usize = 1_000_000;

/// How much of a result is kept. What comes beyond it is read and let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Rows of a result, from the first.
    pub rows: usize,
    /// Bytes of a value; what is longer is cut at a character and gets an ellipsis.
    pub value_bytes: usize,
}

/// One thing that the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A statement has succeeded.
    Complete {
        /// What it was, as the server names it: `SELECT 1`, `BEGIN`.
        tag: String,
        /// What it returned, when it was one that returns rows.
        rows: Option<Rows>,
    },
    /// There was no statement in the text.
    Empty,
    /// A statement has failed; those behind it in the same text are not run.
    Error(ServerMessage),
    /// A notice, warning or the like.
    Notice(ServerMessage),
    /// What another session said by `notify`.
    Notification {
        /// The server process that sent it.
        backend_pid: i32,
        /// The channel's name.
        channel: String,
        /// The text that was sent along.
        payload: String,
    },
    /// The server has done all it was sent.
    Ready(TransactionStatus),
    /// The connection has ended.
    Closed,
}

/// Rows as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows in the order in which they came; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many more there were, which [`Keep`] left out.
    pub left_out: u64,
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's number in `pg_type`.
    pub type_oid: u32,
}

/// An error, warning or notice of the server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServerMessage {
    /// `ERROR`, `FATAL`, `NOTICE` and so on, in the language of the session's `lc_messages`.
    pub severity: String,
    /// Its code: PostgreSQL documentation, appendix A.
    pub sqlstate: String,
    /// The sentence.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What may be done.
    pub hint: Option<String>,
    /// The statement inside a function that it is about.
    pub internal_query: Option<String>,
    /// Where it came from, as a stack of functions.
    pub context: Option<String>,
    /// Where in the text it is, in characters from 1.
    pub position: Option<u32>,
}

/// Whether a session is in a transaction, as the server says whenever it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// In none.
    Idle,
    /// In one.
    Open,
    /// In one that has failed and can only be rolled back.
    Failed,
}

impl ServerMessage {
    pub(super) fn of(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        use fallible_iterator::FallibleIterator as _;
        let mut said = Self::default();
        while let Some(field) = fields.next()? {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => said.severity = value,
                b'C' => said.sqlstate = value,
                b'M' => said.message = value,
                b'D' => said.detail = Some(value),
                b'H' => said.hint = Some(value),
                b'q' => said.internal_query = Some(value),
                b'W' => said.context = Some(value),
                b'P' => said.position = value.parse().ok(),
                _ => {}
            }
        }
        Ok(said)
    }
}

impl std::fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} (SQLSTATE {})", self.severity, self.message, self.sqlstate)
    }
}

/// Puts the rows between a description and its completion together.
#[derive(Debug, Default)]
pub(super) struct Folding {
    rows: Option<Rows>,
    pub(super) keep: Option<Keep>,
}

impl Folding {
    /// The reply that this message completes, if it does.
    pub(super) fn take(&mut self, message: Message) -> io::Result<Option<Reply>> {
        Ok(Some(match message {
            Message::RowDescription(body) => {
                self.rows = Some(Rows { columns: columns(&body)?, rows: Vec::new(), left_out: 0 });
                return Ok(None);
            }
            Message::DataRow(body) => {
                let rows = self.rows.as_mut().ok_or_else(|| unexpected("a row without a description"))?;
                match self.keep {
                    Some(keep) if rows.rows.len() >= keep.rows => rows.left_out += 1,
                    None if rows.rows.len() >= ROWS_MAX => {
                        return Err(unexpected("a result of more than a million rows"));
                    }
                    keep => rows.rows.push(values(&body, keep.map_or(usize::MAX, |keep| keep.value_bytes))?),
                }
                return Ok(None);
            }
            Message::CommandComplete(body) => Reply::Complete { tag: body.tag()?.to_owned(), rows: self.rows.take() },
            Message::EmptyQueryResponse => Reply::Empty,
            Message::ErrorResponse(body) => {
                // The rows that came before it are not a result.
                self.rows = None;
                Reply::Error(ServerMessage::of(body.fields())?)
            }
            Message::NoticeResponse(body) => Reply::Notice(ServerMessage::of(body.fields())?),
            Message::NotificationResponse(body) => Reply::Notification {
                backend_pid: body.process_id(),
                channel: body.channel()?.to_owned(),
                payload: body.message()?.to_owned(),
            },
            Message::ReadyForQuery(body) => Reply::Ready(match body.status() {
                b'T' => TransactionStatus::Open,
                b'E' => TransactionStatus::Failed,
                _ => TransactionStatus::Idle,
            }),
            // Settings that changed, and data that `copy … to stdout` sends.
            Message::ParameterStatus(_) | Message::CopyOutResponse(_) | Message::CopyData(_) | Message::CopyDone => {
                return Ok(None);
            }
            _ => return Err(unexpected("a message of another protocol")),
        }))
    }
}

fn columns(body: &postgres_protocol::message::backend::RowDescriptionBody) -> io::Result<Vec<Column>> {
    use fallible_iterator::FallibleIterator as _;
    body.fields().map(|field| Ok(Column { name: field.name().to_owned(), type_oid: field.type_oid() })).collect()
}

fn values(
    body: &postgres_protocol::message::backend::DataRowBody,
    most_bytes: usize,
) -> io::Result<Vec<Option<String>>> {
    use fallible_iterator::FallibleIterator as _;
    let text = |range: std::ops::Range<usize>| {
        let bytes = &body.buffer()[range];
        if bytes.len() <= most_bytes {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        // Not in the middle of a character, whose further bytes begin with the bits 10.
        let cut = (0..=most_bytes).rev().find(|at| bytes[*at] & 0xC0 != 0x80).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..cut]).into_owned() + "…"
    };
    body.ranges().map(|range| Ok(range.map(text))).collect()
}

fn unexpected(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
