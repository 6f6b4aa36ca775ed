//! The C part as Rust sees it: its records, and calls that turn the server's errors into unwinding.
//!
//! What the records mean is in `shim/shim.h`; what is done with them, in the modules that ask.
#![expect(unsafe_code, reason = "the C part is called, and its arrays are read")]

use std::ffi::c_int;
use std::ptr;
use std::slice;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;
use pgstrata_units::Xid;

/// What one session sees.
#[expect(clippy::struct_excessive_bools, reason = "it is the twin of a record in C")]
#[repr(C)]
pub struct Live {
    pub pid: i32,
    pub command: u32,
    pub xmin: u32,
    pub xmax: u32,
    count: u32,
    pub own: u32,
    subxids_count: u32,
    pub nesting: i32,
    pub taken: i64,
    pub is_known: bool,
    pub is_current: bool,
    pub has_snapshot: bool,
    pub suboverflowed: bool,
    pub overflowed: bool,
    pub subxids_overflowed: bool,
    xids: *const u32,
    subxids: *const u32,
}

/// Blockers of one wait that are kept.
const BLOCKERS_MAX: usize = 16;

/// One wait for a lock, or for a safe snapshot.
#[repr(C)]
pub struct Wait {
    pub wait: u64,
    pub change: u64,
    pub since: i64,
    pub ended: i64,
    pub pid: i32,
    pub mode: i32,
    pub field1: u32,
    pub field2: u32,
    pub field3: u32,
    pub leader: i32,
    pub field4: u16,
    pub kind: u8,
    pub is_safe_snapshot: bool,
    pub in_cycle: bool,
    pub is_truncated: bool,
    hard_count: u16,
    soft_count: u16,
    hard: [i32; BLOCKERS_MAX],
    soft: [i32; BLOCKERS_MAX],
}

/// One serializable transaction.
#[repr(C)]
pub struct Serializable {
    pub node: i32,
    pub pid: i32,
    pub backend: u32,
    pub local_transaction: u32,
    pub xid: u32,
    pub xmin: u32,
    pub finished_before: u32,
    pub flags: u32,
    pub committed_at: u64,
    pub is_summary: bool,
}

/// One read of what another transaction writes.
#[repr(C)]
pub struct Conflict {
    pub reader: i32,
    pub writer: i32,
    pub is_possible: bool,
}

/// Who holds back the removal of dead row versions.
#[repr(C)]
pub struct Holder {
    pub kind: i32,
    pub pid: i32,
    pub xid: u32,
    pub xmin: u32,
}

/// What the preloaded part is doing.
#[repr(C)]
#[derive(Default)]
pub struct Preloaded {
    pub worker_pid: i32,
    pub interval_ms: i32,
    pub ring_size: i32,
    pub slots: i32,
    pub xids_max: i32,
    pub tracks_snapshots: bool,
    pub looks: u64,
    pub waits: u64,
}

const _: () = assert!(size_of::<Live>() == 64 && size_of::<Wait>() == 200 && size_of::<Serializable>() == 48);
const _: () = assert!(size_of::<Conflict>() == 12 && size_of::<Holder>() == 16 && size_of::<Preloaded>() == 40);

unsafe extern "C-unwind" {
    fn mvcc_preload();
    fn mvcc_layout_fits() -> bool;
    fn mvcc_preloaded(state: *mut Preloaded) -> bool;
    fn mvcc_live_collect(found: *mut *mut Live) -> c_int;
    fn mvcc_waits_collect(found: *mut *mut Wait) -> c_int;
    fn mvcc_waits_ring(after: u64, found: *mut *mut Wait) -> c_int;
    fn mvcc_waits_work();
    fn mvcc_attribute(description: pg_sys::TupleDesc, index: c_int) -> *const pg_sys::FormData_pg_attribute;
    fn mvcc_serializable(found: *mut *mut Serializable, conflicts: *mut *mut Conflict, count: *mut c_int) -> c_int;
    fn mvcc_horizon_of(relation: pg_sys::Oid, next: *mut u32, holders: *mut *mut Holder, count: *mut c_int) -> u32;
}

/// An array that the C part made in the current memory context, which outlives the call of a function.
///
/// # Safety
/// `count` records must be there, unless it is 0.
// SAFETY: every caller below passes what the C part has just counted.
unsafe fn array<'a, T>(found: *const T, count: c_int) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: by the contract of this function.
        Ok(count) if count > 0 => unsafe { slice::from_raw_parts(found, count) },
        _ => &[],
    }
}

impl Live {
    /// The transactions that were running.
    pub fn running(&self) -> &[u32] {
        // SAFETY: the C part put as many there, or none.
        unsafe { array(self.xids, self.count.cast_signed()) }
    }

    /// Its own subtransactions.
    pub fn subxids(&self) -> &[u32] {
        // SAFETY: the same.
        unsafe { array(self.subxids, self.subxids_count.cast_signed()) }
    }
}

