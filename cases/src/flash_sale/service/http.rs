//! The front door: HTTP/1.1 with JSON, errors as problem details (RFC 9457).
//!
//! | request | answer |
//! |---|---|
//! | `POST /purchases`, `Idempotency-Key: <uuid>`, `{"product_id": 1, "user_id": 42}` | 201 with the reservation |
//! | `GET /purchases/<key>` | 200 with the order and its state |
//! | `POST /purchases/<key>/payment` | 200 with the paid order |
//! | `GET /products/<id>` | 200 with what is left |
//! | `GET /healthz` | 200, or 503 while a server does not answer |
//!
//! The same key with the same body gets the same answer, byte for byte; with another body it gets 422. Who a user is
//! and whether he may buy is the business of whatever stands in front; so are TLS and clients that send slowly.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Order, OrderState, Payment, Refusal, Service};
use crate::flash_sale::purchase::{Decision, Purchase, Reservation};

/// The header that carries the client's key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest request body, bytes. A purchase has about forty.
const BODY_LIMIT: usize = 4_096;

/// How long a request may wait in the queue before it is given up; nobody looks at his screen longer than that.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client that must come back is told when there is nothing better, seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Why a request was not granted, as clients tell it apart: the last part of the problem's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: no `Idempotency-Key`, or not a UUID.
    BadKey,
    /// 400: the body is not a purchase.
    BadBody,
    /// 413: the body is too long.
    BodyTooLong,
    /// 404: there is no such product, order or page.
    NotFound,
    /// 405: not with this method.
    MethodNotAllowed,
    /// 409: nothing is left.
    SoldOut,
    /// 409: the user has a live order of this product.
    LimitReached,
    /// 409: the payment came too late.
    ReservationExpired,
    /// 422: the key belongs to another request.
    KeyReused,
    /// 429: too many requests wait; `Retry-After` says when to come back. Nothing was written.
    Busy,
    /// 503: the request waited for too long and was given up. Nothing was written.
    TooLate,
    /// 503: the service cannot decide now. Nothing was written.
    Unavailable,
    /// 503: the outcome is unknown; `GET /purchases/<key>`, or the same request again, will tell.
    OutcomeUnknown,
}

/// What a buyer asks for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PurchaseBody {
    /// The product.
    pub product_id: i64,
    /// The user.
    pub user_id: i64,
}

/// A reservation: only what never changes, so that a repetition gets the same.
#[derive(Debug, Serialize)]
struct ReservationBody {
    key: Uuid,
    order_id: i64,
    product_id: i64,
    user_id: i64,
    expires_at: String,
}

/// An order as it is now.
#[derive(Debug, Serialize)]
struct OrderBody {
    #[serde(flatten)]
    reservation: ReservationBody,
    state: &'static str,
}

/// A product as it is now.
#[derive(Debug, Serialize)]
struct ProductBody {
    product_id: i64,
    initial: i64,
    available: i64,
}

/// Problem details.
#[derive(Debug, Serialize)]
struct ProblemBody {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

/// A refusal on its way out.
#[derive(Debug)]
struct Refused {
    problem: Problem,
    detail: String,
    retry_after_seconds: Option<u64>,
}

/// How long connections may take to finish what is under way after `stop`.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Serves on `listener` until `stop` is ready; then takes no new connections, answers what is under way, decides what
/// is queued, and returns. Bounded by [`DRAIN_LIMIT`] and the sequencers' own.
pub async fn run(
    listener: TcpListener,
    service: Service,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = Arc::new(service);
    let stopping = CancellationToken::new();
    let stopped = stopping.clone();
    let serving = serve(listener, Arc::clone(&service), async move {
        stop.await;
        stopping.cancel();
    });
    let outcome = tokio::select! {
        outcome = serving => outcome,
        () = async { stopped.cancelled().await; tokio::time::sleep(DRAIN_LIMIT).await; } => Ok(()),
    };
    // A connection that did not finish in time still has the service; then it is dropped with the last of them.
    if let Some(service) = Arc::into_inner(service) {
        service.stop().await;
    }
    outcome
}

/// Serves on `listener` until `stop` is ready; then takes no new connections, answers what is under way, and returns.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Answers are small and awaited: never hold one back to fill a packet.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "answers may be delayed");
        }
    });
    axum::serve(listener, router(service)).with_graceful_shutdown(stop).await
}

