//! Who is who, and which version of a row follows which.
//!
//! The log has the transactions that took effect in the order of their commit records. A row's lock is held from its
//! change until the writer has left the table of running transactions, so for one row that order is the order of its
//! versions. Nothing is inferred here but one thing: whose savepoint an unknown number was, in [`Index::writer_of`].

use std::collections::{HashMap, HashSet};

use super::record::{Commit, Follow, Observed, Record, RowId, Seen, Snapshot, State, Step, TableId, Xid};
use crate::model::{Key, Status, TransactionId};

/// A record with all that is looked up in it.
pub(super) struct Index<'a> {
    pub record: &'a Record,
    /// The observed transactions in the order in which they were begun, which are the first of the history.
    pub order: Vec<usize>,
    /// What became of them.
    pub status: Vec<Status>,
    /// The commits whose clients were not watched; they follow the observed ones in the history.
    pub unobserved: Vec<&'a Commit>,
    /// Transactions whose client was told something that the log denies.
    pub contradicted: Vec<(TransactionId, Contradiction)>,
    pub keys: HashMap<&'a RowId, Key>,
    /// By key.
    pub rows: Vec<Versions<'a>>,
    /// Where a transaction's version of a row is.
    places: HashMap<(Key, TransactionId), u32>,
    numbers: HashMap<Xid, Number>,
    /// The number that the last version of a row carries which a transaction is known to have written.
    last_number: HashMap<(Key, TransactionId), Xid>,
    pub truncated: HashSet<TableId>,
    /// How many savepoints' numbers were given an owner by inference.
    pub inferred: u64,
}

/// What a client was told, against the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// It was told that the transaction committed, it wrote, and the log has nothing of it.
    CommitNotInLog,
    /// It was told that the transaction was rolled back, and the log has it.
    AbortedInLog,
}

/// The versions of one row.
pub(super) struct Versions<'a> {
    pub id: &'a RowId,
    /// Before the first change.
    pub initial: &'a State,
    /// Each with its writer: the last that the writer left, so no two neighbours have the same writer.
    pub list: Vec<(TransactionId, &'a State)>,
}

/// Whose a number is.
#[derive(Clone, Copy)]
struct Number {
    owner: TransactionId,
    undone: bool,
}

/// The version that a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The transaction's own.
    Own,
    /// What was there before the first change.
    Initial,
    /// This one in the row's list.
    Of(u32),
    /// One that was never committed.
    Aborted(TransactionId),
    /// One that its writer replaced before it committed.
    Intermediate(TransactionId),
    /// Nobody knows who wrote it.
    WriterUnknown,
    /// The row was absent more than once, and nobody knows which time.
    Ambiguous,
    /// What was seen cannot have been there, by the log.
    Impossible,
}

impl<'a> Index<'a> {
    pub fn new(record: &'a Record) -> Self {
        let mut order: Vec<usize> = (0..record.observed.len()).collect();
        order.sort_by_key(|place| record.observed[*place].invoked_ns);
        let mut index = Self {
            record,
            order,
            status: Vec::new(),
            unobserved: Vec::new(),
            contradicted: Vec::new(),
            keys: HashMap::new(),
            rows: Vec::new(),
            places: HashMap::new(),
            numbers: HashMap::new(),
            last_number: HashMap::new(),
            truncated: record.commits.iter().flat_map(|commit| commit.truncated.iter().copied()).collect(),
            inferred: 0,
        };
        index.know_observed();
        index.know_commits();
        index
    }

    /// The transaction that this observed one is in the history, and what is known of it.
    pub fn observed(&self) -> Vec<(TransactionId, &'a Observed)> {
        let record = self.record;
        self.order.iter().enumerate().map(|(id, place)| (transaction(id), &record.observed[*place])).collect()
    }

    /// Whether the changes of a table can be followed to the end.
    pub fn follows(&self, table: TableId) -> bool {
        let follow = self.record.tables.get(table.0 as usize).map(|table| table.follow);
        follow == Some(Follow::Rows) && !self.truncated.contains(&table)
    }

