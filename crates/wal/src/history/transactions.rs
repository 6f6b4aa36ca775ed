//! The lives of transactions: when each wrote first, whose part it is, when and how it ended; and from that, who ran at
//! any point.
//!
//! Ids are given out one after the other, so whoever sees an id knows that all before it exist. A transaction whose end is
//! not in the log (its server died) is told by the next list of running transactions, or by the checkpoint that ends
//! recovery.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_tuple::Status;
use pgstrata_units::{Lsn, Snapshot, Xid};

use super::statuses::Statuses;
use crate::running::RunningTransactions;
use crate::transaction::{Completion, Preparation};

/// More ids than this at once were not given out since the last record: the log has a gap.
const IDS_AT_ONCE_MAX: u64 = 10_000;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It committed.
    Committed,
    /// It was rolled back.
    Aborted,
    /// Its server died under it: as if rolled back, without a record.
    Lost,
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The record that tells.
    pub lsn: Lsn,
    /// When, by the server's clock, microseconds since 2000-01-01; not for lost ones.
    pub time_us: Option<i64>,
    /// How.
    pub outcome: Outcome,
}

/// What is known of one transaction or subtransaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its id.
    pub xid: Xid,
    /// Its first record; none if it has not written, or wrote before the history began.
    pub began: Option<Lsn>,
    /// The transaction that it is part of, once the log says so. One that was rolled back alone may never be told.
    pub top: Option<Xid>,
    /// When it was prepared, and its name.
    pub prepared: Option<(Lsn, String)>,
    /// Its end.
    pub ended: Option<Ended>,
}

/// What a server said when the history began: `pg_current_snapshot()` and a position no later than it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// From here on snapshots can be asked for.
    pub lsn: Lsn,
    /// Who ran.
    pub snapshot: Snapshot,
}

/// All transactions that are remembered.
#[derive(Debug)]
pub struct Transactions {
    pub(super) lives: BTreeMap<Xid, Life>,
    pub(super) learned: Statuses,
    seed: Seed,
    /// The lowest id that was not seen.
    next: Xid,
    /// Behind the last end of a transaction that was forgotten.
    forgotten_to: Lsn,
    pub(super) most: usize,
    forgotten: u64,
}

impl Transactions {
    /// Remembers at most `most` transactions that have ended.
    pub(super) fn new(seed: Seed, most: usize) -> Self {
        let mut transactions = Self {
            lives: BTreeMap::new(),
            learned: Statuses::new(most),
            next: seed.snapshot.xmax(),
            forgotten_to: Lsn(0),
            seed,
            most,
            forgotten: 0,
        };
        for xid in transactions.seed.snapshot.in_progress().to_vec() {
            transactions.lives.insert(xid, unborn(xid));
        }
        transactions
    }

    /// The life of a transaction.
    #[must_use]
    pub fn life(&self, xid: Xid) -> Option<&Life> {
        self.lives.get(&xid)
    }

