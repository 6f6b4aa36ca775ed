//! `GET /api/memory`: the memory that this workbench takes, and what holds it.

use axum::Json;
use axum::extract::State;
use pgstrata_tools::mvcc::Watch;
use pgstrata_units::memory::Holding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::workbench::Workbench;

/// The memory that this workbench takes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    /// In the processor's hands, bytes; on Linux alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// What its allocator has given out, bytes, where the allocator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use_bytes: Option<u64>,
    /// What its allocator keeps for later, bytes, where the allocator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_bytes: Option<u64>,
    /// What the logs hold that are being made.
    pub logs: Vec<LogMemory>,
}

/// The memory of a log that is being made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogMemory {
    /// What it watches.
    pub watch: Watch,
    /// Its parts; of what several hold each has its share, so they can be added up.
    pub parts: Vec<MemoryPart>,
}

/// What a bounded structure holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemoryPart {
    /// Its name, as `history.versions`.
    pub what: String,
    /// How many it holds.
    pub count: usize,
    /// How many it may hold; missing where another part's bound is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// The memory that they take, bytes, counted from what they are made of.
    pub bytes: usize,
}

impl From<Holding> for MemoryPart {
    fn from(Holding { what, count, most, bytes }: Holding) -> Self {
        Self { what: what.to_owned(), count, most, bytes }
    }
}

/// The memory that this workbench takes, and what holds it.
#[utoipa::path(get, path = "/api/memory", tag = "server",
    responses((status = 200, body = Memory), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn memory(State(workbench): State<Workbench>) -> Json<Memory> {
    Json(workbench.memory().await)
}
