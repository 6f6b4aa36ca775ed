//! What became of a version, for no viewer in particular, and when vacuum may remove it. The rules of
//! `HeapTupleSatisfiesVacuumHorizon` (`src/backend/access/heap/heapam_visibility.c` of PostgreSQL 15 to 18).

use pgstrata_units::Xid;

use crate::header::{ItemPointer, Next, TupleHeader};
use crate::infomask as mask;
use crate::knowledge::{Knowledge, Status};

/// What became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The newest committed version.
    Live,
    /// The newest committed version, which a running transaction has replaced or deleted.
    Ending(Xid),
    /// Its maker runs still.
    Pending,
    /// Its maker was rolled back: nobody sees it, vacuum may remove it at once.
    Aborted,
    /// A committed transaction put another in its place.
    Replaced(Xid),
    /// A committed transaction deleted its row, or moved it to another partition.
    Deleted(Xid),
    /// Not known: a transaction or a multixact that it depends on is not.
    Unknown,
}

impl Fate {
    /// Whether vacuum may remove it when `horizon` is the oldest transaction that somebody may still count as running
    /// (`GetOldestNonRemovableTransactionId`).
    #[must_use]
    pub fn is_removable(self, horizon: Xid) -> Option<bool> {
        match self {
            Self::Live | Self::Ending(_) | Self::Pending => Some(false),
            Self::Aborted => Some(true),
            Self::Replaced(by) | Self::Deleted(by) => Some(by < horizon),
            Self::Unknown => None,
        }
    }
}

/// What became of the version at `place`.
#[must_use]
pub fn fate(header: &TupleHeader, place: ItemPointer, knowledge: &(impl Knowledge + ?Sized)) -> Fate {
    match maker(header, knowledge) {
        Status::Committed => ended(header, place, knowledge),
        Status::InProgress | Status::Prepared => Fate::Pending,
        Status::Aborted => Fate::Aborted,
        Status::Unknown => Fate::Unknown,
    }
}

/// How the transaction with these 32 bits stands (`TransactionLogFetch` knows the special ids).
fn status(short: u32, knowledge: &(impl Knowledge + ?Sized)) -> Status {
    match short {
        0 => Status::Aborted,
        1 | 2 => Status::Committed,
        _ => knowledge.full(short).map_or(Status::Unknown, |xid| knowledge.status(xid)),
    }
}

fn maker(header: &TupleHeader, knowledge: &(impl Knowledge + ?Sized)) -> Status {
    if header.is_frozen() || header.is_xmin_committed() {
        return Status::Committed;
    }
    if header.is_xmin_invalid() {
        return Status::Aborted;
    }
    let moved = header.infomask & mask::MOVED;
    if moved == 0 {
        return status(header.xmin, knowledge);
    }
    // A move by an old `vacuum full`: if that one did not commit, the copy that it made is void and the other one counts.
    match (status(header.command, knowledge), moved & mask::MOVED_OFF != 0) {
        (Status::Committed, true) => Status::Aborted,
        (Status::Aborted, true) => Status::Committed,
        (other, _) => other,
    }
}

fn ended(header: &TupleHeader, place: ItemPointer, knowledge: &(impl Knowledge + ?Sized)) -> Fate {
    if header.is_xmax_invalid() || header.is_xmax_locked_only() {
        return Fate::Live;
    }
    let xid = if header.is_xmax_multi() {
        let Some(members) = knowledge.members(header.xmax) else { return Fate::Unknown };
        members.iter().find(|member| member.is_change).map(|member| member.xid)
    } else {
        match (header.xmax, knowledge.full(header.xmax)) {
            (0, _) => None,
            (_, None) => return Fate::Unknown,
            (_, xid) => xid,
        }
    };
    let Some(xid) = xid else { return Fate::Live };
    let is_hinted = !header.is_xmax_multi() && header.infomask & mask::XMAX_COMMITTED != 0;
    match if is_hinted { Status::Committed } else { knowledge.status(xid) } {
        Status::InProgress | Status::Prepared => Fate::Ending(xid),
        Status::Aborted => Fate::Live,
        Status::Unknown => Fate::Unknown,
        Status::Committed if matches!(header.next(place), Next::Version(_)) => Fate::Replaced(xid),
        Status::Committed => Fate::Deleted(xid),
    }
}
