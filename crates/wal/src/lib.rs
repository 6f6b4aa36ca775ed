//! The write-ahead log as PostgreSQL 14 to 18 write it: segments, pages, records, and what records say. Pure: it reads
//! bytes and opens nothing.
//!
//! From below: [`SegmentName`] and [`page::PageHeader`] say where bytes belong, [`Reader`] makes checked [`Record`]s of
//! segments and [`Assembler`] of a stream. [`Record::operation`] says what a record does to rows and transactions (others are named and
//! left alone), [`Record::heap`] what it does on pages. [`Committed`] puts the changes of committed transactions into
//! commit order; [`replay::Pages`] folds records into pages as recovery does; [`history::History`] into the lives of row
//! versions. Damage is told from the end of the log: see [`ReadError`].
//!
//! # What differs between versions
//!
//! | what | 14 | 15 | 16 | 17 | 18 | source in PostgreSQL |
//! |---|---|---|---|---|---|---|
//! | page magic | D10D | D110 | D113 | D116 | D118 | `src/include/access/xlog_internal.h` |
//! | compression of page images | pglz, one bit | pglz, lz4, zstd | same | same | same | `src/include/access/xlogrecord.h` |
//! | dropped statistics in commit and abort | no | 12 bytes | 12 bytes | 12 bytes | 16 bytes | `src/include/access/xact.h` |
//! | counts of them in prepare | no | yes | yes | yes | yes | `src/backend/access/transam/twophase.c` |
//! | pruning in Heap2 | by 3 codes | by 3 codes | by 3 codes | one layout, 3 codes | same | `src/include/access/heapam_xlog.h` |
//! | freezing | a tuple each | a tuple each | plans | in the layout of pruning | same | `src/include/access/heapam_xlog.h` |
//!
//! Record header, block references, tuples and the other heap records are the same in all five. The log is in the byte
//! order of the machine that wrote it; only little-endian logs are read, others are refused by their magic.
//!
//! # What is not read
//!
//! Indexes, maps and other access methods are named, not read. In [`HeapOperation`] a row is missing where its record left
//! it to a page image, or parts of it in the old version; [`replay`] finds it there. With `wal_level = logical` it is
//! always in the record, for ordinary tables.

mod assembler;
mod block;
mod bytes;
mod committed;
mod error;
mod heap;
mod heap_record;
pub mod history;
mod image;
mod infomask;
mod names;
mod operation;
pub mod page;
mod reader;
mod record;
pub mod replay;
mod resource;
mod running;
mod segment;
mod transaction;
mod version;

pub use assembler::{Assembler, StreamError, StreamFault};
pub use block::{Block, Fork, Image, ImageCompression, RelFile};
pub use committed::{Change, ChangeKind, Committed, CommittedTransaction, RowImage};
pub use error::{DecodeError, Fault, ReadError};
pub use heap::HeapOperation;
pub use heap_record::{AllVisible, Freeze, HeapAction, HeapRecord, NewVersion, Prune, PruneReason, Update, XmaxBits};
pub use image::{HEAP_PAGE_BYTES, ImageError};
pub use operation::{LogOperation, LogicalMessage, Operation, WalLevel};
pub use reader::{Reader, Step};
pub use record::{Record, RecordHeader, crc_of};
pub use resource::ResourceManager;
pub use running::{MultixactMember, MultixactOperation, RunningTransactions};
pub use segment::{BadSegmentName, SegmentName, SegmentSize, Timeline};
pub use transaction::{Completion, Preparation, TransactionOperation};
pub use version::WalVersion;

/// Rows and places in the heap are those of `pgstrata-tuple`; a record holds of a tuple's header what a row needs.
pub use pgstrata_tuple::{
    Alignment, ColumnLayout, ItemPointer, Row as Tuple, RowHeader as TupleHeader, TupleError, Value, Varlena,
};

/// A transaction's number, 32 bits as records hold it.
pub type Xid = u32;