impl Wait {
    /// Who holds what is waited for.
    pub fn blockers(&self) -> Vec<i32> {
        self.hard.iter().take(self.hard_count.into()).copied().collect()
    }

    /// Who waits for it ahead in the queue.
    pub fn soft_blockers(&self) -> Vec<i32> {
        self.soft.iter().take(self.soft_count.into()).copied().collect()
    }
}

/// The description of a column.
///
/// # Safety
/// `index` must be below the description's number of attributes.
// SAFETY: the caller promises what the server's macro asks for; it raises no errors.
pub unsafe fn attribute(description: pg_sys::TupleDesc, index: i32) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: by the contract of this function.
    unsafe { mvcc_attribute(description, index) }
}

/// Sets up settings, hooks and the worker while the server preloads libraries; does nothing later.
pub fn preload() {
    // SAFETY: called while the server loads the library, as it must be.
    unsafe { pg_guard_ffi_boundary(|| mvcc_preload()) }
}

/// Whether this build's structures are the running server's.
pub fn layout_fits() -> bool {
    // SAFETY: reads this process's own entry.
    unsafe { pg_guard_ffi_boundary(|| mvcc_layout_fits()) }
}

/// What the preloaded part is doing; `None` when the library was not preloaded.
pub fn preloaded() -> Option<Preloaded> {
    let mut state = Preloaded::default();
    // SAFETY: fills the record that is passed.
    unsafe { pg_guard_ffi_boundary(|| mvcc_preloaded(&raw mut state)) }.then_some(state)
}

/// What every session sees; `None` when the library was not preloaded.
pub fn live<'a>() -> Option<&'a [Live]> {
    let mut found = ptr::null_mut();
    // SAFETY: returns as many records as it says.
    unsafe {
        let count = pg_guard_ffi_boundary(|| mvcc_live_collect(&raw mut found));
        (count >= 0).then(|| array(found, count))
    }
}

/// Everybody's waits at this moment; `None` when the library does not fit the server.
pub fn waits<'a>() -> Option<&'a [Wait]> {
    let mut found = ptr::null_mut();
    // SAFETY: returns as many records as it says.
    unsafe {
        let count = pg_guard_ffi_boundary(|| mvcc_waits_collect(&raw mut found));
        (count >= 0).then(|| array(found, count))
    }
}

/// Kept waits that changed after a change; `None` when the library was not preloaded.
pub fn ring<'a>(after: u64) -> Option<&'a [Wait]> {
    let mut found = ptr::null_mut();
    // SAFETY: returns as many records as it says.
    unsafe {
        let count = pg_guard_ffi_boundary(|| mvcc_waits_ring(after, &raw mut found));
        (count >= 0).then(|| array(found, count))
    }
}

/// The worker's life.
pub fn work() {
    // SAFETY: called in the worker's own process.
    unsafe { pg_guard_ffi_boundary(|| mvcc_waits_work()) }
}

/// All serializable transactions that the server still knows of, and the conflicts between them.
pub fn serializable<'a>() -> (&'a [Serializable], &'a [Conflict]) {
    let (mut found, mut conflicts, mut conflict_count) = (ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: returns as many records as it says.
    unsafe {
        let count =
            pg_guard_ffi_boundary(|| mvcc_serializable(&raw mut found, &raw mut conflicts, &raw mut conflict_count));
        (array(found, count), array(conflicts, conflict_count))
    }
}

/// How old dead versions of a relation must be, the next transaction, and who holds it back; `None` when the relation
/// is locked.
pub fn horizon<'a>(relation: pg_sys::Oid) -> Option<(u32, u32, &'a [Holder])> {
    let (mut next, mut holders, mut count) = (0, ptr::null_mut(), 0);
    // SAFETY: returns as many records as it says.
    unsafe {
        let horizon =
            pg_guard_ffi_boundary(|| mvcc_horizon_of(relation, &raw mut next, &raw mut holders, &raw mut count));
        (horizon != 0).then(|| (horizon, next, array(holders, count)))
    }
}

/// Puts the epoch before short transaction ids of this moment.
#[derive(Clone, Copy)]
pub struct Clock {
    next: u64,
}

impl Clock {
    /// Reads the next transaction id.
    pub fn now() -> Self {
        // SAFETY: reads one word of shared memory under its lock.
        let next = unsafe { pg_guard_ffi_boundary(|| pg_sys::ReadNextFullTransactionId()) };
        Self { next: next.value }
    }

    /// The full id, `None` for 0. Ids of running transactions are less than 2^31 before the next one.
    pub fn full(self, short: u32) -> Option<Xid> {
        // The ids below 3 are not counted by epochs.
        if short < 3 {
            return (short != 0).then_some(Xid(short.into()));
        }
        let low = u32::try_from(self.next & u64::from(u32::MAX)).unwrap_or(0);
        let age = low.wrapping_sub(short).cast_signed();
        Some(Xid(self.next.wrapping_add_signed(-i64::from(age))))
    }
}
