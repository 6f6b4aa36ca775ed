//! What the heap writes: rows inserted, changed, deleted, locked.
//!
//! Layouts: `src/include/access/heapam_xlog.h`, read as src/backend/replication/logical/decode.c does.

use crate::block::RelFile;
use crate::bytes::{Bytes, align};
use crate::record::Record;
use crate::resource::ResourceManager;
use crate::{ItemPointer, Tuple, TupleHeader, Xid};

/// One record of the heap. Tuples are missing where the record left them to a page image, which needs
/// `wal_level = replica` or less, or a table that logical decoding does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapOperation<'a> {
    /// A row was inserted.
    Insert {
        /// The relation's files.
        relation: RelFile,
        /// Where the row is.
        at: ItemPointer,
        /// The row.
        new: Option<Tuple<'a>>,
        /// Whether it counts only if a [`HeapOperation::Confirm`] follows (`on conflict`).
        is_speculative: bool,
        /// Whether logical decoding tells it; not so when a table is rewritten, and below `wal_level = logical`.
        is_decoded: bool,
    },
    /// Rows were inserted into one page (`copy`, and `insert` into catalogs).
    MultiInsert {
        /// The relation's files.
        relation: RelFile,
        /// The rows in their order; without line pointers when the page is new, where they count from 1.
        rows: Vec<(ItemPointer, Option<Tuple<'a>>)>,
        /// As for [`HeapOperation::Insert`].
        is_decoded: bool,
    },
    /// A row was replaced.
    Update {
        /// The relation's files.
        relation: RelFile,
        /// Where the old version is.
        from: ItemPointer,
        /// Where the new version is.
        to: ItemPointer,
        /// The new version, unless parts of it were left in the old one.
        new: Option<Tuple<'a>>,
        /// The old version or its key, if the table's replica identity asks for it.
        old: Option<Tuple<'a>>,
        /// Whether no index had to be changed.
        is_hot: bool,
    },
    /// A row was deleted.
    Delete {
        /// The relation's files.
        relation: RelFile,
        /// Where it was.
        at: ItemPointer,
        /// The row or its key, if the table's replica identity asks for it.
        old: Option<Tuple<'a>>,
        /// Whether this takes back a speculative insert.
        takes_back: bool,
    },
    /// A speculative insert holds.
    Confirm {
        /// The relation's files.
        relation: RelFile,
        /// Where the row is.
        at: ItemPointer,
    },
    /// A row was locked.
    Lock {
        /// The relation's files.
        relation: RelFile,
        /// Where it is.
        at: ItemPointer,
        /// Who locks: a transaction, or a group of them.
        xmax: Xid,
    },
    /// Tables were truncated: OIDs of relations, not their files.
    Truncate {
        /// OID of the database.
        database: u32,
        /// OIDs of the tables.
        relations: Vec<u32>,
    },
    /// Pruning, freezing, visibility, in-place updates of catalogs, rewrites: no row changes for a transaction.
    Upkeep,
}

const OPERATION_MASK: u8 = 0x70;
/// The page is made anew (`XLOG_HEAP_INIT_PAGE`).
const INIT_PAGE: u8 = 0x80;
const INSERT_IS_SPECULATIVE: u8 = 1 << 2;
/// `XLH_INSERT_CONTAINS_NEW_TUPLE`.
const INSERT_IS_DECODED: u8 = 1 << 3;
const DELETE_IS_SUPER: u8 = 1 << 3;
/// `XLH_DELETE_CONTAINS_OLD_TUPLE` and `_KEY`.
const DELETE_CONTAINS_OLD: u8 = 1 << 1 | 1 << 2;
/// `XLH_UPDATE_CONTAINS_OLD_TUPLE` and `_KEY`.
const UPDATE_CONTAINS_OLD: u8 = 1 << 2 | 1 << 3;
/// `XLH_UPDATE_PREFIX_FROM_OLD` and `SUFFIX_FROM_OLD`.
const UPDATE_PARTS_FROM_OLD: u8 = 1 << 5 | 1 << 6;

/// Multi-inserts are the only records of `Heap2` with rows in them.
const HEAP2_MULTI_INSERT: u8 = 0x50;

