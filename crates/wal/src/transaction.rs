//! What the transaction manager writes: commits, aborts, and the two halves of a two-phase commit.
//!
//! Layouts: src/include/access/xact.h, read as the functions `ParseCommitRecord`, `ParseAbortRecord` and
//! `ParsePrepareRecord` of src/backend/access/rmgrdesc/xactdesc.c do.

use pgstrata_units::Lsn;

use crate::Xid;
use crate::block::RelFile;
use crate::bytes::{Bytes, align};
use crate::version::WalVersion;

/// One record of the transaction manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionOperation {
    /// A transaction committed.
    Commit(Completion),
    /// A transaction ended without effect.
    Abort(Completion),
    /// The first half of a two-phase commit.
    Prepare(Preparation),
    /// The second half: the prepared transaction committed.
    CommitPrepared(Completion),
    /// The prepared transaction was undone.
    AbortPrepared(Completion),
    /// Subtransactions become known as such while their transaction goes on.
    Assignment {
        /// The transaction.
        top: Xid,
        /// Its subtransactions.
        subtransactions: Vec<Xid>,
    },
    /// Cache invalidations of a transaction that goes on.
    Invalidations,
}

/// The end of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The transaction: for a prepared one not that of the record's header.
    pub xid: Xid,
    /// When, in microseconds since 2000-01-01 00:00 UTC, by the server's clock.
    pub time_us: i64,
    /// Subtransactions that ended with it.
    pub subtransactions: Vec<Xid>,
    /// The name it was prepared under, if it was and the record tells (with `wal_level = logical`).
    pub gid: Option<String>,
    /// Where it came from, if it was replicated: position and time there.
    pub origin: Option<(Lsn, i64)>,
    /// Files that go with it: of tables that were dropped, truncated or rewritten, or made in vain.
    pub dropped_files: Vec<RelFile>,
}

/// A transaction that is ready to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// The transaction.
    pub xid: Xid,
    /// The database it runs in, an OID.
    pub database: u32,
    /// When it was prepared, in microseconds since 2000-01-01 00:00 UTC.
    pub time_us: i64,
    /// Its subtransactions.
    pub subtransactions: Vec<Xid>,
    /// The name it was prepared under.
    pub gid: String,
}

const OPERATION_MASK: u8 = 0x70;
/// Whether bits that say what follows are there (`XLOG_XACT_HAS_INFO`).
const HAS_INFO: u8 = 0x80;

const HAS_DATABASE: u32 = 1 << 0;
const HAS_SUBTRANSACTIONS: u32 = 1 << 1;
const HAS_RELATIONS: u32 = 1 << 2;
const HAS_INVALIDATIONS: u32 = 1 << 3;
const HAS_TWO_PHASE: u32 = 1 << 4;
const HAS_ORIGIN: u32 = 1 << 5;
const HAS_GID: u32 = 1 << 7;
const HAS_DROPPED_STATS: u32 = 1 << 8;

/// Bytes of a relation's files in these records (`RelFileLocator`).
const RELATION_BYTES: usize = 12;
/// Bytes of an invalidation message (`SharedInvalidationMessage`).
const INVALIDATION_BYTES: usize = 16;

impl TransactionOperation {
    /// `None` if the body does not fit what its code says.
    pub(crate) fn read(info: u8, xid: Xid, main: &[u8], version: WalVersion) -> Option<Self> {
        let mut bytes = Bytes::new(main);
        let completion = |bytes| Completion::read(bytes, info, xid, version);
        Some(match info & OPERATION_MASK {
            0x00 => Self::Commit(completion(bytes)?),
            0x10 => Self::Prepare(Preparation::read(main, version)?),
            0x20 => Self::Abort(completion(bytes)?),
            0x30 => Self::CommitPrepared(completion(bytes)?),
            0x40 => Self::AbortPrepared(completion(bytes)?),
            0x50 => {
                let top = bytes.u32()?;
                Self::Assignment { top, subtransactions: xids(&mut bytes)? }
            }
            0x60 => Self::Invalidations,
            _ => return None,
        })
    }
}

impl Completion {
    fn read(mut bytes: Bytes<'_>, info: u8, xid: Xid, version: WalVersion) -> Option<Self> {
        let time_us = bytes.i64()?;
        let has = if info & HAS_INFO == 0 { 0 } else { bytes.u32()? };
        let mut completion =
            Self { xid, time_us, subtransactions: Vec::new(), gid: None, origin: None, dropped_files: Vec::new() };
        if has & HAS_DATABASE != 0 {
            bytes.take(8)?;
        }
        if has & HAS_SUBTRANSACTIONS != 0 {
            completion.subtransactions = xids(&mut bytes)?;
        }
        if has & HAS_RELATIONS != 0 {
            let count = bytes.count_of(RELATION_BYTES)?;
            completion.dropped_files = (0..count).map(|_| file(&mut bytes)).collect::<Option<_>>()?;
        }
        if has & HAS_DROPPED_STATS != 0 {
            skip(&mut bytes, dropped_stat_bytes(version))?;
        }
        // Aborts have none, and the bit unset.
        if has & HAS_INVALIDATIONS != 0 {
            skip(&mut bytes, INVALIDATION_BYTES)?;
        }
        if has & HAS_TWO_PHASE != 0 {
            completion.xid = bytes.u32()?;
            if has & HAS_GID != 0 {
                completion.gid = Some(bytes.text()?);
            }
        }
        if has & HAS_ORIGIN != 0 {
            completion.origin = Some((Lsn(bytes.u64()?), bytes.i64()?));
        }
        Some(completion)
    }
}

impl Preparation {
    /// `TwoPhaseFileHeader`, the same as `xl_xact_prepare`; the parts behind it are each padded to 8 bytes.
    fn read(main: &[u8], version: WalVersion) -> Option<Self> {
        let mut bytes = Bytes::new(main);
        // Magic and length.
        bytes.take(8)?;
        let (xid, database, time_us) = (bytes.u32()?, bytes.u32()?, bytes.i64()?);
        // Owner.
        bytes.take(4)?;
        let subtransactions = usize::try_from(bytes.i32()?).ok()?;
        // Counts of relations to drop, of statistics to drop (two more since 15), of invalidations.
        bytes.take(if version == WalVersion::V14 { 12 } else { 20 })?;
        // Whether the relation cache file goes, and padding.
        bytes.take(2)?;
        let gid_bytes = usize::from(bytes.u16()?);
        // Origin: position and time.
        bytes.take(16)?;
        let gid = Bytes::new(bytes.take(align(gid_bytes, 8))?).text()?;
        let list = bytes.take(subtransactions.checked_mul(4)?)?;
        let subtransactions = list.as_chunks::<4>().0.iter().map(|xid| u32::from_le_bytes(*xid)).collect();
        Some(Self { xid, database, time_us, subtransactions, gid })
    }
}

/// `xl_xact_stats_item`: since 18 it holds a 64-bit object number.
fn dropped_stat_bytes(version: WalVersion) -> usize {
    if version < WalVersion::V18 { 12 } else { 16 }
}

fn file(bytes: &mut Bytes<'_>) -> Option<RelFile> {
    Some(RelFile { tablespace: bytes.u32()?, database: bytes.u32()?, file: bytes.u32()? })
}

fn xids(bytes: &mut Bytes<'_>) -> Option<Vec<Xid>> {
    let count = bytes.count_of(4)?;
    (0..count).map(|_| bytes.u32()).collect()
}

fn skip(bytes: &mut Bytes<'_>, size: usize) -> Option<()> {
    let count = bytes.count_of(size)?;
    bytes.take(count * size).map(drop)
}
