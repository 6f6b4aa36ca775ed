//! `mvcc_show_snapshot`: what a snapshot is made of, and how its transactions stand now.

use pgstrata_tuple::Knowledge;
use pgstrata_units::Xid;

use crate::call::{Call, Refusal, sql_function};
use crate::knowledge::Server;
use crate::rows::{Cell, Rows};
use crate::version::status_word;

sql_function!(mvcc_show_snapshot, pg_finfo_mvcc_show_snapshot, answer);

fn answer(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let Some(snapshot) = call.snapshot(0)? else { return Ok(()) };
    let server = Server::now(snapshot.xmin());
    let mut push = |part: &'static str, xid: Xid, status: Cell| rows.push(vec![part.into(), xid.into(), status]);
    push("all-below-had-ended", snapshot.xmin(), Cell::Null);
    for xid in snapshot.in_progress() {
        push("running", *xid, status_word(server.status(*xid)).into());
    }
    push("none-from-here-had-ended", snapshot.xmax(), Cell::Null);
    Ok(())
}
