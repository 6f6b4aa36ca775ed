//! How one transaction stands for a viewer: own, ended before its snapshot or not, and how.

use pgstrata_units::Xid;

use super::{Listing, Viewer};
use crate::knowledge::{Knowledge, Status};

/// How a transaction stands for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the viewer's own, or part of it, and was not rolled back.
    Own,
    /// Committed, and the snapshot counts it as ended.
    Before,
    /// Committed, but running still when the snapshot was taken, or begun later.
    After,
    Running,
    Prepared,
    /// It had not ended when the snapshot was taken; more is not known.
    NotEnded,
    Aborted,
    UnknownEpoch,
    /// Ended for the snapshot, but not known how; or what is known is older than the snapshot.
    UnknownStatus,
    /// Committed, perhaps as part of a transaction that the snapshot names.
    UnknownSubtransaction,
}

/// How the transaction with these 32 bits stands. `is_committed`: a hint bit says so, and then it is not the viewer's.
pub(super) fn standing(
    short: u32,
    is_committed: bool,
    viewer: &Viewer<'_>,
    knowledge: &(impl Knowledge + ?Sized),
) -> Standing {
    match (short, knowledge.full(short)) {
        // No transaction never ended anything; the ids of the beginning and of old frozen tuples always did
        // (`TransactionLogFetch` in src/backend/access/transam/transam.c).
        (0, _) => Standing::Aborted,
        (1 | 2, _) => Standing::Before,
        (_, None) => Standing::UnknownEpoch,
        (_, Some(xid)) => of_full(xid, is_committed, viewer, knowledge),
    }
}

/// The same for a whole id.
pub(super) fn of_full(
    xid: Xid,
    is_committed: bool,
    viewer: &Viewer<'_>,
    knowledge: &(impl Knowledge + ?Sized),
) -> Standing {
    if is_committed {
        return committed(has_ended(xid, viewer, knowledge));
    }
    let status = knowledge.status(xid);
    if status != Status::Aborted {
        match (belongs(xid, viewer, knowledge), status) {
            // A part that may have been rolled back.
            (Belonging::Part, Status::Unknown) => return Standing::UnknownStatus,
            (Belonging::Own | Belonging::Part, _) => return Standing::Own,
            // No part of a transaction is prepared or committed while the whole runs.
            (Belonging::Unknown, Status::Prepared) | (Belonging::Other, _) => {}
            (Belonging::Unknown, Status::Committed) if is_viewer_running(viewer, knowledge) => {}
            (Belonging::Unknown, _) => return Standing::UnknownSubtransaction,
        }
    }
    let ended = has_ended(xid, viewer, knowledge);
    match (status, ended) {
        // Nobody ever sees it, so it does not matter when that was.
        (Status::Aborted, _) => Standing::Aborted,
        (Status::Committed, ended) => committed(ended),
        // What runs now and has an id below the snapshot's end ran then: ids are given out in order.
        (Status::InProgress, Some(false) | None) => Standing::Running,
        (Status::Prepared, Some(false) | None) => Standing::Prepared,
        (Status::Unknown, Some(false)) => Standing::NotEnded,
        (Status::Unknown, None) => Standing::UnknownSubtransaction,
        (Status::InProgress | Status::Prepared | Status::Unknown, Some(true)) => Standing::UnknownStatus,
    }
}

fn committed(has_ended: Option<bool>) -> Standing {
    match has_ended {
        Some(true) => Standing::Before,
        Some(false) => Standing::After,
        None => Standing::UnknownSubtransaction,
    }
}

/// Whether the snapshot counts the transaction as ended (`XidInMVCCSnapshot`, the other way round); `None` if that takes
/// a mapping that is not known.
fn has_ended(xid: Xid, viewer: &Viewer<'_>, knowledge: &(impl Knowledge + ?Sized)) -> Option<bool> {
    let snapshot = viewer.snapshot;
    if xid < snapshot.xmin() {
        return Some(true);
    }
    if !snapshot.has_ended(xid) {
        return Some(false);
    }
    match viewer.listing {
        Listing::Everything => Some(true),
        Listing::TopLevel => knowledge.top(xid).map(|top| snapshot.has_ended(top)),
        Listing::Nothing => None,
    }
}

fn is_viewer_running(viewer: &Viewer<'_>, knowledge: &(impl Knowledge + ?Sized)) -> bool {
    viewer.own.is_some_and(|own| knowledge.status(own.top) == Status::InProgress)
}

/// Whether a transaction is, or is part of, the viewer's own.
enum Belonging {
    /// It is, or is listed as a part that was not rolled back.
    Own,
    /// It is a part.
    Part,
    Other,
    /// It could be a part, for all that is known.
    Unknown,
}

fn belongs(xid: Xid, viewer: &Viewer<'_>, knowledge: &(impl Knowledge + ?Sized)) -> Belonging {
    let Some(own) = &viewer.own else { return Belonging::Other };
    if xid == own.top || own.subs.contains(&xid) {
        return Belonging::Own;
    }
    // A subtransaction gets its id after its top-level transaction.
    if xid < own.top {
        return Belonging::Other;
    }
    match knowledge.top(xid) {
        Some(top) if top == own.top => Belonging::Part,
        Some(_) => Belonging::Other,
        None => Belonging::Unknown,
    }
}
