//! Writes down transactions as they end.
//!
//! Each client fills a draft of its own while its transaction runs, without a lock and, after the first few, without
//! an allocation; the recorder takes drafts over. It never waits and never writes to a file: [`Recorder::take`] gives
//! the bytes that are ready.

use super::wire::{checksum, folded, put};
use super::{BLOCK_HEADER_BYTES, MAGIC, RECORD_KEY, RECORD_TRANSACTION, VERSION};
use crate::model::{KEYS_MOST, Key, Operation, Read, Status, Value, kind};

/// A block is sealed when its payload reaches this size, bytes.
const BLOCK_BYTES: usize = 64 * 1024;

/// A transaction that is going on.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    bytes: Vec<u8>,
    operations: u32,
}

impl Draft {
    /// An empty draft. Use it again for the next transaction: it keeps its memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), operations: 0 }
    }

    /// Adds an operation.
    #[inline]
    pub fn add(&mut self, operation: Operation<'_>) {
        match operation {
            Operation::Append { key, value } => self.value(kind::APPEND, key, value),
            Operation::Write { key, value } => self.value(kind::WRITE, key, value),
            Operation::Read { key, seen: Read::Value(value) } => self.value(kind::READ, key, value),
            Operation::Read { key, seen: Read::Initial } => self.head(kind::READ_INITIAL, key),
            Operation::Read { key, seen: Read::Unknown } => self.head(kind::READ_UNKNOWN, key),
            Operation::ReadList { key, list: None } => self.head(kind::READ_LIST_UNKNOWN, key),
            Operation::ReadList { key, list: Some(list) } => {
                self.head(kind::READ_LIST, key);
                put(&mut self.bytes, list.len() as u64);
                let mut before: Value = 0;
                for value in list {
                    put(&mut self.bytes, folded(value.wrapping_sub(before)));
                    before = *value;
                }
            }
        }
    }

    /// Forgets what was added.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations = 0;
    }

    #[inline]
    fn head(&mut self, kind: u32, key: Key) {
        debug_assert!(key.0 < KEYS_MOST, "a key was given by a recorder");
        self.operations += 1;
        put(&mut self.bytes, u64::from(key.0) << 3 | u64::from(kind));
    }

    #[inline]
    fn value(&mut self, kind: u32, key: Key, value: Value) {
        self.head(kind, key);
        put(&mut self.bytes, folded(value));
    }
}

/// A history that is being written.
#[derive(Clone, Debug)]
pub struct Recorder {
    sealed: Vec<u8>,
    block: Vec<u8>,
    keys: u32,
    last_begun_ns: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// A history without keys and transactions.
    #[must_use]
    pub fn new() -> Self {
        let mut sealed = Vec::with_capacity(2 * BLOCK_BYTES);
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&VERSION.to_le_bytes());
        Self { sealed, block: Vec::with_capacity(BLOCK_BYTES), keys: 0, last_begun_ns: 0 }
    }

    /// A new key. The recorder does not look whether the name was given before.
    ///
    /// # Panics
    /// After 2^29 keys.
    pub fn key(&mut self, name: &str) -> Key {
        assert!(self.keys < KEYS_MOST, "a history has at most 2^29 keys");
        let key = Key(self.keys);
        self.keys += 1;
        self.block.push(RECORD_KEY);
        put(&mut self.block, name.len() as u64);
        self.block.extend_from_slice(name.as_bytes());
        key
    }

    /// Takes over a transaction that has ended; times are nanoseconds, and the end is [`u64::MAX`] where it is not
    /// known. The draft is empty afterwards.
    #[inline]
    pub fn end(&mut self, draft: &mut Draft, process: u32, status: Status, (begun_ns, ended_ns): (u64, u64)) {
        let status = match status {
            Status::Committed => 0,
            Status::Aborted => 1,
            Status::Unknown => 2,
        };
        self.block.push(RECORD_TRANSACTION + status);
        put(&mut self.block, u64::from(process));
        let since = begun_ns.wrapping_sub(std::mem::replace(&mut self.last_begun_ns, begun_ns));
        put(&mut self.block, folded(since.cast_signed()));
        let lasted = if ended_ns == u64::MAX { 0 } else { ended_ns.saturating_sub(begun_ns).saturating_add(1) };
        put(&mut self.block, lasted);
        put(&mut self.block, u64::from(draft.operations));
        self.block.extend_from_slice(&draft.bytes);
        draft.clear();
        if self.block.len() >= BLOCK_BYTES {
            self.seal();
        }
    }

    /// The bytes that are ready and were not taken before. What comes later may be lost with the process; call
    /// [`Self::seal`] first where that matters.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sealed)
    }

    /// Makes everything recorded so far ready to be taken.
    ///
    /// # Panics
    /// If one transaction takes 4 GiB.
    pub fn seal(&mut self) {
        if self.block.is_empty() {
            return;
        }
        let length = u32::try_from(self.block.len()).expect("a block is smaller than 4 GiB");
        self.sealed.reserve(BLOCK_HEADER_BYTES + self.block.len());
        self.sealed.extend_from_slice(&length.to_le_bytes());
        self.sealed.extend_from_slice(&checksum(&self.block).to_le_bytes());
        self.sealed.extend_from_slice(&self.block);
        self.block.clear();
        self.last_begun_ns = 0;
    }

    /// All bytes that were not taken yet, the last block sealed.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.seal();
        self.sealed
    }
}

/// The whole history as bytes.
#[must_use]
pub fn write(history: &crate::History) -> Vec<u8> {
    let mut recorder = Recorder::new();
    for number in 0..u32::try_from(history.key_count()).unwrap_or(KEYS_MOST) {
        recorder.key(history.key_name(Key(number)));
    }
    let mut draft = Draft::new();
    for transaction in history.transactions() {
        for operation in history.operations(transaction) {
            draft.add(operation);
        }
        let times_ns = (transaction.invoked_ns, transaction.completed_ns);
        recorder.end(&mut draft, transaction.process, transaction.status, times_ns);
    }
    recorder.finish()
}
