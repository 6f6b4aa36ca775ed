//! `mvcc_page_header`: how a page of a table is filled.

use pgrx::prelude::*;
use pgstrata_tuple::{HeapPage, LineState, PageError, PageHeader};
use pgstrata_units::Xid;

use crate::call::{Call, Refusal, sql_function};
use crate::rows::{Cell, Rows};
use crate::table::{Table, next_xid};

sql_function!(mvcc_page_header, pg_finfo_mvcc_page_header, answer);

fn answer(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (Some(oid), Some(block)) = (call.oid(0), call.bigint(1)) else { return Ok(()) };
    let table = Table::open(oid)?;
    let block = table.block(block)?;
    let bytes = table.page(block);
    let mut cells = match HeapPage::parse(&bytes) {
        Ok(page) => of_page(&page),
        Err(PageError::New) => vec![Cell::Null; 11],
        Err(problem) => return Err(Refusal::new(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, problem.to_string(), "")),
    };
    let map = table.map_bits(block);
    cells.extend([map.is_all_visible.into(), map.is_all_frozen.into(), table.blocks().into()]);
    rows.push(cells);
    Ok(())
}

fn of_page(page: &HeapPage<'_>) -> Vec<Cell> {
    let header = page.header();
    let [mut unused, mut normal, mut redirect, mut dead] = [0_u16; 4];
    for line in page.lines() {
        let count = match line.state {
            LineState::Unused => &mut unused,
            LineState::Normal { .. } => &mut normal,
            LineState::Redirect(_) => &mut redirect,
            LineState::Dead { .. } => &mut dead,
        };
        *count += 1;
    }
    vec![
        Cell::Lsn(header.lsn.0),
        Cell::Texts(flags(&header)),
        header.lower.into(),
        header.upper.into(),
        header.special.into(),
        Xid::near(header.prune_xid, next_xid()).filter(|xid| *xid != Xid::INVALID).into(),
        header.free_bytes().into(),
        unused.into(),
        normal.into(),
        redirect.into(),
        dead.into(),
    ]
}

fn flags(header: &PageHeader) -> Vec<&'static str> {
    let flags = [
        (header.has_free_lines(), "has-free-lines"),
        (header.is_full(), "is-full"),
        (header.is_all_visible(), "is-all-visible"),
    ];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect()
}
