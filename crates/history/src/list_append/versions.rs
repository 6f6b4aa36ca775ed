//! The order of each key's versions: the longest list that was read of it. Every other read must be a beginning of it,
//! or the reads contradict each other.

use std::ops::Range;

use super::writers::{Writer, Writers};
use crate::anomaly::Anomaly;
use crate::model::{History, Key, Operation, Status, TransactionId, Value};
use crate::verdict::{Finding, Findings, Observation};

/// The versions of all keys, and who took part in them.
pub(super) struct Versions<'h> {
    history: &'h History,
    longest: Vec<&'h [Value]>,
    /// Keys of which nothing is inferred, because their reads contradict each other.
    contradictory: Vec<bool>,
    pub(super) writers: Writers,
    outcomes: Vec<Outcome>,
    /// Where the elements of each key's longest list begin in `version_writers`; one more at the end.
    first_version: Vec<u32>,
    /// For each element of each longest list who appended it, if it is somebody who took effect.
    version_writers: Vec<u32>,
}

/// What became of a transaction, in a byte: this is asked for every element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Committed,
    Aborted,
    Unknown,
    /// Its client does not know, but a committed transaction saw it.
    Seen,
}

/// No writer, or none that took effect.
const NOBODY: u32 = u32::MAX;

impl<'h> Versions<'h> {
    /// Orders the versions of every key, and finds what contradicts there being an order.
    pub(super) fn new(history: &'h History, findings: &mut Findings) -> Self {
        let writers = Writers::new(history, findings);
        let mut versions = Self {
            history,
            longest: vec![&[]; history.key_count()],
            contradictory: vec![false; history.key_count()],
            writers,
            outcomes: history.transactions().map(|transaction| Outcome::of(transaction.status)).collect(),
            first_version: Vec::new(),
            version_writers: Vec::new(),
        };
        let readers = versions.find_longest();
        versions.find_contradictions(&readers, findings);
        versions.place_elements(&readers, findings);
        versions
    }

    /// Finds the longest list of each key and who read it.
    fn find_longest(&mut self) -> Vec<TransactionId> {
        let mut readers = vec![TransactionId(0); self.longest.len()];
        for transaction in self.history.transactions().filter(|transaction| transaction.status == Status::Committed) {
            for operation in self.history.operations(transaction) {
                let Operation::ReadList { key, list: Some(list) } = operation else { continue };
                let longest = &mut self.longest[key.0 as usize];
                if list.len() > longest.len() {
                    *longest = list;
                    readers[key.0 as usize] = transaction.id;
                }
            }
        }
        readers
    }

    fn find_contradictions(&mut self, readers: &[TransactionId], findings: &mut Findings) {
        for transaction in self.history.transactions().filter(|transaction| transaction.status == Status::Committed) {
            for operation in self.history.operations(transaction) {
                let Operation::ReadList { key, list: Some(list) } = operation else { continue };
                let longest = self.longest[key.0 as usize];
                if is_beginning(list, longest) {
                    continue;
                }
                self.contradictory[key.0 as usize] = true;
                findings.add(Finding {
                    anomaly: Anomaly::IncompatibleOrder,
                    transactions: vec![transaction.id, readers[key.0 as usize]],
                    cycle: Vec::new(),
                    observation: Some(Observation { key, value: None, seen: list.to_vec(), against: longest.to_vec() }),
                });
                let common = list.iter().zip(longest).take_while(|(one, other)| one == other).count();
                for place in common..list.len() {
                    self.convict_element(key, list, place, transaction.id, findings);
                }
            }
        }
    }

    /// Looks at every element of the longest lists once: that is every element that anybody read, but for lists that
    /// contradict them.
    fn place_elements(&mut self, readers: &[TransactionId], findings: &mut Findings) {
        let total: usize = self.longest.iter().map(|list| list.len()).sum();
        self.version_writers.reserve_exact(total);
        self.first_version.reserve_exact(self.longest.len() + 1);
        for (number, reader) in (0..).zip(readers) {
            self.first_version.push(small(self.version_writers.len()));
            self.place_list(Key(number), *reader, findings);
        }
        self.first_version.push(small(self.version_writers.len()));
        // Whoever was seen by a committed transaction has committed. One list may show it of a writer in another.
        let outcomes = &self.outcomes;
        for writer in &mut self.version_writers {
            if *writer != NOBODY && !outcomes[*writer as usize].took_effect() {
                *writer = NOBODY;
            }
        }
    }

    fn place_list(&mut self, key: Key, reader: TransactionId, findings: &mut Findings) {
        let list = self.longest(key);
        let mut aborted = None;
        let mut is_convicted = false;
        for (place, value) in list.iter().enumerate() {
            let (writer, stood_already) = self.writers.place(key, *value, small(place));
            if stood_already {
                self.contradictory[key.0 as usize] = true;
                findings.add(seen(Anomaly::DuplicateElements, vec![reader], key, *value, list));
            }
            let Writer::One(writer) = writer else {
                self.version_writers.push(NOBODY);
                self.convict_element(key, list, place, reader, findings);
                continue;
            };
            self.version_writers.push(writer.0);
            let outcome = &mut self.outcomes[writer.0 as usize];
            match (*outcome, aborted) {
                (Outcome::Aborted, _) => {
                    aborted = aborted.or(Some(writer));
                    self.convict_element(key, list, place, reader, findings);
                }
                (Outcome::Committed, Some(aborted)) if !is_convicted => {
                    is_convicted = true;
                    let transactions = vec![writer, aborted, reader];
                    findings.add(seen(Anomaly::DirtyUpdate, transactions, key, *value, list));
                }
                (Outcome::Unknown, _) => *outcome = Outcome::Seen,
                _ => {}
            }
        }
    }

