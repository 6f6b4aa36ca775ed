//! Faults of the network between clients and server, by way of the proxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rand_chacha::ChaCha8Rng;

use super::catalogue::FaultKind;
use super::error::FaultError;
use super::proxy::{Behaviour, FaultProxy, Flow};
use super::recovery::RECOVERY_LIMIT;
use super::{Fault, InForce};
use crate::site::Server;

fn proxy(server: &Server, fault: FaultKind) -> Result<Arc<FaultProxy>, FaultError> {
    let what = "a proxy between clients and server";
    server.faults.proxy.clone().ok_or(FaultError::Missing { fault: fault.name(), what })
}

/// A change of the proxy's behaviour that ends when this does.
struct Changed {
    proxy: Arc<FaultProxy>,
    undo: fn(&mut Behaviour),
}

impl Drop for Changed {
    fn drop(&mut self) {
        self.proxy.change(self.undo);
    }
}

/// Everything takes longer, each way.
pub(super) struct Delay(pub(super) Duration);

struct Delayed {
    changed: Changed,
    asked: Duration,
}

#[async_trait]
impl Fault for Delay {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let proxy = proxy(server, FaultKind::NetDelay)?;
        let _ = proxy.take_delays();
        let delay = self.0;
        proxy.change(|behaviour| (behaviour.delay_to_server, behaviour.delay_to_client) = (delay, delay));
        let undo = |behaviour: &mut Behaviour| {
            (behaviour.delay_to_server, behaviour.delay_to_client) = (Duration::ZERO, Duration::ZERO);
        };
        Ok(Box::new(Delayed { changed: Changed { proxy, undo }, asked: delay }))
    }
}

#[async_trait]
impl InForce for Delayed {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        let proxy = Arc::clone(&self.changed.proxy);
        let asked = self.asked.as_secs_f64() * 1e3;
        drop(self.changed);
        let (to_server, to_client) = proxy.take_delays();
        Ok(format!("asked {asked:.2} ms each way; to the server {to_server}; to the clients {to_client}"))
    }
}

/// No byte passes for a while.
pub(super) struct Outage {
    kind: FaultKind,
    flow: Flow,
}

struct OutOfOrder {
    changed: Changed,
    server: Server,
    connections: usize,
    since: Instant,
}

impl Outage {
    pub(super) fn of(kind: FaultKind, flow: Flow) -> Self {
        Self { kind, flow }
    }
}

#[async_trait]
impl Fault for Outage {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let proxy = proxy(server, self.kind)?;
        let connections = proxy.connections().len();
        proxy.change(|behaviour| behaviour.flow = self.flow);
        let changed = Changed { proxy, undo: |behaviour| behaviour.flow = Flow::Pass };
        Ok(Box::new(OutOfOrder { changed, server: server.clone(), connections, since: Instant::now() }))
    }
}

#[async_trait]
impl InForce for OutOfOrder {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        let Self { changed, server, connections, since } = *self;
        drop(changed);
        let lasted = since.elapsed().as_secs_f64() * 1e3;
        // By the clients' way this time: it is the way that was out of order.
        let session = server.endpoint.connect_retry(RECOVERY_LIMIT).await;
        session.map_err(FaultError::server("connect through the proxy again"))?.close().await;
        Ok(format!("lasted {lasted:.0} ms; {connections} connections were open"))
    }
}

/// One client loses its connection between request and answer.
pub(super) struct DisconnectAfterSend;

struct Disconnected(String);

#[async_trait]
impl Fault for DisconnectAfterSend {
    async fn strike(&self, server: &Server, _: &mut ChaCha8Rng) -> Result<Box<dyn InForce>, FaultError> {
        let proxy = proxy(server, FaultKind::DisconnectAfterSend)?;
        let wait = async {
            loop {
                // The wish is lost with a connection that is lost while its request is on the way.
                if let Ok(id) = proxy.disconnect_after_send().await {
                    return id;
                }
            }
        };
        // Another fault may have taken the server down; clients send requests when it is back.
        match tokio::time::timeout(RECOVERY_LIMIT, wait).await {
            Ok(id) => Ok(Box::new(Disconnected(format!("closed connection {} after its request was sent", id.0)))),
            Err(_) => Err(FaultError::NoEffect {
                fault: FaultKind::DisconnectAfterSend.name(),
                seen: "no client sent a request through the proxy".to_owned(),
                hint: "let clients work on the server while faults strike",
            }),
        }
    }
}

#[async_trait]
impl InForce for Disconnected {
    async fn heal(self: Box<Self>) -> Result<String, FaultError> {
        Ok(self.0)
    }
}
