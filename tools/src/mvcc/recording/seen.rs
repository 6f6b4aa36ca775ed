//! What a transaction that had begun at a moment would have seen: everything that was committed then, and nothing else.

use pgstrata_timeline::{Fate, Item, Moment, RowVersion, TransactionState, Verdict, Viewer, XmaxKind};
use pgstrata_tuple::Reason;
use pgstrata_units::{Snapshot, Xid};

/// The viewer `id` that begins at this moment, and its verdicts on all versions that were on disk. `None` if the moment
/// is empty.
///
/// Exact where the moment is of the exact track; of sampled versions it is what was so when they were looked at.
#[must_use]
pub fn seen_at(moment: &Moment, id: &str) -> Option<(Viewer, Vec<Verdict>)> {
    let snapshot = snapshot(moment)?;
    let versions = moment.items.values().filter_map(|put| match &put.item {
        Item::Version(version) if version.fate != Fate::Removed => Some(version),
        _ => None,
    });
    let verdict = |version: &RowVersion| {
        let reason = reason(version);
        let (is_visible, reason) = (reason.is_visible(), reason.as_str().to_owned());
        Verdict { viewer: id.to_owned(), version: version.key(), is_visible, reason }
    };
    let verdicts = versions.map(verdict).collect();
    Some((Viewer { id: id.to_owned(), snapshot, is_own: false }, verdicts))
}

/// The snapshot of a transaction that begins at this moment, of the transactions that run then.
fn snapshot(moment: &Moment) -> Option<Snapshot> {
    // Before the first look at the server itself, ids behind all that are known.
    let next = moment.items.values().filter_map(|put| match &put.item {
        Item::Server(server) => Some(server.next_xid),
        Item::Transaction(transaction) => Some(Xid(transaction.xid.0 + 1)),
        Item::Version(version) => Some(Xid(version.xmin.0 + 1)),
        _ => None,
    });
    let next = next.max()?;
    let running: Vec<Xid> = moment
        .items
        .values()
        .filter_map(|put| match &put.item {
            Item::Transaction(transaction) if transaction.top.is_none() => {
                let runs = matches!(transaction.state, TransactionState::InProgress | TransactionState::Prepared);
                runs.then_some(transaction.xid)
            }
            _ => None,
        })
        .collect();
    let newest = running.iter().map(|xid| Xid(xid.0 + 1)).fold(next, Xid::max);
    Snapshot::new(running.iter().copied().min().unwrap_or(newest), newest, running)
}

fn reason(version: &RowVersion) -> Reason {
    match version.xmin_state {
        TransactionState::Committed => ended(version),
        _ if version.is_frozen => ended(version),
        TransactionState::InProgress => Reason::MakerRunning,
        TransactionState::Prepared => Reason::MakerPrepared,
        TransactionState::Aborted => Reason::MakerAborted,
        TransactionState::Unknown => Reason::UnknownMaker,
    }
}

fn ended(version: &RowVersion) -> Reason {
    let is_lock = match version.xmax_kind {
        XmaxKind::None if version.is_frozen => return Reason::Frozen,
        XmaxKind::None => return Reason::MakerCommittedBefore,
        XmaxKind::Lock => true,
        XmaxKind::Multi => !version.members.is_empty() && version.members.iter().all(|member| !member.is_change),
        XmaxKind::Update | XmaxKind::Delete => false,
    };
    if is_lock {
        return Reason::LockedOnly;
    }
    match version.xmax_state {
        Some(TransactionState::Committed) if version.next.is_some() => Reason::Replaced,
        Some(TransactionState::Committed) => Reason::Deleted,
        Some(TransactionState::Aborted) => Reason::EnderAborted,
        Some(TransactionState::InProgress) => Reason::EnderRunning,
        Some(TransactionState::Prepared) => Reason::EnderPrepared,
        Some(TransactionState::Unknown) | None => Reason::UnknownEnder,
    }
}
