//! What was done and what was seen: the transactions of a run, as their clients know them.
//!
//! Stored flat (heads, operations, list elements), because a history has millions of transactions and a checker
//! passes over it a few times from front to end. Every read of a list repeats what the reads before it saw, so lists of
//! a key share their elements: without that, they alone would take more memory than all else.

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

impl Operation<'_> {
    /// What it is done to.
    #[must_use]
    pub const fn key(&self) -> Key {
        match self {
            Self::Append { key, .. }
            | Self::ReadList { key, .. }
            | Self::Write { key, .. }
            | Self::Read { key, .. } => *key,
        }
    }
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
#[derive(Clone, Debug, Default)]
pub struct History {
    transactions: Vec<Transaction>,
    operations: Vec<Stored>,
    /// Lists, each where its operation says. Lists of one key that begin alike share their elements.
    elements: Vec<Value>,
    key_names: Vec<String>,
}

/// An operation as it is stored: what it is and its key, and the value or the place of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    kind_and_key: u32,
    /// Bytes, or a number of eight of them would make the whole one larger by a third.
    value: [u8; 8],
}

const KIND_BITS: u32 = 3;

/// Keys that a history can have: what is left of 32 bits beside the kind of operation.
pub const KEYS_MOST: u32 = 1 << (32 - KIND_BITS);

/// The kinds of operations, as they are stored here and in files.
pub(crate) mod kind {
    pub(crate) const APPEND: u32 = 0;
    pub(crate) const READ_LIST: u32 = 1;
    pub(crate) const READ_LIST_UNKNOWN: u32 = 2;
    pub(crate) const WRITE: u32 = 3;
    pub(crate) const READ: u32 = 4;
    pub(crate) const READ_INITIAL: u32 = 5;
    pub(crate) const READ_UNKNOWN: u32 = 6;
}

impl Stored {
    const fn new(kind: u32, key: Key, value: Value) -> Self {
        Self { kind_and_key: key.0 << KIND_BITS | kind, value: value.to_le_bytes() }
    }

    fn list(key: Key, (from, length): (u32, u32)) -> Self {
        let place = u64::from(length) << 32 | u64::from(from);
        Self::new(kind::READ_LIST, key, place.cast_signed())
    }

    const fn value(self) -> Value {
        Value::from_le_bytes(self.value)
    }

    /// Where the elements of a list are.
    fn elements(self) -> Range<usize> {
        let (from, length) = self.value.split_at(4);
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes) as usize;
        number(from)..number(from) + number(length)
    }
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

    /// How many operations there are.
    #[must_use]
    pub fn operation_count(&self) -> usize {
        self.operations.len()
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
        let key = Key(stored.kind_and_key >> KIND_BITS);
        match stored.kind_and_key & ((1 << KIND_BITS) - 1) {
            kind::APPEND => Operation::Append { key, value: stored.value() },
            kind::READ_LIST => Operation::ReadList { key, list: Some(&self.elements[stored.elements()]) },
            kind::READ_LIST_UNKNOWN => Operation::ReadList { key, list: None },
            kind::WRITE => Operation::Write { key, value: stored.value() },
            kind::READ => Operation::Read { key, seen: Read::Value(stored.value()) },
            kind::READ_INITIAL => Operation::Read { key, seen: Read::Initial },
            _ => Operation::Read { key, seen: Read::Unknown },
        }
    }
}

impl PartialEq for History {
    /// Whether the same was done and seen; where elements are stored does not matter.
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.transactions.iter().zip(&other.transactions);
        self.len() == other.len()
            && self.key_names == other.key_names
            && pairs.all(|(ours, theirs)| ours == theirs && self.operations(ours).eq(other.operations(theirs)))
    }
}

impl Eq for History {}

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
    /// The longest list of each key that others may share.
    longest: Vec<Shared>,
    /// Where the operations of the next transaction begin.
    open_from: u32,
}

/// A list in `elements` with room behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    from: u32,
    length: u32,
    room: u32,
}

