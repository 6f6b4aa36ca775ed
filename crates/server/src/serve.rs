//! Everything together: the routes, the page, the guard before them, on a listener.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::guard::{self, Access};
use crate::listen::Bounds;
use crate::problem::{Code, Problem};
use crate::workbench::Workbench;
use crate::{assets, document, limits, listen, routes};

/// Serves the workbench on `listener` until `stop`, then ends what it made.
pub async fn serve(listener: TcpListener, workbench: Workbench, access: Access, stop: &CancellationToken) {
    serve_within(Bounds::default(), listener, workbench, access, stop).await;
}

/// The same within other bounds.
pub async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    workbench: Workbench,
    access: Access,
    stop: &CancellationToken,
) {
    listen::serve(listener, router(workbench.clone(), access), bounds, stop).await;
    workbench.close().await;
}

fn router(workbench: Workbench, access: Access) -> Router {
    let api = routes::router().split_for_parts().0.with_state(workbench);
    api.route("/openapi.json", get(openapi))
        .fallback(assets::serve)
        .method_not_allowed_fallback(|| async { Problem::new(Code::MethodNotAllowed, "not with this method") })
        .layer(CompressionLayer::new())
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::new(access), guard::check))
}

/// The description of the API.
async fn openapi() -> Response {
    let mut answer = document::openapi_json().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Gives a request up that takes too long, its body included.
async fn in_time(request: Request, next: Next) -> Response {
    let is_import = ["/api/recordings/import", "/api/advisor/log"].contains(&request.uri().path());
    let limit = if is_import { limits::IMPORT_TIME } else { limits::REQUEST_TIME };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            Problem::new(Code::TooLate, format!("the request took longer than {} s", limit.as_secs())).into_response()
        }
    }
}
