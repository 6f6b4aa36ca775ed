//! Reading the bodies.

use super::{AllVisible, HeapAction, HeapRecord, NewVersion, Prune, Update, XmaxBits};
use crate::block::{Block, RelFile};
use crate::bytes::{Bytes, align};
use crate::error::DecodeError;
use crate::record::Record;
use crate::resource::ResourceManager;
use pgstrata_tuple::{ItemPointer, Row, RowHeader};

pub(crate) const OPERATION_MASK: u8 = 0x70;
const TRUNCATE: u8 = 0x30;
/// The page is made anew (`XLOG_HEAP_INIT_PAGE`).
const INIT_PAGE: u8 = 0x80;
const INSERT_IS_SPECULATIVE: u8 = 1 << 2;
/// `XLH_INSERT_CONTAINS_NEW_TUPLE`.
const INSERT_IS_DECODED: u8 = 1 << 3;
const INSERT_ALL_FROZEN_SET: u8 = 1 << 5;
const DELETE_IS_SUPER: u8 = 1 << 3;
/// `XLH_DELETE_CONTAINS_OLD_TUPLE` and `_KEY`.
const DELETE_CONTAINS_OLD: u8 = 1 << 1 | 1 << 2;
const DELETE_IS_PARTITION_MOVE: u8 = 1 << 4;
/// The same bit in inserts, deletes, and for the old page of updates.
const ALL_VISIBLE_CLEARED: u8 = 1 << 0;
const UPDATE_NEW_ALL_VISIBLE_CLEARED: u8 = 1 << 1;
/// `XLH_UPDATE_CONTAINS_OLD_TUPLE` and `_KEY`.
const UPDATE_CONTAINS_OLD: u8 = 1 << 2 | 1 << 3;
const UPDATE_PREFIX_FROM_OLD: u8 = 1 << 5;
const UPDATE_SUFFIX_FROM_OLD: u8 = 1 << 6;
/// `VISIBILITYMAP_ALL_FROZEN` in src/include/access/visibilitymapdefs.h.
const MAP_ALL_FROZEN: u8 = 0x02;

impl Record {
    /// The record in full if it is one of the heap; the error is a body that does not fit its own code.
    pub fn heap(&self) -> Result<Option<HeapRecord<'_>>, DecodeError> {
        let code = self.header.operation_code() & OPERATION_MASK;
        let read = match self.header.manager {
            ResourceManager::HEAP => heap(self, code),
            ResourceManager::HEAP2 => heap2(self, code),
            _ => return Ok(None),
        };
        let what = "what the heap wrote";
        read.map(Some).ok_or_else(|| DecodeError { lsn: self.lsn, manager: self.header.manager.to_string(), what })
    }
}

fn heap(record: &Record, code: u8) -> Option<HeapRecord<'_>> {
    let mut main = Bytes::new(record.main_data());
    if code == TRUNCATE {
        let (database, count) = (main.u32()?, main.u32()?);
        // Flags and padding.
        main.take(4)?;
        let relations = (0..count).map(|_| main.u32()).collect::<Option<_>>()?;
        return Some(HeapRecord { relation: NO_FILE, action: HeapAction::Truncate { database, relations } });
    }
    let block = record.block(0)?;
    let at = |offset| ItemPointer { block: block.number, offset };
    let makes_page = record.header.info & INIT_PAGE != 0;
    let action = match code {
        0x00 => {
            let (offset, flags) = (main.u16()?, main.u8()?);
            let data = record.block_data(block);
            HeapAction::Insert {
                at: at(offset),
                tuple: if data.is_empty() { None } else { Some(row(data)?) },
                visibility: after_insert(flags),
                is_speculative: flags & INSERT_IS_SPECULATIVE != 0,
                makes_page,
                is_decoded: flags & INSERT_IS_DECODED != 0,
            }
        }
        0x10 => {
            let (xmax, offset, bits, flags) = (main.u32()?, main.u16()?, main.u8()?, main.u8()?);
            HeapAction::Delete {
                at: at(offset),
                xmax,
                bits: XmaxBits(bits),
                visibility: cleared(flags & ALL_VISIBLE_CLEARED),
                takes_back: flags & DELETE_IS_SUPER != 0,
                moves_partition: flags & DELETE_IS_PARTITION_MOVE != 0,
                // It stands behind the body.
                old: if flags & DELETE_CONTAINS_OLD == 0 { None } else { Some(row(main.rest())?) },
            }
        }
        0x20 | 0x40 => HeapAction::Update(update(record, block, code == 0x40, makes_page)?),
        0x50 => HeapAction::Confirm { at: at(main.u16()?) },
        0x60 => lock(main, block.number, false)?,
        _ => HeapAction::Inplace { at: at(main.u16()?), columns: record.block_data(block) },
    };
    Some(HeapRecord { relation: block.relation, action })
}

