//! Consoles: SQL on real sessions, side by side. A console belongs to the browser that opened it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::body::Body;
use crate::browser::Browser;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// A console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Console {
    /// Its id.
    pub id: String,
    /// Its name; also the session's `application_name`.
    pub name: String,
    /// Its server process.
    pub pid: i32,
    /// How its transaction stands.
    pub transaction: TransactionStatus,
    /// The last statement, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// Whether its connection was lost; it can only be closed.
    pub is_lost: bool,
}

/// How a console's transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionStatus {
    /// There is none.
    Idle,
    /// One is open.
    Open,
    /// One is open and has failed; only its end is accepted.
    Failed,
}

/// How a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementState {
    /// It runs, or waits for a lock.
    Running,
    /// It was carried out.
    Done,
    /// PostgreSQL said no.
    Failed,
}

/// What was sent to a console, and its answer. Several statements may be sent together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// Its console.
    pub console: String,
    /// Its place among what the console was sent, from 1.
    pub number: u64,
    /// Its text.
    pub sql: String,
    /// How it stands.
    pub state: StatementState,
    /// When it was sent, microseconds since 1970.
    pub began_us: i64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<i64>,
    /// Processes that it waits for now; 0 stands for a prepared transaction.
    pub waits_for: Vec<i32>,
    /// Whether it was ever found waiting.
    pub has_waited: bool,
    /// One answer for each statement that was carried out.
    pub answers: Vec<Answer>,
    /// Warnings and notices.
    pub notices: Vec<SqlError>,
    /// What PostgreSQL said, if it said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SqlError>,
}

/// The answer to one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// `UPDATE 1`.
    pub tag: String,
    /// Names of the columns; empty if it returns no rows.
    pub columns: Vec<String>,
    /// Rows as PostgreSQL prints them; null is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// Whether there were more rows than are shown.
    pub is_cut: bool,
    /// How many more.
    pub left_out: u64,
}

/// What PostgreSQL said: an error, a warning, a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SqlError {
    /// `ERROR`, `FATAL`, `WARNING`, `NOTICE`.
    pub severity: String,
    /// Its code.
    pub sqlstate: String,
    /// What went wrong.
    pub message: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// PostgreSQL's own hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the text, in characters from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

/// A console that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenConsole {
    /// Drawn by the page; the same key opens no second console.
    pub key: String,
    /// Its name, at most 40 characters.
    pub name: String,
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunStatement {
    /// Drawn by the page; the same key sends nothing a second time.
    pub key: String,
    /// The text.
    pub sql: String,
    /// How long to wait for the end before the answer says that it runs on, milliseconds; 0 if absent.
    #[serde(default)]
    pub wait_ms: u64,
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// How long to wait for the end, milliseconds; 0 if absent.
    #[serde(default)]
    pub wait_ms: u64,
}

/// What was done in the consoles, as a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scenario {
    /// A name for the file.
    pub file: String,
    /// Its text, which `pgstrata isolation play` takes.
    pub text: String,
}

/// This browser's consoles.
#[utoipa::path(get, path = "/api/consoles", tag = "consoles",
    responses((status = 200, body = Vec<Console>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_consoles(State(workbench): State<Workbench>, browser: Browser) -> Json<Vec<Console>> {
    Json(workbench.consoles().list(&browser).await)
}

/// Opens a console.
#[utoipa::path(post, path = "/api/consoles", tag = "consoles", request_body = OpenConsole,
    responses((status = 201, body = Console), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn open_console(
    State(workbench): State<Workbench>,
    browser: Browser,
    Body(wanted): Body<OpenConsole>,
) -> Result<(StatusCode, Json<Console>), Problem> {
    let console = workbench.consoles().open(&browser, &wanted).await?;
    Ok((StatusCode::CREATED, Json(console)))
}

/// Sends SQL to a console. A statement that waits for a lock is no error: it is `running`, and its end comes over
/// `/api/live` or from `GET …/statements/{number}`.
#[utoipa::path(post, path = "/api/consoles/{id}/run", tag = "consoles", request_body = RunStatement, params(("id" = String, Path)),
    responses((status = 200, body = Statement), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn run_statement(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(id): Path<String>,
    Body(wanted): Body<RunStatement>,
) -> Result<Json<Statement>, Problem> {
    workbench.consoles().run(&browser, &id, &wanted).await.map(Json)
}

/// What became of a statement.
#[utoipa::path(get, path = "/api/consoles/{id}/statements/{number}", tag = "consoles",
    params(("id" = String, Path), ("number" = u64, Path), Wait),
    responses((status = 200, body = Statement), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn statement(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path((id, number)): Path<(String, u64)>,
    Query(wait): Query<Wait>,
) -> Result<Json<Statement>, Problem> {
    workbench.consoles().statement(&browser, &id, number, wait.wait_ms).await.map(Json)
}

/// Cancels what a console runs, as `pg_cancel_backend` does.
#[utoipa::path(post, path = "/api/consoles/{id}/cancel", tag = "consoles", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel_statement(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    workbench.consoles().cancel(&browser, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Closes a console; its transaction is rolled back.
#[utoipa::path(delete, path = "/api/consoles/{id}", tag = "consoles", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn close_console(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    workbench.consoles().close(&browser, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// What was done in this browser's consoles, in the order in which it was done, as a scenario file.
#[utoipa::path(get, path = "/api/consoles/scenario", tag = "consoles",
    responses((status = 200, body = Scenario), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn console_scenario(State(workbench): State<Workbench>, browser: Browser) -> Result<Json<Scenario>, Problem> {
    workbench.consoles().scenario(&browser).await.map(Json)
}
