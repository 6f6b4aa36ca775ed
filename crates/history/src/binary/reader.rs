//! Reads a recorded history. Trusts nothing: whatever the bytes are, the answer is a history or a typed error with the
//! place of the fault, and no more memory is taken than the bytes can fill.

use super::wire::{checksum, take, unfolded};
use super::{BLOCK_HEADER_BYTES, HEADER_BYTES, MAGIC, RECORD_KEY, RECORD_TRANSACTION, VERSION};
use crate::model::{History, HistoryBuilder, KEYS_MOST, Key, Operation, Read, Status, Value, kind};

/// Bytes that are no recorded history, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the history: {fault} at byte {offset}")]
pub struct ReadError {
    /// Where, in bytes from the beginning.
    pub offset: usize,
    /// What.
    pub fault: ReadFault,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// They do not begin as a history does.
    #[error("not a recorded history")]
    NotAHistory,
    /// They were written by another version.
    #[error("format {0}, expected {VERSION}")]
    Version(u32),
    /// They end inside of a block: the writer was killed, or the file was cut.
    #[error("the last block is not complete")]
    Truncated,
    /// A block is not what was written.
    #[error("a block's checksum is wrong")]
    Checksum,
    /// A block is not made of records, although its checksum is right.
    #[error("{0}")]
    Malformed(&'static str),
}

/// The history.
pub fn read(bytes: &[u8]) -> Result<History, ReadError> {
    let mut reader = Reader::new(bytes)?;
    while reader.block()? {}
    Ok(reader.builder.finish_in_order())
}

/// The history up to the first block that is not whole, and what ails that one. It is what a recorder that was killed
/// has left.
#[must_use]
pub fn read_whole_blocks(bytes: &[u8]) -> (History, Option<ReadError>) {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (History::default(), Some(error)),
    };
    loop {
        match reader.block() {
            Ok(true) => {}
            Ok(false) => return (reader.builder.finish_in_order(), None),
            Err(error) => return (reader.builder.finish_in_order(), Some(error)),
        }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    offset: usize,
    builder: HistoryBuilder,
    /// The list that is being read.
    list: Vec<Value>,
}

/// What is left of a block, and when the transaction before was begun.
struct Block<'b> {
    rest: &'b [u8],
    begun_ns: u64,
}

impl<'b> Block<'b> {
    #[inline]
    fn number(&mut self) -> Result<u64, ReadFault> {
        take(&mut self.rest).ok_or(ReadFault::Malformed("a number is not complete"))
    }

    /// The length of something each part of which takes at least a byte.
    #[inline]
    fn length(&mut self) -> Result<usize, ReadFault> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > self.rest.len() { Err(ReadFault::Malformed("a length exceeds its block")) } else { Ok(length) }
    }

    fn bytes(&mut self, length: usize) -> &'b [u8] {
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes
    }
}

impl<'b> Reader<'b> {
    fn new(bytes: &'b [u8]) -> Result<Self, ReadError> {
        let fail = |offset, fault| Err(ReadError { offset, fault });
        if !bytes.starts_with(MAGIC) {
            return fail(0, ReadFault::NotAHistory);
        }
        let version = bytes.get(MAGIC.len()..HEADER_BYTES).and_then(|version| version.try_into().ok());
        match version.map(u32::from_le_bytes) {
            Some(VERSION) => Ok(Self { bytes, offset: HEADER_BYTES, builder: HistoryBuilder::new(), list: Vec::new() }),
            Some(other) => fail(MAGIC.len(), ReadFault::Version(other)),
            None => fail(MAGIC.len(), ReadFault::Truncated),
        }
    }

