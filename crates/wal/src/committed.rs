//! Changes of rows, put together by transaction and told in the order of commits.
//!
//! It keeps what transactions under way have changed, for the relations asked for alone. Savepoints, prepared
//! transactions and `insert … on conflict` are followed. It must be fed from before the first change of a transaction.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_units::Lsn;

use crate::Xid;
use crate::block::RelFile;
use crate::error::DecodeError;
use crate::heap::HeapOperation;
use crate::operation::Operation;
use crate::record::Record;
use crate::transaction::{Completion, TransactionOperation};
use crate::{ItemPointer, Tuple, TupleHeader};

/// A row of its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowImage {
    header: TupleHeader,
    bytes: Vec<u8>,
}

impl RowImage {
    /// The row, to be taken apart.
    #[must_use]
    pub fn tuple(&self) -> Tuple<'_> {
        Tuple::new(self.header, &self.bytes)
    }
}

impl From<Tuple<'_>> for RowImage {
    fn from(tuple: Tuple<'_>) -> Self {
        Self { header: tuple.header(), bytes: tuple.bytes().to_vec() }
    }
}

/// What happened to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came.
    Insert {
        /// The row; `None` if the record left it to a page image.
        row: Option<RowImage>,
        /// Whether the transaction made the file itself: when a table is rewritten, its rows come again, and logical
        /// decoding does not tell them (`relrewrite`).
        fills_new_file: bool,
    },
    /// It was replaced: where the old version was, the new one.
    Update(ItemPointer, Option<RowImage>),
    /// It went.
    Delete,
    /// With all others, by `truncate`: the OID of the table, not of its files.
    Truncate(u32),
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record.
    pub lsn: Lsn,
    /// The transaction or subtransaction.
    pub xid: Xid,
    /// The relation's files; all zero for a truncation.
    pub relation: RelFile,
    /// Where the row is now, or was.
    pub at: ItemPointer,
    /// What happened.
    pub kind: ChangeKind,
}

/// A committed transaction with what it changed in the relations asked for, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedTransaction {
    /// Its number.
    pub xid: Xid,
    /// Where its commit record begins: what logical decoding calls the commit's position.
    pub commit_lsn: Lsn,
    /// Where the commit record ends.
    pub end_lsn: Lsn,
    /// When it committed, in microseconds since 2000-01-01 00:00 UTC, by the server's clock.
    pub time_us: i64,
    /// The name it was prepared under, if it was.
    pub gid: Option<String>,
    /// What it changed; may be empty.
    pub changes: Vec<Change>,
}

/// Follows transactions through records.
pub struct Committed {
    database: u32,
    tables: BTreeSet<u32>,
    relations: BTreeSet<RelFile>,
    /// Changes by transaction and subtransaction.
    open: BTreeMap<Xid, Vec<Change>>,
    /// Inserts that wait for their confirmation.
    speculative: BTreeMap<Xid, Vec<Change>>,
    /// Who made the files that are followed, if that was in the log.
    makers: BTreeMap<RelFile, Xid>,
}

impl Committed {
    /// Follows changes of these relations' files, and truncations of these tables (OIDs) of a database (OID).
    #[must_use]
    pub fn of(relations: BTreeSet<RelFile>, database: u32, tables: BTreeSet<u32>) -> Self {
        let (open, speculative, makers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { database, tables, relations, open, speculative, makers }
    }

    /// Follows further files from here on: a table was rewritten.
    pub fn follow(&mut self, relation: RelFile) {
        self.relations.insert(relation);
    }

    /// How many changes wait for the end of their transactions.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.open.values().chain(self.speculative.values()).map(Vec::len).sum()
    }

    /// Takes the next record; gives the transaction if it is the commit of one.
    pub fn take(&mut self, record: &Record) -> Result<Option<CommittedTransaction>, DecodeError> {
        match record.operation()? {
            Operation::Heap(operation) => self.heap(record, operation),
            Operation::Transaction(operation) => return Ok(self.transaction(record, operation)),
            Operation::FileCreated { relation } if self.relations.contains(&relation) => {
                self.makers.insert(relation, record.header.xid);
            }
            _ => {}
        }
        Ok(None)
    }

