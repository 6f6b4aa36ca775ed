//! Who is there, and which transactions run.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::sql::Row;
use pgstrata_timeline::{Item, Origin, Session, SessionSnapshot, Transaction, TransactionState};
use pgstrata_units::Xid;

use super::snapshots::Sight;
use super::{Picture, count, full, limit};
use crate::mvcc::connection::{APPLICATION_NAME, Connection, Trouble};
use crate::mvcc::watch::Limits;

const SESSIONS: &str = include_str!("../sql/sessions.sql");
const TRANSACTIONS: &str = include_str!("../sql/transactions.sql");
const PREPARED: &str = include_str!("../sql/prepared.sql");

/// A session with what is not shown of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub session: Session,
    /// When it was opened, which tells it from a later one with the same process number.
    pub since_us: i64,
    /// When its present or last statement began.
    pub query_since_us: Option<i64>,
}

/// The sessions, and how many there are in all.
pub(crate) async fn sessions(
    connection: &mut Connection,
    limits: &Limits,
    next: Xid,
) -> Result<(Vec<Seen>, u64), Trouble> {
    let rows = connection.rows(SESSIONS, &[&APPLICATION_NAME, &limit(limits.sessions)]).await?;
    let total = rows.first().map_or(0, |row| count(row.get("total")));
    Ok((rows.iter().map(|row| session(row, next)).collect(), total))
}

fn session(row: &Row, next: Xid) -> Seen {
    let session = Session {
        pid: row.get("pid"),
        name: row.get("name"),
        user: row.get("user_name"),
        database: row.get("database"),
        state: row.get("state"),
        backend_type: row.get("backend_type"),
        isolation: None,
        xid: full(row.get("xid"), next),
        backend_xmin: full(row.get("xmin"), next),
        transaction_since_us: row.get("transaction_since_us"),
        query: row.get("query"),
        waits_for: row.get("waits_for"),
        snapshot: None,
    };
    Seen {
        session,
        since_us: row.get::<_, Option<i64>>("since_us").unwrap_or(0),
        query_since_us: row.get("query_since_us"),
    }
}

/// Puts the sessions with their snapshots.
pub(crate) fn put(
    picture: &mut Picture,
    sessions: &[Seen],
    sights: &BTreeMap<i32, Sight>,
    serializable: &BTreeSet<i32>,
) {
    for seen in sessions {
        let pid = seen.session.pid;
        let sight = sights.get(&pid);
        let mut session = seen.session.clone();
        session.snapshot = sight.and_then(|sight| {
            Some(SessionSnapshot {
                snapshot: sight.only()?.clone(),
                command: sight.command.unwrap_or(0),
                is_suboverflowed: sight.is_suboverflowed,
            })
        });
        // A predicate lock is held by serializable transactions alone.
        session.isolation = serializable.contains(&pid).then(|| "serializable".to_owned());
        // A snapshot that was found out from outside makes the whole item no better than that.
        let is_inferred = session.snapshot.is_some() && sight.is_some_and(|sight| !sight.is_own);
        picture.put(if is_inferred { Origin::Inferred } else { Origin::Sampled }, Item::Session(session));
    }
}

/// Transactions that run or are prepared, and which subtransactions belong to which.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Top-level transactions and subtransactions, with the top-level one of each.
    pub tops: BTreeMap<Xid, Xid>,
    /// Top-level transactions that are prepared, with their names and times.
    pub prepared: BTreeMap<Xid, (String, Option<i64>)>,
    /// Processes of running ones.
    pub pids: BTreeMap<Xid, i32>,
}

/// Asks for them.
pub(crate) async fn running(
    connection: &mut Connection,
    limits: &Limits,
    sessions: &[Seen],
    next: Xid,
    picture: &mut Picture,
) -> Result<Running, Trouble> {
    let most = limit(limits.transactions);
    let rows = connection.rows(PREPARED, &[&most]).await;
    let mut running = Running::default();
    for row in picture.or_note("prepared-refused", rows)? {
        if let Some(xid) = full(row.get("xid"), next) {
            running.prepared.insert(xid, (row.get("gid"), row.get("since_us")));
            running.tops.insert(xid, xid);
        }
    }
    for seen in sessions {
        if let Some(xid) = seen.session.xid {
            running.tops.insert(xid, xid);
            running.pids.insert(xid, seen.session.pid);
        }
    }
    let rows = connection.rows(TRANSACTIONS, &[&most]).await;
    let rows = picture.or_note("transactions-refused", rows)?;
    if rows.len() >= limits.transactions {
        picture.note(
            "transactions-cut",
            format_args!("only the newest {} running transactions are shown", limits.transactions),
        );
    }
    let mut by_virtual: BTreeMap<String, Vec<(Xid, Option<i32>)>> = BTreeMap::new();
    for row in rows {
        if let Some(xid) = full(row.get("xid"), next) {
            by_virtual.entry(row.get("virtual_id")).or_default().push((xid, row.get("pid")));
        }
    }
    for members in by_virtual.values() {
        running.join(members);
    }
    Ok(running)
}

impl Running {
    /// The ids of one virtual transaction: the top-level one got its id first, since a subtransaction gives its parents theirs
    /// (`AssignTransactionId` in src/backend/access/transam/xact.c).
    fn join(&mut self, members: &[(Xid, Option<i32>)]) {
        let Some(top) = members.iter().map(|(xid, _)| *xid).min() else { return };
        for (xid, pid) in members {
            self.tops.insert(*xid, top);
            if let Some(pid) = pid {
                self.pids.insert(*xid, *pid);
            }
        }
    }

    /// Puts what runs.
    pub fn put(&self, picture: &mut Picture) {
        for (xid, top) in &self.tops {
            let prepared = self.prepared.get(top);
            let state = if prepared.is_some() { TransactionState::Prepared } else { TransactionState::InProgress };
            let transaction = Transaction {
                xid: *xid,
                top: (xid != top).then_some(*top),
                state,
                pid: self.pids.get(xid).copied(),
                began: None,
                ended: None,
                ended_us: None,
            };
            picture.put(Origin::Sampled, Item::Transaction(transaction));
        }
    }
}