    /// All that are remembered, by id.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values()
    }

    /// The id that will be given out next, as far as was seen.
    #[must_use]
    pub const fn next(&self) -> Xid {
        self.next
    }

    /// From which position on snapshots can be asked for: where the history began, or behind the last end of a
    /// transaction that was forgotten.
    #[must_use]
    pub fn since(&self) -> Lsn {
        self.seed.lsn.max(self.forgotten_to)
    }

    /// How many ended transactions were forgotten to make room.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The id that 32 bits mean now.
    #[must_use]
    pub fn full(&self, short: u32) -> Option<Xid> {
        Xid::near(short, self.next)
    }

    /// Takes word of a transaction that ended before the history began (`pg_xact_status`).
    pub fn learn(&mut self, xid: Xid, status: Status) {
        self.learned.note(xid, status);
    }

    /// How a transaction stood at a position: what records before it say.
    #[must_use]
    pub fn status_at(&self, xid: Xid, lsn: Lsn) -> Status {
        let Some(life) = self.lives.get(&xid) else {
            return match self.learned.get(xid) {
                Some(status) => status,
                None if !xid.is_normal() => Status::Committed,
                None if xid >= self.next => Status::InProgress,
                None => Status::Unknown,
            };
        };
        match life.ended {
            Some(ended) if ended.lsn < lsn && ended.outcome == Outcome::Committed => Status::Committed,
            Some(ended) if ended.lsn < lsn => Status::Aborted,
            _ if life.prepared.as_ref().is_some_and(|(prepared, _)| *prepared < lsn) => Status::Prepared,
            _ => Status::InProgress,
        }
    }

    /// The top-level transaction of an id; `None` if it may be a part of one that ran when the history began.
    #[must_use]
    pub fn top(&self, xid: Xid) -> Option<Xid> {
        if let Some(life) = self.lives.get(&xid) {
            return Some(life.top.unwrap_or(xid));
        }
        let ran_maybe = xid >= self.seed.snapshot.xmin() && xid < self.seed.snapshot.xmax();
        (!ran_maybe).then_some(xid)
    }

    /// What a transaction that begins at a position would see as ended, by the order of the log. `None` before
    /// [`Self::since`]. Subtransactions may be listed among the running ones: those that are not known to be such yet, and
    /// those that were rolled back alone, which the log never says.
    #[must_use]
    pub fn snapshot_at(&self, lsn: Lsn) -> Option<Snapshot> {
        if lsn < self.since() {
            return None;
        }
        let has_ended = |life: &Life| life.ended.is_some_and(|ended| ended.lsn < lsn);
        let latest = self.lives.values().rev().find(|life| has_ended(life)).map_or(Xid(0), |life| Xid(life.xid.0 + 1));
        let xmax = latest.max(self.seed.snapshot.xmax());
        let running =
            self.lives.range(..xmax).map(|(_, life)| life).filter(|life| life.top.is_none() && !has_ended(life));
        let running: Vec<Xid> = running.map(|life| life.xid).collect();
        let xmin = running.first().copied().unwrap_or(xmax);
        Snapshot::new(xmin, xmax, running)
    }

    /// Sees an id: all up to it exist. Returns those that are new.
    pub(super) fn see(&mut self, xid: Xid) -> Vec<Xid> {
        if xid < self.next || !xid.is_normal() {
            return Vec::new();
        }
        if xid.0 - self.next.0 > IDS_AT_ONCE_MAX {
            self.next = xid;
        }
        let seen: Vec<Xid> = (self.next.0..=xid.0).map(Xid).filter(|xid| xid.is_normal()).collect();
        for xid in &seen {
            self.lives.insert(*xid, unborn(*xid));
        }
        self.next = Xid(xid.0 + 1);
        self.make_room();
        seen
    }

    fn life_mut(&mut self, xid: Xid) -> &mut Life {
        self.see(xid);
        self.lives.entry(xid).or_insert_with(|| unborn(xid))
    }

    /// A record of a transaction. Returns whether it is its first.
    pub(super) fn wrote(&mut self, xid: Xid, lsn: Lsn) -> bool {
        let life = self.life_mut(xid);
        let is_first = life.began.is_none();
        life.began.get_or_insert(lsn);
        is_first
    }

    /// `sub` is part of `top`.
    pub(super) fn assign(&mut self, sub: Xid, top: Xid) {
        if sub != top {
            self.life_mut(sub).top = Some(top);
        }
    }

    /// The end of a transaction with its subtransactions. Returns all of them.
    pub(super) fn end(&mut self, end: &Completion, lsn: Lsn, outcome: Outcome) -> Vec<Xid> {
        let Some(xid) = self.full(end.xid) else { return Vec::new() };
        let ended = Ended { lsn, time_us: Some(end.time_us), outcome };
        let mut all = vec![xid];
        // An abort of a subtransaction alone lists its own parts, whose top-level transaction it does not say.
        let top = self.lives.get(&xid).and_then(|life| life.top).unwrap_or(xid);
        for sub in end.subtransactions.iter().filter_map(|sub| self.full(*sub)).collect::<Vec<_>>() {
            self.assign(sub, top);
            all.push(sub);
        }
        for xid in &all {
            self.life_mut(*xid).ended.get_or_insert(ended);
        }
        self.make_room();
        all
    }

    /// A transaction is prepared. Returns it with its subtransactions.
    pub(super) fn prepare(&mut self, preparation: &Preparation, lsn: Lsn) -> Vec<Xid> {
        let Some(xid) = self.full(preparation.xid) else { return Vec::new() };
        let mut all = vec![xid];
        for sub in preparation.subtransactions.iter().filter_map(|sub| self.full(*sub)).collect::<Vec<_>>() {
            self.assign(sub, xid);
            all.push(sub);
        }
        for xid in &all {
            self.life_mut(*xid).prepared = Some((lsn, preparation.gid.clone()));
        }
        all
    }

    /// Who runs, as the server lists them. Returns those that had ended without a record.
    pub(super) fn list(&mut self, told: &RunningTransactions, lsn: Lsn) -> Vec<Xid> {
        let Some(next) = self.full(told.next) else { return Vec::new() };
        self.see(Xid(next.0.saturating_sub(1)));
        let listed: BTreeSet<Xid> =
            told.running.iter().chain(&told.subtransactions).filter_map(|xid| self.full(*xid)).collect();
        let oldest = self.full(told.oldest).unwrap_or_default();
        let is_gone = |life: &Life| {
            let may_be_left_out = told.is_overflowed && life.xid >= oldest;
            // A part of a transaction is listed only if its session keeps track of it.
            life.ended.is_none()
                && life.xid < next
                && !listed.contains(&life.xid)
                && !may_be_left_out
                && life.top.is_none()
        };
        self.lose(lsn, is_gone)
    }

    /// The server was stopped, or has recovered: whoever was not prepared has ended. Returns those.
    pub(super) fn restart(&mut self, lsn: Lsn) -> Vec<Xid> {
        self.lose(lsn, |life| life.ended.is_none() && life.prepared.is_none())
    }

    fn lose(&mut self, lsn: Lsn, is_gone: impl Fn(&Life) -> bool) -> Vec<Xid> {
        let ended = Ended { lsn, time_us: None, outcome: Outcome::Lost };
        let mut lost = Vec::new();
        for life in self.lives.values_mut().filter(|life| is_gone(life)) {
            life.ended = Some(ended);
            lost.push(life.xid);
        }
        lost
    }

    /// The oldest of all, if twice as many as are remembered seem to run: no server has so many sessions, so the log had
    /// a gap. It counts as lost.
    fn oldest_of_too_many(&self) -> Option<(Xid, Ended)> {
        let is_too_many = self.lives.len() > self.most.saturating_mul(2);
        let xid = *self.lives.keys().next().filter(|_| is_too_many)?;
        let lsn = self.lives.values().filter_map(|life| life.began).max().unwrap_or(self.seed.lsn);
        Some((xid, Ended { lsn, time_us: None, outcome: Outcome::Lost }))
    }

    /// Forgets the oldest that have ended; how they ended is kept longer.
    fn make_room(&mut self) {
        while self.lives.len() > self.most {
            let oldest = self.lives.values().find_map(|life| life.ended.map(|ended| (life.xid, ended)));
            let Some((xid, ended)) = oldest.or_else(|| self.oldest_of_too_many()) else { return };
            self.lives.remove(&xid);
            self.forgotten_to = self.forgotten_to.max(Lsn(ended.lsn.0 + 1));
            self.forgotten += 1;
            let status = if ended.outcome == Outcome::Committed { Status::Committed } else { Status::Aborted };
            self.learn(xid, status);
        }
    }
}

