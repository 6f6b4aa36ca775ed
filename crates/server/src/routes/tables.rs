//! `GET /api/tables`: what there is to watch.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::observe;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What there is to watch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Tables {
    /// The tables, by schema and name.
    pub tables: Vec<Table>,
    /// Whether there are more than are listed.
    pub is_cut: bool,
}

/// A table of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// Its OID.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Columns of its primary key, in order; empty if it has none.
    pub key: Vec<String>,
    /// Rows by the server's own estimate; `None` before the first `analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<f64>,
    /// Bytes of the table without its indexes.
    pub bytes: i64,
    /// Whether its rows may be read by us.
    pub is_readable: bool,
}

/// The tables of the database, partitions one by one.
#[utoipa::path(get, path = "/api/tables", tag = "server",
    responses((status = 200, body = Tables), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn tables(State(workbench): State<Workbench>) -> Result<Json<Tables>, Problem> {
    observe::tables(workbench.ground()).await.map(Json)
}
