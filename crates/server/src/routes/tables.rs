//! `GET /api/tables`: what there is to watch.

use axum::Json;
use axum::extract::State;
use pgstrata_tools::mvcc::TableInfo;
use serde::Serialize;
use utoipa::ToSchema;

use crate::observe;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What there is to watch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tables {
    /// The tables, the biggest first.
    pub tables: Vec<TableInfo>,
}

/// The tables of the database, partitioned ones and their partitions too.
#[utoipa::path(get, path = "/api/tables", tag = "server",
    responses((status = 200, body = Tables), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn tables(State(workbench): State<Workbench>) -> Result<Json<Tables>, Problem> {
    observe::tables(workbench.ground()).await.map(Json)
}
