//! What is known of transactions by asking the server from outside: how they stand, which belong together, who is in a multixact.
//!
//! What has ended is remembered. Which top-level transaction an ended subtransaction was part of no function tells; it is known if it
//! was seen while it ran, and does not matter where no transaction that a snapshot lists could be it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pgstrata_tuple::{Knowledge, LockMode, Member, Status};
use pgstrata_units::memory::{HeapBytes as _, Holding, allocated};
use pgstrata_units::{Snapshot, Xid};

use super::bigint;
use super::sessions::Running;
use crate::mvcc::connection::{Connection, Trouble};

const STATUSES: &str = include_str!("../sql/statuses.sql");
const MEMBERS: &str = include_str!("../sql/members.sql");

/// Transactions whose end is remembered, at most; then all are asked for anew.
const ENDED_MOST: usize = 200_000;

/// Subtransactions whose top-level transaction is remembered, at most; the oldest are forgotten.
const TOPS_MOST: usize = 50_000;

/// Multixacts that are remembered, at most, and asked for in one look.
const MULTIXACTS_MOST: usize = 10_000;
const MULTIXACTS_A_LOOK: usize = 200;

/// Running transactions that are asked about again, at most: the oldest, for those are listed by snapshots.
const STILL_MOST: usize = 2_000;

/// What is known of a server's transactions.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// One past the newest id that was seen.
    pub next: Xid,
    ended: HashMap<Xid, Status>,
    running: HashMap<Xid, Status>,
    /// Those that ran still when all that is known to have ended had ended.
    still: BTreeSet<Xid>,
    tops: BTreeMap<Xid, Xid>,
    multixacts: HashMap<u32, Option<Vec<Member>>>,
}

impl Known {
    /// A new look: what ran may have ended.
    pub fn look(&mut self, next: Xid, running: &Running) {
        self.next = self.next.max(next);
        self.running.clear();
        self.still.clear();
        for (xid, top) in &running.tops {
            let is_prepared = running.prepared.contains_key(top);
            self.running.insert(*xid, if is_prepared { Status::Prepared } else { Status::InProgress });
            self.tops.insert(*xid, *top);
        }
        while self.tops.len() > TOPS_MOST {
            self.tops.pop_first();
        }
    }

    /// These are parts of one transaction.
    pub fn join(&mut self, top: Xid, subs: impl Iterator<Item = Xid>) {
        self.tops.insert(top, top);
        self.tops.extend(subs.map(|sub| (sub, top)));
    }

    /// Finds out how these stand. They are asked after the pages were read, so one that runs now ran then.
    pub async fn learn(&mut self, connection: &mut Connection, wanted: &BTreeSet<Xid>) -> Result<(), Trouble> {
        if self.ended.len() > ENDED_MOST {
            self.ended.clear();
        }
        let mut unknown: Vec<i64> = wanted
            .iter()
            .filter(|xid| xid.is_normal() && !self.ended.contains_key(xid))
            .map(|xid| bigint(*xid))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // The server answers in this order. Who runs still when it comes to the end has committed nothing of what went before.
        let mut running: Vec<Xid> = self.running.keys().copied().collect();
        running.sort_unstable();
        running.truncate(STILL_MOST);
        let behind = unknown.len();
        unknown.extend(running.into_iter().map(bigint));
        self.still.clear();
        for (index, row) in connection.rows(STATUSES, &[&unknown]).await?.into_iter().enumerate() {
            let xid = Xid(row.get::<_, i64>("xid").cast_unsigned());
            match row.get::<_, Option<&str>>("status") {
                Some("committed") => {
                    self.ended.insert(xid, Status::Committed);
                    self.running.remove(&xid);
                }
                Some("aborted") => {
                    self.ended.insert(xid, Status::Aborted);
                    self.running.remove(&xid);
                }
                Some(_) => {
                    self.running.entry(xid).or_insert(Status::InProgress);
                    if index >= behind {
                        self.still.insert(xid);
                    }
                }
                None => {
                    self.ended.insert(xid, Status::Unknown);
                }
            }
        }
        Ok(())
    }

    /// Finds out who is in these multixacts.
    pub async fn learn_members(&mut self, connection: &mut Connection, wanted: &BTreeSet<u32>) -> Result<(), Trouble> {
        if self.multixacts.len() > MULTIXACTS_MOST {
            self.multixacts.clear();
        }
        let unknown = wanted.iter().filter(|id| !self.multixacts.contains_key(id)).take(MULTIXACTS_A_LOOK);
        for id in unknown.copied().collect::<Vec<_>>() {
            let members = match connection.rows(MEMBERS, &[&i64::from(id)]).await {
                Ok(rows) => {
                    let next = self.next;
                    let member = |short: i64, mode: &str| member(short, mode, next);
                    rows.iter().map(|row| member(row.get("xid"), row.get("mode"))).collect()
                }
                // It was truncated away.
                Err(Trouble::Refused { .. }) => None,
                Err(lost) => return Err(lost),
            };
            self.multixacts.insert(id, members);
        }
        Ok(())
    }

