//! Serializable transactions: from the extension with their conflicts, else by their predicate locks alone.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_timeline::{Item, Origin, SerializableTransaction, TransactionState};

use super::sessions::Seen;
use super::{Picture, limit};
use crate::mvcc::connection::{Connection, Trouble};

const SERIALIZABLE: &str = include_str!("../sql/serializable.sql");

/// Serializable transactions shown, at most.
const SHOWN_MOST: usize = 300;

/// Puts those that hold predicate locks, and returns their processes. Whether they conflict no view tells.
pub(crate) async fn by_locks(
    connection: &mut Connection,
    sessions: &[Seen],
    picture: &mut Picture,
) -> Result<BTreeSet<i32>, Trouble> {
    let rows = connection.rows(SERIALIZABLE, &[&limit(SHOWN_MOST)]).await;
    let rows = picture.or_note("serializable-refused", rows)?;
    if rows.is_empty() {
        return Ok(BTreeSet::new());
    }
    picture.note(
        "serializable-by-locks",
        "serializable transactions are seen by their predicate locks; their conflicts need mvcc_visualizer",
    );
    let by_pid: BTreeMap<i32, &Seen> = sessions.iter().map(|seen| (seen.session.pid, seen)).collect();
    let mut pids = BTreeSet::new();
    for row in rows {
        let pid: i32 = row.get::<_, Option<i32>>("pid").unwrap_or(0);
        let session = by_pid.get(&pid).map(|seen| &seen.session);
        // After its end a transaction keeps its predicate locks while others run that it overlapped with.
        let runs = session.is_some_and(|session| session.transaction_since_us.is_some());
        if runs {
            pids.insert(pid);
        }
        let transaction = SerializableTransaction {
            id: row.get("id"),
            pid,
            xid: session.filter(|_| runs).and_then(|session| session.xid),
            state: if runs { TransactionState::InProgress } else { TransactionState::Unknown },
            is_doomed: false,
            is_read_only: false,
            is_pivot: false,
        };
        picture.put(Origin::Inferred, Item::Serializable(transaction));
    }
    Ok(pids)
}
