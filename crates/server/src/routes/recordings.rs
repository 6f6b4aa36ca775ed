//! Recordings: the log of what was watched, kept as a file that can be played, shared and read in again.

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use pgstrata_timeline::file::Ending;
use pgstrata_timeline::{Change, Tier};
use pgstrata_tools::mvcc::{Difference, Watch};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::body::Body;
use crate::live::LiveMoment;
use crate::problem::Problem;
use crate::workbench::Workbench;

/// A recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is still being made.
    pub is_recording: bool,
    /// The watched table with its schema, if one was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The watched row's key, if one was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// The database.
    pub database: String,
    /// Version of the server that was watched.
    pub server_version: String,
    /// How much could be seen of it.
    pub tiers: Vec<Tier>,
    /// When it began, microseconds since 1970.
    pub began_us: i64,
    /// When its last change was.
    pub ended_us: i64,
    /// The moment that it begins with.
    pub first: u64,
    /// Its last change.
    pub last: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Why it ended; none while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// A recording that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRecording {
    /// Its name, at most 80 characters.
    pub name: String,
    /// What is watched.
    pub watch: Watch,
    /// The most bytes that its file may have; the server's own limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
}

/// Which changes are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChangesAfter {
    /// Those after this one; 0 for all.
    #[serde(default)]
    pub after: u64,
    /// So many at most; 1,000 if absent, and at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A part of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// In order, without gaps.
    pub changes: Vec<Change>,
    /// The last change that there is.
    pub last: u64,
}

/// Which moment is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AtSeq {
    /// After this change.
    pub seq: u64,
}

/// Which two moments are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Between {
    /// The one, after this change.
    pub first: u64,
    /// The other.
    pub second: u64,
}

/// Which point of the server's log is meant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AtLsn {
    /// As `0/1A2B3C`.
    pub lsn: String,
}

/// The recordings, newest first.
#[utoipa::path(get, path = "/api/recordings", tag = "recordings",
    responses((status = 200, body = Vec<Recording>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_recordings(State(workbench): State<Workbench>) -> Result<Json<Vec<Recording>>, Problem> {
    workbench.recordings().list().await.map(Json)
}

/// Begins to record.
#[utoipa::path(post, path = "/api/recordings", tag = "recordings", request_body = StartRecording,
    responses((status = 201, body = Recording), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn start_recording(
    State(workbench): State<Workbench>,
    Body(wanted): Body<StartRecording>,
) -> Result<(StatusCode, Json<Recording>), Problem> {
    let recording = workbench.recordings().start(wanted).await?;
    Ok((StatusCode::CREATED, Json(recording)))
}

/// One recording.
#[utoipa::path(get, path = "/api/recordings/{id}", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = Recording), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Json<Recording>, Problem> {
    workbench.recordings().show(&id).await.map(Json)
}

/// Ends a recording that is being made.
#[utoipa::path(post, path = "/api/recordings/{id}/stop", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = Recording), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn stop_recording(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
) -> Result<Json<Recording>, Problem> {
    workbench.recordings().stop(&id).await.map(Json)
}

/// Removes a recording with its file.
#[utoipa::path(delete, path = "/api/recordings/{id}", tag = "recordings", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn remove_recording(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    workbench.recordings().remove(&id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Changes of a recording, in order.
#[utoipa::path(get, path = "/api/recordings/{id}/changes", tag = "recordings", params(("id" = String, Path), ChangesAfter),
    responses((status = 200, body = Changes), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording_changes(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(wanted): Query<ChangesAfter>,
) -> Result<Json<Changes>, Problem> {
    workbench.recordings().changes(&id, wanted.after, wanted.limit).await.map(Json)
}

/// All that there was after a change.
#[utoipa::path(get, path = "/api/recordings/{id}/moment", tag = "recordings", params(("id" = String, Path), AtSeq),
    responses((status = 200, body = LiveMoment), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording_moment(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(wanted): Query<AtSeq>,
) -> Result<Json<LiveMoment>, Problem> {
    workbench.recordings().moment(&id, wanted.seq).await.map(Json)
}

/// What is different between two moments.
#[utoipa::path(get, path = "/api/recordings/{id}/difference", tag = "recordings", params(("id" = String, Path), Between),
    responses((status = 200, body = Difference), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording_difference(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(between): Query<Between>,
) -> Result<Json<Difference>, Problem> {
    workbench.recordings().difference(&id, between.first, between.second).await.map(Json)
}

/// What a transaction would have seen that had begun at a point of the server's log: the moment with the verdicts of the
/// viewer `lsn:…`.
#[utoipa::path(get, path = "/api/recordings/{id}/seen", tag = "recordings", params(("id" = String, Path), AtLsn),
    responses((status = 200, body = LiveMoment), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording_seen(
    State(workbench): State<Workbench>,
    Path(id): Path<String>,
    Query(wanted): Query<AtLsn>,
) -> Result<Json<LiveMoment>, Problem> {
    workbench.recordings().seen(&id, &wanted.lsn).await.map(Json)
}

/// The recording as one HTML file that plays by itself.
#[utoipa::path(get, path = "/api/recordings/{id}/export", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn export_recording(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Response, Problem> {
    workbench.recordings().export(&id).await
}

/// The recording's file, for another pgstrata.
#[utoipa::path(get, path = "/api/recordings/{id}/file", tag = "recordings", params(("id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn recording_file(State(workbench): State<Workbench>, Path(id): Path<String>) -> Result<Response, Problem> {
    workbench.recordings().file(&id).await
}

/// Takes in a recording's file of another pgstrata.
#[utoipa::path(post, path = "/api/recordings/import", tag = "recordings",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Recording), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn import_recording(
    State(workbench): State<Workbench>,
    body: HttpBody,
) -> Result<(StatusCode, Json<Recording>), Problem> {
    let recording = workbench.recordings().import(body).await?;
    Ok((StatusCode::CREATED, Json(recording)))
}
