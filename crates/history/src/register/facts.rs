//! What the reads of registers prove before any order of versions is known: who wrote what each transaction saw, and
//! which reads no order can explain.
//!
//! A value that two transactions wrote has no known writer; such keys' reads are left out and the key is named.

use std::collections::{HashMap, HashSet};

use crate::anomaly::Anomaly;
use crate::model::{History, Key, Operation, Read, Status, TransactionId, Value};
use crate::verdict::{Finding, Observation};

/// A read of what another transaction wrote, or of what nobody had written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExternalRead {
    pub reader: TransactionId,
    pub key: Key,
    /// Who wrote what was seen; nothing for the initial state.
    pub writer: Option<TransactionId>,
    /// What was seen; nothing for the initial state.
    pub value: Option<Value>,
}

/// The value that a transaction leaves in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExternalWrite {
    pub writer: TransactionId,
    pub key: Key,
    pub value: Value,
}

/// What a history of registers proves.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// By transaction: whether it took effect, as far as can be known. It was acknowledged, or what it wrote was seen.
    pub took_effect: Vec<bool>,
    /// Of those that took effect.
    pub reads: Vec<ExternalRead>,
    /// Reads that contradict what their transaction knew already. They say whom it depends on, and nothing of versions.
    pub later_reads: Vec<ExternalRead>,
    /// Of those that took effect; a transaction and a key once.
    pub writes: Vec<ExternalWrite>,
    /// What no order can explain.
    pub faults: Vec<Finding>,
    /// Values that were written more than once, so that nobody knows whose version was read.
    pub ambiguous: HashSet<(Key, Value)>,
}

/// Who wrote a value, and whether it was that transaction's last word on the key.
#[derive(Clone, Copy)]
struct Origin {
    writer: TransactionId,
    is_final: bool,
    status: Status,
}

type Origins = HashMap<(Key, Value), Origin>;

impl Facts {
    /// Reads a history once for its writes, once for its reads, and again for what unknown transactions read if they were seen.
    pub fn of(history: &History) -> Self {
        let mut facts = Self { took_effect: vec![false; history.len()], ..Self::default() };
        let origins = facts.origins(history);
        let mut pending: Vec<TransactionId> = Vec::new();
        for transaction in history.transactions().filter(|transaction| transaction.status == Status::Committed) {
            facts.take(history, transaction.id, &origins, &mut pending);
        }
        // Whoever was seen committed, whatever its client was told; and what it saw counts in turn.
        while let Some(seen) = pending.pop() {
            facts.take(history, seen, &origins, &mut pending);
        }
        facts.reads.sort_by_key(|read| (read.reader, read.key));
        facts.writes.sort_by_key(|write| (write.key, write.writer));
        facts
    }

    fn origins(&mut self, history: &History) -> Origins {
        let mut origins = Origins::new();
        for transaction in history.transactions() {
            let writes: Vec<(Key, Value)> = history.operations(transaction).filter_map(written).collect();
            for (place, &(key, value)) in writes.iter().enumerate() {
                let is_final = writes[place..].iter().all(|&(later, other)| later != key || other == value);
                let origin = Origin { writer: transaction.id, is_final, status: transaction.status };
                let known = origins.entry((key, value)).or_insert(origin);
                if known.writer == transaction.id {
                    known.is_final |= is_final;
                } else if known.status == Status::Aborted {
                    *known = origin;
                } else if transaction.status != Status::Aborted {
                    self.duplicate(key, value, [known.writer, transaction.id]);
                }
            }
        }
        origins
    }

    fn duplicate(&mut self, key: Key, value: Value, writers: [TransactionId; 2]) {
        if self.ambiguous.insert((key, value)) {
            self.fault(Anomaly::DuplicateWrites, writers.to_vec(), key, Some(value));
        }
    }

    fn fault(&mut self, anomaly: Anomaly, transactions: Vec<TransactionId>, key: Key, value: Option<Value>) {
        let seen = value.into_iter().collect();
        let observation = Some(Observation { key, value, seen, against: Vec::new() });
        self.faults.push(Finding { anomaly, transactions, cycle: Vec::new(), observation });
    }

