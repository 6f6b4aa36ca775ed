//! What the heap writes: rows inserted, changed, deleted, locked.
//!
//! The records themselves are read in `crate::heap_record`; here is what logical decoding makes of them
//! (src/backend/replication/logical/decode.c).

use crate::block::RelFile;
use crate::error::DecodeError;
use crate::heap_record::{HeapAction, HeapRecord, NewVersion, OPERATION_MASK, Update};
use crate::record::Record;
use crate::resource::ResourceManager;
use crate::{ItemPointer, Tuple, Xid};

/// One record of the heap. Tuples are missing where the record left them to a page image, which needs
/// `wal_level = replica` or less, or a table that logical decoding does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapOperation<'a> {
    /// A row was inserted.
    Insert {
        /// The relation's files.
        relation: RelFile,
        /// Where the row is.
        at: ItemPointer,
        /// The row.
        new: Option<Tuple<'a>>,
        /// Whether it counts only if a [`HeapOperation::Confirm`] follows (`on conflict`).
        is_speculative: bool,
        /// Whether logical decoding tells it; not so when a table is rewritten, and below `wal_level = logical`.
        is_decoded: bool,
    },
    /// Rows were inserted into one page (`copy`, and `insert` into catalogs).
    MultiInsert {
        /// The relation's files.
        relation: RelFile,
        /// The rows in their order; without line pointers when the page is new, where they count from 1.
        rows: Vec<(ItemPointer, Option<Tuple<'a>>)>,
        /// As for [`HeapOperation::Insert`].
        is_decoded: bool,
    },
    /// A row was replaced.
    Update {
        /// The relation's files.
        relation: RelFile,
        /// Where the old version is.
        from: ItemPointer,
        /// Where the new version is.
        to: ItemPointer,
        /// The new version, unless parts of it were left in the old one.
        new: Option<Tuple<'a>>,
        /// The old version or its key, if the table's replica identity asks for it.
        old: Option<Tuple<'a>>,
        /// Whether no index had to be changed.
        is_hot: bool,
    },
    /// A row was deleted.
    Delete {
        /// The relation's files.
        relation: RelFile,
        /// Where it was.
        at: ItemPointer,
        /// The row or its key, if the table's replica identity asks for it.
        old: Option<Tuple<'a>>,
        /// Whether this takes back a speculative insert.
        takes_back: bool,
    },
    /// A speculative insert holds.
    Confirm {
        /// The relation's files.
        relation: RelFile,
        /// Where the row is.
        at: ItemPointer,
    },
    /// A row was locked.
    Lock {
        /// The relation's files.
        relation: RelFile,
        /// Where it is.
        at: ItemPointer,
        /// Who locks: a transaction, or a group of them.
        xmax: Xid,
    },
    /// Tables were truncated: OIDs of relations, not their files.
    Truncate {
        /// OID of the database.
        database: u32,
        /// OIDs of the tables.
        relations: Vec<u32>,
    },
    /// Pruning, freezing, visibility, in-place updates of catalogs, rewrites: no row changes for a transaction.
    Upkeep,
}

/// Multi-inserts are the only records of `Heap2` with rows in them.
const HEAP2_MULTI_INSERT: u8 = 0x50;

impl<'a> HeapOperation<'a> {
    /// The error is a body that does not fit what its code says.
    pub(crate) fn read(record: &'a Record) -> Result<Self, DecodeError> {
        let code = record.header.operation_code() & OPERATION_MASK;
        // What concerns no row is not looked at: there is much of it, and it is long.
        if record.header.manager == ResourceManager::HEAP2 && code != HEAP2_MULTI_INSERT {
            return Ok(Self::Upkeep);
        }
        Ok(record.heap()?.map_or(Self::Upkeep, Self::of))
    }

    fn of(HeapRecord { relation, action }: HeapRecord<'a>) -> Self {
        match action {
            HeapAction::Insert { at, tuple: new, is_speculative, is_decoded, .. } => {
                Self::Insert { relation, at, new, is_speculative, is_decoded }
            }
            HeapAction::MultiInsert { block, tuples, is_decoded, .. } => {
                let rows = tuples.into_iter().map(|(offset, tuple)| (ItemPointer { block, offset }, tuple)).collect();
                Self::MultiInsert { relation, rows, is_decoded }
            }
            HeapAction::Update(Update { from, to, new, old, is_hot, .. }) => {
                let new = new.filter(NewVersion::is_whole).map(|new| Tuple::new(new.header, new.bytes));
                Self::Update { relation, from, to, new, old, is_hot }
            }
            HeapAction::Delete { at, old, takes_back, .. } => Self::Delete { relation, at, old, takes_back },
            HeapAction::Confirm { at } => Self::Confirm { relation, at },
            HeapAction::Lock { at, xmax, .. } => Self::Lock { relation, at, xmax },
            HeapAction::Truncate { database, relations } => Self::Truncate { database, relations },
            HeapAction::Inplace { .. }
            | HeapAction::Prune(_)
            | HeapAction::Visible { .. }
            | HeapAction::NewCid { .. }
            | HeapAction::Nothing => Self::Upkeep,
        }
    }
}
