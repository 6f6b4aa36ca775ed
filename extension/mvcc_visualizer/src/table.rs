//! The table that is looked at: who may look, that nobody is waited for, and copies of its pages. Knows nothing of what
//! is on a page.
#![expect(unsafe_code, reason = "relations and buffers are the server's")]

use std::ffi::CStr;
use std::ptr::NonNull;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgstrata_units::Xid;

use crate::call::Refusal;

/// A table that is open, share-locked, and may be looked at by the caller. Unlocked when dropped, or by the server when
/// the statement fails.
pub struct Table {
    relation: NonNull<pg_sys::RelationData>,
}

/// What the visibility map says of a page.
#[derive(Debug, Clone, Copy)]
pub struct MapBits {
    /// All rows are visible to everybody.
    pub is_all_visible: bool,
    /// All rows are frozen.
    pub is_all_frozen: bool,
}

impl Table {
    /// Opens the table `oid` for its caller to look at.
    ///
    /// Refused: without `select` on the whole table; where row-level security applies to the caller, whose policies cannot
    /// be asked of dead versions; what is no heap; temporary tables of other sessions, whose pages are in their memory
    /// alone; and when somebody holds or waits for an exclusive lock, because waiting here would make things worse.
    pub fn open(oid: pg_sys::Oid) -> Result<Self, Refusal> {
        may_look(oid)?;
        // SAFETY: takes a lock or does not; the server gives it back when the transaction ends if we do not.
        if !unsafe { pg_sys::ConditionalLockRelationOid(oid, LOCK) } {
            return Err(Refusal::new(
                PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
                format!("table {} is locked exclusively, or somebody waits to lock it so", oid.to_u32()),
                "see pg_locks for who does, and try again",
            ));
        }
        // SAFETY: the lock that opening without one asks for is held.
        let relation = NonNull::new(unsafe { pg_sys::try_relation_open(oid, NO_LOCK) }).ok_or_else(|| missing(oid))?;
        let table = Self { relation };
        table.must_be_heap()?;
        Ok(table)
    }

    /// The relation, for the server's functions.
    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.relation.as_ptr()
    }

    /// Its row of `pg_class`.
    fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: the relation is open as long as `self` lives, and so is its row.
        unsafe { &*self.relation.as_ref().rd_rel }
    }

    /// Its name, without the schema.
    pub fn name(&self) -> String {
        // SAFETY: names of catalogs end in a zero byte.
        unsafe { CStr::from_ptr(self.class().relname.data.as_ptr()) }.to_string_lossy().into_owned()
    }

    fn must_be_heap(&self) -> Result<(), Refusal> {
        let class = self.class();
        let kind = class.relkind.cast_unsigned();
        if kind == pg_sys::RELKIND_PARTITIONED_TABLE {
            return Err(Refusal::new(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{:?} is partitioned and has no pages of its own", self.name()),
                "name one of its partitions: select inhrelid::regclass from pg_inherits where inhparent = '…'::regclass",
            ));
        }
        let has_heap_kind =
            [pg_sys::RELKIND_RELATION, pg_sys::RELKIND_MATVIEW, pg_sys::RELKIND_TOASTVALUE].contains(&kind);
        if !has_heap_kind || class.relam != pg_sys::HEAP_TABLE_AM_OID {
            return Err(Refusal::new(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{:?} is not stored as a heap", self.name()),
                "tables, materialized views and TOAST tables of the access method heap have row versions",
            ));
        }
        // SAFETY: reads a field of an open relation.
        let is_others_temporary = class.relpersistence.cast_unsigned() == pg_sys::RELPERSISTENCE_TEMP
            && unsafe { !self.relation.as_ref().rd_islocaltemp };
        if is_others_temporary {
            return Err(Refusal::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!("{:?} is a temporary table of another session", self.name()),
                "its pages are in that session's memory; look from there",
            ));
        }
        Ok(())
    }

    /// Pages that it has now.
    pub fn blocks(&self) -> u32 {
        // SAFETY: the relation is open and has storage.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM) }
    }

    /// The number of a page, refused if there is none.
    pub fn block(&self, number: i64) -> Result<u32, Refusal> {
        let blocks = self.blocks();
        u32::try_from(number).ok().filter(|block| *block < blocks).ok_or_else(|| {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{:?} has no page {number}, it has {blocks}", self.name()),
                "pages count from 0",
            )
        })
    }

    /// A copy of a page that exists. The buffer is locked while it is copied, shared, and not changed: nothing is pruned,
    /// no hint bit is set.
    pub fn page(&self, block: u32) -> Vec<u8> {
        // SAFETY: the block exists and cannot go while the table is locked; the buffer is pinned and share-locked while
        // its bytes are copied, as many as a page has.
        unsafe {
            let buffer = pg_sys::ReadBufferExtended(
                self.as_ptr(),
                pg_sys::ForkNumber::MAIN_FORKNUM,
                block,
                pg_sys::ReadBufferMode::RBM_NORMAL,
                std::ptr::null_mut(),
            );
            pg_sys::LockBuffer(buffer, SHARED);
            let page = std::slice::from_raw_parts(pg_sys::BufferGetPage(buffer).cast::<u8>(), pg_sys::BLCKSZ as usize);
            let copy = page.to_vec();
            pg_sys::UnlockReleaseBuffer(buffer);
            copy
        }
    }

    /// What the visibility map says of a page. Read without a lock: it is a hint, as it is for the server's own scans.
    pub fn map_bits(&self, block: u32) -> MapBits {
        // SAFETY: the map's page is pinned by the call and released here; a map that is too short counts as zero.
        let bits = unsafe {
            let mut buffer: pg_sys::Buffer = 0;
            let bits = pg_sys::visibilitymap_get_status(self.as_ptr(), block, &raw mut buffer);
            if buffer != 0 {
                pg_sys::ReleaseBuffer(buffer);
            }
            u32::from(bits)
        };
        MapBits {
            is_all_visible: bits & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0,
            is_all_frozen: bits & pg_sys::VISIBILITYMAP_ALL_FROZEN != 0,
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // While an error unwinds nothing of the server's may be called: it cleans up after the transaction.
        if !std::thread::panicking() {
            // SAFETY: opened and locked in `open`.
            unsafe { pg_sys::relation_close(self.as_ptr(), LOCK) }
        }
    }
}

