//! Two tracks in one log: what the server's own log tells exactly, and what was seen by looking.
//!
//! The log is ordered by positions in the server's log: a picture waits until the exact track is told up to where the server was when
//! the picture was taken, because what the picture shows was caused by records before it. It waits at most [`HELD_MOST_US`]; the
//! server writes its log out with some delay, and writes nothing when nothing happens. What is exact is never overwritten by what
//! was sampled: a sampled item only adds what the server's log does not have. But the log is sent only as far as it is written
//! out, and what an open transaction did may wait for that until it commits; a page that was seen to be ahead of the log is shown as it
//! was seen, and as sampled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pgstrata_timeline::{
    At, Cause, Change, Item, Key, Log, LogLimits, Moment, Origin, PutItem, RowVersion, SharedItem, Transaction,
};
use pgstrata_units::Lsn;
use pgstrata_units::memory::{HeapBytes as _, Holding};

use super::exact::ExactChange;
use super::observer::Sample;

/// How long a picture waits for the exact track, microseconds: twice the server's `wal_writer_delay`.
pub const HELD_MOST_US: i64 = 400_000;

/// Pictures that wait, at most.
const HELD_MOST: usize = 32;

type Items = BTreeMap<Key, SharedItem>;

/// A picture that waits for the exact track.
#[derive(Debug)]
struct Held {
    items: Items,
    at: At,
    cause: Cause,
}

/// A log of both tracks.
#[derive(Debug, Default)]
pub struct Tracks {
    log: Log,
    exact: Items,
    /// The picture that was appended last.
    sampled: Items,
    /// Up to where that picture is ahead of the log, if it is.
    ahead: Option<Lsn>,
    held: VecDeque<Held>,
    /// Up to where the exact track is told; `None` if there is none.
    told: Option<Lsn>,
    last_us: i64,
}

