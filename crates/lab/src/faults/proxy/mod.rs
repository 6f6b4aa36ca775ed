//! A user-space proxy between clients and a server that can be told, while it runs, to misbehave.
//!
//! Linux can delay and drop packets itself (netem), but many kernels are built without it and it needs root; a proxy
//! needs neither and can tell one connection from another. It works on the bytes of the stream, not on packets: a
//! "dropped" byte is gone for good, as if its connection was about to die, since TCP would have sent it again.
//!
//! The proxy runs on a thread of its own, sleeps when nothing moves, holds at most [`LINE_LIMIT`] bytes each way of
//! a connection (a full line makes the sender wait, as a full window does), and reports the delay that was achieved.
//! It does not speak TLS and looks into the protocol only to know where a request ends.

mod line;
mod relay;
mod timer;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use line::{DelayReading, LINE_LIMIT};

/// More connections than this at a time are reset at once.
pub const MAX_CONNECTIONS: usize = 512;

/// How long accepting rests after an error such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The name of the proxy's thread, as it shows in `top -H`.
const THREAD_NAME: &str = "pgstrata-proxy";

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Behind a Unix socket.
    Unix(PathBuf),
    /// At a host and a port.
    Tcp(String, u16),
}

/// What a connection does to the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// How much later each byte from a client reaches the server.
    pub delay_to_server: Duration,
    /// How much later each byte from the server reaches a client.
    pub delay_to_client: Duration,
    /// Whether bytes pass at all.
    pub flow: Flow,
}

/// Whether bytes pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They pass, after their delay.
    #[default]
    Pass,
    /// Silence: nothing is read or written, connections stay open. What was held back passes afterwards.
    HalfOpen,
    /// Bytes are taken and lost. A connection that lost some is reset as soon as this ends.
    Drop,
    /// Connections are reset, old and new ones.
    Cut,
}

/// A connection through the proxy, numbered from 0 in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A running proxy; dropping it closes all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// What the proxy's thread and its owner share.
#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What new connections do.
    behaviour: Behaviour,
    /// The open connections, each with what it does now.
    connections: BTreeMap<ConnectionId, watch::Sender<Behaviour>>,
    /// How many connections there have been.
    accepted: u64,
    /// Those who wait for a connection to be closed between request and answer.
    awaiting_disconnect: VecDeque<oneshot::Sender<ConnectionId>>,
    /// Delays achieved since they were last taken: to the server, to the clients.
    delays: (DelayReading, DelayReading),
}

impl FaultProxy {
    /// Listens on a free port of the loopback address and passes everything on to `upstream`.
    ///
    /// # Errors
    /// If no port or thread is to be had.
    pub fn start(upstream: Upstream) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared { upstream, state: Mutex::default() });
        let stop = CancellationToken::new();
        let (for_thread, stop_thread) = (Arc::clone(&shared), stop.clone());
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, for_thread) => {}
                    () = stop_thread.cancelled() => {}
                }
            });
        })?;
        Ok(Self { address, shared, stop, thread: Some(thread) })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What new connections do.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.shared.state().behaviour
    }

    /// Changes what all connections do, present and future, at once.
    pub fn change(&self, change: impl Fn(&mut Behaviour)) {
        let mut state = self.shared.state();
        change(&mut state.behaviour);
        for connection in state.connections.values() {
            connection.send_modify(&change);
        }
    }

    /// Changes what one connection does; false when it is gone.
    pub fn change_one(&self, id: ConnectionId, change: impl FnOnce(&mut Behaviour)) -> bool {
        let state = self.shared.state();
        let Some(connection) = state.connections.get(&id) else { return false };
        connection.send_modify(change);
        true
    }

    /// The open connections, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.shared.state().connections.keys().copied().collect()
    }

    /// Closes the connection of the client that sends the next request, after the server has got it and before any
    /// part of the answer passes. The receiver tells which it was; dropping it before calls the wish off.
    #[must_use]
    pub fn disconnect_after_send(&self) -> oneshot::Receiver<ConnectionId> {
        let (sender, receiver) = oneshot::channel();
        self.shared.state().awaiting_disconnect.push_back(sender);
        receiver
    }

    /// The delays achieved since this was last asked: to the server, to the clients.
    #[must_use]
    pub fn take_delays(&self) -> (DelayReading, DelayReading) {
        std::mem::take(&mut self.shared.state().delays)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // The thread ends at its next wake-up, which cancelling has caused. If it panicked, its connections are
            // closed all the same.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The state. No code panics while it holds the lock, so a poisoned one is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new connection, unless there are too many.
    fn enter(&self) -> Option<(ConnectionId, watch::Receiver<Behaviour>)> {
        let mut state = self.state();
        if state.connections.len() >= MAX_CONNECTIONS {
            return None;
        }
        let id = ConnectionId(state.accepted);
        state.accepted += 1;
        let (sender, receiver) = watch::channel(state.behaviour);
        state.connections.insert(id, sender);
        Some((id, receiver))
    }

    fn leave(&self, id: ConnectionId) {
        self.state().connections.remove(&id);
    }

    /// Whoever waits longest for a connection to be closed between request and answer.
    fn claim_disconnect(&self) -> Option<oneshot::Sender<ConnectionId>> {
        let mut state = self.state();
        while let Some(waiting) = state.awaiting_disconnect.pop_front() {
            if !waiting.is_closed() {
                return Some(waiting);
            }
        }
        None
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the proxy cannot listen"),
    };
    loop {
        match listener.accept().await {
            Ok((client, _)) => match shared.enter() {
                Some((id, behaviour)) => {
                    tokio::spawn(relay::run(client, Arc::clone(&shared), id, behaviour));
                }
                None => relay::reset(client),
            },
            Err(error) => {
                tracing::debug!(%error, "the proxy could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
