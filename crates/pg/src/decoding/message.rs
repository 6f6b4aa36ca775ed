//! The messages of `pgoutput`, PostgreSQL's own logical decoding plugin: bytes in, values out.
//!
//! Protocol version 1 with text tuples and `messages`; written from the manual's "Logical Replication Message Formats".
//! Streaming of transactions under way (version 2), prepared transactions (3) and parallel streaming (4) are not asked
//! for, so their messages are refused. Nothing is resolved here: relations are numbers, see [`super::transaction`].

use pgstrata_units::Lsn;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A transaction begins.
    Begin {
        /// Where its commit record ends up.
        final_lsn: Lsn,
        /// When it was committed, microseconds since 2000-01-01 UTC.
        commit_time_us: i64,
        /// Its top-level transaction id, without the epoch.
        xid: u32,
    },
    /// The transaction ends.
    Commit {
        /// The commit record.
        commit_lsn: Lsn,
        /// Where the transaction ends in the log.
        end_lsn: Lsn,
        /// When, microseconds since 2000-01-01 UTC.
        commit_time_us: i64,
    },
    /// The transaction was replicated from elsewhere.
    Origin {
        /// Its commit there.
        commit_lsn: Lsn,
        /// The origin's name.
        name: String,
    },
    /// What the following changes call by a number.
    Relation {
        /// The number.
        oid: u32,
        /// The schema; empty for `pg_catalog`.
        schema: String,
        /// The table.
        name: String,
        /// How old rows are identified: `d`efault, `n`othing, `f`ull or `i`ndex.
        identity: u8,
        /// Its columns, without generated ones.
        columns: Vec<MessageColumn>,
    },
    /// A type that is not built in.
    Type {
        /// Its number.
        oid: u32,
        /// Its schema.
        schema: String,
        /// Its name.
        name: String,
    },
    /// A row was inserted.
    Insert {
        /// The relation's number.
        relation: u32,
        /// The row.
        new: Vec<Datum>,
    },
    /// A row was updated.
    Update {
        /// The relation's number.
        relation: u32,
        /// The old row, or its key alone; none where the key did not change and the identity is not full.
        old: Option<OldRow>,
        /// The new row.
        new: Vec<Datum>,
    },
    /// A row was deleted.
    Delete {
        /// The relation's number.
        relation: u32,
        /// The old row, or its key alone.
        old: OldRow,
    },
    /// Tables were emptied.
    Truncate {
        /// The relations' numbers.
        relations: Vec<u32>,
        /// With `cascade`.
        cascade: bool,
        /// With `restart identity`.
        restart_identity: bool,
    },
    /// What `pg_logical_emit_message` wrote.
    Emitted {
        /// Whether it belongs to the transaction.
        transactional: bool,
        /// Where it is in the log.
        lsn: Lsn,
        /// Whose it is.
        prefix: String,
        /// What it says.
        content: Vec<u8>,
    },
}

/// A column of a [`Message::Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageColumn {
    /// Whether it belongs to the replica identity.
    pub in_key: bool,
    /// Its name.
    pub name: String,
    /// The number of its type.
    pub type_oid: u32,
}

/// The old state of a changed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldRow {
    /// Only the columns of the replica identity; the others are [`Datum::Null`] and mean nothing.
    Key(Vec<Datum>),
    /// The whole row: `replica identity full`.
    Full(Vec<Datum>),
}

impl OldRow {
    /// Its values, whichever they are.
    #[must_use]
    pub fn values(&self) -> &[Datum] {
        let (Self::Key(values) | Self::Full(values)) = self;
        values
    }
}

/// The value of one column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Datum {
    /// SQL's null.
    Null,
    /// A value stored out of line that the change did not touch; the log does not hold it.
    Unchanged,
    /// Its text form.
    Text(String),
}