    /// Reads the next block; false if there is none.
    fn block(&mut self) -> Result<bool, ReadError> {
        let start = self.offset;
        let fail = |fault| ReadError { offset: start, fault };
        let rest = &self.bytes[start..];
        if rest.is_empty() {
            return Ok(false);
        }
        let (header, rest) = rest.split_at_checked(BLOCK_HEADER_BYTES).ok_or(fail(ReadFault::Truncated))?;
        let (length, expected) = header.split_at(4);
        let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
        let payload = rest.get(..length).ok_or(fail(ReadFault::Truncated))?;
        if expected.try_into().map_or(0, u64::from_le_bytes) != checksum(payload) {
            return Err(fail(ReadFault::Checksum));
        }
        let mut block = Block { rest: payload, begun_ns: 0 };
        while !block.rest.is_empty() {
            let before = block.rest.len();
            self.record(&mut block)
                .map_err(|fault| ReadError { offset: start + BLOCK_HEADER_BYTES + payload.len() - before, fault })?;
        }
        self.offset = start + BLOCK_HEADER_BYTES + payload.len();
        Ok(true)
    }

    fn record(&mut self, block: &mut Block<'b>) -> Result<(), ReadFault> {
        match block.bytes(1)[0] {
            RECORD_KEY => {
                let length = block.length()?;
                let name = str::from_utf8(block.bytes(length))
                    .map_err(|_| ReadFault::Malformed("a key's name is not UTF-8"))?
                    .to_owned();
                if self.builder.key_count() == KEYS_MOST {
                    return Err(ReadFault::Malformed("there are too many keys"));
                }
                self.builder.new_key(name);
                Ok(())
            }
            status => {
                let status = match status.wrapping_sub(RECORD_TRANSACTION) {
                    0 => Status::Committed,
                    1 => Status::Aborted,
                    2 => Status::Unknown,
                    _ => return Err(ReadFault::Malformed("a record is of no known kind")),
                };
                self.transaction(status, block)
            }
        }
    }

    fn transaction(&mut self, status: Status, block: &mut Block<'b>) -> Result<(), ReadFault> {
        let process = u32::try_from(block.number()?)
            .map_err(|_| ReadFault::Malformed("a process has a number of more than 32 bits"))?;
        let begun_ns = block.begun_ns.wrapping_add(unfolded(block.number()?).cast_unsigned());
        block.begun_ns = begun_ns;
        let ended_ns = match block.number()? {
            0 => u64::MAX,
            lasted => begun_ns.saturating_add(lasted - 1),
        };
        for _ in 0..block.length()? {
            self.operation(block)?;
        }
        self.builder.end(process, status, (begun_ns, ended_ns));
        Ok(())
    }

    #[inline]
    fn operation(&mut self, block: &mut Block<'b>) -> Result<(), ReadFault> {
        let head = block.number()?;
        let key = u32::try_from(head >> 3).unwrap_or(u32::MAX);
        if key >= self.builder.key_count() {
            return Err(ReadFault::Malformed("an operation is on a key that was not named before"));
        }
        let key = Key(key);
        let operation = match u32::from(head.to_le_bytes()[0]) & 7 {
            kind::APPEND => Operation::Append { key, value: unfolded(block.number()?) },
            kind::WRITE => Operation::Write { key, value: unfolded(block.number()?) },
            kind::READ => Operation::Read { key, seen: Read::Value(unfolded(block.number()?)) },
            kind::READ_INITIAL => Operation::Read { key, seen: Read::Initial },
            kind::READ_UNKNOWN => Operation::Read { key, seen: Read::Unknown },
            kind::READ_LIST_UNKNOWN => Operation::ReadList { key, list: None },
            kind::READ_LIST => {
                let length = block.length()?;
                self.list.clear();
                let mut last: Value = 0;
                for _ in 0..length {
                    // Neighbours in a list are mostly close, and their distance a byte.
                    let distance = match block.rest.split_first() {
                        Some((byte, rest)) if *byte < 0x80 => {
                            block.rest = rest;
                            u64::from(*byte)
                        }
                        _ => block.number()?,
                    };
                    last = last.wrapping_add(unfolded(distance));
                    self.list.push(last);
                }
                Operation::ReadList { key, list: Some(&self.list) }
            }
            _ => return Err(ReadFault::Malformed("an operation is of no known kind")),
        };
        self.builder.operation(operation);
        Ok(())
    }
}