    fn know_observed(&mut self) {
        let record = self.record;
        let committed: HashSet<Xid> = record.commits.iter().map(|commit| commit.xid).collect();
        for (id, place) in self.order.clone().into_iter().enumerate() {
            let (id, observed) = (transaction(id), &record.observed[place]);
            let logged = observed.xid.is_some_and(|xid| committed.contains(&xid));
            let wrote = observed
                .steps
                .iter()
                .any(|step| matches!(step, Step::Wrote { row, undone: false, .. } if self.follows(row.table)));
            let status = match observed.status {
                Status::Committed if wrote && !logged => {
                    self.contradicted.push((id, Contradiction::CommitNotInLog));
                    Status::Aborted
                }
                Status::Committed => Status::Committed,
                told => {
                    if told == Status::Aborted && logged {
                        self.contradicted.push((id, Contradiction::AbortedInLog));
                    }
                    // The log knows what the client does not; a transaction that only read counts if it was told so.
                    if logged { Status::Committed } else { Status::Aborted }
                }
            };
            self.status.push(status);
            if let Some(xid) = observed.xid {
                self.numbers.insert(xid, Number { owner: id, undone: false });
            }
            for step in &observed.steps {
                let Step::Wrote { row, xmin, undone } = step else { continue };
                let key = self.key(row);
                let Some(xmin) = *xmin else { continue };
                // A number of the transaction itself is never undone; that of a savepoint is, with all it wrote.
                let undone = *undone && observed.xid != Some(xmin);
                self.numbers.insert(xmin, Number { owner: id, undone });
                if !undone {
                    self.last_number.insert((key, id), xmin);
                }
            }
        }
    }

    fn know_commits(&mut self) {
        for commit in &self.record.commits {
            let id = self
                .numbers
                .get(&commit.xid)
                .map_or_else(|| transaction(self.order.len() + self.unobserved.len()), |number| number.owner);
            if id.0 as usize == self.order.len() + self.unobserved.len() {
                self.unobserved.push(commit);
                self.numbers.insert(commit.xid, Number { owner: id, undone: false });
            }
            for change in &commit.changes {
                let key = self.key(&change.row);
                let row = &mut self.rows[key.0 as usize];
                if row.list.is_empty() {
                    row.initial = &change.before;
                }
                match row.list.last_mut() {
                    Some((writer, state)) if *writer == id => *state = &change.after,
                    _ => {
                        self.places.insert((key, id), place(row.list.len()));
                        row.list.push((id, &change.after));
                    }
                }
            }
        }
    }

    /// The key of a row, made now if it is new.
    pub fn key(&mut self, id: &'a RowId) -> Key {
        if let Some(key) = self.keys.get(id) {
            return *key;
        }
        let key = Key(place(self.rows.len()));
        // Until a change says otherwise, nothing is known of what was there.
        self.rows.push(Versions { id, initial: &State::Present, list: Vec::new() });
        self.keys.insert(id, key);
        key
    }

    /// The top-level number of a transaction of the log.
    fn top(&self, id: TransactionId) -> Option<Xid> {
        let id = id.0 as usize;
        match self.order.get(id) {
            Some(observed) => self.record.observed[*observed].xid,
            None => self.unobserved.get(id - self.order.len()).map(|commit| commit.xid),
        }
    }

    /// How many versions of a row a snapshot sees: they are the first ones of its list.
    pub fn seen_versions(&self, row: &Versions<'_>, snapshot: &Snapshot) -> usize {
        row.list.partition_point(|(writer, _)| self.top(*writer).is_some_and(|xid| snapshot.sees(xid)))
    }

