//! What each session sees: told by the preloaded extension, or closed in from outside.
//!
//! Without the extension nobody is told another session's snapshot; but that it holds one, and the oldest transaction that runs for
//! it, is public (`backend_xmin`). A snapshot that appeared between two looks was taken between them. If the snapshot of a new
//! transaction was the same before the first and after the second look, nothing began or ended in between, and the session's must be
//! equal to it. Otherwise it lies between the two, and only what holds for both, for the same reason, is known.
//!
//! A session that is idle in a transaction and holds none takes a new one for its next statement. One that is idle and still holds a snapshot keeps it to the end of the transaction (repeatable read,
//! serializable, or an open cursor); while it runs a statement, a second snapshot may have been taken for that.

use std::collections::BTreeMap;

use pgstrata_timeline::Session;
use pgstrata_units::{Snapshot, Xid};

use super::sessions::Seen;

/// What is known of a session's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// One if it is known; two if it lies between them.
    pub candidates: Vec<Snapshot>,
    /// Whether the server said it.
    pub is_own: bool,
    /// The session's transaction, if it has an id.
    pub own: Option<Xid>,
    /// The command that looks; `None` if that is not known.
    pub command: Option<u32>,
    /// Whether some transaction had more subtransactions than a snapshot lists.
    pub is_suboverflowed: bool,
}

impl Sight {
    /// What a statement sees that begins now, in a transaction with this id.
    pub fn new_one(snapshot: Snapshot, own: Option<Xid>) -> Self {
        Self { candidates: vec![snapshot], is_own: false, own, command: None, is_suboverflowed: false }
    }

    /// The snapshot, if it is known.
    pub fn only(&self) -> Option<&Snapshot> {
        match self.candidates.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// What was seen of a session in the last look.
#[derive(Clone, Debug)]
struct Held {
    since_us: i64,
    transaction_since_us: Option<i64>,
    query_since_us: Option<i64>,
    xmin: Xid,
    /// Between which snapshots the first one of the transaction was taken.
    first: (Snapshot, Snapshot),
    /// … and that of the present statement.
    latest: (Snapshot, Snapshot),
    /// Seen idle with a snapshot: it keeps its first one.
    keeps: bool,
}

/// Follows the sessions from look to look.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    held: BTreeMap<i32, Held>,
    /// The snapshot taken before the last look.
    before_last: Option<Snapshot>,
}

impl Tracker {
    /// Takes a look: `before` and `after` are the snapshots of new transactions around it. Returns what each session sees.
    pub fn look(&mut self, sessions: &[Seen], before: &Snapshot, after: &Snapshot) -> BTreeMap<i32, Sight> {
        let opens = self.before_last.take();
        let mut held = BTreeMap::new();
        let mut sights = BTreeMap::new();
        for seen in sessions {
            let Some(xmin) = seen.session.backend_xmin else {
                // It holds none, so its next statement takes a new one.
                if seen.session.state == "idle in transaction" {
                    sights.insert(seen.session.pid, Sight::new_one(after.clone(), seen.session.xid));
                }
                continue;
            };
            let last = self.held.remove(&seen.session.pid).filter(|last| last.is_same_transaction(seen));
            // Without an earlier look a snapshot may be of any age.
            let bracket = opens.clone().map(|opens| (opens, after.clone()));
            let Some(now) = Held::next(last, seen, xmin, bracket) else { continue };
            sights.insert(seen.session.pid, now.sight(&seen.session));
            held.insert(seen.session.pid, now);
        }
        self.held = held;
        self.before_last = Some(before.clone());
        sights
    }

    /// Forgets everything: the server was restarted, or was out of sight.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Held {
    fn is_same_transaction(&self, seen: &Seen) -> bool {
        self.since_us == seen.since_us && self.transaction_since_us == seen.session.transaction_since_us
    }

