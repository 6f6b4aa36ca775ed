//! `GET /api/live`: the WebSocket.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;

use crate::browser::Browser;
use crate::problem::{Code, Problem};
use crate::workbench::Workbench;

/// Becomes a WebSocket. Its messages, each a JSON text: the page sends `ClientMessage`, and is sent `ServerMessage`.
#[utoipa::path(get, path = "/api/live", tag = "server",
    responses((status = 101, description = "the WebSocket is open"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn live(
    State(workbench): State<Workbench>,
    browser: Browser,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(Code::BadRequest, rejection.body_text()).hint("this address is a WebSocket's")
    })?;
    workbench.live(browser, upgrade)
}