impl Tracks {
    /// An empty log.
    #[must_use]
    pub fn new(limits: LogLimits) -> Self {
        Self { log: Log::new(limits), ..Self::default() }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The last moment.
    #[must_use]
    pub fn moment(&self) -> &Moment {
        self.log.moment()
    }

    /// The memory that it takes. What several of them hold is shared out among them.
    #[must_use]
    pub fn holds(&self) -> Vec<Holding> {
        let waiting = self.held.iter().map(|held| held.items.heap_bytes()).sum();
        let mut holds = Vec::from(self.log.holds());
        holds.push(Holding::new("tracks.exact", self.exact.len(), self.exact.heap_bytes()));
        holds.push(Holding::new("tracks.sampled", self.sampled.len(), self.sampled.heap_bytes()));
        holds.push(Holding::new("tracks.waiting", self.held.len(), waiting).at_most(HELD_MOST));
        holds
    }

    /// Takes a change of the exact track.
    pub fn take_exact(&mut self, change: ExactChange) -> Vec<Arc<Change>> {
        // A picture of exactly this position shows the record already.
        let before = change.at.lsn.map(|Lsn(lsn)| Lsn(lsn.saturating_sub(1)));
        let mut appended = self.take_told(before, change.at.unix_us);
        let (mut put, mut drop) = (Vec::new(), Vec::new());
        for key in &change.drop {
            self.exact.remove(key);
            match self.sampled.get(key) {
                Some(sampled) => put.push(sampled.clone()),
                None => drop.push(key.clone()),
            }
        }
        let moment = self.log.moment();
        let is_behind = change.at.lsn.is_some() && self.ahead >= change.at.lsn;
        for item in change.put {
            // What was seen is younger than what is told: shown as it was before, it would contradict what was seen with it.
            let is_seen = |shown: &SharedItem| shown.origin == Origin::Sampled;
            let is_ahead = is_behind && moment.items.get(&item.key).is_some_and(is_seen);
            put.push(merged(&item, self.sampled.get(&item.key), is_ahead));
            self.exact.insert(item.key.clone(), item);
        }
        put.retain(|put| moment.items.get(&put.key) != Some(put));
        drop.retain(|key| moment.items.contains_key(key));
        if !put.is_empty() || !drop.is_empty() || matches!(change.cause, Cause::Connection { .. }) {
            let at = self.at(change.at.unix_us, change.at.lsn);
            appended.push(self.log.append(put, drop, at, change.cause));
        }
        appended.extend(self.take_told(change.at.lsn, change.at.unix_us));
        appended
    }

    /// The exact track is told up to here: pictures that waited for that are appended.
    pub fn take_told(&mut self, told: Option<Lsn>, now_us: i64) -> Vec<Arc<Change>> {
        self.told = self.told.max(told);
        self.release(now_us)
    }

    /// The exact track has ended: what it knew would stay as it was for ever, so from now on only what is seen by looking is
    /// shown. It may begin anew.
    pub fn end_exact(&mut self, reason: String, now_us: i64) -> Vec<Arc<Change>> {
        self.told = None;
        self.ahead = None;
        let mut appended = self.release(now_us);
        let moment = self.log.moment();
        let (mut put, mut drop) = (Vec::new(), Vec::new());
        for key in std::mem::take(&mut self.exact).into_keys() {
            match self.sampled.get(&key) {
                Some(sampled) => put.push(sampled.clone()),
                None => drop.push(key),
            }
        }
        put.retain(|put| moment.items.get(&put.key) != Some(put));
        drop.retain(|key| moment.items.contains_key(key));
        let at = self.at(now_us, None);
        appended.push(self.log.append(put, drop, at, Cause::Connection { is_up: false, reason }));
        appended
    }

    /// Takes a picture. Without an exact track it is appended at once.
    pub fn take_sample(&mut self, sample: Sample, now_us: i64) -> Vec<Arc<Change>> {
        let Sample { items, at, cause, .. } = sample;
        let before = self.held.back().map_or(&self.sampled, |held| &held.items);
        let items = items.into_iter().map(|put| (put.key.clone(), shared(put, before))).collect();
        self.held.push_back(Held { items, at, cause });
        self.release(now_us)
    }

    /// Appends the pictures whose time has come.
    fn release(&mut self, now_us: i64) -> Vec<Arc<Change>> {
        let mut appended = Vec::new();
        while let Some(first) = self.held.front() {
            let is_told = match (self.told, first.at.lsn) {
                (Some(told), Some(lsn)) => told >= lsn,
                _ => true,
            };
            if !is_told && now_us - first.at.unix_us < HELD_MOST_US && self.held.len() <= HELD_MOST {
                break;
            }
            if let Some(picture) = self.held.pop_front() {
                appended.extend(self.append_picture(picture));
            }
        }
        appended
    }

    /// Appends what a picture changes. Only what is in this picture or in the one before can look different: what is in
    /// neither is shown as the exact track has it, and was before.
    fn append_picture(&mut self, picture: Held) -> Option<Arc<Change>> {
        let is_ahead = self.told.is_some() && picture.at.lsn > self.told;
        self.ahead = picture.at.lsn.filter(|_| is_ahead);
        let before = std::mem::replace(&mut self.sampled, picture.items);
        let at = self.at(picture.at.unix_us, if self.told.is_some() { None } else { picture.at.lsn });
        let moment = self.log.moment();
        let (mut put, mut drop) = (Vec::new(), Vec::new());
        for key in before.keys().chain(self.sampled.keys()).collect::<BTreeSet<_>>() {
            match self.shown(key, is_ahead) {
                Some(item) if moment.items.get(key) != Some(&item) => put.push(item),
                None if moment.items.contains_key(key) => drop.push(key.clone()),
                _ => {}
            }
        }
        let is_first = moment.seq == 0 && picture.cause == Cause::Sample;
        let cause = if is_first { Cause::Begin } else { picture.cause };
        if put.is_empty() && drop.is_empty() && cause == Cause::Sample {
            return None;
        }
        Some(self.log.append(put, drop, at, cause))
    }

    /// What both tracks together say under a key.
    fn shown(&self, key: &Key, is_ahead: bool) -> Option<SharedItem> {
        let sampled = self.sampled.get(key);
        self.exact.get(key).map(|exact| merged(exact, sampled, is_ahead)).or_else(|| sampled.cloned())
    }

    /// A time that does not go back, and the position up to which the exact track is told.
    fn at(&mut self, unix_us: i64, lsn: Option<Lsn>) -> At {
        self.last_us = self.last_us.max(unix_us);
        At { unix_us: self.last_us, lsn: self.told.max(lsn) }
    }
}

/// The item as the picture before has it, if it is the same: most of a picture is.
fn shared(put: PutItem, before: &Items) -> SharedItem {
    before.get(&put.key).filter(|before| **before == put).cloned().unwrap_or_else(|| put.into())
}

/// The exact item with what only looking can tell. `is_ahead`: what was looked at may be younger.
fn merged(exact: &SharedItem, sampled: Option<&SharedItem>, is_ahead: bool) -> SharedItem {
    let Some(sampled) = sampled else { return exact.clone() };
    let (origin, item) = match (&exact.item, &sampled.item) {
        (Item::Version(known), Item::Version(seen))
            if is_ahead && (seen.xmax, seen.xmax_kind) != (known.xmax, known.xmax_kind) =>
        {
            (sampled.origin, Item::Version(with_life(known, seen)))
        }
        (Item::Version(known), Item::Version(seen)) => (Origin::Exact, Item::Version(with_values(known, seen))),
        (Item::Transaction(known), Item::Transaction(seen)) if known.pid.is_none() && seen.pid.is_some() => {
            (Origin::Exact, Item::Transaction(Transaction { pid: seen.pid, ..known.clone() }))
        }
        _ => return exact.clone(),
    };
    PutItem { key: exact.key.clone(), origin, item }.into()
}

/// The version as it was seen, with what only the log tells of its life.
fn with_life(exact: &RowVersion, sampled: &RowVersion) -> RowVersion {
    RowVersion {
        parent: exact.parent.clone().or_else(|| sampled.parent.clone()),
        parent_origin: exact.parent.as_ref().map_or(sampled.parent_origin, |_| exact.parent_origin),
        row: sampled.row.clone().or_else(|| exact.row.clone()),
        values: sampled.values.clone().or_else(|| exact.values.clone()),
        made: exact.made,
        ..sampled.clone()
    }
}

/// Values of rows from before the log was followed are only on the page; commands are only there at all.
fn with_values(exact: &RowVersion, sampled: &RowVersion) -> RowVersion {
    let has_values = exact.values.is_some();
    RowVersion {
        row: if has_values { exact.row.clone() } else { sampled.row.clone().or_else(|| exact.row.clone()) },
        values: exact.values.clone().or_else(|| sampled.values.clone()),
        command: exact.command.or(sampled.command),
        ..exact.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pgstrata_timeline::{Fate, TransactionState, XmaxKind};
    use pgstrata_units::Xid;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng as _};

    use super::*;

    fn transaction(origin: Origin, xid: u64, state: TransactionState, pid: Option<i32>) -> PutItem {
        let item = Transaction { xid: Xid(xid), top: None, state, pid, began: None, ended: None, ended_us: None };
        Item::Transaction(item).known(origin)
    }

    fn exact(lsn: u64, us: i64, put: Vec<PutItem>) -> ExactChange {
        let cause = Cause::Record { lsn: Lsn(lsn), name: "Transaction/COMMIT".to_owned(), xid: 0 };
        let put = put.into_iter().map(SharedItem::from).collect();
        ExactChange { put, drop: Vec::new(), at: At { unix_us: us, lsn: Some(Lsn(lsn)) }, cause }
    }

    fn sample(lsn: u64, us: i64, items: Vec<PutItem>) -> Sample {
        Sample { items, at: At { unix_us: us, lsn: Some(Lsn(lsn)) }, cause: Cause::Sample, took: Duration::ZERO }
    }

    use TransactionState::{Committed, InProgress};

    #[test]
    fn what_is_exact_is_not_overwritten_by_what_was_sampled() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, vec![transaction(Origin::Exact, 750, Committed, None)]));
        tracks.take_sample(sample(90, 2, vec![transaction(Origin::Sampled, 750, InProgress, Some(7))]), 2);
        let items: Vec<_> = tracks.moment().items.values().cloned().collect();
        assert_eq!(items, [transaction(Origin::Exact, 750, Committed, Some(7))], "but the process comes from looking");
    }

    #[test]
    fn a_picture_waits_until_the_records_before_it_are_told() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, vec![transaction(Origin::Exact, 750, InProgress, None)]));
        let picture = vec![transaction(Origin::Sampled, 751, InProgress, None)];
        assert!(tracks.take_sample(sample(200, 2, picture), 3).is_empty());
        let appended = tracks.take_exact(exact(150, 4, vec![transaction(Origin::Exact, 750, Committed, None)]));
        assert_eq!(appended.len(), 1);
        let appended = tracks.take_told(Some(Lsn(200)), 5);
        let positions: Vec<_> = appended.iter().map(|change| (change.at.unix_us, change.at.lsn)).collect();
        assert_eq!(positions, [(4, Some(Lsn(200)))], "and its time does not lie before what was told meanwhile");
    }

    #[test]
    fn a_picture_does_not_wait_for_ever_for_a_server_that_writes_nothing() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, Vec::new()));
        let picture = vec![transaction(Origin::Sampled, 751, InProgress, None)];
        assert!(tracks.take_sample(sample(200, 10, picture), 11).is_empty());
        assert_eq!(tracks.take_told(None, 10 + HELD_MOST_US).len(), 1);
    }

    #[test]
    fn what_was_exact_is_gone_with_its_track_and_what_is_seen_stays() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        tracks.take_exact(exact(110, 2, vec![transaction(Origin::Exact, 750, InProgress, None)]));
        tracks.take_sample(sample(100, 3, vec![version(Origin::Sampled, None, None)]), 3);
        let appended = tracks.end_exact("segment removed".to_owned(), 4);
        let shown: Vec<_> = tracks.moment().items.values().cloned().collect();
        assert_eq!(shown, [version(Origin::Sampled, None, None)]);
        let last = appended.last().expect("it is told");
        assert!(matches!(&last.cause, Cause::Connection { is_up: false, reason } if reason == "segment removed"));
        // A picture of later waits for nobody.
        assert_eq!(tracks.take_sample(sample(900, 5, Vec::new()), 5).len(), 1);
        // And the track may begin anew.
        tracks.take_exact(exact(1_000, 6, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        assert_eq!(tracks.moment().items.len(), 1);
    }

    fn version(origin: Origin, xmax: Option<u64>, made: Option<Lsn>) -> PutItem {
        let version = RowVersion {
            xmin_state: Committed,
            xmax: xmax.map(Xid),
            xmax_kind: xmax.map_or(XmaxKind::None, |_| XmaxKind::Update),
            xmax_state: xmax.map(|_| InProgress),
            bytes: 32,
            fate: Fate::Live,
            made,
            ..RowVersion::bare(16400, 0, 1, Xid(740))
        };
        Item::Version(version).known(origin)
    }

    #[test]
    fn a_page_that_is_ahead_of_the_log_is_shown_as_it_was_seen_until_the_log_has_come_up() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        tracks.take_sample(sample(200, 2, vec![version(Origin::Sampled, Some(750), None)]), 2 + HELD_MOST_US);
        let shown = |tracks: &Tracks| tracks.moment().items.values().cloned().collect::<Vec<_>>();
        assert_eq!(shown(&tracks), [version(Origin::Sampled, Some(750), Some(Lsn(90)))]);
        tracks.take_exact(exact(150, 3, vec![version(Origin::Exact, Some(750), Some(Lsn(90)))]));
        assert_eq!(shown(&tracks), [version(Origin::Exact, Some(750), Some(Lsn(90)))]);
    }

    #[test]
    fn a_record_older_than_a_page_that_is_ahead_does_not_bring_the_page_back() {
        let mut tracks = Tracks::new(LogLimits::default());
        tracks.take_exact(exact(100, 1, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        tracks.take_sample(sample(200, 2, vec![version(Origin::Sampled, Some(750), None)]), 2 + HELD_MOST_US);
        let shown = |tracks: &Tracks| tracks.moment().items.values().cloned().collect::<Vec<_>>();
        let seen = [version(Origin::Sampled, Some(750), Some(Lsn(90)))];
        tracks.take_exact(exact(150, 3, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        assert_eq!(shown(&tracks), seen, "a record on the way to what was seen");
        tracks.take_exact(exact(210, 4, vec![version(Origin::Exact, None, Some(Lsn(90)))]));
        assert_eq!(shown(&tracks), [version(Origin::Exact, None, Some(Lsn(90)))], "a record behind it");
    }

    #[test]
    fn what_the_exact_track_forgets_is_what_was_seen_again() {
        let mut tracks = Tracks::new(LogLimits::default());
        let seen = transaction(Origin::Sampled, 750, InProgress, Some(7));
        tracks.take_sample(sample(1, 1, vec![seen.clone()]), 1);
        tracks.take_exact(exact(100, 2, vec![transaction(Origin::Exact, 750, Committed, None)]));
        let forget = ExactChange { drop: vec![seen.key.clone()], ..exact(101, 3, Vec::new()) };
        tracks.take_exact(forget);
        assert!(tracks.moment().items.get(&seen.key).is_some_and(|shown| *shown == seen));
    }

    /// An item of few, in one of few ways.
    fn any_item(origin: Origin, random: &mut impl RngExt) -> PutItem {
        let version = |xmin, xmax: Option<u64>, values: Option<i32>| {
            let values = values.map(|n| serde_json::Map::from_iter([("n".to_owned(), n.into())]));
            let xmax_kind = xmax.map_or(XmaxKind::None, |_| XmaxKind::Update);
            RowVersion { xmax: xmax.map(Xid), xmax_kind, values, ..RowVersion::bare(16400, 0, 1, Xid(xmin)) }
        };
        let number = random.random_range(0..6);
        if random.random_bool(0.5) {
            let state = if random.random_bool(0.5) { Committed } else { InProgress };
            return transaction(origin, 700 + number, state, random.random_bool(0.5).then_some(7));
        }
        let xmax = random.random_bool(0.5).then(|| random.random_range(800..803));
        let values = random.random_bool(0.5).then(|| random.random_range(0..3));
        Item::Version(version(700 + number, xmax, values)).known(origin)
    }

    #[test]
    fn what_is_told_of_a_picture_makes_the_moment_that_the_whole_picture_would() {
        let mut random = StdRng::seed_from_u64(11);
        for _ in 0..200 {
            let mut tracks = Tracks::new(LogLimits::default());
            let (mut told, mut exact_items, mut folded) = (0, Items::new(), Moment::default());
            for step in 0..40 {
                let us = step * 2 * HELD_MOST_US;
                let mut appended = Vec::new();
                if told > 0 && random.random_bool(0.05) {
                    appended.extend(tracks.end_exact("lost".to_owned(), us));
                    exact_items.clear();
                    told = 0;
                }
                if random.random_bool(0.6) {
                    told = told.max(100) + 10;
                    let mut change = exact(told, us, vec![any_item(Origin::Exact, &mut random)]);
                    let gone = any_item(Origin::Exact, &mut random).key;
                    change.drop.extend(exact_items.remove(&gone).map(|gone| gone.key.clone()));
                    exact_items.extend(change.put.iter().map(|put| (put.key.clone(), put.clone())));
                    change.drop.retain(|key| change.put.iter().all(|put| put.key != *key));
                    appended.extend(tracks.take_exact(change));
                }
                // Sometimes ahead of the log; it is waited for no longer than now.
                let at = told + random.random_range(0..2) * 5;
                let items: Vec<_> = (0..4).map(|_| any_item(Origin::Sampled, &mut random)).collect();
                appended.extend(tracks.take_sample(sample(at, us, items.clone()), us + HELD_MOST_US));
                for change in &appended {
                    assert!(folded.fold(change));
                }
                let sampled: Items = items.into_iter().map(|put| (put.key.clone(), put.into())).collect();
                let mut whole = sampled.clone();
                let is_ahead = told > 0 && at > told;
                whole.extend(
                    exact_items.iter().map(|(key, known)| (key.clone(), merged(known, sampled.get(key), is_ahead))),
                );
                assert_eq!(tracks.moment().items, whole);
                assert_eq!(&folded, tracks.moment());
            }
        }
    }
}
