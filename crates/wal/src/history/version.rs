//! One version of a row, from the record that made it to the one that removed it from disk.

use pgstrata_tuple::{ItemPointer, TupleHeader};
use pgstrata_units::{Lsn, Xid};

use crate::block::RelFile;
use crate::heap_record::PruneReason;

/// A version in the order in which it became known; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u64);

/// A version's name that outlives it: place and maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionName {
    /// Its id in this history.
    pub id: VersionId,
    /// Where it is, or was.
    pub at: ItemPointer,
    /// Who made it, if that is known.
    pub xmin: Option<Xid>,
}

/// What changed a version's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was made.
    Made,
    /// It was first seen on a page: it was there before the history began, or while nobody followed.
    Seen,
    /// Another took its place, for the time being: its transaction may yet be rolled back.
    Replaced(VersionId),
    /// Its row was deleted.
    Deleted,
    /// Its row moved to another partition.
    Moved,
    /// A speculative insert was taken back.
    TakenBack,
    /// A speculative insert holds.
    Confirmed,
    /// It was locked.
    Locked,
    /// It was overwritten where it is (catalogs alone).
    Overwritten,
    /// It was frozen.
    Frozen,
}

/// The header of a version from one record to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The record that made it so.
    pub lsn: Lsn,
    /// The transaction or subtransaction that wrote it, if one did.
    pub by: Option<Xid>,
    /// What it did.
    pub step: Step,
    /// The header afterwards; `None` if it cannot be known (the page as it was is not).
    pub header: Option<TupleHeader>,
}

/// How a version left the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalReason {
    /// Pruned or vacuumed.
    Pruned(PruneReason),
    /// With its table's file, or the end of it.
    FileGone,
    /// Nobody saw how: something else was in its place.
    Unseen,
}

/// A version's removal from disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The record.
    pub lsn: Lsn,
    /// How.
    pub reason: RemovalReason,
}

/// A version of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// The table's files.
    pub relation: RelFile,
    /// Where it is, or was.
    pub at: ItemPointer,
    /// Who made it; `None` if it was there already on a page that is not known.
    pub xmin: Option<Xid>,
    /// The record that made it; `None` if it was there before.
    pub made: Option<Lsn>,
    /// The version that it took the place of, as the log says.
    pub parent: Option<VersionName>,
    /// Versions that took its place, in the order of the log: all but the last were rolled back, perhaps that one too.
    pub children: Vec<VersionId>,
    /// Its headers, oldest first; at least one. The oldest ones but the first are dropped when there are too many.
    pub states: Vec<State>,
    /// Whether states were dropped.
    pub has_dropped_states: bool,
    /// When it was frozen.
    pub frozen: Option<Lsn>,
    /// When it left the disk.
    pub removed: Option<Removal>,
    /// Its bytes from the null bitmap on; `None` if the log does not have them, or there was no room to keep them.
    pub row: Option<Box<[u8]>>,
    /// How long the whole tuple is, bytes; 0 if that is not known.
    pub bytes: u32,
}

impl Version {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> VersionName {
        VersionName { id: self.id, at: self.at, xmin: self.xmin }
    }

    /// Its newest state.
    #[must_use]
    pub fn latest(&self) -> Option<&State> {
        self.states.last()
    }

    /// How it stood at a position: after all records before it. `None` before it was known.
    #[must_use]
    pub fn state_at(&self, lsn: Lsn) -> Option<&State> {
        self.states.iter().rev().find(|state| state.lsn < lsn)
    }

    /// Whether it was on disk at a position, or may have been: it was first seen later, and its making was not.
    #[must_use]
    pub fn may_exist_at(&self, lsn: Lsn) -> bool {
        let is_before = self.made.is_none_or(|made| made < lsn);
        is_before && self.removed.is_none_or(|removed| removed.lsn >= lsn)
    }
}
