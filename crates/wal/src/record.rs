//! One record: a checked header, block references, data. What the data means is in `operation`.

use pgstrata_units::Lsn;

use crate::Xid;
use crate::block::{Block, Image, Layout};
use crate::bytes::Bytes;
use crate::error::Fault;
use crate::resource::ResourceManager;
use crate::version::WalVersion;

/// Bytes of a record's header (`SizeOfXLogRecord`).
pub(crate) const HEADER_BYTES: usize = 24;
/// Where in the header the checksum is; it covers what is before it.
const CRC_OFFSET: usize = 20;
/// The longest record: `XLogRecordMaxSize` in src/include/access/xlogrecord.h.
const MOST_BYTES: u32 = 1020 << 20;

/// The bits of `info` that belong to the resource manager (`XLR_RMGR_INFO_MASK`).
const MANAGER_INFO: u8 = 0xF0;

/// The header: `XLogRecord` in src/include/access/xlogrecord.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Bytes of the record, header included.
    pub length: u32,
    /// The transaction, or the subtransaction, that wrote it; zero if none did.
    pub xid: Xid,
    /// Where the record before it begins.
    pub previous: Lsn,
    /// What it is, in the upper four bits; the lower four are the log's own.
    pub info: u8,
    /// Whose it is.
    pub manager: ResourceManager,
    /// CRC-32C of the body and then of the header before this field.
    pub crc: u32,
}

impl RecordHeader {
    /// Reads the header; the length is checked by the caller with [`RecordHeader::check_length`].
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes::new(bytes);
        let (length, xid, previous) = (bytes.u32()?, bytes.u32()?, Lsn(bytes.u64()?));
        let (info, manager) = (bytes.u8()?, ResourceManager(bytes.u8()?));
        // Padding.
        bytes.take(2)?;
        Some(Self { length, xid, previous, info, manager, crc: bytes.u32()? })
    }

    /// Refuses a length that no record has.
    pub(crate) fn check_length(length: u32) -> Result<usize, Fault> {
        let long_enough = usize::try_from(length).ok().filter(|bytes| *bytes >= HEADER_BYTES && length <= MOST_BYTES);
        match (length, long_enough) {
            (0, _) => Err(Fault::Nothing),
            (_, Some(bytes)) => Ok(bytes),
            (found, None) => Err(Fault::RecordLength { found }),
        }
    }

    /// What the record does, in the terms of its resource manager.
    #[must_use]
    pub const fn operation_code(&self) -> u8 {
        self.info & MANAGER_INFO
    }
}

/// CRC-32C of a whole record of at least its header, as the header should say: over the body, then over the header
/// before the field (the function `XLogInsertRecord` of src/backend/access/transam/xlog.c). It finds accidents; whoever
/// changes a record on purpose changes it too.
#[must_use]
pub fn crc_of(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[HEADER_BYTES..]), &record[..CRC_OFFSET])
}

/// A record with its place. Its bytes are its own, so it outlives the segment it came from.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it begins: what `pg_waldump` calls `lsn`.
    pub lsn: Lsn,
    /// Where the next one may begin: the position up to which the log must be flushed for this record to survive.
    pub end: Lsn,
    /// Who wrote it.
    pub version: WalVersion,
    /// Its header.
    pub header: RecordHeader,
    /// The blocks it refers to, in the order of their numbers.
    pub blocks: Vec<Block>,
    /// The replication origin of the change, if it was replicated.
    pub origin: Option<u16>,
    /// The top transaction of a subtransaction that writes for the first time, with `wal_level = logical`.
    pub top_xid: Option<Xid>,
    bytes: Vec<u8>,
    main: std::ops::Range<usize>,
}

impl Record {
    /// Checks and takes apart the bytes of one record, as they are behind each other when pages are put together.
    pub fn new(lsn: Lsn, end: Lsn, version: WalVersion, bytes: Vec<u8>) -> Result<Self, Fault> {
        let found = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let header = RecordHeader::read(&bytes).ok_or(Fault::RecordLength { found })?;
        let computed = crc_of(&bytes);
        if computed != header.crc {
            return Err(Fault::Crc { stored: header.crc, computed });
        }
        let Layout { blocks, origin, top_xid, main } = Layout::read(&bytes[HEADER_BYTES..], HEADER_BYTES, version)?;
        Ok(Self { lsn, end, version, header, blocks, origin, top_xid, bytes, main })
    }

    /// All its bytes, header included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The data that belongs to no block.
    #[must_use]
    pub fn main_data(&self) -> &[u8] {
        &self.bytes[self.main.clone()]
    }

    /// The block with this number in the record.
    #[must_use]
    pub fn block(&self, id: u8) -> Option<&Block> {
        self.blocks.iter().find(|block| block.id == id)
    }

    /// The data of a block.
    #[must_use]
    pub fn block_data(&self, block: &Block) -> &[u8] {
        &self.bytes[block.data.clone()]
    }

    /// The bytes of a page image as they are stored, compressed or not, without the hole.
    #[must_use]
    pub fn image_data(&self, image: &Image) -> &[u8] {
        &self.bytes[image.range.clone()]
    }
}
