//! Whose eyes versions are judged with: a snapshot that was passed, with or without its transaction, or the caller's own.
#![expect(unsafe_code, reason = "the caller's snapshot is the server's")]

use std::borrow::Cow;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgstrata_tuple::visibility::{Listing, Own, Viewer};
use pgstrata_units::{Snapshot, Xid};

use crate::call::{Call, Refusal};
use crate::table::next_xid;

/// A viewer with all that [`Viewer`] borrows.
pub struct Eyes {
    snapshot: Snapshot,
    listing: Listing,
    own: Option<(Xid, u32)>,
    combos: Cow<'static, [(u32, u32)]>,
}

/// Combinations of commands for a viewer that is between commands: whatever commands they stand for, these were before.
static ALL_BEFORE: [(u32, u32); 1 << 16] = [(0, 0); 1 << 16];

impl Eyes {
    /// Those that the arguments from `index` on say: a snapshot, the viewer's own transaction, the command that looks. Without
    /// a snapshot, the caller's own.
    pub fn of_arguments(call: &Call, index: usize) -> Result<Self, Refusal> {
        let Some(snapshot) = call.snapshot(index)? else { return Self::of_caller() };
        let command = call.bigint(index + 2);
        let command = command.map(|command| {
            u32::try_from(command).map_err(|_| {
                Refusal::new(
                    PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                    format!("{command} is no command id"),
                    "command ids are 0 to 4294967295",
                )
            })
        });
        // Without a command, all that the transaction has done so far counts as done before.
        let (command, combos) = match command.transpose()? {
            Some(command) => (command, &[][..]),
            None => (u32::MAX, &ALL_BEFORE[..]),
        };
        // SAFETY: reads a flag of shared memory.
        let listing = if unsafe { pg_sys::RecoveryInProgress() } { Listing::Nothing } else { Listing::TopLevel };
        Ok(Self { snapshot, listing, own: call.xid(index + 1).map(|xid| (xid, command)), combos: combos.into() })
    }

    /// The caller's own, of the statement that calls.
    fn of_caller() -> Result<Self, Refusal> {
        // SAFETY: a statement that calls a function has an active snapshot, which lives as long as it.
        let active = unsafe { pg_sys::GetActiveSnapshot().as_ref() };
        let snapshot = active.filter(|active| active.snapshot_type == pg_sys::SnapshotType::SNAPSHOT_MVCC);
        // SAFETY: the lists have as many elements as their counts say.
        let seen = snapshot.and_then(|snapshot| unsafe { of_active(snapshot) });
        seen.ok_or_else(|| {
            Refusal::new(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "there is no snapshot to look through",
                "pass pg_current_snapshot()",
            )
        })
    }

    /// What `pgstrata-tuple` judges with.
    pub fn viewer(&self) -> Viewer<'_> {
        let own = self.own.map(|(top, command)| Own { top, subs: &[], command, combos: &self.combos });
        Viewer { snapshot: &self.snapshot, listing: self.listing, own }
    }

    /// All below had ended for it.
    pub fn floor(&self) -> Xid {
        self.snapshot.xmin()
    }
}

/// # Safety
/// The snapshot's lists must have as many elements as its counts say.
// SAFETY: see `# Safety`; the lists are read as far as their counts say.
unsafe fn of_active(active: &pg_sys::SnapshotData) -> Option<Eyes> {
    let next = next_xid();
    let full = |short: pg_sys::TransactionId| Xid::near(short.into_inner(), next);
    let list = |from: *const pg_sys::TransactionId, count: usize| {
        // SAFETY: by the contract of this function.
        let xids = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(from, count) } };
        xids.iter().map(|xid| full(*xid)).collect::<Option<Vec<_>>>()
    };
    let mut running = list(active.xip, usize::try_from(active.xcnt).ok()?)?;
    running.extend(list(active.subxip, usize::try_from(active.subxcnt).ok()?)?);
    let (xmin, xmax) = (full(active.xmin)?, full(active.xmax)?);
    // Subtransactions of the list may lie past the end, where everything runs anyway.
    running.retain(|xid| *xid >= xmin && *xid < xmax);
    let listing = if active.suboverflowed { Listing::TopLevel } else { Listing::Everything };
    // SAFETY: asks the state of the caller's transaction.
    let top = Xid(unsafe { pg_sys::GetTopFullTransactionIdIfAny() }.value);
    let own = (top != Xid::INVALID).then_some((top, active.curcid));
    let combos = if own.is_some() { combos().into() } else { Cow::default() };
    Some(Eyes { snapshot: Snapshot::new(xmin, xmax, running)?, listing, own, combos })
}

/// The caller's combinations of commands: what made, what ended, by their number. The server hands them to parallel
/// workers in this form: a count, then pairs (`src/backend/utils/time/combocid.c`).
fn combos() -> Vec<(u32, u32)> {
    // Not among the functions that pgrx declares.
    unsafe extern "C-unwind" {
        fn EstimateComboCIDStateSpace() -> pg_sys::Size;
        fn SerializeComboCIDState(most_bytes: pg_sys::Size, start: *mut std::ffi::c_char);
    }
    // SAFETY: as many words are passed as the first function asks for; a word is aligned as the second one needs.
    let words = unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            let bytes = EstimateComboCIDStateSpace();
            let mut words = vec![0_u32; bytes.div_ceil(4)];
            SerializeComboCIDState(bytes, words.as_mut_ptr().cast());
            words
        })
    };
    words.get(1..).unwrap_or_default().chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
