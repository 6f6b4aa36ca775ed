//! `mvcc_page` and `mvcc_page_image`: every line pointer of a page, of a table's own or of bytes that were passed.

use pgrx::prelude::*;

use crate::call::{Call, Refusal, sql_function};
use crate::columns::{Columns, Source};
use crate::key::Key;
use crate::knowledge::Server;
use crate::limits::Limits;
use crate::rows::Rows;
use crate::table::{Table, is_superuser};
use crate::version::{Lens, PageView};
use crate::viewer::Eyes;

sql_function!(mvcc_page, pg_finfo_mvcc_page, of_table);
sql_function!(mvcc_page_image, pg_finfo_mvcc_page_image, of_bytes);

fn of_table(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (Some(oid), Some(number)) = (call.oid(0), call.bigint(1)) else { return Ok(()) };
    let eyes = Eyes::of_arguments(call, 2)?;
    let table = Table::open(oid)?;
    let block = table.block(number)?;
    show(&table, &eyes, block, table.page(block), Source::Table, rows)
}

/// For a superuser alone, as the server's own `pageinspect`: bytes of any kind meet the server's types.
fn of_bytes(call: &Call, rows: &mut Rows) -> Result<(), Refusal> {
    let (Some(oid), Some(image)) = (call.oid(0), call.bytes(1)) else { return Ok(()) };
    if !is_superuser() {
        return Err(Refusal::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "only a superuser may have bytes read as a page",
            "look at the table's own pages with mvcc_page",
        ));
    }
    let eyes = Eyes::of_arguments(call, 2)?;
    let table = Table::open(oid)?;
    show(&table, &eyes, 0, image, Source::Bytes, rows)
}

fn show(
    table: &Table,
    eyes: &Eyes,
    block: u32,
    bytes: Vec<u8>,
    source: Source,
    rows: &mut Rows,
) -> Result<(), Refusal> {
    let (columns, keys, server) = (Columns::of(table), Key::all_of(table), Server::now(eyes.floor()));
    let key = keys.first().map_or(&[][..], |key| &key.columns);
    let limits = Limits::now();
    let lens = Lens { columns: &columns, key, server: &server, viewer: eyes.viewer(), source, limits };
    let view = PageView::new(block, bytes, &lens);
    if let Some(problem) = view.problem() {
        return Err(Refusal::new(PgSqlErrorCode::ERRCODE_DATA_CORRUPTED, problem.to_string(), ""));
    }
    let mut bytes = 0;
    for line in view.page().iter().flat_map(pgstrata_tuple::HeapPage::lines) {
        let (cells, more) = view.row(line, &lens);
        bytes += more;
        limits.check_bytes(bytes)?;
        rows.push(cells);
    }
    Ok(())
}