fn heap2(record: &Record, code: u8) -> Option<HeapRecord<'_>> {
    let mut main = Bytes::new(record.main_data());
    let (relation, action) = match code {
        0x00 => (NO_FILE, HeapAction::Nothing),
        0x40 => {
            main.take(4)?;
            // Block 0 is of the visibility map.
            let block = record.block(1)?;
            let is_frozen = main.u8()? & MAP_ALL_FROZEN != 0;
            (block.relation, HeapAction::Visible { block: block.number, is_frozen })
        }
        0x50 => {
            let block = record.block(0)?;
            (block.relation, multi_insert(record, block)?)
        }
        0x60 => {
            let block = record.block(0)?;
            (block.relation, lock(main, block.number, true)?)
        }
        0x70 => new_cid(main)?,
        _ => (record.block(0)?.relation, HeapAction::Prune(Prune::read(record, code)?)),
    };
    Some(HeapRecord { relation, action })
}

/// For records that change no file.
const NO_FILE: RelFile = RelFile { tablespace: 0, database: 0, file: 0 };

const fn cleared(bit: u8) -> AllVisible {
    if bit == 0 { AllVisible::Kept } else { AllVisible::Cleared }
}

const fn after_insert(flags: u8) -> AllVisible {
    if flags & INSERT_ALL_FROZEN_SET != 0 { AllVisible::Set } else { cleared(flags & ALL_VISIBLE_CLEARED) }
}

fn header(bytes: &mut Bytes<'_>) -> Option<RowHeader> {
    Some(RowHeader { infomask2: bytes.u16()?, infomask: bytes.u16()?, data_offset: bytes.u8()? })
}

/// `xl_heap_header` and the tuple behind it.
fn row(data: &[u8]) -> Option<Row<'_>> {
    let mut bytes = Bytes::new(data);
    let header = header(&mut bytes)?;
    Some(Row::new(header, bytes.rest()))
}

fn multi_insert<'a>(record: &'a Record, block: &Block) -> Option<HeapAction<'a>> {
    let mut main = Bytes::new(record.main_data());
    let flags = main.u8()?;
    // Padding.
    main.take(1)?;
    let count = main.u16()?;
    let makes_page = record.header.info & INIT_PAGE != 0;
    let data = record.block_data(block);
    let mut at = 0;
    let mut tuples = Vec::new();
    for number in 1..=count {
        let offset = if makes_page { number } else { main.u16()? };
        if data.is_empty() {
            tuples.push((offset, None));
            continue;
        }
        // `xl_multi_insert_tuple`, aligned to 2 bytes.
        at = align(at, 2);
        let mut bytes = Bytes::new(data.get(at..)?);
        let length = usize::from(bytes.u16()?);
        let header = header(&mut bytes)?;
        at += 7 + length;
        tuples.push((offset, Some(Row::new(header, bytes.take(length)?))));
    }
    let (visibility, is_decoded) = (after_insert(flags), flags & INSERT_IS_DECODED != 0);
    Some(HeapAction::MultiInsert { block: block.number, tuples, visibility, makes_page, is_decoded })
}

fn update<'a>(record: &'a Record, new_block: &Block, is_hot: bool, makes_page: bool) -> Option<Update<'a>> {
    let mut main = Bytes::new(record.main_data());
    let (old_xmax, old_offset, old_bits, flags) = (main.u32()?, main.u16()?, main.u8()?, main.u8()?);
    let (new_xmax, new_offset) = (main.u32()?, main.u16()?);
    // Only named when it is another page.
    let old_block = record.block(1).unwrap_or(new_block);
    let mut bytes = Bytes::new(record.block_data(new_block));
    let new = if bytes.rest().is_empty() {
        None
    } else {
        let mut part = |flag| if flags & flag == 0 { Some(0) } else { bytes.u16() };
        let (prefix, suffix) = (part(UPDATE_PREFIX_FROM_OLD)?, part(UPDATE_SUFFIX_FROM_OLD)?);
        Some(NewVersion { prefix, suffix, header: header(&mut bytes)?, bytes: bytes.rest() })
    };
    Some(Update {
        from: ItemPointer { block: old_block.number, offset: old_offset },
        to: ItemPointer { block: new_block.number, offset: new_offset },
        old_xmax,
        old_bits: XmaxBits(old_bits),
        new_xmax,
        old_visibility: cleared(flags & ALL_VISIBLE_CLEARED),
        new_visibility: cleared(flags & UPDATE_NEW_ALL_VISIBLE_CLEARED),
        is_hot,
        makes_page,
        new,
        old: if flags & UPDATE_CONTAINS_OLD == 0 { None } else { Some(row(main.rest())?) },
    })
}

fn lock(mut main: Bytes<'_>, block: u32, follows_update: bool) -> Option<HeapAction<'static>> {
    let (xmax, offset, bits) = (main.u32()?, main.u16()?, main.u8()?);
    Some(HeapAction::Lock { at: ItemPointer { block, offset }, xmax, bits: XmaxBits(bits), follows_update })
}

fn new_cid(mut main: Bytes<'_>) -> Option<(RelFile, HeapAction<'static>)> {
    // The top transaction.
    main.take(4)?;
    let (cmin, cmax) = (main.u32()?, main.u32()?);
    // The combo id.
    main.take(4)?;
    let relation = RelFile { tablespace: main.u32()?, database: main.u32()?, file: main.u32()? };
    // A block number is stored as two halves, the upper one first.
    let (upper, lower, offset) = (main.u16()?, main.u16()?, main.u16()?);
    let at = ItemPointer { block: u32::from(upper) << 16 | u32::from(lower), offset };
    Some((relation, HeapAction::NewCid { at, cmin, cmax }))
}