    /// What is held now, given what was held before in the same transaction; `None` if nothing can be said.
    fn next(last: Option<Self>, seen: &Seen, xmin: Xid, bracket: Option<(Snapshot, Snapshot)>) -> Option<Self> {
        let is_idle = seen.session.state.starts_with("idle in transaction");
        let fresh = |bracket: (Snapshot, Snapshot), keeps| Self {
            since_us: seen.since_us,
            transaction_since_us: seen.session.transaction_since_us,
            query_since_us: seen.query_since_us,
            xmin,
            first: bracket.clone(),
            latest: bracket,
            keeps,
        };
        let Some(last) = last else { return Some(fresh(bracket?, is_idle)) };
        if last.query_since_us == seen.query_since_us && last.xmin == xmin {
            return Some(Self { keeps: last.keeps || is_idle, ..last });
        }
        // An older snapshot that is kept holds xmin where it was.
        if last.keeps && last.xmin == xmin {
            return Some(Self { query_since_us: seen.query_since_us, latest: bracket.unwrap_or(last.latest), ..last });
        }
        Some(fresh(bracket?, is_idle))
    }

    fn sight(&self, session: &Session) -> Sight {
        let is_running = session.state == "active";
        let mut candidates = vec![self.first.0.clone(), self.first.1.clone()];
        // A running statement of a session that was never seen idle with a snapshot uses a new one, or its first one.
        if is_running && !self.keeps {
            candidates.extend([self.latest.0.clone(), self.latest.1.clone()]);
        }
        candidates.dedup();
        Sight { candidates, is_own: false, own: session.xid, command: None, is_suboverflowed: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: &str, xmin: Option<u64>, transaction: i64, query: i64) -> Seen {
        let session = Session {
            pid: 7,
            name: String::new(),
            user: String::new(),
            database: String::new(),
            state: state.to_owned(),
            backend_type: "client backend".to_owned(),
            isolation: None,
            xid: None,
            backend_xmin: xmin.map(Xid),
            transaction_since_us: Some(transaction),
            query: String::new(),
            waits_for: None,
            snapshot: None,
        };
        Seen { session, since_us: 1, query_since_us: Some(query) }
    }

    fn snapshot(text: &str) -> Snapshot {
        text.parse().expect("a snapshot")
    }

    /// The candidates after some looks, each a session's state between two snapshots.
    fn candidates(looks: &[(Seen, &str, &str)]) -> Vec<String> {
        let mut tracker = Tracker::default();
        let mut sights = BTreeMap::new();
        for (seen, before, after) in looks {
            sights = tracker.look(std::slice::from_ref(seen), &snapshot(before), &snapshot(after));
        }
        let candidates = sights.remove(&7).map(|sight| sight.candidates).unwrap_or_default();
        candidates.iter().map(ToString::to_string).collect()
    }

    const IDLE: &str = "idle in transaction";

    #[test]
    fn a_snapshot_taken_while_nothing_ended_is_known() {
        let looks =
            [(seen(IDLE, None, 5, 5), "10:12:10", "10:12:10"), (seen(IDLE, Some(10), 5, 6), "10:12:10", "10:12:10")];
        assert_eq!(candidates(&looks), ["10:12:10"]);
    }

    #[test]
    fn a_snapshot_taken_while_something_ended_lies_between_two() {
        let looks =
            [(seen(IDLE, None, 5, 5), "10:12:10", "10:12:10"), (seen(IDLE, Some(10), 5, 6), "10:13:10", "11:13:")];
        assert_eq!(candidates(&looks), ["10:12:10", "11:13:"]);
    }

    #[test]
    fn a_snapshot_that_was_there_before_we_looked_is_not_known() {
        assert_eq!(candidates(&[(seen(IDLE, Some(10), 5, 6), "10:12:10", "10:12:10")]), [""; 0]);
    }

    #[test]
    fn a_session_that_keeps_its_snapshot_keeps_it_over_later_statements() {
        let looks = [
            (seen(IDLE, None, 5, 5), "10:12:10", "10:12:10"),
            (seen(IDLE, Some(10), 5, 6), "10:12:10", "10:12:10"),
            (seen("active", Some(10), 5, 9), "12:14:", "12:14:"),
        ];
        assert_eq!(candidates(&looks), ["10:12:10"]);
    }

    #[test]
    fn another_transaction_of_the_session_begins_anew() {
        let looks = [
            (seen(IDLE, None, 5, 5), "10:12:10", "10:12:10"),
            (seen(IDLE, Some(10), 5, 6), "10:12:10", "10:12:10"),
            (seen(IDLE, Some(12), 8, 8), "12:14:", "12:14:"),
        ];
        assert_eq!(candidates(&looks), ["10:12:10", "12:14:"]);
    }
}
