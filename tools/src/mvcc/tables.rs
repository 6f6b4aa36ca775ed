//! The tables that can be watched.

use pgstrata_pg::sql::Row;
use serde::Serialize;
use utoipa::ToSchema;

use super::connection::{Connection, Trouble};
use super::sample::{count, limit};

const TABLES: &str = include_str!("sql/tables.sql");

/// Tables listed, at most.
const LISTED_MOST: usize = 1_000;

/// A table that can be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a table")]
pub struct TableInfo {
    /// Its OID.
    pub oid: u32,
    /// Its name with its schema, quoted where it must be.
    pub name: String,
    /// Whether it is partitioned: it holds no rows itself.
    pub is_partitioned: bool,
    /// Whether it is a partition of another.
    pub is_partition: bool,
    /// Whether it is a temporary table.
    pub is_temporary: bool,
    /// Pages, as the planner last knew.
    pub pages: u64,
    /// Rows, as the planner last knew.
    pub rows: u64,
    /// The columns of its primary key, in order.
    pub key: Vec<String>,
    /// Whether the role may read it.
    pub may_read: bool,
}

pub(crate) async fn tables(connection: &mut Connection) -> Result<Vec<TableInfo>, Trouble> {
    let rows = connection.rows(TABLES, &[&limit(LISTED_MOST)]).await?;
    Ok(rows.iter().map(table).collect())
}

fn table(row: &Row) -> TableInfo {
    TableInfo {
        oid: u32::try_from(row.get::<_, i64>("oid")).unwrap_or(0),
        name: row.get("name"),
        is_partitioned: row.get::<_, &str>("kind") == "p",
        is_partition: row.get("is_partition"),
        is_temporary: row.get::<_, &str>("persistence") == "t",
        pages: count(row.get("pages")),
        rows: count(row.get("rows")),
        key: row.get("key"),
        may_read: row.get("may_read"),
    }
}
