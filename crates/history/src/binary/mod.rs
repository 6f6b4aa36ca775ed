//! Histories as bytes: written while a run goes on, read again as a whole.
//!
//! ```text
//! file   = "pgshist\n", version as four bytes, block*
//! block  = length of its payload as four bytes, checksum of it as eight, payload
//! payload= record*
//! record = 0, name                                          a key, numbered from 0 in the order of records
//!        | 1 + status, process, begun, lasted, n, operation^n   a transaction, when it has ended
//! begun  = nanoseconds since the transaction before in the block, or since 0
//! lasted = 0 if no end is known, else nanoseconds and one more
//! operation = key << 3 | kind, then a value, or a length and each element's distance from the one before
//! ```
//!
//! Fixed numbers are little-endian; all others take seven bits a byte, the lowest first, and what may be negative is
//! folded (0, -1, 1, -2, …). A block is complete or not there: a run that was killed leaves a file whose whole blocks
//! can be read. Transactions stand in the order in which they ended; the reader brings them into that in which they
//! began. Nothing here opens a file: the caller maps one, or writes what the recorder gives.

mod reader;
mod recorder;
mod wire;

pub use reader::{ReadError, ReadFault, read, read_whole_blocks};
pub use recorder::{Draft, Recorder, write};

/// What a file begins with.
const MAGIC: &[u8; 8] = b"pgshist\n";

/// Raised with every change that an older reader could not read.
pub const VERSION: u32 = 1;

/// Whether bytes begin as a recorded history does.
#[must_use]
pub fn is_history(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

const HEADER_BYTES: usize = MAGIC.len() + 4;
const BLOCK_HEADER_BYTES: usize = 12;

/// The kinds of records.
const RECORD_KEY: u8 = 0;
const RECORD_TRANSACTION: u8 = 1;

#[cfg(test)]
mod tests;
