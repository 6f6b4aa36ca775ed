//! Where a trial runs: one or more servers, private or attached.

use std::sync::Arc;

use pgstrata_pg::{Cluster, Endpoint};
use tokio::sync::Mutex;

/// The servers of a run. A study that shards puts shard `n` on server `n`.
#[derive(Clone)]
pub struct Site {
    /// At least one.
    pub servers: Vec<Server>,
}

/// One server of a site.
#[derive(Clone)]
pub struct Server {
    /// What clients connect to; may lead through a fault proxy.
    pub endpoint: Endpoint,
    /// The direct way, for preparation, checks and sampling.
    pub control: Endpoint,
    /// The server itself when it is ours to stop and kill; none when attached.
    pub cluster: Option<Arc<Mutex<Cluster>>>,
}

impl Site {
    /// A site of servers that are somebody else's.
    #[must_use]
    pub fn of_endpoints(servers: Vec<Server>) -> Self {
        Self { servers }
    }

    /// The first server; the only one unless the study shards.
    ///
    /// # Panics
    /// If the site is empty, which no constructor of the lab allows.
    #[must_use]
    pub fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// Whether every server is ours to stop, pause and kill.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.servers.iter().all(|server| server.cluster.is_some())
    }
}

impl Server {
    /// A server that is not ours: clients and control go the same way.
    #[must_use]
    pub fn attached(endpoint: Endpoint) -> Self {
        Self { control: endpoint.clone(), endpoint, cluster: None }
    }
}