/// What a reader of a table takes: it conflicts with nothing but exclusive locks.
const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock.cast_signed();
const NO_LOCK: pg_sys::LOCKMODE = pg_sys::NoLock.cast_signed();
/// The privilege that is asked for. Its type grew in PostgreSQL 16.
#[cfg(feature = "pg15")]
const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT;
#[cfg(not(feature = "pg15"))]
const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;
/// `BUFFER_LOCK_SHARE`.
const SHARED: i32 = 1;

fn missing(oid: pg_sys::Oid) -> Refusal {
    Refusal::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        format!("there is no table with the OID {}", oid.to_u32()),
        "it was dropped meanwhile, or never was",
    )
}

/// Whether the caller may see every version of the table's rows.
fn may_look(oid: pg_sys::Oid) -> Result<(), Refusal> {
    let mut is_missing = false;
    // SAFETY: asks the catalogs; the out parameter is a bool of ours.
    let allowed = unsafe { pg_sys::pg_class_aclcheck_ext(oid, pg_sys::GetUserId(), SELECT, &raw mut is_missing) };
    if is_missing {
        return Err(missing(oid));
    }
    if allowed != pg_sys::AclResult::ACLCHECK_OK {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for table {}", oid.to_u32()),
            "select on the whole table is needed, not on some of its columns",
        ));
    }
    // SAFETY: asks the catalogs; `true` asks for an answer instead of an error.
    let security = unsafe { pg_sys::check_enable_rls(oid, pg_sys::InvalidOid, true) };
    if security == pg_sys::CheckEnableRlsResult::RLS_ENABLED.cast_signed() {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("row-level security of table {} applies to you", oid.to_u32()),
            "its policies say nothing of versions that are dead; ask as the owner, or as a role with bypassrls",
        ));
    }
    Ok(())
}

/// Whether the caller is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: asks the catalogs.
    unsafe { pg_sys::superuser() }
}

/// The next transaction id to be given out.
pub fn next_xid() -> Xid {
    // SAFETY: reads shared memory under the server's own lock.
    Xid(unsafe { pg_sys::ReadNextFullTransactionId() }.value)
}