    fn transaction(&mut self, record: &Record, operation: TransactionOperation) -> Option<CommittedTransaction> {
        match operation {
            TransactionOperation::Commit(end) | TransactionOperation::CommitPrepared(end) => {
                let changes = self.end(&end);
                let Completion { xid, time_us, gid, .. } = end;
                let (commit_lsn, end_lsn) = (record.lsn, record.end);
                Some(CommittedTransaction { xid, commit_lsn, end_lsn, time_us, gid, changes })
            }
            TransactionOperation::Abort(end) | TransactionOperation::AbortPrepared(end) => {
                self.end(&end);
                None
            }
            _ => None,
        }
    }

    /// Forgets a transaction with its subtransactions, and tells what they changed in the order of the log.
    fn end(&mut self, end: &Completion) -> Vec<Change> {
        let mut changes = Vec::new();
        for xid in std::iter::once(end.xid).chain(end.subtransactions.iter().copied()) {
            changes.extend(self.open.remove(&xid).unwrap_or_default());
            self.speculative.remove(&xid);
        }
        // Stable: the rows of one record stay in their order.
        changes.sort_by_key(|change| change.lsn);
        changes
    }

    fn heap(&mut self, record: &Record, operation: HeapOperation<'_>) {
        let change = |relation, at, kind| Change { lsn: record.lsn, xid: record.header.xid, relation, at, kind };
        let row = |tuple: Option<Tuple<'_>>| tuple.map(RowImage::from);
        match operation {
            HeapOperation::Insert { relation, at, new, is_speculative, .. } => {
                let fills_new_file = self.makers.get(&relation) == Some(&record.header.xid);
                let change = change(relation, at, ChangeKind::Insert { row: row(new), fills_new_file });
                if is_speculative && self.relations.contains(&relation) {
                    self.speculative.entry(change.xid).or_default().push(change);
                } else {
                    self.push(change);
                }
            }
            HeapOperation::MultiInsert { relation, rows, .. } => {
                let fills_new_file = self.makers.get(&relation) == Some(&record.header.xid);
                for (at, new) in rows {
                    self.push(change(relation, at, ChangeKind::Insert { row: row(new), fills_new_file }));
                }
            }
            HeapOperation::Update { relation, from, to, new, .. } => {
                self.push(change(relation, to, ChangeKind::Update(from, row(new))));
            }
            HeapOperation::Delete { relation, at, takes_back: true, .. } => {
                self.take_speculative(record.header.xid, relation, at);
            }
            HeapOperation::Delete { relation, at, .. } => self.push(change(relation, at, ChangeKind::Delete)),
            HeapOperation::Confirm { relation, at } => {
                // It counts from here, as in logical decoding.
                let confirmed = self.take_speculative(record.header.xid, relation, at);
                if let Some(confirmed) = confirmed {
                    self.push(Change { lsn: record.lsn, ..confirmed });
                }
            }
            HeapOperation::Truncate { database, relations } if database == self.database => {
                let nowhere = (RelFile { tablespace: 0, database: 0, file: 0 }, ItemPointer { block: 0, offset: 0 });
                for table in relations.into_iter().filter(|table| self.tables.contains(table)) {
                    let truncation = change(nowhere.0, nowhere.1, ChangeKind::Truncate(table));
                    self.open.entry(truncation.xid).or_default().push(truncation);
                }
            }
            HeapOperation::Truncate { .. } | HeapOperation::Lock { .. } | HeapOperation::Upkeep => {}
        }
    }

    fn push(&mut self, change: Change) {
        if self.relations.contains(&change.relation) {
            self.open.entry(change.xid).or_default().push(change);
        }
    }

    fn take_speculative(&mut self, xid: Xid, relation: RelFile, at: ItemPointer) -> Option<Change> {
        let waiting = self.speculative.get_mut(&xid)?;
        let index = waiting.iter().position(|change| change.relation == relation && change.at == at)?;
        Some(waiting.remove(index))
    }
}
