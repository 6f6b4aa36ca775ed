//! What records are called, as `pg_waldump` and `pg_walinspect` do (the `…_identify` functions of
//! src/backend/access/rmgrdesc).

use crate::record::Record;
use crate::resource::ResourceManager;
use crate::version::WalVersion;

const MAKES_PAGE: u8 = 0x80;

impl Record {
    /// What kind of record it is: `HOT_UPDATE`, `INSERT+INIT`, `COMMIT`. `None` for resource managers that are not read here.
    #[must_use]
    pub fn kind_name(&self) -> Option<&'static str> {
        let code = self.header.operation_code();
        match self.header.manager {
            ResourceManager::HEAP => heap(code),
            ResourceManager::HEAP2 => heap2(code, self.version),
            ResourceManager::TRANSACTION => transaction(code),
            ResourceManager::MULTIXACT => multixact(code),
            ResourceManager::STANDBY => standby(code),
            ResourceManager::STORAGE => storage(code),
            ResourceManager::LOG => log(code),
            ResourceManager::MESSAGE => Some("MESSAGE"),
            _ => None,
        }
    }
}

const fn heap(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "INSERT",
        0x10 => "DELETE",
        0x20 => "UPDATE",
        0x30 => "TRUNCATE",
        0x40 => "HOT_UPDATE",
        0x50 => "HEAP_CONFIRM",
        0x60 => "LOCK",
        0x70 => "INPLACE",
        0x80 => "INSERT+INIT",
        0xA0 => "UPDATE+INIT",
        0xC0 => "HOT_UPDATE+INIT",
        _ => return None,
    })
}

fn heap2(code: u8, version: WalVersion) -> Option<&'static str> {
    let is_one_layout = version >= WalVersion::V17;
    Some(match code & !MAKES_PAGE {
        0x00 => "REWRITE",
        0x10 if is_one_layout => "PRUNE_ON_ACCESS",
        0x20 if is_one_layout => "PRUNE_VACUUM_SCAN",
        0x30 if is_one_layout => "PRUNE_VACUUM_CLEANUP",
        0x10 => "PRUNE",
        0x20 => "VACUUM",
        0x30 => "FREEZE_PAGE",
        0x40 => "VISIBLE",
        0x50 if code & MAKES_PAGE != 0 => "MULTI_INSERT+INIT",
        0x50 => "MULTI_INSERT",
        0x60 => "LOCK_UPDATED",
        0x70 => "NEW_CID",
        _ => return None,
    })
}

const fn transaction(code: u8) -> Option<&'static str> {
    // The highest bit says whether more is told in the body.
    Some(match code & 0x70 {
        0x00 => "COMMIT",
        0x10 => "PREPARE",
        0x20 => "ABORT",
        0x30 => "COMMIT_PREPARED",
        0x40 => "ABORT_PREPARED",
        0x50 => "ASSIGNMENT",
        0x60 => "INVALIDATION",
        _ => return None,
    })
}

const fn multixact(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "ZERO_OFF_PAGE",
        0x10 => "ZERO_MEM_PAGE",
        0x20 => "CREATE_ID",
        0x30 => "TRUNCATE_ID",
        _ => return None,
    })
}

const fn standby(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "LOCK",
        0x10 => "RUNNING_XACTS",
        0x20 => "INVALIDATIONS",
        _ => return None,
    })
}

const fn storage(code: u8) -> Option<&'static str> {
    Some(match code {
        0x10 => "CREATE",
        0x20 => "TRUNCATE",
        _ => return None,
    })
}

const fn log(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "CHECKPOINT_SHUTDOWN",
        0x10 => "CHECKPOINT_ONLINE",
        0x20 => "NOOP",
        0x30 => "NEXTOID",
        0x40 => "SWITCH",
        0x50 => "BACKUP_END",
        0x60 => "PARAMETER_CHANGE",
        0x70 => "RESTORE_POINT",
        0x80 => "FPW_CHANGE",
        0x90 => "END_OF_RECOVERY",
        0xA0 => "FPI_FOR_HINT",
        0xB0 => "FPI",
        0xD0 => "OVERWRITE_CONTRECORD",
        0xE0 => "CHECKPOINT_REDO",
        _ => return None,
    })
}