    /// The same knowledge for somebody who looks through `snapshot`.
    pub fn for_snapshot<'a>(&'a self, snapshot: &'a Snapshot) -> Eyes<'a> {
        Eyes { known: self, snapshot }
    }

    /// The memory that it takes.
    pub fn holds(&self) -> Holding {
        let places = (self.ended.capacity() + self.running.capacity()) * (size_of::<(Xid, Status)>() + 1);
        let members =
            self.multixacts.values().flatten().map(|members| allocated(members.capacity() * size_of::<Member>()));
        let multixacts = self.multixacts.capacity() * size_of::<(u32, Option<Vec<Member>>)>();
        let bytes = allocated(places) + allocated(multixacts) + members.sum::<usize>() + self.tops.heap_bytes();
        Holding::new("observer.transactions", self.ended.len(), bytes).at_most(ENDED_MOST)
    }

    /// Forgets everything: another server may have taken the old one's place.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn member(short: i64, mode: &str, next: Xid) -> Option<Member> {
    let (mode, is_change) = match mode {
        "keysh" => (LockMode::KeyShare, false),
        "sh" => (LockMode::Share, false),
        "fornokeyupd" => (LockMode::NoKeyUpdate, false),
        "forupd" => (LockMode::Update, false),
        "nokeyupd" => (LockMode::NoKeyUpdate, true),
        "upd" => (LockMode::Update, true),
        _ => return None,
    };
    Some(Member { xid: super::full(Some(short), next)?, mode, is_change })
}

impl Knowledge for Known {
    fn status(&self, xid: Xid) -> Status {
        self.ended.get(&xid).or_else(|| self.running.get(&xid)).copied().unwrap_or(Status::Unknown)
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        self.tops.get(&xid).copied()
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        self.multixacts.get(&multixact).cloned().flatten()
    }

    fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, self.next)
    }
}

/// What is known, as far as it matters for one snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eyes<'a> {
    known: &'a Known,
    snapshot: &'a Snapshot,
}

impl Knowledge for Eyes<'_> {
    fn status(&self, xid: Xid) -> Status {
        self.known.status(xid)
    }

    /// A top-level transaction has a lower id than its subtransactions, and is committed when one of them is. Where the
    /// snapshot lists no lower one, or only such as run still, it makes no difference whose part one that is committed is:
    /// none of those.
    fn top(&self, xid: Xid) -> Option<Xid> {
        let listed = self.snapshot.in_progress();
        let mut lower = listed.iter().take_while(|listed| **listed < xid);
        let is_committed = self.known.ended.get(&xid) == Some(&Status::Committed);
        let is_plain =
            listed.binary_search(&xid).is_ok() || lower.all(|listed| is_committed && self.known.still.contains(listed));
        self.known.top(xid).or_else(|| is_plain.then_some(xid))
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        self.known.members(multixact)
    }

    fn full(&self, short: u32) -> Option<Xid> {
        self.known.full(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_part_a_transaction_is_matters_only_above_the_lowest_running_one() {
        let known = Known::default();
        let snapshot: Snapshot = "750:760:752,756".parse().expect("a snapshot");
        let eyes = known.for_snapshot(&snapshot);
        let tops: Vec<_> = [750, 751, 752, 753, 756, 757].map(|xid| eyes.top(Xid(xid)).map(|xid| xid.0)).into();
        assert_eq!(tops, [Some(750), Some(751), Some(752), None, Some(756), None]);
    }

    #[test]
    fn a_committed_transaction_is_no_part_of_one_that_runs_still() {
        let mut known = Known::default();
        let snapshot: Snapshot = "750:760:752,756".parse().expect("a snapshot");
        known.ended.extend([(Xid(753), Status::Committed), (Xid(754), Status::Aborted), (Xid(757), Status::Committed)]);
        let tops = |known: &Known| {
            let eyes = known.for_snapshot(&snapshot);
            [753, 754, 757].map(|xid| eyes.top(Xid(xid)).is_some())
        };
        assert_eq!(tops(&known), [false; 3]);
        known.still.insert(Xid(752));
        assert_eq!(tops(&known), [true, false, false], "756 may have committed 757");
        known.still.insert(Xid(756));
        assert_eq!(tops(&known), [true, false, true]);
    }

    #[test]
    fn a_subtransaction_that_was_seen_running_is_remembered_after_its_end() {
        let mut known = Known::default();
        let mut running = Running::default();
        running.tops.extend([(Xid(752), Xid(752)), (Xid(753), Xid(752))]);
        known.look(Xid(760), &running);
        known.look(Xid(761), &Running::default());
        assert_eq!(known.top(Xid(753)), Some(Xid(752)));
        assert_eq!(known.status(Xid(753)), Status::Unknown);
    }
}