impl<'a> HeapOperation<'a> {
    /// `None` if the body does not fit what its code says.
    pub(crate) fn read(record: &'a Record) -> Option<Self> {
        let code = record.header.operation_code() & OPERATION_MASK;
        if record.header.manager == ResourceManager::HEAP2 {
            return if code == HEAP2_MULTI_INSERT { multi_insert(record) } else { Some(Self::Upkeep) };
        }
        let mut main = Bytes::new(record.main_data());
        let here = |id: u8, offset: u16| {
            let block = record.block(id)?;
            Some((block.relation, ItemPointer { block: block.number, offset }))
        };
        match code {
            0x00 => insert(record),
            0x10 => {
                main.take(4)?;
                let (offset, _, flags) = (main.u16()?, main.u8()?, main.u8()?);
                let (relation, at) = here(0, offset)?;
                let old = (flags & DELETE_CONTAINS_OLD != 0).then(|| tuple(main.rest()));
                let takes_back = flags & DELETE_IS_SUPER != 0;
                Some(Self::Delete { relation, at, old: old.map_or(Some(None), |old| old.map(Some))?, takes_back })
            }
            0x20 | 0x40 => update(record, code == 0x40),
            0x30 => {
                let (database, count) = (main.u32()?, main.u32()?);
                // Flags and padding.
                main.take(4)?;
                let relations = (0..count).map(|_| main.u32()).collect::<Option<_>>()?;
                Some(Self::Truncate { database, relations })
            }
            0x50 => here(0, main.u16()?).map(|(relation, at)| Self::Confirm { relation, at }),
            0x60 => {
                let xmax = main.u32()?;
                here(0, main.u16()?).map(|(relation, at)| Self::Lock { relation, at, xmax })
            }
            _ => Some(Self::Upkeep),
        }
    }
}

fn insert(record: &Record) -> Option<HeapOperation<'_>> {
    let mut main = Bytes::new(record.main_data());
    let (offset, flags) = (main.u16()?, main.u8()?);
    let block = record.block(0)?;
    let data = record.block_data(block);
    Some(HeapOperation::Insert {
        relation: block.relation,
        at: ItemPointer { block: block.number, offset },
        // Where the record has a page image and nobody decodes the log, the row is in the image alone.
        new: if data.is_empty() { None } else { Some(tuple(data)?) },
        is_speculative: flags & INSERT_IS_SPECULATIVE != 0,
        is_decoded: flags & INSERT_IS_DECODED != 0,
    })
}

fn multi_insert(record: &Record) -> Option<HeapOperation<'_>> {
    let mut main = Bytes::new(record.main_data());
    let flags = main.u8()?;
    // Padding.
    main.take(1)?;
    let count = main.u16()?;
    let block = record.block(0)?;
    let is_new_page = record.header.info & INIT_PAGE != 0;
    let data = record.block_data(block);
    let mut at = 0;
    let mut rows = Vec::with_capacity(count.into());
    for number in 1..=count {
        let offset = if is_new_page { number } else { main.u16()? };
        let row = if data.is_empty() {
            None
        } else {
            // `xl_multi_insert_tuple`, aligned to 2 bytes.
            at = align(at, 2);
            let mut bytes = Bytes::new(data.get(at..)?);
            let length = usize::from(bytes.u16()?);
            let header = TupleHeader { infomask2: bytes.u16()?, infomask: bytes.u16()?, data_offset: bytes.u8()? };
            at += 7 + length;
            Some(Tuple::new(header, bytes.take(length)?))
        };
        rows.push((ItemPointer { block: block.number, offset }, row));
    }
    let is_decoded = flags & INSERT_IS_DECODED != 0;
    Some(HeapOperation::MultiInsert { relation: block.relation, rows, is_decoded })
}

fn update(record: &Record, is_hot: bool) -> Option<HeapOperation<'_>> {
    let mut main = Bytes::new(record.main_data());
    main.take(4)?;
    let (old_offset, _, flags) = (main.u16()?, main.u8()?, main.u8()?);
    main.take(4)?;
    let new_offset = main.u16()?;
    let new_block = record.block(0)?;
    // Only named when it is another page.
    let old_block = record.block(1).unwrap_or(new_block);
    let data = record.block_data(new_block);
    let new = if data.is_empty() || flags & UPDATE_PARTS_FROM_OLD != 0 { None } else { Some(tuple(data)?) };
    let old = if flags & UPDATE_CONTAINS_OLD == 0 { None } else { Some(tuple(main.rest())?) };
    Some(HeapOperation::Update {
        relation: new_block.relation,
        from: ItemPointer { block: old_block.number, offset: old_offset },
        to: ItemPointer { block: new_block.number, offset: new_offset },
        new,
        old,
        is_hot,
    })
}

/// `xl_heap_header` and the row behind it.
fn tuple(data: &[u8]) -> Option<Tuple<'_>> {
    let mut bytes = Bytes::new(data);
    let header = TupleHeader { infomask2: bytes.u16()?, infomask: bytes.u16()?, data_offset: bytes.u8()? };
    Some(Tuple::new(header, bytes.rest()))
}