const fn unborn(xid: Xid) -> Life {
    Life { xid, began: None, top: None, prepared: None, ended: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Transactions {
        let snapshot = "100:102:100".parse().expect("a snapshot");
        Transactions::new(Seed { lsn: Lsn(1000), snapshot }, 1000)
    }

    fn end(xid: u32, subtransactions: Vec<u32>) -> Completion {
        Completion { xid, time_us: 5, subtransactions, gid: None, origin: None, dropped_files: Vec::new() }
    }

    #[test]
    fn who_ran_at_a_position_is_told_by_the_records_before_it() {
        let mut transactions = begun();
        transactions.wrote(Xid(103), Lsn(1010));
        transactions.end(&end(103, vec![]), Lsn(1020), Outcome::Committed);
        transactions.wrote(Xid(104), Lsn(1030));
        transactions.end(&end(104, vec![105]), Lsn(1040), Outcome::Committed);
        let check = |lsn, expected: &str| {
            assert_eq!(
                transactions.snapshot_at(Lsn(lsn)).map(|snapshot| snapshot.to_string()).as_deref(),
                Some(expected),
                "{lsn}"
            );
        };
        check(1000, "100:102:100");
        // 102 was given out, or 103 could not have been.
        check(1021, "100:104:100,102");
        check(1041, "100:106:100,102");
        assert_eq!(transactions.snapshot_at(Lsn(999)), None);
    }

    #[test]
    fn subtransactions_stand_as_their_transaction_unless_they_were_undone_alone() {
        let mut transactions = begun();
        transactions.wrote(Xid(102), Lsn(1010));
        transactions.wrote(Xid(103), Lsn(1011));
        transactions.wrote(Xid(104), Lsn(1012));
        transactions.end(&end(104, vec![]), Lsn(1020), Outcome::Aborted);
        transactions.end(&end(102, vec![103]), Lsn(1030), Outcome::Committed);
        let at = |xid, lsn| transactions.status_at(Xid(xid), Lsn(lsn));
        assert_eq!(
            (at(103, 1030), at(103, 1031), at(104, 1021)),
            (Status::InProgress, Status::Committed, Status::Aborted)
        );
        assert_eq!(transactions.top(Xid(103)), Some(Xid(102)));
        assert_eq!((transactions.top(Xid(101)), transactions.top(Xid(99))), (None, Some(Xid(99))));
    }

    #[test]
    fn a_transaction_that_a_list_leaves_out_was_lost_with_its_server() {
        let mut transactions = begun();
        transactions.wrote(Xid(102), Lsn(1010));
        transactions.wrote(Xid(103), Lsn(1011));
        let told = RunningTransactions {
            next: 104,
            oldest: 103,
            latest_ended: 102,
            running: vec![103],
            subtransactions: Vec::new(),
            is_overflowed: false,
        };
        assert_eq!(transactions.list(&told, Lsn(1020)), [Xid(100), Xid(102)]);
        assert_eq!(transactions.status_at(Xid(102), Lsn(1021)), Status::Aborted);
        assert_eq!(transactions.status_at(Xid(103), Lsn(1021)), Status::InProgress);
        assert_eq!(transactions.restart(Lsn(1030)), [Xid(103)]);
    }
}
