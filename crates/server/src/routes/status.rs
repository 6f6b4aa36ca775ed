//! `GET /api/status`: what this workbench is, which server it looks at, what it can do there.

use axum::Json;
use axum::extract::State;
use pgstrata_timeline::Tier;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What this workbench is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of pgstrata.
    pub version: String,
    /// When it was started, microseconds since 1970.
    pub started_us: i64,
    /// Its clock now, microseconds since 1970.
    pub now_us: i64,
    /// The server that is looked at.
    pub server: ServerStatus,
    /// What may be asked of this workbench.
    pub limits: Limits,
    /// Whether the book is served under `/docs/`.
    pub has_book: bool,
    /// Id of the run that goes on, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The server that is looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServerStatus {
    /// Where it is, without credentials.
    pub address: String,
    /// The database.
    pub database: String,
    /// As `server_version` says it; empty while it does not answer.
    pub version: String,
    /// Whether pgstrata started it, and removes it at the end.
    pub is_private: bool,
    /// Whether consoles, scenes and runs may change it.
    pub is_writable: bool,
    /// Whether it answers.
    pub is_up: bool,
    /// How much can be seen of it.
    pub tiers: Vec<Tier>,
    /// Why it does not answer, or what is missing and how to get it: `code: sentence`, in English.
    pub notes: Vec<String>,
}

/// What may be asked of this workbench.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Consoles of all browsers together.
    pub consoles: usize,
    /// Bytes of a console's statement.
    pub statement_bytes: usize,
    /// Rows of an answer that are shown.
    pub rows: usize,
    /// Runs that may wait for their turn.
    pub queued_runs: usize,
    /// Bytes of a recording that is sent in.
    pub import_bytes: usize,
}

impl Limits {
    /// What this build allows.
    #[must_use]
    pub const fn of_this_build() -> Self {
        Self {
            consoles: limits::CONSOLES,
            statement_bytes: limits::STATEMENT_BYTES,
            rows: limits::ROWS,
            queued_runs: limits::QUEUED_RUNS,
            import_bytes: limits::IMPORT_BYTES,
        }
    }
}

/// What this workbench is and looks at.
#[utoipa::path(get, path = "/api/status", tag = "server",
    responses((status = 200, body = Status), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn status(State(workbench): State<Workbench>) -> Json<Status> {
    Json(workbench.status().await)
}
