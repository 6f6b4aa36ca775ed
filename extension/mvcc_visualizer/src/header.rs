//! `mvcc_page_header`: how a page of a table is filled.

use pgstrata_units::Xid;

use crate::call::{Call, Refusal, sql_function};
use crate::rows::{Cell, Rows};
use crate::table::Table;

sql_function!(mvcc_page_header, pg_finfo_mvcc_page_header, answer);

fn answer(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (Some(oid), Some(block)) = (call.oid(0), call.bigint(1)) else { return Ok(()) };
    let table = Table::open(oid)?;
    let block = table.block(block)?;
    let page = table.page(block);
    let word = |at: usize| page.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_ne_bytes);
    let map = table.map_bits(block);
    rows.push(vec![
        Cell::Lsn(0),
        Cell::Texts(vec![]),
        word(12).into(),
        word(14).into(),
        word(16).into(),
        Cell::from(Some(Xid(0))),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        map.is_all_visible.into(),
        map.is_all_frozen.into(),
        Cell::from(table.blocks()),
    ]);
    Ok(())
}
