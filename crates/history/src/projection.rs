//! A history as if some of its transactions had never been: the small history that shows a fault by itself.
//!
//! What the transactions that remain saw of the others is taken out: elements vanish from the lists that were read, and reads of
//! the others' registers vanish altogether. The order of what remains does not change, so a cycle among those that remain
//! stays a cycle.

use std::collections::HashSet;

use crate::model::{History, HistoryBuilder, Key, Operation, Read, TransactionId, Value};

/// The history of these transactions alone, in their order in the history.
#[must_use]
pub fn project(history: &History, transactions: &[TransactionId]) -> History {
    let kept: HashSet<TransactionId> = transactions.iter().copied().collect();
    let (mut inside, mut outside) = (HashSet::new(), HashSet::new());
    for transaction in history.transactions() {
        let written = if kept.contains(&transaction.id) { &mut inside } else { &mut outside };
        written.extend(history.operations(transaction).filter_map(written_by));
    }
    // A value that was written on both sides counts as written by those that remain.
    outside.retain(|write| !inside.contains(write));
    let mut builder = HistoryBuilder::new();
    for transaction in history.transactions().filter(|transaction| kept.contains(&transaction.id)) {
        let is_kept = |operation: &Operation<'_>| !matches!(operation, Operation::Read { key, seen: Read::Value(value) } if outside.contains(&(*key, *value)));
        let operations: Vec<Operation<'_>> = history.operations(transaction).filter(is_kept).collect();
        let lists: Vec<Vec<Value>> = operations.iter().map(|operation| seen(*operation, &outside)).collect();
        let operations: Vec<Operation<'_>> = operations
            .iter()
            .zip(&lists)
            .map(|(operation, list)| renamed(*operation, list, |key| builder.key(history.key_name(key))))
            .collect();
        let times = (transaction.invoked_ns, transaction.completed_ns);
        builder.push(transaction.process, transaction.status, times, &operations);
    }
    builder.finish()
}

fn written_by(operation: Operation<'_>) -> Option<(Key, Value)> {
    match operation {
        Operation::Append { key, value } | Operation::Write { key, value } => Some((key, value)),
        Operation::ReadList { .. } | Operation::Read { .. } => None,
    }
}

/// What a read of a list still shows.
fn seen(operation: Operation<'_>, outside: &HashSet<(Key, Value)>) -> Vec<Value> {
    match operation {
        Operation::ReadList { key, list: Some(list) } => {
            list.iter().copied().filter(|value| !outside.contains(&(key, *value))).collect()
        }
        _ => Vec::new(),
    }
}

fn renamed<'l>(operation: Operation<'_>, list: &'l [Value], mut rename: impl FnMut(Key) -> Key) -> Operation<'l> {
    match operation {
        Operation::Append { key, value } => Operation::Append { key: rename(key), value },
        Operation::Write { key, value } => Operation::Write { key: rename(key), value },
        Operation::ReadList { key, list: answer } => {
            Operation::ReadList { key: rename(key), list: answer.map(|_| list) }
        }
        Operation::Read { key, seen } => Operation::Read { key: rename(key), seen },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    #[test]
    fn what_was_seen_of_others_is_gone_and_the_rest_is_as_it_was() {
        let mut builder = HistoryBuilder::new();
        let (x, y) = (builder.key("x"), builder.key("y"));
        let mut push = |operations: &[Operation<'_>]| builder.push(4, Status::Committed, (1, 2), operations);
        push(&[Operation::Append { key: x, value: 1 }, Operation::Write { key: y, value: 7 }]);
        push(&[Operation::Append { key: x, value: 2 }]);
        push(&[
            Operation::ReadList { key: x, list: Some(&[1, 2]) },
            Operation::Read { key: y, seen: Read::Value(7) },
            Operation::Read { key: y, seen: Read::Initial },
        ]);
        let small = project(&builder.finish(), &[TransactionId(2), TransactionId(1)]);
        let last = small.transaction(TransactionId(1));
        assert_eq!((small.len(), last.process, last.invoked_ns), (2, 4, 1));
        let y = Key(1);
        assert_eq!(small.key_name(y), "y");
        assert_eq!(
            small.operations(last).collect::<Vec<_>>(),
            [Operation::ReadList { key: Key(0), list: Some(&[2]) }, Operation::Read { key: y, seen: Read::Initial }]
        );
    }
}
