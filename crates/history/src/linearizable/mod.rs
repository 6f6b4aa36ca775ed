//! Linearizability of registers: whether every operation can have taken effect at one moment between its beginning and its end.
//!
//! Linearizability is local (Herlihy and Wing, TOPLAS 1990), so each key is judged by itself. Where every value was written once, the
//! reads tell which operations belong together and [`zones`] decides in time n·log n; where a value was written again, the
//! search of Wing and Gong as the crate `todc-utils` has it decides, within a bound.

mod search;
mod zones;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::model::{History, Key, Operation, Read, Status, TransactionId, Value};

/// How far the search for values that were written more than once goes, for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// Operations on the key; the search needs time in their square at least.
    pub operations: usize,
    /// Steps of one search.
    pub steps: u64,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { operations: 1_000, steps: 200_000 }
    }
}

/// What was found about a history of registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linearizability {
    /// Keys whose operations cannot be put in order, and which of them contradict each other.
    pub violations: Vec<NotLinearizable>,
    /// Keys for which a bound was hit.
    pub undecided: Vec<Key>,
    /// Keys that were judged.
    pub keys: u64,
    /// Operations that took effect or may have.
    pub operations: u64,
}

/// Operations on one key that no order explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLinearizable {
    /// The key.
    pub key: Key,
    /// The operations, in the order in which they were begun. None of the reads among them can be left out.
    pub operations: Vec<TransactionId>,
    /// The time until which the key must be looked at to see it, nanoseconds: the shortest prefix that is at fault.
    pub seen_by_ns: u64,
}

/// A history that is none of single operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no single read or write of a register, so linearizability says nothing of it")]
pub struct NotSingle(pub TransactionId);

/// One operation on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Single {
    id: TransactionId,
    invoked_ns: u64,
    /// [`u64::MAX`] where it may still take effect.
    completed_ns: u64,
    is_write: bool,
    /// Nothing for the initial state.
    value: Option<Value>,
}

/// Judges a history whose transactions are single reads and writes of registers.
pub fn check_linearizable(history: &History, limits: SearchLimits) -> Result<Linearizability, NotSingle> {
    let keys = by_key(history)?;
    let mut found = Linearizability { keys: keys.len() as u64, ..Linearizability::default() };
    for (key, operations) in keys {
        found.operations += operations.len() as u64;
        let judged =
            if is_unique(&operations) { zones::judge(&operations) } else { search::contradiction(&operations, limits) };
        match judged {
            Judged::Linearizable => {}
            Judged::Contradiction(mut operations) => {
                operations.sort_by_key(|operation| (operation.invoked_ns, operation.id));
                let seen_by_ns = last_answer(&operations);
                let operations = operations.iter().map(|operation| operation.id).collect();
                found.violations.push(NotLinearizable { key, operations, seen_by_ns });
            }
            Judged::Undecided => found.undecided.push(key),
        }
    }
    Ok(found)
}

/// What was decided about one key.
enum Judged {
    Linearizable,
    Contradiction(Vec<Single>),
    Undecided,
}

/// The shortest prefix that is at fault: a prefix of what can be put in order can be put in order.
fn prefix_at_fault(operations: &[Single], is_at_fault: impl Fn(&[Single]) -> bool) -> Vec<Single> {
    let mut ends: Vec<u64> =
        operations.iter().map(|operation| operation.completed_ns).filter(|end| *end != u64::MAX).collect();
    ends.sort_unstable();
    let first = ends.partition_point(|end| !is_at_fault(&until(operations, *end)));
    ends.get(first).map_or_else(|| operations.to_vec(), |end| until(operations, *end))
}

/// What was known at a moment: reads that were answered, and all writes that were begun.
fn until(operations: &[Single], end_ns: u64) -> Vec<Single> {
    let begun = operations.iter().filter(|operation| operation.invoked_ns <= end_ns);
    let known = begun.filter(|operation| operation.is_write || operation.completed_ns <= end_ns);
    let known = known.map(|operation| {
        let completed_ns = if operation.completed_ns <= end_ns { operation.completed_ns } else { u64::MAX };
        Single { completed_ns, ..*operation }
    });
    known.collect()
}

fn last_answer(operations: &[Single]) -> u64 {
    operations.iter().map(|operation| operation.completed_ns).filter(|end| *end != u64::MAX).max().unwrap_or(0)
}

fn by_key(history: &History) -> Result<BTreeMap<Key, Vec<Single>>, NotSingle> {
    let mut keys: BTreeMap<Key, Vec<Single>> = BTreeMap::new();
    for transaction in history.transactions() {
        let mut operations = history.operations(transaction);
        let (Some(operation), None) = (operations.next(), operations.next()) else {
            return Err(NotSingle(transaction.id));
        };
        let (key, is_write, value) = match operation {
            Operation::Write { key, value } => (key, true, Some(value)),
            Operation::Read { key, seen: Read::Initial } => (key, false, None),
            Operation::Read { key, seen: Read::Value(value) } => (key, false, Some(value)),
            Operation::Read { seen: Read::Unknown, .. } => continue,
            Operation::Append { .. } | Operation::ReadList { .. } => return Err(NotSingle(transaction.id)),
        };
        let is_answered = transaction.status == Status::Committed;
        // A failed write was not done; a read that was not answered saw nothing.
        if transaction.status == Status::Aborted || (!is_write && !is_answered) {
            continue;
        }
        let completed_ns = if is_answered { transaction.completed_ns } else { u64::MAX };
        let (id, invoked_ns) = (transaction.id, transaction.invoked_ns);
        keys.entry(key).or_default().push(Single { id, invoked_ns, completed_ns, is_write, value });
    }
    Ok(keys)
}

fn is_unique(operations: &[Single]) -> bool {
    let mut written = HashSet::new();
    operations.iter().filter(|operation| operation.is_write).all(|operation| written.insert(operation.value))
}

#[cfg(test)]
mod tests;