    /// Takes in a transaction that took effect; `pending` gets those that this one proves to have.
    fn take(&mut self, history: &History, id: TransactionId, origins: &Origins, pending: &mut Vec<TransactionId>) {
        if std::mem::replace(&mut self.took_effect[id.0 as usize], true) {
            return;
        }
        let transaction = history.transaction(id);
        let (reads_before, later_before) = (self.reads.len(), self.later_reads.len());
        // What the transaction itself knows of a key: its last write or its first read of it.
        let mut known: Vec<(Key, Option<Value>, bool)> = Vec::new();
        for (place, operation) in history.operations(transaction).enumerate() {
            match operation {
                Operation::Write { key, value } => set(&mut known, key, Some(value), true),
                Operation::Read { key, seen } => {
                    let value = match seen {
                        Read::Unknown => continue,
                        Read::Initial => None,
                        Read::Value(value) => Some(value),
                    };
                    match known.iter().find(|(other, ..)| *other == key) {
                        Some((_, expected, _)) if *expected == value => {}
                        Some((_, expected, _)) => {
                            self.contradiction(id, key, value, *expected);
                            let mut before = history.operations(transaction).take(place).filter_map(written);
                            let is_own = before.any(|(other, own)| other == key && Some(own) == value);
                            let read = if is_own { None } else { self.external(history, id, key, value, origins) };
                            self.later_reads.extend(read);
                        }
                        None => {
                            let read = self.external(history, id, key, value, origins);
                            self.reads.extend(read);
                            known.push((key, value, false));
                        }
                    }
                }
                Operation::Append { .. } | Operation::ReadList { .. } => {}
            }
        }
        let seen = self.reads[reads_before..].iter().chain(&self.later_reads[later_before..]);
        let writers = seen.filter_map(|read| read.writer);
        pending.extend(writers.filter(|writer| history.transaction(*writer).status == Status::Unknown));
        self.writes.extend(known.iter().filter_map(|&(key, value, is_written)| {
            is_written.then_some(ExternalWrite { writer: id, key, value: value? })
        }));
    }

    fn contradiction(&mut self, id: TransactionId, key: Key, value: Option<Value>, expected: Option<Value>) {
        let observation =
            Observation { key, value, seen: value.into_iter().collect(), against: expected.into_iter().collect() };
        let transactions = vec![id];
        self.faults.push(Finding {
            anomaly: Anomaly::Internal,
            transactions,
            cycle: Vec::new(),
            observation: Some(observation),
        });
    }

    /// What a read of another transaction's value says; nothing where it is a fault that says nothing more.
    fn external(
        &mut self,
        history: &History,
        reader: TransactionId,
        key: Key,
        value: Option<Value>,
        origins: &Origins,
    ) -> Option<ExternalRead> {
        let Some(seen) = value else {
            return Some(ExternalRead { reader, key, writer: None, value });
        };
        let (anomaly, writer) = match origins.get(&(key, seen)) {
            None => (Some(Anomaly::GarbageRead), None),
            Some(origin) if origin.writer == reader => (Some(Anomaly::FutureRead), None),
            Some(origin) if origin.status == Status::Aborted => (Some(Anomaly::G1a), Some(origin.writer)),
            Some(_) if self.ambiguous.contains(&(key, seen)) => return None,
            Some(origin) if !origin.is_final => (Some(Anomaly::G1b), Some(origin.writer)),
            Some(origin) => (None, Some(origin.writer)),
        };
        if let Some(anomaly) = anomaly {
            self.fault(anomaly, [Some(reader), writer].into_iter().flatten().collect(), key, value);
        }
        let took_effect = writer.filter(|writer| history.transaction(*writer).status != Status::Aborted);
        took_effect.map(|_| ExternalRead { reader, key, writer, value })
    }
}

fn written(operation: Operation<'_>) -> Option<(Key, Value)> {
    match operation {
        Operation::Write { key, value } => Some((key, value)),
        _ => None,
    }
}

fn set(known: &mut Vec<(Key, Option<Value>, bool)>, key: Key, value: Option<Value>, is_written: bool) {
    match known.iter_mut().find(|(other, ..)| *other == key) {
        Some(entry) => *entry = (key, value, is_written),
        None => known.push((key, value, is_written)),
    }
}
