//! Scenes: small built-in plays of several sessions, opened on tables of their own and played step by step.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::browser::Browser;
use crate::problem::Problem;
use crate::routes::consoles::{Scenario, Statement};
use crate::workbench::Workbench;
use pgstrata_tools::advisor::Words;

/// A scene that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SceneCard {
    /// Its name in addresses: `lost-update`.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What it shows.
    pub summary: Words,
    /// Names of its sessions, in the order of lanes.
    pub sessions: Vec<String>,
    /// How many steps it has.
    pub steps: usize,
    /// Whether it can be played on the server that is looked at; if not, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Words>,
}

/// A scene that is being played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scene {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What it shows.
    pub summary: Words,
    /// Its sessions.
    pub sessions: Vec<SceneSession>,
    /// Its table as `schema.name`, to be watched.
    pub table: String,
    /// The row that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Its steps.
    pub steps: Vec<SceneStep>,
    /// The step that comes next, from 0; as many as there are when it is over.
    pub next: usize,
    /// What to look at, when it is over.
    pub moral: Words,
}

/// A session of a scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SceneSession {
    /// Its name.
    pub name: String,
    /// Its server process.
    pub pid: i32,
    /// The isolation level of its transaction.
    pub isolation: String,
}

/// A step of a scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SceneStep {
    /// Its session's name.
    pub session: String,
    /// What it runs; nothing for a step that waits until a statement of before goes on and ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// What to look at.
    pub note: Words,
    /// What became of it; none before it was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// Whether that is what the scene says must come of it; none if it says nothing, or was not played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_as_told: Option<bool>,
}

/// Which step is to be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayStep {
    /// The step, from 0: the one that comes next. One that was played already is answered with how the scene stands.
    pub step: usize,
}

/// The scenes.
#[utoipa::path(get, path = "/api/scenes", tag = "scenes",
    responses((status = 200, body = Vec<SceneCard>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_scenes(State(workbench): State<Workbench>) -> Json<Vec<SceneCard>> {
    Json(workbench.scenes().list())
}

/// How this browser's scene of that name stands.
#[utoipa::path(get, path = "/api/scenes/{name}", tag = "scenes", params(("name" = String, Path)),
    responses((status = 200, body = Scene), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn scene(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<Json<Scene>, Problem> {
    workbench.scenes().show(&browser, &name).await.map(Json)
}

/// What was done in a scene, by the script and by hand, as a scenario file.
#[utoipa::path(get, path = "/api/scenes/{name}/scenario", tag = "scenes", params(("name" = String, Path)),
    responses((status = 200, body = Scenario), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn scene_scenario(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<Json<Scenario>, Problem> {
    workbench.scenes().scenario(&browser, &name).await.map(Json)
}

/// Opens a scene, or begins it anew: makes its table and opens its sessions.
#[utoipa::path(post, path = "/api/scenes/{name}/open", tag = "scenes", params(("name" = String, Path)),
    responses((status = 201, body = Scene), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn open_scene(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Scene>), Problem> {
    let scene = workbench.scenes().open(&browser, &name).await?;
    Ok((StatusCode::CREATED, Json(scene)))
}

/// Plays a step, and answers when it ended or waits for a lock.
#[utoipa::path(post, path = "/api/scenes/{name}/step", tag = "scenes", params(("name" = String, Path)), request_body = PlayStep,
    responses((status = 200, body = Scene), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn play_step(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(name): Path<String>,
    Body(wanted): Body<PlayStep>,
) -> Result<Json<Scene>, Problem> {
    workbench.scenes().step(&browser, &name, wanted.step).await.map(Json)
}

/// Closes a scene: its sessions end, its table goes.
#[utoipa::path(post, path = "/api/scenes/{name}/close", tag = "scenes", params(("name" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn close_scene(
    State(workbench): State<Workbench>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    workbench.scenes().close(&browser, &name).await.map(|()| StatusCode::NO_CONTENT)
}
