//! What a record does, for the resource managers that are read here; others are named and left alone.

use pgstrata_units::Lsn;

use crate::block::RelFile;
use crate::bytes::Bytes;
use crate::error::DecodeError;
use crate::heap::HeapOperation;
use crate::reader::LOG_SWITCH;
use crate::record::Record;
use crate::resource::ResourceManager;
use crate::segment::Timeline;
use crate::transaction::TransactionOperation;

/// What a record does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A transaction ends or is prepared.
    Transaction(TransactionOperation),
    /// Rows change.
    Heap(HeapOperation<'a>),
    /// Somebody wrote into the log (`pg_logical_emit_message`).
    Message(LogicalMessage<'a>),
    /// The log speaks of itself.
    Log(LogOperation),
    /// A relation got a new file: it was made, or is being rewritten.
    FileCreated {
        /// The relation's files.
        relation: RelFile,
    },
    /// A resource manager that is not read here.
    Other,
}

/// `xl_logical_message` in src/include/replication/message.h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalMessage<'a> {
    /// OID of the database it was written in.
    pub database: u32,
    /// Whether it counts only if its transaction commits.
    pub is_transactional: bool,
    /// What kind of message it is, chosen by who wrote it.
    pub prefix: &'a [u8],
    /// The message.
    pub content: &'a [u8],
}

/// How much is written to the log (`wal_level`, src/include/access/xlog.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalLevel {
    /// Enough for crash recovery.
    Minimal,
    /// Enough for standbys and archives.
    Replica,
    /// Enough to decode rows.
    Logical,
}

/// Records of the resource manager `XLOG` (`src/include/catalog/pg_control.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOperation {
    /// A checkpoint ended.
    Checkpoint {
        /// From where recovery would replay.
        redo: Lsn,
        /// The timeline.
        timeline: Timeline,
        /// The next transaction number, with its epoch in the upper 32 bits.
        next_xid: u64,
        /// Whether the server was shut down with it.
        is_shutdown: bool,
    },
    /// The rest of the segment is empty.
    Switch,
    /// The server started with other settings.
    Parameters {
        /// How much it writes from here on; `None` for a level that is not known.
        level: Option<WalLevel>,
    },
    /// A new timeline begins.
    EndOfRecovery {
        /// The new one.
        timeline: Timeline,
        /// The one it leaves.
        previous: Timeline,
    },
    /// A record before was cut off by a crash, and given up.
    OverwritesContinuation {
        /// That record.
        lsn: Lsn,
    },
    /// Full pages, object numbers, restore points and the like.
    Other,
}

/// `XLOG_SMGR_CREATE` in `src/include/catalog/storage_xlog.h`.
const STORAGE_CREATE: u8 = 0x10;

impl Record {
    /// What the record does. The error is a body that does not fit its own code.
    pub fn operation(&self) -> Result<Operation<'_>, DecodeError> {
        let bad = |what| DecodeError { lsn: self.lsn, manager: self.header.manager.to_string(), what };
        let main = self.main_data();
        match self.header.manager {
            ResourceManager::TRANSACTION => {
                TransactionOperation::read(self.header.info, self.header.xid, main, self.version)
                    .map(Operation::Transaction)
                    .ok_or(bad("the end of a transaction"))
            }
            ResourceManager::HEAP | ResourceManager::HEAP2 => HeapOperation::read(self).map(Operation::Heap),
            ResourceManager::STORAGE if self.header.operation_code() == STORAGE_CREATE => {
                storage_create(main).map(|relation| Operation::FileCreated { relation }).ok_or(bad("a new file"))
            }
            ResourceManager::MESSAGE => message(main).map(Operation::Message).ok_or(bad("a message")),
            ResourceManager::LOG => {
                log_operation(self.header.operation_code(), main).map(Operation::Log).ok_or(bad("the log's own record"))
            }
            _ => Ok(Operation::Other),
        }
    }
}

/// `xl_smgr_create` in `src/include/catalog/storage_xlog.h`; the fork behind it does not matter here.
fn storage_create(main: &[u8]) -> Option<RelFile> {
    let mut bytes = Bytes::new(main);
    Some(RelFile { tablespace: bytes.u32()?, database: bytes.u32()?, file: bytes.u32()? })
}

fn message(main: &[u8]) -> Option<LogicalMessage<'_>> {
    let mut bytes = Bytes::new(main);
    let database = bytes.u32()?;
    let is_transactional = bytes.u8()? != 0;
    bytes.take(3)?;
    let (prefix, content) = (usize::try_from(bytes.u64()?).ok()?, usize::try_from(bytes.u64()?).ok()?);
    // The prefix is stored with its closing zero.
    let (prefix, content) = (bytes.take(prefix)?.strip_suffix(&[0])?, bytes.take(content)?);
    Some(LogicalMessage { database, is_transactional, prefix, content })
}

fn log_operation(code: u8, main: &[u8]) -> Option<LogOperation> {
    let mut bytes = Bytes::new(main);
    Some(match code {
        0x00 | 0x10 => {
            let (redo, timeline) = (Lsn(bytes.u64()?), Timeline(bytes.u32()?));
            // The previous timeline, whether full pages are written, since 17 the level in what was padding.
            bytes.take(12)?;
            LogOperation::Checkpoint { redo, timeline, next_xid: bytes.u64()?, is_shutdown: code == 0x00 }
        }
        LOG_SWITCH => LogOperation::Switch,
        0x60 => {
            bytes.take(20)?;
            let level = match bytes.i32()? {
                0 => Some(WalLevel::Minimal),
                1 => Some(WalLevel::Replica),
                2 => Some(WalLevel::Logical),
                _ => None,
            };
            LogOperation::Parameters { level }
        }
        0x90 => {
            bytes.take(8)?;
            LogOperation::EndOfRecovery { timeline: Timeline(bytes.u32()?), previous: Timeline(bytes.u32()?) }
        }
        0xD0 => LogOperation::OverwritesContinuation { lsn: Lsn(bytes.u64()?) },
        _ => LogOperation::Other,
    })
}
