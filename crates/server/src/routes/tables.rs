//! `GET /api/tables`: what there is to watch.

use axum::Json;
use axum::extract::State;
use pgstrata_tools::mvcc::TableInfo;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::observe;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What there is to watch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Tables {
    /// The tables, the biggest first.
    pub tables: Vec<Table>,
}

/// A table of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// Its OID.
    pub oid: u32,
    /// Its schema, quoted where it must be.
    pub schema: String,
    /// Its name, quoted where it must be; it is watched as `schema.name`.
    pub name: String,
    /// Columns of its primary key, in order; empty if it has none.
    pub key: Vec<String>,
    /// Rows, as the planner last knew.
    pub rows: u64,
    /// Its pages, as the planner last knew.
    pub pages: u64,
    /// Whether it is partitioned: it holds no rows itself.
    pub is_partitioned: bool,
    /// Whether it is a partition of another.
    pub is_partition: bool,
    /// Whether its rows may be read by us.
    pub is_readable: bool,
}

impl From<TableInfo> for Table {
    fn from(table: TableInfo) -> Self {
        let (schema, name) = split(&table.name);
        Self {
            oid: table.oid,
            schema: schema.to_owned(),
            name: name.to_owned(),
            key: table.key,
            rows: table.rows,
            pages: table.pages,
            is_partitioned: table.is_partitioned,
            is_partition: table.is_partition,
            is_readable: table.may_read,
        }
    }
}

/// A qualified name at its dot: the first that is not within quotes.
fn split(name: &str) -> (&str, &str) {
    let mut is_quoted = false;
    let dot = name.char_indices().find(|(_, character)| {
        is_quoted ^= *character == '"';
        *character == '.' && !is_quoted
    });
    dot.map_or(("", name), |(at, _)| (&name[..at], &name[at + 1..]))
}

/// The tables of the database, partitioned ones and their partitions too.
#[utoipa::path(get, path = "/api/tables", tag = "server",
    responses((status = 200, body = Tables), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn tables(State(workbench): State<Workbench>) -> Result<Json<Tables>, Problem> {
    observe::tables(workbench.ground()).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_within_quotes_does_not_part_schema_and_name() {
        for (name, expect) in [
            ("public.account", ("public", "account")),
            ("\"a.b\".\"c.d\"", ("\"a.b\"", "\"c.d\"")),
            ("\"a\"\".b\".c", ("\"a\"\".b\"", "c")),
            ("account", ("", "account")),
        ] {
            assert_eq!(split(name), expect, "{name}");
        }
    }
}
