//! The order of each key's versions: the longest list that was read of it. Every other read must be a beginning of it,
//! or the reads contradict each other.

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
    took_effect: Vec<bool>,
}

impl<'h> Versions<'h> {
    /// Orders the versions of every key, and finds what contradicts there being an order.
    pub(super) fn new(history: &'h History, findings: &mut Findings) -> Self {
        let writers = Writers::new(history, findings);
        let mut versions = Self {
            history,
            longest: vec![&[]; history.key_count()],
            contradictory: vec![false; history.key_count()],
            writers,
            took_effect: history.transactions().map(|transaction| transaction.status == Status::Committed).collect(),
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
        for (number, reader) in (0..).zip(readers) {
            let key = Key(number);
            let list = self.longest[number as usize];
            let mut aborted = None;
            let mut is_convicted = false;
            for (place, value) in list.iter().enumerate() {
                let position = u32::try_from(place).expect("a list has fewer than 2^32 elements");
                if !self.writers.place(key, *value, position) {
                    self.contradictory[number as usize] = true;
                    findings.add(seen(Anomaly::DuplicateElements, vec![*reader], key, *value, list));
                }
                self.convict_element(key, list, place, *reader, findings);
                let Writer::One(writer) = self.writers.of(key, *value) else { continue };
                match (self.history.transaction(writer).status, aborted) {
                    (Status::Aborted, None) => aborted = Some(writer),
                    (Status::Committed, Some(aborted)) if !is_convicted => {
                        is_convicted = true;
                        let transactions = vec![writer, aborted, *reader];
                        findings.add(seen(Anomaly::DirtyUpdate, transactions, key, *value, list));
                    }
                    // Whoever is seen by a committed transaction has committed, whatever its client knows.
                    (Status::Unknown, _) => self.took_effect[writer.0 as usize] = true,
                    _ => {}
                }
            }
        }
    }

    /// Says so if an element was never appended, or was rolled back.
    fn convict_element(&self, key: Key, list: &[Value], place: usize, reader: TransactionId, findings: &mut Findings) {
        let value = list[place];
        match self.writers.of(key, value) {
            Writer::Nobody => findings.add(seen(Anomaly::GarbageRead, vec![reader], key, value, list)),
            Writer::One(writer) if self.history.transaction(writer).status == Status::Aborted => {
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
        self.took_effect[transaction.0 as usize]
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
        let is_compared = transaction.status == Status::Committed;
        let counts = self.is_ordered(key) && (is_compared || is_beginning(list, self.longest(key)));
        counts.then_some(list.len())
    }

    /// The last writer of the first `seen` elements, with its element.
    pub(super) fn last_writer(&self, key: Key, seen: usize) -> Option<(TransactionId, Value)> {
        self.writers_of(key, &self.longest(key)[..seen]).next_back()
    }

    /// The first writer after the first `seen` elements, with its element.
    pub(super) fn next_writer(&self, key: Key, seen: usize) -> Option<(TransactionId, Value)> {
        self.writers_of(key, &self.longest(key)[seen..]).next()
    }

    /// The writers of a key's elements that took effect, each with its element.
    pub(super) fn writers_of<'a>(
        &'a self,
        key: Key,
        elements: &'a [Value],
    ) -> impl DoubleEndedIterator<Item = (TransactionId, Value)> + 'a {
        elements.iter().filter_map(move |value| Some((self.writer(key, *value)?, *value)))
    }
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
