//! Records of runs: those that are published with the product and those that were made here; charts, reports, comparisons.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use pgstrata_units::Language;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::studies::Expectation;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// A record, as the name of its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordEntry {
    /// Its id.
    pub id: String,
    /// The study.
    pub study: String,
    /// The preset.
    pub preset: String,
    /// When the run started: `2025-01-01T12:00:00Z`.
    pub started_at: String,
    /// The host.
    pub host: String,
    /// Whether it was made by this workbench, and not published with the product.
    pub is_own: bool,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordDetail {
    /// Which record it is.
    pub entry: RecordEntry,
    /// The command line that makes it again.
    pub command: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// How long the run took, seconds.
    pub seconds: f64,
    /// Version of pgstrata.
    pub version: String,
    /// Its commit.
    pub commit: String,
    /// The machine's processor and how many there are, its memory, its kernel.
    pub machine: String,
    /// The servers, as they print their version.
    pub servers: Vec<String>,
    /// The arm that the others are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Its arms.
    pub arms: Vec<ArmResult>,
    /// Its claims.
    pub claims: Vec<ClaimResult>,
    /// Why the figures do not count; empty if they do.
    pub invalid: Vec<String>,
    /// The charts that can be drawn of it.
    pub charts: Vec<ChartName>,
}

/// What one arm did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArmResult {
    /// Its name.
    pub name: String,
    /// What was expected of it.
    pub kind: Expectation,
    /// The invariants that it broke.
    pub broken: Vec<BrokenInvariant>,
    /// Decided operations a second: the median of the undisturbed windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Ends of the interval about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second_interval: Option<(f64, f64)>,
    /// Over the baseline, with a 95 % interval: (ratio, low, high).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<(f64, f64, f64)>,
    /// Median latency, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us_p50: Option<f64>,
    /// 99th percentile of latency, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us_p99: Option<f64>,
    /// Retries per decided operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_per_op: Option<f64>,
    /// CPU of the server per decided operation, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cpu_us_per_op: Option<f64>,
    /// Bytes of the write-ahead log per decided operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes_per_op: Option<f64>,
}

/// A broken invariant with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BrokenInvariant {
    /// Its id.
    pub invariant: String,
    /// What was found, in English.
    pub found: String,
    /// How many rows or events show it.
    pub count: u64,
    /// Some of them.
    pub witnesses: Vec<serde_json::Value>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimResult {
    /// Its name.
    pub name: String,
    /// The claim, in English.
    pub statement: String,
    /// The number to reach.
    pub target: f64,
    /// Its unit.
    pub unit: String,
    /// How it ended.
    pub outcome: ClaimState,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Why nothing can be said, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// The target was met.
    Held,
    /// It was missed.
    Missed,
    /// Nothing can be said.
    Inconclusive,
}

/// A chart of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChartName {
    /// Throughput per arm with intervals.
    Throughput,
    /// Latency by percentile.
    Latency,
    /// Operations over time with the faults marked.
    Timeline,
    /// The ratio of each pair of windows.
    Pairs,
}

/// In which language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct In {
    /// `en` or `zh`; `en` if absent.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pub lang: Language,
}

/// Which records are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Pair {
    /// The older.
    pub before: String,
    /// The newer.
    pub after: String,
}

/// Two records of one study side by side. Windows of different runs are not paired: ratios, no verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordComparison {
    /// The older.
    pub before: RecordEntry,
    /// The newer.
    pub after: RecordEntry,
    /// The arms of both.
    pub arms: Vec<ArmComparison>,
    /// What else differs: machine, build, settings, load.
    pub changes: Vec<Difference>,
}

/// An arm in two records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArmComparison {
    /// The arm.
    pub arm: String,
    /// What the older says.
    pub before: ArmSide,
    /// What the newer says.
    pub after: ArmSide,
    /// Newer over older with a 95 % interval, where both have enough windows: (ratio, low, high).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<(f64, f64, f64)>,
}

/// What one record says of an arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "side", rename_all = "kebab-case")]
pub enum ArmSide {
    /// It has no such arm.
    Absent,
    /// The arm broke invariants.
    Violated {
        /// Which.
        invariants: String,
    },
    /// Nothing was measured undisturbed.
    Unmeasured,
    /// It was measured.
    Measured {
        /// Decided operations a second: the median of its windows.
        per_second: f64,
    },
}

/// Something that differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// What.
    pub what: String,
    /// In the older.
    pub before: String,
    /// In the newer.
    pub after: String,
}

/// The records, newest first.
#[utoipa::path(get, path = "/api/records", tag = "cases",
    responses((status = 200, body = Vec<RecordEntry>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_records(State(workbench): State<Workbench>) -> Result<Json<Vec<RecordEntry>>, Problem> {
    workbench.records().list().await.map(Json)
}

/// What a record says.
#[utoipa::path(get, path = "/api/records/{id}", tag = "cases", params(("id" = String, Path)),
    responses((status = 200, body = RecordDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn record(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Json<RecordDetail>, Problem> {
    workbench.records().show(&id).await.map(Json)
}

/// The record's file.
#[utoipa::path(get, path = "/api/records/{id}/file", tag = "cases", params(("id" = String, Path)),
    responses((status = 200, body = Object, content_type = "application/json"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn record_file(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Response, Problem> {
    workbench.records().file(&id).await
}

/// A chart of a record, as SVG.
#[utoipa::path(get, path = "/api/records/{id}/charts/{chart}", tag = "cases",
    params(("id" = String, Path), ("chart" = ChartName, Path), In),
    responses((status = 200, body = String, content_type = "image/svg+xml"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn record_chart(
    State(workbench): State<Workbench>,
    Path((id, chart)): Path<(String, ChartName)>,
    Query(language): Query<In>,
) -> Result<Response, Problem> {
    workbench.records().chart(&id, chart, language.lang).await
}

/// The report of a record: one HTML file with everything in it.
#[utoipa::path(get, path = "/api/records/{id}/report", tag = "cases", params(("id" = String, Path), In),
    responses((status = 200, body = String, content_type = "text/html"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn record_report(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(language): Query<In>,
) -> Result<Response, Problem> {
    workbench.records().report(&id, language.lang).await
}

/// Two records of one study side by side.
#[utoipa::path(get, path = "/api/records/compare", tag = "cases", params(Pair),
    responses((status = 200, body = RecordComparison), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn compare_records(
    State(workbench): State<Workbench>,
    Query(pair): Query<Pair>,
) -> Result<Json<RecordComparison>, Problem> {
    workbench.records().compare(&pair.before, &pair.after).await.map(Json)
}