    /// Says so if an element was never appended, or was rolled back.
    fn convict_element(&self, key: Key, list: &[Value], place: usize, reader: TransactionId, findings: &mut Findings) {
        let value = list[place];
        match self.writers.of(key, value) {
            Writer::Nobody => findings.add(seen(Anomaly::GarbageRead, vec![reader], key, value, list)),
            Writer::One(writer) if self.outcomes[writer.0 as usize] == Outcome::Aborted => {
                findings.add(seen(Anomaly::G1a, vec![reader, writer], key, value, list));
            }
            Writer::One(_) | Writer::Several => {}
        }
    }

    pub(super) const fn history(&self) -> &'h History {
        self.history
    }

    /// The longest list of a key that was read.
    pub(super) fn longest(&self, key: Key) -> &'h [Value] {
        self.longest[key.0 as usize]
    }

    /// Whether the versions of a key are in an order from which something follows.
    #[inline]
    pub(super) fn is_ordered(&self, key: Key) -> bool {
        !self.contradictory[key.0 as usize]
    }

    /// Whether a transaction took effect: it was acknowledged, or a committed one saw it.
    #[inline]
    pub(super) fn took_effect(&self, transaction: TransactionId) -> bool {
        self.outcomes[transaction.0 as usize].took_effect()
    }

    /// The transaction that appended an element, if it is one that took effect.
    #[inline]
    pub(super) fn writer(&self, key: Key, value: Value) -> Option<TransactionId> {
        match self.writers.of(key, value) {
            Writer::One(writer) if self.took_effect(writer) => Some(writer),
            _ => None,
        }
    }

    /// How many elements of its key's longest list a read saw; none if nothing follows from the read.
    #[inline]
    pub(super) fn seen_by(&self, transaction: &crate::Transaction, key: Key, list: &[Value]) -> Option<usize> {
        // The reads of committed transactions have all been compared.
        let is_compared = self.outcomes[transaction.id.0 as usize] == Outcome::Committed;
        let counts = self.is_ordered(key) && (is_compared || is_beginning(list, self.longest(key)));
        counts.then_some(list.len())
    }

    /// The last writer of the first `seen` elements, with its element.
    pub(super) fn last_writer(&self, key: Key, seen: usize) -> Option<(TransactionId, Value)> {
        self.writers_of(key, 0..seen).next_back()
    }

    /// The first writer after the first `seen` elements, with its element.
    #[inline]
    pub(super) fn next_writer(&self, key: Key, seen: usize) -> Option<(TransactionId, Value)> {
        self.writers_of(key, seen..self.longest(key).len()).next()
    }

    /// The writers that took effect of some elements of a key's longest list, each with its element.
    #[inline]
    pub(super) fn writers_of<'a>(
        &'a self,
        key: Key,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (TransactionId, Value)> + use<'a, 'h> {
        let first = self.first_version[key.0 as usize] as usize;
        let writers = &self.version_writers[first + places.start..first + places.end];
        let known = writers.iter().zip(&self.longest(key)[places]).filter(|(writer, _)| **writer != NOBODY);
        known.map(|(writer, value)| (TransactionId(*writer), *value))
    }

    /// Where the elements of a key's longest list begin, if those of all keys are counted; one more for each key
    /// before it, for the version that has none.
    pub(super) fn first_version(&self, key: Key) -> usize {
        self.first_version[key.0 as usize] as usize + key.0 as usize
    }

    /// How many versions all keys have, the empty ones included.
    pub(super) const fn version_count(&self) -> usize {
        self.version_writers.len() + self.longest.len()
    }
}

impl Outcome {
    const fn of(status: Status) -> Self {
        match status {
            Status::Committed => Self::Committed,
            Status::Aborted => Self::Aborted,
            Status::Unknown => Self::Unknown,
        }
    }

    const fn took_effect(self) -> bool {
        matches!(self, Self::Committed | Self::Seen)
    }
}

fn small(length: usize) -> u32 {
    u32::try_from(length).expect("a history has fewer than 2^32 elements")
}

/// Whether a list is a beginning of another; at once if they share their elements.
#[inline]
fn is_beginning(list: &[Value], longest: &[Value]) -> bool {
    list.len() <= longest.len() && (std::ptr::eq(list.as_ptr(), longest.as_ptr()) || longest.starts_with(list))
}

fn seen(anomaly: Anomaly, transactions: Vec<TransactionId>, key: Key, value: Value, list: &[Value]) -> Finding {
    let observation = Observation { key, value: Some(value), seen: list.to_vec(), against: Vec::new() };
    Finding { anomaly, transactions, cycle: Vec::new(), observation: Some(observation) }
}
