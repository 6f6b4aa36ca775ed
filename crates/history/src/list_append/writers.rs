//! Who appended each element: a dense table by key and value.
//!
//! Values of a key that lie close together get a place each; a key whose values lie far apart uses a hash map.

use std::collections::HashMap;

use crate::model::{History, Key, Operation, Status, TransactionId, Value};
use crate::verdict::{Finding, Findings, Observation};
use crate::{Anomaly, Transaction};

/// A place for each value that may have been appended.
#[derive(Clone, Copy, Debug)]
struct Slot {
    writer: u32,
    /// Where the element stands in its key's list.
    position: u32,
}

const NOBODY: u32 = u32::MAX;
/// Several transactions that may have taken effect appended the value.
const SEVERAL: u32 = u32::MAX - 1;
const WRITER: u32 = (1 << 29) - 1;
/// Its writer appended to the same key again.
const INTERMEDIATE: u32 = 1 << 29;
const UNSEEN: u32 = u32::MAX;

/// Where the slots of a key are.
#[derive(Clone, Copy, Debug)]
struct Places {
    least: Value,
    greatest: Value,
    first_slot: u32,
    appends: u32,
}

/// How many places a key may get for each of its values before a hash map is the better table.
const PLACES_A_VALUE: u64 = 4;
const PLACES_MORE: u64 = 64;

/// Who appended what.
#[derive(Debug)]
pub(super) struct Writers {
    keys: Vec<Places>,
    slots: Vec<Slot>,
    scattered: HashMap<(Key, Value), u32>,
}

/// What is known of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// This transaction appended it.
    One(TransactionId),
    /// Several did, so it says nothing about any of them.
    Several,
    /// None did.
    Nobody,
}

impl Writer {
    #[inline]
    const fn of_slot(writer: u32) -> Self {
        match writer {
            NOBODY => Self::Nobody,
            SEVERAL => Self::Several,
            writer => Self::One(TransactionId(writer & WRITER)),
        }
    }
}

impl Writers {
    /// Reads who appended what, and finds values that were appended twice.
    pub(super) fn new(history: &History, findings: &mut Findings) -> Self {
        let mut writers = Self::with_room(history);
        let mut last: Vec<(u32, u32)> = vec![(NOBODY, 0); history.key_count()];
        for transaction in history.transactions() {
            for operation in history.operations(transaction) {
                let Operation::Append { key, value } = operation else { continue };
                let slot = writers.slot_for(key, value);
                if let Some(other) = writers.take(history, transaction, slot) {
                    findings.add(twice(key, value, other, transaction.id));
                }
                let (writer, before) = std::mem::replace(&mut last[key.0 as usize], (transaction.id.0, slot));
                let earlier = &mut writers.slots[before as usize];
                if writer == transaction.id.0 && before != slot && earlier.writer == transaction.id.0 {
                    earlier.writer |= INTERMEDIATE;
                }
            }
        }
        writers
    }

    fn with_room(history: &History) -> Self {
        let none = Places { least: Value::MAX, greatest: Value::MIN, first_slot: 0, appends: 0 };
        let mut keys = vec![none; history.key_count()];
        for operation in history.transactions().flat_map(|transaction| history.operations(transaction)) {
            if let Operation::Append { key, value } = operation {
                let places = &mut keys[key.0 as usize];
                places.least = places.least.min(value);
                places.greatest = places.greatest.max(value);
                places.appends += 1;
            }
        }
        let mut slots = 0;
        for places in keys.iter_mut().filter(|places| places.appends > 0) {
            let span = places.greatest.abs_diff(places.least);
            if span < PLACES_A_VALUE * u64::from(places.appends) + PLACES_MORE {
                places.first_slot = slots;
                slots += u32::try_from(span).expect("a span is smaller than a few times the appends") + 1;
            } else {
                (places.least, places.greatest) = (Value::MAX, Value::MIN);
            }
        }
        let empty = Slot { writer: NOBODY, position: UNSEEN };
        Self { keys, slots: vec![empty; slots as usize], scattered: HashMap::new() }
    }

