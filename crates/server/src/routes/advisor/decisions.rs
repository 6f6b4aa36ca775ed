//! The history of decisions: listed, read by the hash of the question, noted upon, exported.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::question::{Level, Question};
use crate::body::Body;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// What an answer says in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DecisionSummary)]
pub struct Summary {
    /// How many programs there are.
    pub programs: usize,
    /// Whether the levels that were asked about are safe; none if there are no programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_safe: Option<bool>,
    /// The strongest level that a program needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strongest: Option<Level>,
    /// The solution that is ranked first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// Whether a server agreed; none if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_proved: Option<bool>,
}

/// A decision in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionEntry {
    /// The hash of the question.
    pub id: String,
    /// Its place in the history.
    pub number: i64,
    /// The question's title.
    pub title: String,
    /// When it was kept, microseconds since 1970.
    pub made_us: i64,
    /// How many different answers are kept: another version of pgstrata may give another.
    pub answers: i64,
    /// How many notes there are.
    pub notes: i64,
    /// What the last answer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// A decision with all that is kept of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DecisionDetail {
    /// The hash of the question.
    pub id: String,
    /// The question.
    pub question: Question,
    /// When it was kept, microseconds since 1970.
    pub made_us: i64,
    /// Its answers, newest first.
    pub answers: Vec<DecisionAnswer>,
    /// Notes, oldest first.
    pub notes: Vec<DecisionNote>,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionAnswer {
    /// Its hash.
    pub id: String,
    /// What it says in short; the export has all of it.
    pub summary: Summary,
    /// The version of pgstrata that gave it.
    pub made_by: String,
    /// When, microseconds since 1970.
    pub made_us: i64,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionNote {
    /// Its text.
    pub body: String,
    /// When it was made, microseconds since 1970.
    pub made_us: i64,
}

/// A note that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// Drawn by the page; the same key keeps nothing a second time.
    pub key: String,
    /// Its text.
    pub body: String,
}

/// Which part of the history.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Only decisions before this number.
    #[serde(default)]
    pub before: Option<i64>,
    /// At most so many.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DecisionForm)]
pub enum Form {
    /// An architecture decision record in Markdown.
    Md,
    /// The question with its last answer.
    Json,
}

/// In which form, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Export {
    /// The form.
    #[serde(rename = "as")]
    #[param(inline)]
    pub form: Form,
    /// `en` or `zh`.
    #[serde(default)]
    pub lang: Option<String>,
}

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Reader {
    /// `en` or `zh`.
    #[serde(default)]
    pub lang: Option<String>,
}

/// The answer to a question as text: the same architecture decision record that a kept decision is exported as. Nothing is
/// kept.
#[utoipa::path(post, path = "/api/advisor/record", tag = "advisor", params(Reader), request_body = Question,
    responses((status = 200, content_type = "text/markdown", body = String), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn advisor_record(
    State(workbench): State<Workbench>,
    Query(reader): Query<Reader>,
    Body(question): Body<Question>,
) -> Result<Response, Problem> {
    workbench.advisor().record(question, reader.lang.as_deref()).await
}

/// The history, newest first.
#[utoipa::path(get, path = "/api/advisor/decisions", tag = "advisor", params(Page),
    responses((status = 200, body = Vec<DecisionEntry>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_decisions(
    State(workbench): State<Workbench>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<DecisionEntry>>, Problem> {
    workbench.advisor().list(&page).await.map(Json)
}

/// Keeps a question with the answer that this program gives to it. The same again changes nothing.
#[utoipa::path(post, path = "/api/advisor/decisions", tag = "advisor", request_body = Question,
    responses((status = 201, body = DecisionDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn save_decision(
    State(workbench): State<Workbench>,
    Body(question): Body<Question>,
) -> Result<(StatusCode, Json<DecisionDetail>), Problem> {
    let kept = workbench.advisor().save(question).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// One decision.
#[utoipa::path(get, path = "/api/advisor/decisions/{id}", tag = "advisor", params(("id" = String, Path)),
    responses((status = 200, body = DecisionDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn decision(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
) -> Result<Json<DecisionDetail>, Problem> {
    workbench.advisor().show(&id).await.map(Json)
}

/// Adds a note to a decision. Notes are never changed.
#[utoipa::path(post, path = "/api/advisor/decisions/{id}/notes", tag = "advisor", params(("id" = String, Path)), request_body = NewNote,
    responses((status = 201, body = DecisionDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn note_decision(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Body(note): Body<NewNote>,
) -> Result<(StatusCode, Json<DecisionDetail>), Problem> {
    let kept = workbench.advisor().note(&id, &note).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// A decision as a file.
#[utoipa::path(get, path = "/api/advisor/decisions/{id}/export", tag = "advisor", params(("id" = String, Path), Export),
    responses((status = 200, content_type = "text/markdown", body = String), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn export_decision(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(export): Query<Export>,
) -> Result<Response, Problem> {
    workbench.advisor().export(&id, &export).await
}