impl Datum {
    /// The text form; none for null and for what the log does not hold.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Unchanged => None,
        }
    }
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// They end too early.
    #[error("the message ends after {length} bytes, inside {inside}")]
    Truncated {
        /// How many bytes there are.
        length: usize,
        /// What was being read.
        inside: &'static str,
    },
    /// They go on after the message's end.
    #[error("{rest} bytes too many after the message")]
    TooLong {
        /// How many.
        rest: usize,
    },
    /// A tag that version 1 of the protocol does not have in this place.
    #[error("unknown tag {tag:#04x} in {inside}")]
    UnknownTag {
        /// The byte.
        tag: u8,
        /// Where.
        inside: &'static str,
    },
    /// A negative count or length.
    #[error("a length of {length} in {inside}")]
    BadLength {
        /// The number.
        length: i32,
        /// Where.
        inside: &'static str,
    },
    /// Text in another encoding; the session's must be UTF-8, and a database in `SQL_ASCII` cannot promise that.
    #[error("{inside} is not UTF-8")]
    NotUtf8 {
        /// Where.
        inside: &'static str,
    },
}

impl Message {
    /// Reads one message, which must fill the bytes.
    ///
    /// # Errors
    /// If the bytes are not exactly one message of version 1 of the protocol.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader { bytes, at: 0 };
        let message = reader.message()?;
        match bytes.len() - reader.at {
            0 => Ok(message),
            rest => Err(MessageError::TooLong { rest }),
        }
    }
}