/// Elements that the first list of a key gets room for.
const FIRST_ROOM: u32 = 4;

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
        let key = self.new_key(name.to_owned());
        self.keys.insert(name.to_owned(), key);
        key
    }

    /// A key of which the caller knows that it is new.
    pub(crate) fn new_key(&mut self, name: String) -> Key {
        let key = Key(index(self.history.key_names.len()));
        assert!(key.0 < KEYS_MOST, "a history has at most 2^29 keys");
        self.history.key_names.push(name);
        key
    }

    pub(crate) fn key_count(&self) -> u32 {
        index(self.history.key_names.len())
    }

    /// Adds a transaction with all that it did.
    pub fn push(
        &mut self,
        process: u32,
        status: Status,
        times_ns: (u64, u64),
        operations: &[Operation<'_>],
    ) -> TransactionId {
        for operation in operations {
            self.operation(*operation);
        }
        self.end(process, status, times_ns)
    }

    /// Adds an operation of the transaction that [`Self::end`] will end.
    pub(crate) fn operation(&mut self, operation: Operation<'_>) {
        let stored = match operation {
            Operation::Append { key, value } => Stored::new(kind::APPEND, key, value),
            Operation::ReadList { key, list: Some(list) } => Stored::list(key, self.share(key, list)),
            Operation::ReadList { key, list: None } => Stored::new(kind::READ_LIST_UNKNOWN, key, 0),
            Operation::Write { key, value } => Stored::new(kind::WRITE, key, value),
            Operation::Read { key, seen: Read::Value(value) } => Stored::new(kind::READ, key, value),
            Operation::Read { key, seen: Read::Initial } => Stored::new(kind::READ_INITIAL, key, 0),
            Operation::Read { key, seen: Read::Unknown } => Stored::new(kind::READ_UNKNOWN, key, 0),
        };
        self.history.operations.push(stored);
    }

    /// Ends the transaction whose operations were added since the last one.
    pub(crate) fn end(
        &mut self,
        process: u32,
        status: Status,
        (invoked_ns, completed_ns): (u64, u64),
    ) -> TransactionId {
        let id = TransactionId(index(self.history.transactions.len()));
        let operations = (self.open_from, index(self.history.operations.len()));
        self.open_from = operations.1;
        self.history.transactions.push(Transaction { id, process, status, invoked_ns, completed_ns, operations });
        id
    }

    /// Where a list is stored. Reads of a growing list are beginnings of the longest one, which alone takes memory.
    fn share(&mut self, key: Key, list: &[Value]) -> (u32, u32) {
        if self.longest.len() <= key.0 as usize {
            self.longest.resize(key.0 as usize + 1, Shared::default());
        }
        let elements = &mut self.history.elements;
        let longest = &mut self.longest[key.0 as usize];
        let length = index(list.len());
        let known = &elements[longest.from as usize..(longest.from + longest.length) as usize];
        if known.starts_with(list) {
            return (longest.from, length);
        }
        let from = longest.from as usize;
        if list.starts_with(known) && length <= longest.room {
            let known = known.len();
            elements[from + known..from + list.len()].copy_from_slice(&list[known..]);
            longest.length = length;
            return (longest.from, length);
        }
        let from = index(elements.len());
        elements.extend_from_slice(list);
        if length > longest.length {
            let room = length.next_power_of_two().max(FIRST_ROOM);
            elements.resize(from as usize + room as usize, 0);
            *longest = Shared { from, length, room };
        }
        index(elements.len());
        (from, length)
    }

    /// The history.
    #[must_use]
    pub fn finish(self) -> History {
        self.history
    }

    /// The history with its transactions in the order in which they were begun, whatever order they were added in.
    pub(crate) fn finish_in_order(self) -> History {
        let mut history = self.history;
        bring_into_order(&mut history.transactions);
        for (id, transaction) in (0..).zip(&mut history.transactions) {
            transaction.id = TransactionId(id);
        }
        history
    }
}

/// Places that one transaction is moved by on average before another way of sorting is the better one.
const MOVES_MOST: usize = 64;

/// Orders transactions by when they were begun. They stand in the order in which they ended, so that each is only about
/// as many places away as there were clients: it is moved there at once.
fn bring_into_order(transactions: &mut [Transaction]) {
    let begun = |transaction: &Transaction| (transaction.invoked_ns, transaction.process, transaction.completed_ns);
    let mut moves = 0;
    for at in 1..transactions.len() {
        let this = begun(&transactions[at]);
        let before = transactions[..at].iter().rev().take_while(|other| begun(other) > this).count();
        transactions[at - before..=at].rotate_right(1.min(before));
        moves += before;
        if moves > MOVES_MOST * (at + MOVES_MOST) {
            transactions.sort_by_key(begun);
            return;
        }
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

    #[test]
    fn transactions_are_brought_into_the_order_in_which_they_were_begun() {
        // Ended a few places late; and in reverse, which is far.
        let few = (0..5_000_u64).map(|number| number ^ 7).collect::<Vec<_>>();
        let far = (0..5_000_u64).rev().collect::<Vec<_>>();
        for order in [few, far] {
            let mut builder = HistoryBuilder::new();
            for begun in order {
                builder.push(0, Status::Committed, (begun, begun), &[]);
            }
            let history = builder.finish_in_order();
            assert!(history.transactions().all(|transaction| u64::from(transaction.id.0) == transaction.invoked_ns));
        }
    }

    #[test]
    fn lists_that_share_their_elements_are_given_back_as_they_were() {
        let mut builder = HistoryBuilder::new();
        let (x, y) = (builder.key("x"), builder.key("y"));
        let lists: [(Key, &[Value]); 9] = [
            (x, &[]),
            (x, &[1, -2]),
            (y, &[7]),
            (x, &[1]),
            (x, &[1, -2, 3, 4, 5]),
            (x, &[1, -2, 3]),
            (x, &[1, 9, 3]),
            (y, &[8, 9, 10]),
            (x, &[1, -2, 3, 4, 5, i64::MIN]),
        ];
        let operations = lists.map(|(key, list)| Operation::ReadList { key, list: Some(list) });
        for operation in operations {
            builder.push(0, Status::Committed, (0, 0), &[operation]);
        }
        let history = builder.finish();
        let given: Vec<_> = history.transactions().flat_map(|transaction| history.operations(transaction)).collect();
        assert_eq!(given, operations);
    }
}
