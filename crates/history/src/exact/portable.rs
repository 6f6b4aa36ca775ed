//! A judged run as a history for others, in which the order of versions can still be seen.
//!
//! A checker of registers does not know the order of versions that the log gave. But in PostgreSQL whoever writes a row has
//! met the version before its own, because it replaced that. Said as a read, it tells every checker the order, and adds
//! nothing else to the graph: the edge from the earlier writer is there already.

use std::collections::HashSet;

use crate::model::{History, HistoryBuilder, Key, Operation, Read, Value};

/// The history with a read of the version before each written one. Its values must be numbers of versions, as in
/// [`super::Judgement::history`].
#[must_use]
pub fn portable(history: &History) -> History {
    let mut builder = HistoryBuilder::new();
    for number in 0..u32::try_from(history.key_count()).unwrap_or(u32::MAX) {
        builder.key(history.key_name(Key(number)));
    }
    let mut operations = Vec::new();
    let mut read: HashSet<(Key, Value)> = HashSet::new();
    for transaction in history.transactions() {
        operations.clear();
        read.clear();
        for operation in history.operations(transaction) {
            match operation {
                Operation::Read { key, seen: Read::Initial } => {
                    read.insert((key, 0));
                }
                Operation::Read { key, seen: Read::Value(value) } => {
                    read.insert((key, value));
                }
                Operation::Write { key, value } if read.insert((key, value - 1)) => {
                    let seen = if value == 1 { Read::Initial } else { Read::Value(value - 1) };
                    operations.push(Operation::Read { key, seen });
                }
                _ => {}
            }
            operations.push(operation);
        }
        let times = (transaction.invoked_ns, transaction.completed_ns);
        builder.push(transaction.process, transaction.status, times, &operations);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    #[test]
    fn every_write_follows_a_read_of_the_version_before_it() {
        let mut builder = HistoryBuilder::new();
        let (x, y) = (builder.key("x"), builder.key("y"));
        let write = |key, value| Operation::Write { key, value };
        let saw = |key, value| Operation::Read { key, seen: Read::Value(value) };
        let saw_initial = |key| Operation::Read { key, seen: Read::Initial };
        builder.push(0, Status::Committed, (0, 1), &[write(x, 1), saw(y, 1), write(y, 2)]);
        builder.push(1, Status::Committed, (2, 3), &[saw_initial(x), write(x, 2)]);
        let portable = portable(&builder.finish());
        let operations: Vec<Vec<Operation<'_>>> =
            portable.transactions().map(|transaction| portable.operations(transaction).collect()).collect();
        assert_eq!(operations[0], [saw_initial(x), write(x, 1), saw(y, 1), write(y, 2)]);
        assert_eq!(operations[1], [saw_initial(x), saw(x, 1), write(x, 2)], "what it lost is seen, too");
    }
}