/// A place in a message.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn message(&mut self) -> Result<Message, MessageError> {
        Ok(match self.byte("a message")? {
            b'B' => Message::Begin {
                final_lsn: self.lsn("begin")?,
                commit_time_us: self.i64("begin")?,
                xid: self.u32("begin")?,
            },
            b'C' => {
                self.byte("commit")?;
                Message::Commit {
                    commit_lsn: self.lsn("commit")?,
                    end_lsn: self.lsn("commit")?,
                    commit_time_us: self.i64("commit")?,
                }
            }
            b'O' => Message::Origin { commit_lsn: self.lsn("origin")?, name: self.string("origin")? },
            b'R' => self.relation()?,
            b'Y' => Message::Type { oid: self.u32("type")?, schema: self.string("type")?, name: self.string("type")? },
            b'I' => {
                let relation = self.u32("insert")?;
                self.tag(b'N', "insert")?;
                Message::Insert { relation, new: self.tuple()? }
            }
            b'U' => self.update()?,
            b'D' => {
                let relation = self.u32("delete")?;
                let tag = self.byte("delete")?;
                Message::Delete { relation, old: self.old_row(tag, "delete")? }
            }
            b'T' => self.truncate()?,
            b'M' => self.emitted()?,
            tag => return Err(MessageError::UnknownTag { tag, inside: "a message" }),
        })
    }

    fn relation(&mut self) -> Result<Message, MessageError> {
        let inside = "relation";
        let (oid, schema, name) = (self.u32(inside)?, self.string(inside)?, self.string(inside)?);
        let identity = self.byte(inside)?;
        let count = self.count16(inside)?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let in_key = self.byte(inside)? & 1 != 0;
            let (name, type_oid) = (self.string(inside)?, self.u32(inside)?);
            // The type modifier, of which the text form needs nothing.
            self.u32(inside)?;
            columns.push(MessageColumn { in_key, name, type_oid });
        }
        Ok(Message::Relation { oid, schema, name, identity, columns })
    }

    fn update(&mut self) -> Result<Message, MessageError> {
        let relation = self.u32("update")?;
        let mut old = None;
        let mut tag = self.byte("update")?;
        if tag != b'N' {
            old = Some(self.old_row(tag, "update")?);
            tag = self.byte("update")?;
        }
        if tag != b'N' {
            return Err(MessageError::UnknownTag { tag, inside: "update" });
        }
        Ok(Message::Update { relation, old, new: self.tuple()? })
    }

    fn old_row(&mut self, tag: u8, inside: &'static str) -> Result<OldRow, MessageError> {
        match tag {
            b'K' => Ok(OldRow::Key(self.tuple()?)),
            b'O' => Ok(OldRow::Full(self.tuple()?)),
            tag => Err(MessageError::UnknownTag { tag, inside }),
        }
    }

    fn truncate(&mut self) -> Result<Message, MessageError> {
        let inside = "truncate";
        let count = self.count32(inside)?;
        let options = self.byte(inside)?;
        let relations = (0..count).map(|_| self.u32(inside)).collect::<Result<_, _>>()?;
        Ok(Message::Truncate { relations, cascade: options & 1 != 0, restart_identity: options & 2 != 0 })
    }

    fn emitted(&mut self) -> Result<Message, MessageError> {
        let inside = "an emitted message";
        let transactional = self.byte(inside)? & 1 != 0;
        let (lsn, prefix) = (self.lsn(inside)?, self.string(inside)?);
        let length = self.count32(inside)?;
        Ok(Message::Emitted { transactional, lsn, prefix, content: self.take(length, inside)?.to_vec() })
    }

    fn tuple(&mut self) -> Result<Vec<Datum>, MessageError> {
        let inside = "a row";
        let count = self.count16(inside)?;
        // Each column takes a byte at least, so a count that lies cannot make us ask for much memory.
        let mut row = Vec::with_capacity(count.min(self.bytes.len() - self.at));
        for _ in 0..count {
            row.push(match self.byte(inside)? {
                b'n' => Datum::Null,
                b'u' => Datum::Unchanged,
                b't' => {
                    let length = self.count32(inside)?;
                    let bytes = self.take(length, inside)?;
                    let text = std::str::from_utf8(bytes).map_err(|_| MessageError::NotUtf8 { inside })?;
                    Datum::Text(text.to_owned())
                }
                tag => return Err(MessageError::UnknownTag { tag, inside }),
            });
        }
        Ok(row)
    }

    fn take(&mut self, length: usize, inside: &'static str) -> Result<&[u8], MessageError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(MessageError::Truncated { length: self.bytes.len(), inside })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, inside: &'static str) -> Result<[u8; N], MessageError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, inside)?);
        Ok(array)
    }

    fn byte(&mut self, inside: &'static str) -> Result<u8, MessageError> {
        Ok(self.array::<1>(inside)?[0])
    }

    fn tag(&mut self, expected: u8, inside: &'static str) -> Result<(), MessageError> {
        match self.byte(inside)? {
            tag if tag == expected => Ok(()),
            tag => Err(MessageError::UnknownTag { tag, inside }),
        }
    }

    fn u32(&mut self, inside: &'static str) -> Result<u32, MessageError> {
        Ok(u32::from_be_bytes(self.array(inside)?))
    }

    fn i64(&mut self, inside: &'static str) -> Result<i64, MessageError> {
        Ok(i64::from_be_bytes(self.array(inside)?))
    }

    fn lsn(&mut self, inside: &'static str) -> Result<Lsn, MessageError> {
        Ok(Lsn(u64::from_be_bytes(self.array(inside)?)))
    }

    fn count16(&mut self, inside: &'static str) -> Result<usize, MessageError> {
        let length = i16::from_be_bytes(self.array(inside)?);
        usize::try_from(length).map_err(|_| MessageError::BadLength { length: length.into(), inside })
    }

    fn count32(&mut self, inside: &'static str) -> Result<usize, MessageError> {
        let length = i32::from_be_bytes(self.array(inside)?);
        usize::try_from(length).map_err(|_| MessageError::BadLength { length, inside })
    }

    /// Text up to a zero byte.
    fn string(&mut self, inside: &'static str) -> Result<String, MessageError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == 0);
        let length = length.ok_or(MessageError::Truncated { length: self.bytes.len(), inside })?;
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| MessageError::NotUtf8 { inside })?;
        self.at += length + 1;
        Ok(text.to_owned())
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
