//! The dependencies that follow from the order of versions.
//!
//! Consecutive versions give write dependencies, the last version of a read a read dependency, the version after it an
//! anti-dependency. What was appended and never read comes after all that was read: every committed append that came
//! before would have been in the list.

use super::versions::Versions;
use crate::graph::{Dependency, Label, ONWARD, Orders, Sink, Source, add_orders};
use crate::model::{Key, Operation, Status, Transaction, TransactionId, Value};

/// All arcs of a history's graph, given out anew each time they are asked for.
pub(super) struct Edges<'v, 'h> {
    versions: &'v Versions<'h>,
    orders: &'v Orders,
    tails: Vec<(u32, u32, Label)>,
    first_order_relay: u32,
}

impl<'v, 'h> Edges<'v, 'h> {
    pub(super) fn new(versions: &'v Versions<'h>, orders: &'v Orders) -> Self {
        let transactions = u32::try_from(versions.history().len()).expect("a history has fewer than 2^32 transactions");
        let mut tails = Tails { arcs: Vec::new(), next_relay: transactions };
        tails.add(versions);
        Self { versions, orders, tails: tails.arcs, first_order_relay: tails.next_relay }
    }

    /// Transactions and relays.
    pub(super) const fn nodes(&self) -> u32 {
        self.first_order_relay + self.orders.relays()
    }

    fn emit_writes(&self, sink: &mut impl Sink) {
        let versions = self.versions;
        for number in 0..u32::try_from(versions.history().key_count()).unwrap_or(u32::MAX) {
            let key = Key(number);
            if !versions.is_ordered(key) {
                continue;
            }
            let mut last = None;
            for (writer, _) in versions.writers_of(key, 0..versions.longest(key).len()) {
                if let Some(last) = last.replace(writer).filter(|last| *last != writer) {
                    sink.arc(last.0, writer.0, Dependency::WriteWrite.label());
                }
            }
        }
    }

    fn emit_reads(&self, sink: &mut impl Sink) {
        for transaction in self.versions.history().transactions() {
            if !self.versions.took_effect(transaction.id) {
                continue;
            }
            for read in reads(self.versions, transaction) {
                if let Some((writer, _)) = read.from {
                    sink.arc(writer.0, transaction.id.0, Dependency::WriteRead.label());
                }
                if let Some((writer, _)) = read.next {
                    sink.arc(transaction.id.0, writer.0, Dependency::ReadWrite.label());
                }
            }
        }
    }
}

impl Source for Edges<'_, '_> {
    fn emit<S: Sink>(&self, sink: &mut S) {
        self.emit_writes(sink);
        self.emit_reads(sink);
        for (from, to, label) in &self.tails {
            sink.arc(*from, *to, *label);
        }
        add_orders(self.versions.history(), self.orders, self.first_order_relay, sink);
    }
}

/// A read from which dependencies follow.
pub(super) struct ReadOf<'h> {
    pub(super) key: Key,
    pub(super) list: &'h [Value],
    /// The last other transaction whose element it saw.
    pub(super) from: Option<(TransactionId, Value)>,
    /// The other transaction that wrote the version after it.
    pub(super) next: Option<(TransactionId, Value)>,
    /// Whether it saw every version that anybody read, so that what was never read comes after it.
    pub(super) is_last: bool,
}

/// The reads of a transaction that took effect.
pub(super) fn reads<'a, 'h>(
    versions: &'a Versions<'h>,
    transaction: &'a Transaction,
) -> impl Iterator<Item = ReadOf<'h>> + use<'a, 'h> {
    let own = transaction.id;
    versions.history().operations(transaction).filter_map(move |operation| {
        let Operation::ReadList { key, list: Some(list) } = operation else { return None };
        let seen = versions.seen_by(transaction, key, list)?;
        let mut writers = versions.writers_of(key, 0..seen).rev().peekable();
        // Whoever reads its own append is followed by its own next version; that is a write dependency.
        let ends_with_own = writers.peek().is_some_and(|(writer, _)| *writer == own);
        let from = writers.find(|(writer, _)| *writer != own);
        let next = if ends_with_own { None } else { versions.next_writer(key, seen) };
        let is_last = next.is_none() && !ends_with_own;
        Some(ReadOf { key, list, from, next: next.filter(|(writer, _)| *writer != own), is_last })
    })
}

