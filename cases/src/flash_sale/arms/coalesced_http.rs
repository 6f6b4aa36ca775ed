//! `coalesced-http`: the same service through its front door, HTTP/1.1 with keep-alive over loopback TCP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, ArmKind, Client, ClientCount, Figure, Operation, Reply, Rig, Setback, StudyError};
use pgstrata_units::Text;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::coalesced;
use crate::flash_sale::demand::Demand;
use crate::flash_sale::http_client::{HttpAnswer, HttpConnection};
use crate::flash_sale::purchase::reason;
use crate::flash_sale::service::http::{self, IDEMPOTENCY_KEY, Problem, PurchaseBody};
use crate::flash_sale::service::{self, Service};

/// How many connections the clients share. Each has one request under way, so this bounds a batch as well.
const CONNECTIONS: usize = 512;

pub(crate) const ARM: Arm = Arm {
    name: "coalesced-http",
    title: Text { en: "coalesced, over HTTP", zh: "请求合并（经 HTTP）" },
    summary: Text {
        en: "The same service behind its HTTP front door; client, front door and server share the machine.",
        zh: "同一服务经由其 HTTP 入口；客户端、入口与数据库共用一台机器。",
    },
    kind: ArmKind::Best,
    clients: ClientCount::Multiplexed(512),
    statements: service::STATEMENTS,
};

/// The service, its front door, and the connections to it.
struct OverHttp {
    service: Arc<Service>,
    connections: Arc<Connections>,
    demand: Demand,
    /// Closes the front door when the trial is over.
    _open: DropGuard,
}

/// Idle connections. A client takes one for a request; at most [`CONNECTIONS`] are in use at once.
struct Connections {
    address: SocketAddr,
    idle: Mutex<Vec<HttpConnection>>,
    in_use: Semaphore,
}

/// The rig of this way of selling.
pub(crate) async fn rig(site: &Site) -> Result<Arc<dyn Rig>, StudyError> {
    let opening = |error: io::Error| StudyError::new("open the front door", error);
    let service = Arc::new(coalesced::serve(site).await?);
    let listener = http::listen((Ipv4Addr::LOCALHOST, 0).into()).await.map_err(opening)?;
    let address = listener.local_addr().map_err(opening)?;
    let closing = CancellationToken::new();
    tokio::spawn(http::serve(listener, Arc::clone(&service), closing.clone().cancelled_owned()));
    let connections =
        Connections { address, idle: Mutex::new(Vec::with_capacity(CONNECTIONS)), in_use: Semaphore::new(CONNECTIONS) };
    Ok(Arc::new(OverHttp {
        service,
        connections: Arc::new(connections),
        demand: Demand::new(site.servers.len()),
        _open: closing.drop_guard(),
    }))
}

#[async_trait]
impl Rig for OverHttp {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        Ok(Box::new(HttpBuyer { connections: Arc::clone(&self.connections), demand: self.demand }))
    }

    fn figures(&self) -> Vec<Figure> {
        coalesced::figures(&self.service)
    }
}

impl Connections {
    /// Sends a purchase over one of the connections. One that failed is not used again.
    async fn post(&self, key: &str, body: &[u8]) -> io::Result<HttpAnswer> {
        let _permit = self.in_use.acquire().await.map_err(io::Error::other)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => HttpConnection::open(self.address).await?,
        };
        let headers = [(IDEMPOTENCY_KEY, key), ("content-type", "application/json")];
        let answer = connection.request("POST", "/purchases", &headers, body).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }
}

/// A client at the front door.
struct HttpBuyer {
    connections: Arc<Connections>,
    demand: Demand,
}

#[async_trait]
impl Client for HttpBuyer {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let purchase = self.demand.purchase(operation);
        let wanted = PurchaseBody { product_id: purchase.product_id, user_id: purchase.user_id };
        let body = serde_json::to_vec(&wanted).map_err(|_| Setback::Unknown)?;
        match self.connections.post(&purchase.key.to_string(), &body).await {
            Ok(answer) => read(&answer),
            // The request may have arrived.
            Err(error) => {
                tracing::debug!(error = %error, "connection to the front door lost");
                Err(Setback::Unknown)
            }
        }
    }
}

/// The parts of an answer that a client acts upon.
#[derive(Deserialize)]
struct Created {
    order_id: i64,
}

#[derive(Deserialize)]
struct Refused<'a> {
    r#type: &'a str,
}

/// What the front door said.
fn read(answer: &HttpAnswer) -> Result<Reply, Setback> {
    if answer.status == 201 {
        let Created { order_id } = serde_json::from_slice(&answer.body).map_err(|_| Setback::Unknown)?;
        return Ok(Reply::Accepted { value: order_id });
    }
    let Ok(Refused { r#type: problem }) = serde_json::from_slice(&answer.body) else { return Err(Setback::Unknown) };
    let is = |one: Problem| one.reference() == problem;
    if is(Problem::SoldOut) {
        Ok(Reply::Rejected { reason: reason::SOLD_OUT })
    } else if is(Problem::LimitReached) {
        Ok(Reply::Rejected { reason: reason::LIMIT_REACHED })
    } else if is(Problem::KeyReused) {
        Ok(Reply::Rejected { reason: reason::KEY_REUSED })
    } else if is(Problem::NotFound) {
        Ok(Reply::Rejected { reason: reason::NO_SUCH_PRODUCT })
    } else if is(Problem::Busy) || is(Problem::TooLate) {
        Err(Setback::Overloaded)
    } else {
        Err(Setback::Unknown)
    }
}
