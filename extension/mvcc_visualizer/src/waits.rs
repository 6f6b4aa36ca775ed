//! Who waits for whom: `mvcc_waits()` for this moment, `mvcc_wait_ring(after)` for what the worker has kept.
#![expect(unsafe_code, reason = "names of locks come from the server, and the worker's entry is found by its name")]

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::call::{Call, Refusal, sql_function};
use crate::live::{does_not_fit, not_preloaded};
use crate::rows::{Cell, Rows};
use crate::shim::{self, Clock, Wait};

sql_function!(mvcc_waits, pg_finfo_mvcc_waits, waits);
sql_function!(mvcc_wait_ring, pg_finfo_mvcc_wait_ring, wait_ring);

/// Where the server starts the worker.
// SAFETY: the name is the one that the worker is registered with; nothing else has it.
#[unsafe(no_mangle)]
#[pg_guard]
pub extern "C-unwind" fn mvcc_wait_worker(_argument: pg_sys::Datum) {
    shim::work();
}

fn waits(_call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let clock = Clock::now();
    for wait in shim::waits().ok_or_else(does_not_fit)? {
        rows.push(description(wait, clock));
    }
    Ok(())
}

fn wait_ring(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let after = call.bigint(0).and_then(|after| u64::try_from(after).ok()).unwrap_or(0);
    let clock = Clock::now();
    let mut kept: Vec<&Wait> = shim::ring(after).ok_or_else(not_preloaded)?.iter().collect();
    kept.sort_unstable_by_key(|wait| wait.change);
    for wait in kept {
        let mut row: Vec<Cell> = vec![number(wait.change), number(wait.wait)];
        let mut described = description(wait, clock).into_iter();
        row.extend(described.by_ref().take(2));
        row.push(if wait.ended == 0 { Cell::Null } else { Cell::Timestamp(wait.ended) });
        row.extend(described);
        rows.push(row);
    }
    Ok(())
}

fn number(value: u64) -> Cell {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

/// The columns that both functions have.
fn description(wait: &Wait, clock: Clock) -> Vec<Cell> {
    let object = Object::of(wait, clock);
    vec![
        wait.pid.into(),
        if wait.since == 0 { Cell::Null } else { Cell::Timestamp(wait.since) },
        object.kind.into(),
        mode(wait).into(),
        object.words.into(),
        object.relation.into(),
        object.row.into(),
        object.transaction.into(),
        Cell::Ints(wait.blockers()),
        Cell::Ints(wait.soft_blockers()),
        wait.in_cycle.into(),
        wait.is_truncated.into(),
        wait.leader.into(),
    ]
}

/// The lock's mode as `pg_locks` names it.
fn mode(wait: &Wait) -> Option<String> {
    if wait.is_safe_snapshot {
        return None;
    }
    // SAFETY: the server's table of names, which lives for ever; the numbers come from the lock manager.
    let name =
        unsafe { CStr::from_ptr(pg_sys::GetLockmodeName(pg_sys::DEFAULT_LOCKMETHOD.try_into().ok()?, wait.mode)) };
    Some(name.to_string_lossy().into_owned())
}

/// What is waited for (`LOCKTAG` in `src/include/storage/lock.h`).
struct Object {
    /// As `pg_locks.locktype`.
    kind: &'static str,
    words: String,
    relation: Option<u32>,
    row: Option<String>,
    transaction: Option<pgstrata_units::Xid>,
}

impl Object {
    fn of(wait: &Wait, clock: Clock) -> Self {
        let (one, two, three, four) = (wait.field1, wait.field2, wait.field3, wait.field4);
        let plain = |kind, words| Self { kind, words, relation: None, row: None, transaction: None };
        if wait.is_safe_snapshot {
            return plain("safe snapshot", "safe snapshot".to_owned());
        }
        match u32::from(wait.kind) {
            pg_sys::LockTagType::LOCKTAG_RELATION => Self::of_relation("relation", two, String::new()),
            pg_sys::LockTagType::LOCKTAG_RELATION_EXTEND => Self::of_relation("extend", two, "end of ".to_owned()),
            pg_sys::LockTagType::LOCKTAG_DATABASE_FROZEN_IDS => {
                plain("frozenid", format!("frozen ids of database {one}"))
            }
            pg_sys::LockTagType::LOCKTAG_PAGE => Self::of_relation("page", two, format!("page {three} of ")),
            pg_sys::LockTagType::LOCKTAG_TUPLE => Self {
                row: Some(format!("({three},{four})")),
                ..Self::of_relation("tuple", two, format!("row ({three},{four}) of "))
            },
            pg_sys::LockTagType::LOCKTAG_TRANSACTION => {
                let transaction = clock.full(one);
                let words =
                    transaction.map_or_else(String::new, |pgstrata_units::Xid(xid)| format!("transaction {xid}"));
                Self { transaction, ..plain("transactionid", words) }
            }
            pg_sys::LockTagType::LOCKTAG_VIRTUALTRANSACTION => {
                plain("virtualxid", format!("virtual transaction {one}/{two}"))
            }
            pg_sys::LockTagType::LOCKTAG_SPECULATIVE_TOKEN => {
                Self { transaction: clock.full(one), ..plain("spectoken", format!("speculative insertion {two}")) }
            }
            pg_sys::LockTagType::LOCKTAG_OBJECT => plain("object", format!("object {three} of catalog {two}")),
            pg_sys::LockTagType::LOCKTAG_USERLOCK => plain("userlock", format!("user lock {two}/{three}")),
            // The last field tells a key of one number from a key of two (`src/backend/utils/adt/lockfuncs.c`).
            pg_sys::LockTagType::LOCKTAG_ADVISORY if four == 1 => {
                let key = (u64::from(two) << 32 | u64::from(three)).cast_signed();
                plain("advisory", format!("advisory lock {key}"))
            }
            pg_sys::LockTagType::LOCKTAG_ADVISORY => {
                plain("advisory", format!("advisory lock ({}, {})", two.cast_signed(), three.cast_signed()))
            }
            _ => plain("other", format!("lock {}", wait.kind)),
        }
    }

    fn of_relation(kind: &'static str, relation: u32, before: String) -> Self {
        let words = format!("{before}relation {relation}");
        Self { kind, words, relation: Some(relation), row: None, transaction: None }
    }
}
