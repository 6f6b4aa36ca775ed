//! When dead versions of a table may be removed, and who holds that back: `mvcc_horizon(relation)`.

use pgrx::prelude::*;
use pgstrata_units::Xid;

use crate::call::{Call, Refusal, sql_function};
use crate::rows::{Cell, Rows};
use crate::shim::{self, Clock, Holder};

sql_function!(mvcc_horizon, pg_finfo_mvcc_horizon, horizon);

fn horizon(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(relation) = call.oid(0) else { return Ok(()) };
    let Some((horizon, next, holders)) = shim::horizon(relation) else {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            "the relation is locked by another session",
            "try again when it has finished; mvcc_waits() shows who waits for whom",
        ));
    };
    let clock = Clock::now();
    let (horizon, next) = (clock.full(horizon), clock.full(next));
    let age = horizon.zip(next).map(|(Xid(horizon), Xid(next))| next.saturating_sub(horizon));
    let head = || [horizon.into(), next.into(), age.and_then(|age| i64::try_from(age).ok()).into()];
    let mut holding = holders.iter().filter_map(|holder| Some((holds(holder, clock)?, holder))).collect::<Vec<_>>();
    holding.sort_by_key(|(oldest, _)| *oldest);
    if holding.is_empty() {
        let nobody: [Cell; 6] = std::array::from_fn(|_| Cell::Null);
        rows.push(head().into_iter().chain(["nobody".into()]).chain(nobody).collect());
    }
    for (oldest, holder) in holding {
        let (kind, keeps) = kind(holder);
        rows.push(
            head()
                .into_iter()
                .chain([
                    kind.into(),
                    (holder.pid != 0).then_some(holder.pid).into(),
                    clock.full(holder.xid).into(),
                    clock.full(holder.xmin).into(),
                    oldest.into(),
                    // It may be a little older: the server keeps what it once promised.
                    horizon.is_some_and(|horizon| oldest <= horizon).into(),
                    keeps.into(),
                ])
                .collect(),
        );
    }
    Ok(())
}

/// The oldest transaction whose changes it wants kept.
fn holds(holder: &Holder, clock: Clock) -> Option<Xid> {
    [clock.full(holder.xid), clock.full(holder.xmin)].into_iter().flatten().min()
}

/// Who it is, and where to read more of it.
fn kind(holder: &Holder) -> (&'static str, &'static str) {
    match holder.kind {
        0 => ("session", "pg_stat_activity"),
        1 => ("prepared transaction", "pg_prepared_xacts"),
        2 => ("standby", "pg_stat_replication"),
        3 => ("replication slot", "pg_replication_slots.xmin"),
        _ => ("replication slot of the catalog", "pg_replication_slots.catalog_xmin"),
    }
}
