//! What a transaction's reads say of itself and of single others: internal contradictions, reads of the future and of
//! intermediate states, lost updates.

use super::versions::Versions;
use super::writers::Writer;
use crate::anomaly::Anomaly;
use crate::model::{Key, Operation, Status, Transaction, TransactionId, Value};
use crate::verdict::{Finding, Findings, Observation};

const NONE: u32 = u32::MAX;

/// Passes over a history once.
pub(super) struct Reads<'v, 'h> {
    versions: &'v Versions<'h>,
    findings: &'v mut Findings,
    /// By key: the last operation on it, counted over the whole history.
    last_operation: Vec<u32>,
    /// By version: who read it and went on to append.
    updaters: Vec<u32>,
}

/// What a transaction did to a key before it read it.
struct Before<'h> {
    /// What it last read.
    read: Option<&'h [Value]>,
    /// What it has appended since, latest first.
    appended: Vec<Value>,
}

/// Looks at every read.
pub(super) fn judge(versions: &Versions<'_>, findings: &mut Findings) {
    let history = versions.history();
    let mut reads = Reads {
        versions,
        findings,
        last_operation: vec![NONE; history.key_count()],
        updaters: vec![NONE; versions.version_count()],
    };
    let mut operations = Vec::new();
    let mut before = Vec::new();
    let mut first = 0;
    for transaction in history.transactions() {
        operations.clear();
        operations.extend(history.operations(transaction));
        if transaction.status == Status::Committed {
            reads.link(first, &operations, &mut before);
            reads.judge_transaction(transaction, &operations, &before);
        }
        first += u32::try_from(operations.len()).expect("a history has fewer than 2^32 operations");
    }
}

impl<'h> Reads<'_, 'h> {
    /// Finds for each operation the one before it on the same key in the same transaction.
    fn link(&mut self, first: u32, operations: &[Operation<'h>], before: &mut Vec<u32>) {
        before.clear();
        for (number, operation) in (first..).zip(operations) {
            let last = std::mem::replace(&mut self.last_operation[operation.key().0 as usize], number);
            before.push(if last == NONE || last < first { NONE } else { last - first });
        }
    }

    fn judge_transaction(&mut self, transaction: &Transaction, operations: &[Operation<'h>], before: &[u32]) {
        for (place, operation) in operations.iter().enumerate() {
            match *operation {
                Operation::ReadList { key, list: Some(list) } => {
                    self.judge_own(transaction.id, key, list, &earlier(operations, before, place));
                    self.judge_intermediate(transaction.id, key, list);
                }
                Operation::Append { key, value } => {
                    if let Some(Operation::ReadList { list: Some(list), .. }) = step_back(operations, before, place) {
                        self.judge_update(transaction, key, value, list);
                    }
                }
                _ => {}
            }
        }
    }

    /// A read must show what the transaction itself has read and appended, and nothing that it appends later.
    fn judge_own(&mut self, reader: TransactionId, key: Key, list: &[Value], before: &Before<'_>) {
        let Before { read, appended } = before;
        if read.is_none() && appended.is_empty() {
            if let Some(value) = list.last()
                && self.versions.writers.of(key, *value) == Writer::One(reader)
            {
                self.find(Anomaly::FutureRead, vec![reader], key, Some(*value), list, &[]);
            }
            return;
        }
        let own = list.iter().rev().take(appended.len());
        let others = &list[..list.len().saturating_sub(appended.len())];
        let shows_own = list.len() >= appended.len() && own.eq(appended);
        if shows_own && read.is_none_or(|read| read == others) {
            return;
        }
        let mut expected = read.unwrap_or_default().to_vec();
        expected.extend(appended.iter().rev());
        let is_future =
            |value: &&Value| self.versions.writers.of(key, **value) == Writer::One(reader) && !expected.contains(value);
        if let Some(value) = list.iter().find(is_future).copied() {
            self.find(Anomaly::FutureRead, vec![reader], key, Some(value), list, &expected);
        } else {
            self.find(Anomaly::Internal, vec![reader], key, None, list, &expected);
        }
    }

    /// A list must not end with what its writer appended to before it committed.
    fn judge_intermediate(&mut self, reader: TransactionId, key: Key, list: &[Value]) {
        let Some(value) = list.last() else { return };
        let writers = &self.versions.writers;
        if let Writer::One(writer) = writers.of(key, *value)
            && writer != reader
            && writers.is_intermediate(key, *value)
        {
            self.find(Anomaly::G1b, vec![reader, writer], key, Some(*value), list, &[]);
        }
    }

    /// Of those who read a version and went on to append, all but one overwrote what they had not seen.
    fn judge_update(&mut self, transaction: &Transaction, key: Key, value: Value, list: &[Value]) {
        let is_own = |value| self.versions.writers.of(key, value) == Writer::One(transaction.id);
        // What one has appended oneself is not a version that others could read.
        if list.last().is_some_and(|value| is_own(*value)) {
            return;
        }
        let Some(seen) = self.versions.seen_by(transaction, key, list) else { return };
        let version = self.versions.first_version(key) + seen;
        let updater = std::mem::replace(&mut self.updaters[version], transaction.id.0);
        if updater != NONE && updater != transaction.id.0 {
            let transactions = vec![TransactionId(updater), transaction.id];
            self.find(Anomaly::LostUpdate, transactions, key, Some(value), list, &[]);
        }
    }

    fn find(
        &mut self,
        anomaly: Anomaly,
        transactions: Vec<TransactionId>,
        key: Key,
        value: Option<Value>,
        seen: &[Value],
        against: &[Value],
    ) {
        let observation = Observation { key, value, seen: seen.to_vec(), against: against.to_vec() };
        self.findings.add(Finding { anomaly, transactions, cycle: Vec::new(), observation: Some(observation) });
    }
}

/// The operation before this one on the same key in the same transaction.
fn step_back<'h>(operations: &[Operation<'h>], before: &[u32], place: usize) -> Option<Operation<'h>> {
    operations.get(before[place] as usize).copied()
}

/// What a transaction did to a key since it last read it. A list that is read is looked back to only once, so all of a
/// transaction costs its length.
fn earlier<'h>(operations: &[Operation<'h>], before: &[u32], place: usize) -> Before<'h> {
    let mut appended = Vec::new();
    let mut at = before[place] as usize;
    while let Some(operation) = operations.get(at) {
        match *operation {
            Operation::Append { value, .. } => appended.push(value),
            Operation::ReadList { list: Some(list), .. } => return Before { read: Some(list), appended },
            _ => {}
        }
        at = before[at] as usize;
    }
    Before { read: None, appended }
}