    fn slot_for(&mut self, key: Key, value: Value) -> u32 {
        if let Some(slot) = self.slot(key, value) {
            return slot;
        }
        let slot = u32::try_from(self.slots.len()).expect("a history holds fewer than 2^32 appends");
        self.slots.push(Slot { writer: NOBODY, position: UNSEEN });
        self.scattered.insert((key, value), slot);
        slot
    }

    #[inline]
    fn slot(&self, key: Key, value: Value) -> Option<u32> {
        let places = &self.keys[key.0 as usize];
        if places.least <= value && value <= places.greatest {
            return u32::try_from(value.abs_diff(places.least)).ok().map(|offset| places.first_slot + offset);
        }
        if self.scattered.is_empty() { None } else { self.scattered.get(&(key, value)).copied() }
    }

    /// Gives a slot to a transaction. A retry of what was rolled back may append the same value again; of two that
    /// may both have taken effect, nothing is known. Returns the other one if both certainly did.
    fn take(&mut self, history: &History, transaction: &Transaction, slot: u32) -> Option<TransactionId> {
        let writer = &mut self.slots[slot as usize].writer;
        if *writer == NOBODY {
            *writer = transaction.id.0;
            return None;
        }
        if transaction.status == Status::Aborted {
            return None;
        }
        if *writer == SEVERAL {
            return None;
        }
        let other = history.transaction(TransactionId(*writer & WRITER));
        *writer = if other.status == Status::Aborted { transaction.id.0 } else { SEVERAL };
        let both_did = other.status == Status::Committed && transaction.status == Status::Committed;
        both_did.then_some(other.id)
    }

    /// Who appended a value.
    #[inline]
    pub(super) fn of(&self, key: Key, value: Value) -> Writer {
        Writer::of_slot(self.slot(key, value).map_or(NOBODY, |slot| self.slots[slot as usize].writer))
    }

    /// Whether the writer of a value appended to the same key again.
    pub(super) fn is_intermediate(&self, key: Key, value: Value) -> bool {
        let writer = self.slot(key, value).map_or(NOBODY, |slot| self.slots[slot as usize].writer);
        writer < SEVERAL && writer & INTERMEDIATE != 0
    }

    /// Notes where an element stands in its key's list. Returns its writer, and whether it stood in the list already.
    pub(super) fn place(&mut self, key: Key, value: Value, position: u32) -> (Writer, bool) {
        let Some(slot) = self.slot(key, value) else { return (Writer::Nobody, false) };
        let slot = &mut self.slots[slot as usize];
        let stood_already = std::mem::replace(&mut slot.position, position) != UNSEEN;
        (Writer::of_slot(slot.writer), stood_already)
    }

    /// The appends that no read showed and that are one transaction's, in no order.
    pub(super) fn unread(&self) -> impl Iterator<Item = (Key, TransactionId)> {
        let dense = (0..).zip(&self.keys).filter(|(_, places)| places.least <= places.greatest);
        let dense = dense.flat_map(|(key, places)| {
            let span = u32::try_from(places.greatest.abs_diff(places.least)).unwrap_or(0);
            (places.first_slot..=places.first_slot + span).map(move |slot| (Key(key), slot))
        });
        let scattered = self.scattered.iter().map(|((key, _), slot)| (*key, *slot));
        dense.chain(scattered).filter_map(|(key, slot)| {
            let Slot { writer, position } = self.slots[slot as usize];
            (writer < SEVERAL && position == UNSEEN).then_some((key, TransactionId(writer & WRITER)))
        })
    }

    /// Where an element stands in its key's list; none if no read showed it.
    #[inline]
    pub(super) fn position(&self, key: Key, value: Value) -> Option<u32> {
        let slot = self.slot(key, value)?;
        Some(self.slots[slot as usize].position).filter(|position| *position != UNSEEN)
    }
}

fn twice(key: Key, value: Value, first: TransactionId, second: TransactionId) -> Finding {
    Finding {
        anomaly: Anomaly::DuplicateWrites,
        transactions: vec![second, first],
        cycle: Vec::new(),
        observation: Some(Observation { key, value: Some(value), seen: Vec::new(), against: Vec::new() }),
    }
}
