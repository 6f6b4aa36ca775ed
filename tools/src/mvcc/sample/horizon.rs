//! What vacuum must leave in the watched table, and who makes it.

use std::cmp::Reverse;

use pgstrata_pg::sql::Row;
use pgstrata_timeline::{Holder, HolderKind, Horizon};
use pgstrata_units::Xid;

use super::{Picture, full, limit};
use crate::mvcc::connection::{APPLICATION_NAME, Connection, Trouble};
use crate::mvcc::watch::Limits;

const HOLDERS: &str = include_str!("../sql/holders.sql");

/// Holders that are asked for before the worst are chosen; beyond that a server has other troubles.
const ASKED_MOST: usize = 20_000;

/// The horizon of ordinary tables of this database: counts of versions are added by whoever has seen them.
pub(crate) async fn horizon(
    connection: &mut Connection,
    limits: &Limits,
    next: Xid,
    picture: &mut Picture,
) -> Result<Horizon, Trouble> {
    let rows = connection.rows(HOLDERS, &[&APPLICATION_NAME, &limit(ASKED_MOST)]).await;
    let rows = picture.or_note("horizon-refused", rows)?;
    let mut holders: Vec<Holder> = rows.iter().filter_map(|row| holder(row, next)).collect();
    // The oldest first; of equals who is longest at it.
    holders.sort_by_key(|holder| (holder.xmin, holder.since_us.map_or(i64::MAX, |since| since), Reverse(holder.pid)));
    let xid = holders.first().map_or(next, |worst| worst.xmin);
    holders.truncate(limits.holders);
    Ok(Horizon { relation: 0, name: String::new(), xid, holders, removable: 0, kept: 0, kept_bytes: 0 })
}

fn holder(row: &Row, next: Xid) -> Option<Holder> {
    let kind = match row.get("kind") {
        "session" => HolderKind::Session,
        "prepared" => HolderKind::Prepared,
        "slot" => HolderKind::Slot,
        _ => HolderKind::Standby,
    };
    let held = [full(row.get("xmin"), next), full(row.get("xid"), next)];
    Some(Holder {
        kind,
        name: row.get("name"),
        pid: row.get("pid"),
        xmin: held.into_iter().flatten().min()?,
        since_us: row.get("since_us"),
    })
}
