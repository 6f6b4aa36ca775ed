//! What was done and what was seen: the transactions of a run, as their clients know them.
//!
//! Stored flat (heads, operations, list elements), because a history has millions of transactions and a checker
//! passes over it a few times from front to end.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A transaction's place in its history, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransactionId(pub u32);

/// An object: a row, a register, a list. Its name, where it has one, is in [`History::key_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(pub u32);

/// What is written and read.
pub type Value = i64;

/// What the client knows of a transaction's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Acknowledged.
    Committed,
    /// Certainly rolled back.
    Aborted,
    /// Neither is certain: the connection was lost while it committed.
    Unknown,
}

/// A transaction as its client knows it. Times are nanoseconds on one clock that all clients share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its place.
    pub id: TransactionId,
    /// The client, which does one transaction at a time.
    pub process: u32,
    /// How it ended.
    pub status: Status,
    /// When it was begun.
    pub invoked_ns: u64,
    /// When its end was known; [`u64::MAX`] where it never was.
    pub completed_ns: u64,
    operations: (u32, u32),
}

/// One operation, in the order in which its transaction did them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Adds a value to the end of a list.
    Append {
        /// The list.
        key: Key,
        /// The element; unique for the key.
        value: Value,
    },
    /// Reads a whole list.
    ReadList {
        /// The list.
        key: Key,
        /// Its elements from the first on; none where the answer never came.
        list: Option<&'a [Value]>,
    },
    /// Gives a register a value.
    Write {
        /// The register.
        key: Key,
        /// The value.
        value: Value,
    },
    /// Reads a register.
    Read {
        /// The register.
        key: Key,
        /// What was seen.
        seen: Read,
    },
}

/// What a read of a register saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// The answer never came.
    Unknown,
    /// Nothing had been written yet.
    Initial,
    /// This value.
    Value(Value),
}

/// The transactions of one run, in the order in which they were begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    transactions: Vec<Transaction>,
    operations: Vec<Stored>,
    elements: Vec<Value>,
    key_names: Vec<String>,
}

/// An operation as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Append(Key, Value),
    ReadList(Key, Option<(u32, u32)>),
    Write(Key, Value),
    Read(Key, Read),
}

impl History {
    /// How many transactions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The transactions in the order in which they were begun.
    #[must_use]
    pub fn transactions(&self) -> impl ExactSizeIterator<Item = &Transaction> {
        self.transactions.iter()
    }

    /// One transaction.
    ///
    /// # Panics
    /// If the id is of another history.
    #[must_use]
    pub fn transaction(&self, id: TransactionId) -> &Transaction {
        &self.transactions[id.0 as usize]
    }

    /// What a transaction did, in its order.
    #[must_use]
    pub fn operations(&self, transaction: &Transaction) -> impl ExactSizeIterator<Item = Operation<'_>> {
        self.operations[range(transaction.operations)].iter().map(|stored| self.view(*stored))
    }

    /// How many keys there are; each is smaller than this.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.key_names.len()
    }

    /// The name of a key, as the source of the history wrote it.
    #[must_use]
    pub fn key_name(&self, key: Key) -> &str {
        &self.key_names[key.0 as usize]
    }

    fn view(&self, stored: Stored) -> Operation<'_> {
        match stored {
            Stored::Append(key, value) => Operation::Append { key, value },
            Stored::ReadList(key, list) => {
                Operation::ReadList { key, list: list.map(|bounds| &self.elements[range(bounds)]) }
            }
            Stored::Write(key, value) => Operation::Write { key, value },
            Stored::Read(key, seen) => Operation::Read { key, seen },
        }
    }
}

fn range((from, until): (u32, u32)) -> Range<usize> {
    from as usize..until as usize
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", self.0)
    }
}

/// Makes a history, one transaction after another.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    keys: std::collections::HashMap<String, Key>,
}

impl HistoryBuilder {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of this name; a new one the first time.
    pub fn key(&mut self, name: &str) -> Key {
        if let Some(key) = self.keys.get(name) {
            return *key;
        }
        let key = Key(index(self.history.key_names.len()));
        self.history.key_names.push(name.to_owned());
        self.keys.insert(name.to_owned(), key);
        key
    }

    /// Adds a transaction with all that it did.
    pub fn push(
        &mut self,
        process: u32,
        status: Status,
        (invoked_ns, completed_ns): (u64, u64),
        operations: &[Operation<'_>],
    ) -> TransactionId {
        let history = &mut self.history;
        let id = TransactionId(index(history.transactions.len()));
        let from = index(history.operations.len());
        for operation in operations {
            let stored = match *operation {
                Operation::Append { key, value } => Stored::Append(key, value),
                Operation::ReadList { key, list } => Stored::ReadList(
                    key,
                    list.map(|list| {
                        let from = index(history.elements.len());
                        history.elements.extend_from_slice(list);
                        (from, index(history.elements.len()))
                    }),
                ),
                Operation::Write { key, value } => Stored::Write(key, value),
                Operation::Read { key, seen } => Stored::Read(key, seen),
            };
            history.operations.push(stored);
        }
        let operations = (from, index(history.operations.len()));
        history.transactions.push(Transaction { id, process, status, invoked_ns, completed_ns, operations });
        id
    }

    /// The history.
    #[must_use]
    pub fn finish(self) -> History {
        self.history
    }
}

/// A place in one of the vectors.
fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a history holds fewer than 2^32 transactions, operations and elements")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_gives_back_what_was_put_in() {
        let mut builder = HistoryBuilder::new();
        let (x, y) = (builder.key("x"), builder.key("y"));
        assert_eq!(builder.key("x"), x);
        let operations = [
            Operation::Append { key: x, value: 1 },
            Operation::ReadList { key: x, list: Some(&[1]) },
            Operation::ReadList { key: y, list: None },
            Operation::Read { key: y, seen: Read::Initial },
        ];
        let id = builder.push(3, Status::Committed, (10, 20), &operations);
        let history = builder.finish();
        let transaction = history.transaction(id);
        assert_eq!((transaction.process, transaction.invoked_ns), (3, 10));
        assert_eq!(history.operations(transaction).collect::<Vec<_>>(), operations);
        assert_eq!((history.key_name(y), history.key_count()), ("y", 2));
    }
}
