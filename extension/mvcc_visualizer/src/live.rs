//! What every session sees, from shared memory: `mvcc_live_snapshots()`, and the state of the preloaded part.

use pgrx::prelude::*;
use pgstrata_units::Xid;

use crate::call::{Call, Refusal, sql_function};
use crate::rows::{Cell, Rows};
use crate::shim::{self, Clock, Live};

sql_function!(mvcc_live_snapshots, pg_finfo_mvcc_live_snapshots, live_snapshots);
sql_function!(mvcc_preload_state, pg_finfo_mvcc_preload_state, preload_state);

/// What a caller is told whose server did not load the library at its start.
pub fn not_preloaded() -> Refusal {
    Refusal::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "mvcc_visualizer was not preloaded",
        "add it to shared_preload_libraries and restart the server",
    )
}

/// What a caller is told whose library was built for another server.
pub fn does_not_fit() -> Refusal {
    Refusal::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        "mvcc_visualizer was built for a server whose structures differ from this one's",
        "build it with the header files of this server",
    )
}

fn live_snapshots(_call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let sessions = shim::live().ok_or_else(not_preloaded)?;
    let clock = Clock::now();
    for session in sessions {
        let known = |cell: Cell| if session.is_known { cell } else { Cell::Null };
        let with_snapshot = |cell: Cell| if session.has_snapshot { cell } else { Cell::Null };
        rows.push(vec![
            session.pid.into(),
            snapshot(session, clock).map_or(Cell::Null, Cell::Snapshot),
            with_snapshot(i64::from(session.command).into()),
            with_snapshot(session.suboverflowed.into()),
            with_snapshot(Cell::Timestamp(session.taken)),
            clock.full(session.own).into(),
            known(Cell::Xids(full(session.subxids(), clock))),
            known(session.subxids_overflowed.into()),
            known(session.is_current.into()),
            known(session.overflowed.into()),
            known(session.nesting.into()),
        ]);
    }
    Ok(())
}

fn full(short: &[u32], clock: Clock) -> Vec<u64> {
    short.iter().filter_map(|xid| clock.full(*xid)).map(|Xid(xid)| xid).collect()
}

/// The snapshot as `pg_current_snapshot()` would print it in that session: sorted, none twice.
fn snapshot(session: &Live, clock: Clock) -> Option<String> {
    if !session.has_snapshot || session.overflowed {
        return None;
    }
    let mut running = full(session.running(), clock);
    running.sort_unstable();
    running.dedup();
    let running: Vec<String> = running.iter().map(u64::to_string).collect();
    let (Xid(xmin), Xid(xmax)) = (clock.full(session.xmin)?, clock.full(session.xmax)?);
    Some(format!("{xmin}:{xmax}:{}", running.join(",")))
}

#[expect(clippy::unnecessary_wraps, reason = "what all answers return")]
fn preload_state(_call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let state = shim::preloaded();
    let is_preloaded = state.is_some();
    let state = state.unwrap_or_default();
    rows.push(vec![
        is_preloaded.into(),
        shim::layout_fits().into(),
        (is_preloaded && state.tracks_snapshots).into(),
        state.slots.into(),
        state.xids_max.into(),
        (state.worker_pid != 0).then_some(state.worker_pid).into(),
        state.interval_ms.into(),
        state.ring_size.into(),
        i64::try_from(state.looks).unwrap_or(i64::MAX).into(),
        i64::try_from(state.waits).unwrap_or(i64::MAX).into(),
    ]);
    Ok(())
}