/// The dependencies on what was appended and never read.
struct Tails {
    arcs: Vec<(u32, u32, Label)>,
    next_relay: u32,
}

/// An append that no read showed.
pub(super) fn is_unread(versions: &Versions<'_>, transaction: &Transaction, key: Key, value: Value) -> bool {
    transaction.status == Status::Committed
        && versions.is_ordered(key)
        && versions.writers.position(key, value).is_none()
        && versions.writer(key, value) == Some(transaction.id)
}

impl Tails {
    fn add(&mut self, versions: &Versions<'_>) {
        // Whether an unknown transaction that nobody saw took effect is not known.
        let is_known = |(key, writer): &(Key, TransactionId)| {
            versions.is_ordered(*key) && versions.history().transaction(*writer).status == Status::Committed
        };
        let mut appends: Vec<(Key, TransactionId)> = versions.writers.unread().filter(is_known).collect();
        let mut has_tail = vec![false; versions.history().key_count()];
        for (key, _) in &appends {
            has_tail[key.0 as usize] = true;
        }
        if appends.is_empty() {
            return;
        }
        let mut before = readers_of_all(versions, &has_tail);
        for (number, _) in (0..).zip(&has_tail).filter(|(_, has_tail)| **has_tail) {
            let key = Key(number);
            if let Some((writer, _)) = versions.last_writer(key, versions.longest(key).len()) {
                before.push((key, writer, Dependency::WriteWrite));
            }
        }
        appends.sort_unstable();
        appends.dedup();
        before.sort_unstable();
        before.dedup();
        let mut rest = before.as_slice();
        for of_key in appends.chunk_by(|one, other| one.0 == other.0) {
            let key = of_key[0].0;
            rest = &rest[rest.partition_point(|(other, ..)| *other < key)..];
            let (mine, others) = rest.split_at(rest.partition_point(|(other, ..)| *other == key));
            rest = others;
            self.join(mine, of_key);
        }
    }

    /// Everyone in `before` precedes everyone in `after` but itself, by two relays for each of these: one leads to it
    /// and all behind it, the other to it and all in front of it.
    fn join(&mut self, before: &[(Key, TransactionId, Dependency)], after: &[(Key, TransactionId)]) {
        if before.is_empty() {
            return;
        }
        let count = u32::try_from(after.len()).expect("a history has fewer than 2^32 appends");
        let (behind, in_front) = (self.next_relay, self.next_relay + count);
        self.next_relay += 2 * count;
        for (place, (_, writer)) in (0..).zip(after) {
            self.arcs.push((behind + place, writer.0, ONWARD));
            self.arcs.push((in_front + place, writer.0, ONWARD));
            if place > 0 {
                self.arcs.push((behind + place - 1, behind + place, ONWARD));
                self.arcs.push((in_front + place, in_front + place - 1, ONWARD));
            }
        }
        for (key, transaction, dependency) in before {
            let label = dependency.label();
            match after.binary_search(&(*key, *transaction)) {
                Err(_) => self.arcs.push((transaction.0, behind, label)),
                Ok(place) => {
                    let place = u32::try_from(place).expect("a place is smaller than the count");
                    if place + 1 < count {
                        self.arcs.push((transaction.0, behind + place + 1, label));
                    }
                    if place > 0 {
                        self.arcs.push((transaction.0, in_front + place - 1, label));
                    }
                }
            }
        }
    }
}

/// Who read all that anybody read of one of these keys.
fn readers_of_all(versions: &Versions<'_>, keys: &[bool]) -> Vec<(Key, TransactionId, Dependency)> {
    let mut readers = Vec::new();
    for transaction in versions.history().transactions().filter(|transaction| versions.took_effect(transaction.id)) {
        for read in reads(versions, transaction) {
            if read.is_last && keys[read.key.0 as usize] {
                readers.push((read.key, transaction.id, Dependency::ReadWrite));
            }
        }
    }
    readers
}
