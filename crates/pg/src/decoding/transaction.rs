//! Transactions as logical decoding tells them: whole, committed, in the order of their commit records.
//!
//! Puts the messages of one answer together and gives the relations their names. It reads no server.

use std::collections::HashMap;
use std::sync::Arc;

use pgstrata_units::Lsn;

use super::error::DecodingError;
use super::message::{Datum, Message, OldRow};

/// A committed transaction that changed something in the published tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedTransaction {
    /// Its top-level transaction id, without the epoch: the low 32 bits of what `pg_current_xact_id()` said.
    pub xid: u32,
    /// Its commit record; transactions are delivered in this order.
    pub commit_lsn: Lsn,
    /// Where it ends in the log; what has been kept up to here need not be read again.
    pub end_lsn: Lsn,
    /// When it was committed, microseconds since 2000-01-01 UTC on the server's clock.
    pub commit_time_us: i64,
    /// The node it was replicated from, if it was.
    pub origin: Option<String>,
    /// What it did, in its order; the changes of savepoints that were rolled back are not there.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row was inserted.
    Insert {
        /// The table.
        relation: Arc<Relation>,
        /// The row.
        new: Vec<Datum>,
    },
    /// A row was updated.
    Update {
        /// The table.
        relation: Arc<Relation>,
        /// The old row, or its key alone; none where the key did not change and the identity is not full.
        old: Option<OldRow>,
        /// The new row.
        new: Vec<Datum>,
    },
    /// A row was deleted.
    Delete {
        /// The table.
        relation: Arc<Relation>,
        /// The old row, or its key alone.
        old: OldRow,
    },
    /// Tables were emptied.
    Truncate {
        /// The tables.
        relations: Vec<Arc<Relation>>,
    },
    /// What `pg_logical_emit_message(true, …)` wrote in the transaction.
    Message {
        /// Whose it is.
        prefix: String,
        /// What it says.
        content: Vec<u8>,
    },
}

/// A table as the log knew it at the time of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its number.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether updates and deletes carry the whole old row.
    pub identity_full: bool,
    /// Its columns in order, without generated ones; the rows have the same order.
    pub columns: Vec<Column>,
}

/// A column of a [`Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The number of its type.
    pub type_oid: u32,
    /// Whether it belongs to the replica identity; true for every column when that is full.
    pub in_identity: bool,
}

impl Relation {
    /// The place of a column in its rows.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Puts messages together. One for each answer of the server: every answer names its relations anew.
#[derive(Debug, Default)]
pub struct Assembler {
    relations: HashMap<u32, Arc<Relation>>,
    open: Option<DecodedTransaction>,
}

impl Assembler {
    /// Takes the next message; gives the transaction that it ends.
    ///
    /// A message that belongs to no transaction (`pg_logical_emit_message(false, …)`) is left out.
    ///
    /// # Errors
    /// If the bytes are no message, or the message has no place here.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<DecodedTransaction>, DecodingError> {
        match Message::parse(bytes)? {
            Message::Begin { final_lsn, commit_time_us, xid } => {
                let begun = DecodedTransaction {
                    xid,
                    commit_lsn: final_lsn,
                    end_lsn: final_lsn,
                    commit_time_us,
                    origin: None,
                    changes: Vec::new(),
                };
                if self.open.replace(begun).is_some() {
                    return Err(DecodingError::OutOfPlace { what: "a transaction inside another" });
                }
            }
            Message::Commit { commit_lsn, end_lsn, .. } => {
                let mut ended = self.open.take().ok_or(DecodingError::OutOfPlace { what: "a commit without begin" })?;
                (ended.commit_lsn, ended.end_lsn) = (commit_lsn, end_lsn);
                return Ok(Some(ended));
            }
            Message::Origin { name, .. } => self.open()?.origin = Some(name),
            Message::Relation { oid, schema, name, identity, columns } => {
                let columns = columns.into_iter().map(|column| Column {
                    name: column.name,
                    type_oid: column.type_oid,
                    in_identity: column.in_key,
                });
                let schema = if schema.is_empty() { "pg_catalog".to_owned() } else { schema };
                let relation =
                    Relation { oid, schema, name, identity_full: identity == b'f', columns: columns.collect() };
                self.relations.insert(oid, Arc::new(relation));
            }
            Message::Type { .. } | Message::Emitted { transactional: false, .. } => {}
            Message::Emitted { prefix, content, .. } => self.change(Change::Message { prefix, content })?,
            Message::Insert { relation, new } => {
                let relation = self.row_of(relation, &[&new])?;
                self.change(Change::Insert { relation, new })?;
            }
            Message::Update { relation, old, new } => {
                let relation = match &old {
                    Some(OldRow::Key(row) | OldRow::Full(row)) => self.row_of(relation, &[row, &new])?,
                    None => self.row_of(relation, &[&new])?,
                };
                self.change(Change::Update { relation, old, new })?;
            }
            Message::Delete { relation, old } => {
                let (OldRow::Key(row) | OldRow::Full(row)) = &old;
                let relation = self.row_of(relation, &[row])?;
                self.change(Change::Delete { relation, old })?;
            }
            Message::Truncate { relations, .. } => {
                let relations = relations.into_iter().map(|oid| self.row_of(oid, &[])).collect::<Result<_, _>>()?;
                self.change(Change::Truncate { relations })?;
            }
        }
        Ok(None)
    }

