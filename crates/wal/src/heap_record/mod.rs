//! Records of the heap in full: every field that replay and the history of a version need.
//!
//! A [`HeapRecord`] says what happens on pages; [`crate::HeapOperation`] is made of it and says what happened to rows, for
//! readers who follow committed changes. Layouts: `src/include/access/heapam_xlog.h` of PostgreSQL 14 to 18.

mod prune;
mod read;

use crate::Xid;
use crate::block::RelFile;
use pgstrata_tuple::{ItemPointer, Row, RowHeader};

pub use prune::{Freeze, Prune, PruneReason};
pub(crate) use read::OPERATION_MASK;

/// One record of the resource managers `Heap` and `Heap2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapRecord<'a> {
    /// The relation's files.
    pub relation: RelFile,
    /// What it does to them.
    pub action: HeapAction<'a>,
}

/// What a record does to pages. Tuples are missing where the record left them to a page image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapAction<'a> {
    /// A tuple comes.
    Insert {
        /// Where.
        at: ItemPointer,
        /// Its stored part.
        tuple: Option<Row<'a>>,
        /// What becomes of the page's flag.
        visibility: AllVisible,
        /// Whether it counts only after a [`HeapAction::Confirm`].
        is_speculative: bool,
        /// Whether the page is made anew.
        makes_page: bool,
        /// Whether logical decoding tells it.
        is_decoded: bool,
    },
    /// Several tuples come, on one page.
    MultiInsert {
        /// The page.
        block: u32,
        /// Line pointers with stored parts.
        tuples: Vec<(u16, Option<Row<'a>>)>,
        /// What becomes of the page's flag.
        visibility: AllVisible,
        /// Whether the page is made anew.
        makes_page: bool,
        /// Whether logical decoding tells it.
        is_decoded: bool,
    },
    /// A tuple is marked deleted.
    Delete {
        /// Where.
        at: ItemPointer,
        /// Its new `xmax`.
        xmax: Xid,
        /// Bits that go with it.
        bits: XmaxBits,
        /// What becomes of the page's flag.
        visibility: AllVisible,
        /// Whether this takes back a speculative insert.
        takes_back: bool,
        /// Whether the row moved to another partition.
        moves_partition: bool,
        /// The row or its key, for logical decoding, if the table's replica identity asks for it.
        old: Option<Row<'a>>,
    },
    /// A tuple is replaced by another.
    Update(Update<'a>),
    /// A speculative insert holds.
    Confirm {
        /// Where.
        at: ItemPointer,
    },
    /// A tuple is locked.
    Lock {
        /// Where.
        at: ItemPointer,
        /// Its new `xmax`: a transaction or a multixact.
        xmax: Xid,
        /// Bits that go with it.
        bits: XmaxBits,
        /// Whether a later version of a row is locked along (`LOCK_UPDATED`).
        follows_update: bool,
    },
    /// A tuple is overwritten where it is; catalogs alone.
    Inplace {
        /// Where.
        at: ItemPointer,
        /// Its columns; none if a page image has them.
        columns: &'a [u8],
    },
    /// Versions that nobody sees go, and line pointers; tuples are frozen.
    Prune(Prune),
    /// A page is marked all-visible.
    Visible {
        /// The page.
        block: u32,
        /// Whether all its tuples are frozen too.
        is_frozen: bool,
    },
    /// Command ids of a catalog's tuple, for logical decoding.
    NewCid {
        /// Where.
        at: ItemPointer,
        /// The command that made it.
        cmin: u32,
        /// The command that ended it; `u32::MAX` if none did.
        cmax: u32,
    },
    /// Tables were truncated; nothing on a page.
    Truncate {
        /// OID of the database.
        database: u32,
        /// OIDs of the tables, not their files.
        relations: Vec<u32>,
    },
    /// Nothing on a page: the mapping files of rewrites.
    Nothing,
}

/// The body of `UPDATE` and `HOT_UPDATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Where the old version is.
    pub from: ItemPointer,
    /// Where the new one is.
    pub to: ItemPointer,
    /// The old version's `xmax`: the updater, or a multixact with it.
    pub old_xmax: Xid,
    /// Bits that go with it.
    pub old_bits: XmaxBits,
    /// The new version's `xmax`: lockers that it inherits.
    pub new_xmax: Xid,
    /// What becomes of the old page's flag.
    pub old_visibility: AllVisible,
    /// What becomes of the new page's flag.
    pub new_visibility: AllVisible,
    /// Whether no index had to be changed.
    pub is_hot: bool,
    /// Whether the new page is made anew.
    pub makes_page: bool,
    /// The new version.
    pub new: Option<NewVersion<'a>>,
    /// The old version or its key, for logical decoding, if the table's replica identity asks for it.
    pub old: Option<Row<'a>>,
}

/// A new version as an update stores it: what it has in common with the old one, at both ends, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewVersion<'a> {
    /// Bytes to take from the beginning of the old version's columns.
    pub prefix: u16,
    /// Bytes to take from their end.
    pub suffix: u16,
    /// Its header.
    pub header: RowHeader,
    /// Null bitmap and padding, then the columns between prefix and suffix.
    pub bytes: &'a [u8],
}

impl NewVersion<'_> {
    /// Whether nothing of it was left in the old version.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.prefix == 0 && self.suffix == 0
    }
}

/// What becomes of a page's mark that everybody sees all its tuples (`PD_ALL_VISIBLE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllVisible {
    /// It stays as it is.
    Kept,
    /// It goes.
    Cleared,
    /// It comes: tuples that were frozen as they came.
    Set,
}

/// The bits of a tuple's masks that say what its `xmax` is (`XLHL_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct XmaxBits(pub u8);

impl XmaxBits {
    /// `xmax` is a multixact.
    #[must_use]
    pub const fn is_multi(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// It only locks.
    #[must_use]
    pub const fn locks_only(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Sets the bits of both masks, as `fix_infomask_from_infobits` of heapam does after the old ones were cleared.
    pub(crate) const fn set(self, infomask: u16, infomask2: u16) -> (u16, u16) {
        use crate::infomask::{
            EXCLUSIVE_LOCK, HEAP_KEYS_UPDATED, IS_MULTI, KEY_SHARE_LOCK, LOCK_ONLY, MOVED, XMAX_BITS,
        };
        let mut mask = infomask & !(XMAX_BITS | MOVED);
        let mut mask2 = infomask2 & !HEAP_KEYS_UPDATED;
        if self.is_multi() {
            mask |= IS_MULTI;
        }
        if self.locks_only() {
            mask |= LOCK_ONLY;
        }
        if self.0 & 0x04 != 0 {
            mask |= EXCLUSIVE_LOCK;
        }
        if self.0 & 0x08 != 0 {
            mask |= KEY_SHARE_LOCK;
        }
        if self.0 & 0x10 != 0 {
            mask2 |= HEAP_KEYS_UPDATED;
        }
        (mask, mask2)
    }
}