/// Opens a port of the loopback interface, or any other address.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The routes, for those who mount them into a server of their own.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/purchases", post(purchase))
        .route("/purchases/{key}", get(find))
        .route("/purchases/{key}/payment", post(pay))
        .route("/products/{product_id}", get(product))
        .route("/healthz", get(health))
        .fallback(|| async { Refused::new(Problem::NotFound, "there is nothing at this address") })
        .method_not_allowed_fallback(|| async { Refused::new(Problem::MethodNotAllowed, "not with this method") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(service)
}

async fn purchase(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let key = key_of(headers.get(IDEMPOTENCY_KEY))?;
    let body = body.map_err(|error| Refused::body(&error))?;
    let PurchaseBody { product_id, user_id } = serde_json::from_slice(&body)
        .map_err(|error| Refused::new(Problem::BadBody, format!("the body is not a purchase: {error}")))?;
    let wanted = Purchase { key, product_id, user_id };
    match service.purchase(&wanted, Some(Instant::now() + PATIENCE)).await? {
        Decision::Reserved(reservation) => {
            let body = ReservationBody::of(&wanted, reservation);
            let place = HeaderValue::from_str(&format!("/purchases/{key}"));
            let mut response = json(StatusCode::CREATED, &body);
            response.headers_mut().extend(place.into_iter().map(|place| (header::LOCATION, place)));
            Ok(response)
        }
        Decision::SoldOut => Err(Refused::new(Problem::SoldOut, "nothing is left of this product")),
        Decision::LimitReached => {
            Err(Refused::new(Problem::LimitReached, "this user has an order of this product already"))
        }
        Decision::KeyReused => Err(Refused::new(Problem::KeyReused, "this key belongs to another request")),
        Decision::NoSuchProduct => Err(Refused::new(Problem::NotFound, "there is no such product")),
    }
}

async fn find(State(service): State<Arc<Service>>, Path(key): Path<String>) -> Result<Response, Refused> {
    match service.find(parse_key(&key)?).await? {
        Some(order) => Ok(json(StatusCode::OK, &OrderBody::of(&key, order)?)),
        None => Err(Refused::new(Problem::NotFound, "there is no order under this key")),
    }
}

async fn pay(State(service): State<Arc<Service>>, Path(key): Path<String>) -> Result<Response, Refused> {
    match service.pay(parse_key(&key)?).await? {
        Payment::Paid(order) => Ok(json(StatusCode::OK, &OrderBody::of(&key, order)?)),
        Payment::Late(_) => Err(Refused::new(
            Problem::ReservationExpired,
            "the reservation was not paid in time and has been given back",
        )),
        Payment::NoSuchOrder => Err(Refused::new(Problem::NotFound, "there is no order under this key")),
    }
}

async fn product(State(service): State<Arc<Service>>, Path(product_id): Path<String>) -> Result<Response, Refused> {
    let missing = || Refused::new(Problem::NotFound, "there is no such product");
    let product_id = product_id.parse().map_err(|_| missing())?;
    let stock = service.product(product_id).await?.ok_or_else(missing)?;
    let body = ProductBody { product_id, initial: stock.initial, available: stock.available };
    Ok(json(StatusCode::OK, &body))
}

async fn health(State(service): State<Arc<Service>>) -> Result<Response, Refused> {
    if service.is_healthy().await {
        return Ok(json(StatusCode::OK, &serde_json::json!({"status": "ok"})));
    }
    Err(Refused::new(Problem::Unavailable, "a server does not answer"))
}

fn key_of(header: Option<&HeaderValue>) -> Result<Uuid, Refused> {
    let value = header.ok_or_else(|| Refused::new(Problem::BadKey, "the header Idempotency-Key is missing"))?;
    parse_key(value.to_str().unwrap_or_default())
}

fn parse_key(text: &str) -> Result<Uuid, Refused> {
    // The draft standard has the key as a quoted string (draft-ietf-httpapi-idempotency-key-header); most send it bare.
    Uuid::try_parse(text.trim_matches('"')).map_err(|_| Refused::new(Problem::BadKey, "the key is not a UUID"))
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}

impl ReservationBody {
    fn of(purchase: &Purchase, reservation: Reservation) -> Self {
        Self {
            key: purchase.key,
            order_id: reservation.order_id,
            product_id: purchase.product_id,
            user_id: purchase.user_id,
            expires_at: rfc_3339(reservation.expires_at),
        }
    }
}

impl OrderBody {
    fn of(key: &str, order: Order) -> Result<Self, Refused> {
        let Order { order_id, product_id, user_id, expires_at, state } = order;
        let purchase = Purchase { key: parse_key(key)?, product_id, user_id };
        let state = match state {
            OrderState::Reserved => "reserved",
            OrderState::Paid => "paid",
            OrderState::Expired => "expired",
        };
        Ok(Self { reservation: ReservationBody::of(&purchase, Reservation { order_id, expires_at }), state })
    }
}

fn rfc_3339(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

impl Problem {
    /// Its status code.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadKey | Self::BadBody => StatusCode::BAD_REQUEST,
            Self::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SoldOut | Self::LimitReached | Self::ReservationExpired => StatusCode::CONFLICT,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLate | Self::Unavailable | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The reference that stands in `type`; clients compare it.
    #[must_use]
    pub const fn reference(self) -> &'static str {
        match self {
            Self::BadKey => "/problems/bad-key",
            Self::BadBody => "/problems/bad-body",
            Self::BodyTooLong => "/problems/body-too-long",
            Self::NotFound => "/problems/not-found",
            Self::MethodNotAllowed => "/problems/method-not-allowed",
            Self::SoldOut => "/problems/sold-out",
            Self::LimitReached => "/problems/limit-reached",
            Self::ReservationExpired => "/problems/reservation-expired",
            Self::KeyReused => "/problems/key-reused",
            Self::Busy => "/problems/busy",
            Self::TooLate => "/problems/too-late",
            Self::Unavailable => "/problems/unavailable",
            Self::OutcomeUnknown => "/problems/outcome-unknown",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadKey => "Bad idempotency key",
            Self::BadBody => "Bad request body",
            Self::BodyTooLong => "Request body too long",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::SoldOut => "Sold out",
            Self::LimitReached => "Limit reached",
            Self::ReservationExpired => "Reservation expired",
            Self::KeyReused => "Idempotency key reused",
            Self::Busy => "Too many requests",
            Self::TooLate => "Given up",
            Self::Unavailable => "Not available",
            Self::OutcomeUnknown => "Outcome unknown",
        }
    }
}

impl Refused {
    fn new(problem: Problem, detail: impl Into<String>) -> Self {
        let retry_after_seconds = match problem {
            Problem::Busy | Problem::TooLate | Problem::Unavailable | Problem::OutcomeUnknown => {
                Some(RETRY_AFTER_SECONDS)
            }
            _ => None,
        };
        Self { problem, detail: detail.into(), retry_after_seconds }
    }

    fn body(rejection: &BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(Problem::BodyTooLong, format!("a body has at most {BODY_LIMIT} bytes"));
        }
        Self::new(Problem::BadBody, "the body could not be read")
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy { retry_after } => Self {
                // Whole seconds, rounded up: sooner is in vain.
                retry_after_seconds: Some(retry_after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)),
                ..Self::new(Problem::Busy, "too many requests wait; nothing was written")
            },
            Refusal::TooLate => Self::new(Problem::TooLate, "the request waited for too long; nothing was written"),
            Refusal::Unavailable => Self::new(Problem::Unavailable, "no decision can be made now; nothing was written"),
            Refusal::Unknown => Self::new(
                Problem::OutcomeUnknown,
                "the purchase may or may not have been made; look it up by its key, or send the same request again",
            ),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.problem.status();
        let body = ProblemBody {
            r#type: self.problem.reference(),
            title: self.problem.title(),
            status: status.as_u16(),
            detail: self.detail,
        };
        let mut response = json(status, &body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