    /// Ends the answer: nothing may be left open.
    ///
    /// # Errors
    /// If a transaction was begun and not ended.
    pub fn finish(self) -> Result<(), DecodingError> {
        match self.open {
            None => Ok(()),
            Some(_) => Err(DecodingError::OutOfPlace { what: "an answer that ends inside a transaction" }),
        }
    }

    fn open(&mut self) -> Result<&mut DecodedTransaction, DecodingError> {
        self.open.as_mut().ok_or(DecodingError::OutOfPlace { what: "a change outside a transaction" })
    }

    fn change(&mut self, change: Change) -> Result<(), DecodingError> {
        self.open()?.changes.push(change);
        Ok(())
    }

    /// The relation of this number, if the rows have its columns.
    fn row_of(&self, oid: u32, rows: &[&Vec<Datum>]) -> Result<Arc<Relation>, DecodingError> {
        let relation = self.relations.get(&oid);
        let relation = relation.ok_or(DecodingError::OutOfPlace { what: "a change of a relation without a name" })?;
        if rows.iter().any(|row| row.len() != relation.columns.len()) {
            return Err(DecodingError::OutOfPlace { what: "a row that does not have its relation's columns" });
        }
        Ok(Arc::clone(relation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &[u8] = b"B\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x05\0\0\0\x07";
    const COMMIT: &[u8] = b"C\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0\x05";
    const RELATION: &[u8] = b"R\0\0\0\x01s\0t\0f\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF";
    const INSERT: &[u8] = b"I\0\0\0\x01N\0\x01t\0\0\0\x011";
    const INSERT_OF_TWO: &[u8] = b"I\0\0\0\x01N\0\x02nn";

    #[test]
    fn messages_become_a_transaction_with_named_relations() {
        let mut assembler = Assembler::default();
        for message in [BEGIN, RELATION, INSERT] {
            assert_eq!(assembler.push(message), Ok(None));
        }
        let ended = assembler.push(COMMIT).expect("in order").expect("the transaction");
        assert_eq!((ended.xid, ended.commit_lsn, ended.end_lsn), (7, Lsn(16), Lsn(24)));
        let [Change::Insert { relation, new }] = ended.changes.as_slice() else { panic!("{ended:?}") };
        assert_eq!((relation.schema.as_str(), relation.name.as_str(), relation.column("id")), ("s", "t", Some(0)));
        assert!(relation.identity_full);
        assert_eq!(new, &[Datum::Text("1".to_owned())]);
        assert_eq!(assembler.finish(), Ok(()));
    }

    #[test]
    fn messages_without_a_place_are_refused() {
        let refused = |messages: &[&[u8]]| {
            let mut assembler = Assembler::default();
            let outcome = messages.iter().try_for_each(|message| assembler.push(message).map(|_| ()));
            matches!(outcome.and_then(|()| assembler.finish()), Err(DecodingError::OutOfPlace { .. }))
        };
        assert!(refused(&[COMMIT]));
        assert!(refused(&[BEGIN, BEGIN]));
        assert!(refused(&[BEGIN]));
        assert!(refused(&[BEGIN, INSERT]), "the relation was never named");
        assert!(refused(&[RELATION, INSERT]), "outside a transaction");
        assert!(refused(&[BEGIN, RELATION, INSERT_OF_TWO]), "more values than columns");
        assert!(!refused(&[BEGIN, RELATION, INSERT, COMMIT]));
    }
}