    /// Which version a read of `reader` saw. `own` is whether the reader has written the row before.
    pub fn version(
        &mut self,
        reader: TransactionId,
        key: Key,
        own: bool,
        seen: Seen,
        snapshot: Option<&Snapshot>,
    ) -> Version {
        match seen {
            Seen::Absent if own => Version::Own,
            Seen::Absent => self.absence(key, snapshot),
            Seen::Version(xid) => match self.writer_of(key, xid, snapshot) {
                Some(number) if number.owner == reader => Version::Own,
                Some(number) => self.version_of(key, xid, number),
                None if xid.precedes(self.record.first_xid) => {
                    let row = &self.rows[key.0 as usize];
                    let was_there = row.list.is_empty() || row.initial.is_there();
                    if was_there { Version::Initial } else { Version::Impossible }
                }
                None => Version::WriterUnknown,
            },
        }
    }

    fn version_of(&self, key: Key, xid: Xid, number: Number) -> Version {
        let is_aborted = self.status.get(number.owner.0 as usize) == Some(&Status::Aborted);
        if number.undone || is_aborted {
            return Version::Aborted(number.owner);
        }
        let replaced = self.last_number.get(&(key, number.owner)).is_some_and(|last| *last != xid);
        match self.places.get(&(key, number.owner)) {
            _ if replaced => Version::Intermediate(number.owner),
            Some(place) if self.rows[key.0 as usize].list[*place as usize].1.is_there() => Version::Of(*place),
            // Its last word on the row was a deletion, so the row that was read came before that.
            Some(_) => Version::Intermediate(number.owner),
            None => Version::WriterUnknown,
        }
    }

    /// Whose number it is. An unknown one that is younger than the run was a savepoint's whose client did not say so:
    /// it is of a transaction that wrote this row, began before it (a savepoint's number is given after its
    /// transaction's own) and is not known to have written the row under another number. Where a snapshot leaves
    /// several, it is the last of those that it sees.
    fn writer_of(&mut self, key: Key, xid: Xid, snapshot: Option<&Snapshot>) -> Option<Number> {
        if let Some(number) = self.numbers.get(&xid) {
            return Some(*number);
        }
        if xid.precedes(self.record.first_xid) {
            return None;
        }
        let row = &self.rows[key.0 as usize];
        let is_candidate = |writer: TransactionId| {
            let top = self.top(writer)?;
            let fits = top.precedes(xid)
                && !self.last_number.contains_key(&(key, writer))
                && snapshot.is_none_or(|snapshot| snapshot.sees(top));
            fits.then_some(writer)
        };
        let mut candidates = row.list.iter().rev().filter_map(|(writer, _)| is_candidate(*writer));
        let newest = candidates.next()?;
        if snapshot.is_none() && candidates.next().is_some() {
            return None;
        }
        let number = Number { owner: newest, undone: false };
        self.numbers.insert(xid, number);
        self.inferred += 1;
        Some(number)
    }

    /// Which absence of a row was seen.
    fn absence(&self, key: Key, snapshot: Option<&Snapshot>) -> Version {
        let row = &self.rows[key.0 as usize];
        if row.list.is_empty() {
            // Never changed: it was absent all the time.
            return Version::Initial;
        }
        let of = |count: usize| if count == 0 { Version::Initial } else { Version::Of(place(count - 1)) };
        if let Some(snapshot) = snapshot {
            let count = self.seen_versions(row, snapshot);
            return if row.state(count).is_there() { Version::Impossible } else { of(count) };
        }
        let mut absences = (0..=row.list.len()).filter(|count| !row.state(*count).is_there());
        match (absences.next(), absences.next()) {
            (Some(count), None) => of(count),
            (None, _) => Version::Impossible,
            _ => Version::Ambiguous,
        }
    }
}

impl Versions<'_> {
    /// The row after this many of its versions.
    pub fn state(&self, count: usize) -> &State {
        count.checked_sub(1).map_or(self.initial, |place| self.list[place].1)
    }
}

/// A place in the history.
fn transaction(place: usize) -> TransactionId {
    TransactionId(self::place(place))
}

fn place(length: usize) -> u32 {
    u32::try_from(length).expect("a run has fewer than 2^32 transactions, rows and versions of a row")
}
