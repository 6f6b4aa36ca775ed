//! Runs of studies: one at a time, the others wait in a queue; each on servers of its own.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What is to be run. What is absent is decided by the study and the preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The study.
    pub study: String,
    /// Its arms; all of them if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<String>,
    /// How much time there is.
    #[serde(default)]
    pub preset: RunPreset,
    /// Closed loop with so many clients, for every arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
    /// Open loop with so many arrivals a second, for every arm; not together with `clients`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Faults as on the command line: `kill-postmaster:1,net-delay=20ms`; `none` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<String>,
    /// Length of each measured window, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How unevenly operations are spread over keys: the exponent of Zipf's law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<f64>,
    /// Seed of all randomness; drawn if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// How much time a run may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunPreset {
    /// A first look.
    #[default]
    Smoke,
    /// What the tests run: shorter still.
    Ci,
    /// What is published.
    Full,
}

/// A run, as far as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// What was asked for, with the seed that is used.
    pub request: RunRequest,
    /// The command line that makes the same run.
    pub command: String,
    /// How it stands.
    pub state: RunState,
    /// Counts up with everything that happens to it; the page keeps the highest.
    pub version: u64,
    /// When it was asked for, microseconds since 1970.
    pub asked_us: i64,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_us: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<i64>,
    /// Trials that there will be.
    pub trials: usize,
    /// Trials that are over.
    pub trials_done: usize,
    /// How long it takes altogether, by estimate, seconds.
    pub estimate_s: f64,
    /// What is being done, in English.
    pub now: String,
    /// What came out of it: the id of its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Whether everything held; none before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The present trial's last measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse: Option<Pulse>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It came to its end.
    Done,
    /// Something kept it from its end.
    Failed,
    /// It was cancelled, and what it made was removed.
    Cancelled,
}

/// What was measured in a trial within a short while; one point of a live chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pulse {
    /// The arm.
    pub arm: String,
    /// Which trial, from 1.
    pub trial: usize,
    /// End of the while, milliseconds since the trial's load began.
    pub at_ms: f64,
    /// Operations decided a second.
    pub per_second: f64,
    /// Operations a second that ended without a decision.
    pub failed_per_second: f64,
    /// Median latency of the decided ones, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us_p50: Option<f64>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us_p99: Option<f64>,
}

/// A run with all its pulses so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunDetail {
    /// The run.
    pub run: Run,
    /// Every measurement of its trials so far, in order; the oldest go when there are more than 10,000.
    pub pulses: Vec<Pulse>,
}

/// The runs of this workbench, newest first.
#[utoipa::path(get, path = "/api/runs", tag = "cases",
    responses((status = 200, body = Vec<Run>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_runs(State(workbench): State<Workbench>) -> Json<Vec<Run>> {
    Json(workbench.runs().list())
}

/// Asks for a run.
#[utoipa::path(post, path = "/api/runs", tag = "cases", request_body = RunRequest,
    responses((status = 202, body = Run), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn start_run(
    State(workbench): State<Workbench>,
    Body(wanted): Body<RunRequest>,
) -> Result<(StatusCode, Json<Run>), Problem> {
    let run = workbench.runs().ask(wanted)?;
    Ok((StatusCode::ACCEPTED, Json(run)))
}

/// A run with what was measured so far.
#[utoipa::path(get, path = "/api/runs/{id}", tag = "cases", params(("id" = String, Path)),
    responses((status = 200, body = RunDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn run(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Json<RunDetail>, Problem> {
    workbench.runs().show(&id).map(Json)
}

/// Cancels a run; it answers at once, and the run is `cancelled` when what it made is gone.
#[utoipa::path(delete, path = "/api/runs/{id}", tag = "cases", params(("id" = String, Path)),
    responses((status = 202, body = Run), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel_run(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Run>), Problem> {
    let run = workbench.runs().cancel(&id)?;
    Ok((StatusCode::ACCEPTED, Json(run)))
}
