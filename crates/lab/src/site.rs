//! Where a run takes place: one or more servers, private or attached, with the places for its faults around them.

use std::sync::Arc;

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Install, Profile, StopMode};
use tokio::sync::Mutex;

use crate::error::LabError;
use crate::faults::{FaultKit, FaultPlan, FaultPoints};

/// The servers of a run. A study that shards puts shard `n` on server `n`.
#[derive(Clone, Debug)]
pub struct Site {
    /// At least one.
    pub servers: Vec<Server>,
}

/// One server of a site.
#[derive(Clone, Debug)]
pub struct Server {
    /// What clients connect to; may lead through a fault proxy.
    pub endpoint: Endpoint,
    /// The direct way, for preparation, checks and sampling.
    pub control: Endpoint,
    /// The server itself when it is ours to stop and kill; none when attached.
    pub cluster: Option<Arc<Mutex<Cluster>>>,
    /// Where faults take hold of it.
    pub faults: FaultPoints,
}

/// Which servers to use.
#[derive(Clone, Debug)]
pub enum SiteSpec {
    /// So many of our own, started for the run and removed after it.
    Private {
        /// The binaries.
        install: Install,
        /// How many.
        servers: u32,
    },
    /// Somebody else's, one for each shard.
    Attached {
        /// Their addresses.
        endpoints: Vec<Endpoint>,
    },
}

/// The name that our sessions carry in `pg_stat_activity`.
const APPLICATION_NAME: &str = "pgstrata";

/// Connections for the largest arm's sessions, the sequencers, control and sampling.
const MAX_CONNECTIONS: &str = "300";

impl Site {
    /// Starts or attaches the servers, with what the faults of `plan` need around them.
    ///
    /// Private servers run the `durable` profile: every figure that is shown comes from a server that keeps its word.
    ///
    /// # Errors
    /// If a server cannot be started or reached, or the machine lacks what a fault needs.
    pub async fn open(spec: &SiteSpec, plan: &FaultPlan) -> Result<Self, LabError> {
        let mut servers = Vec::new();
        match spec {
            SiteSpec::Private { install, servers: count } => {
                for _ in 0..*count {
                    servers.push(Server::start(install, plan).await?);
                }
            }
            SiteSpec::Attached { endpoints } => {
                for endpoint in endpoints {
                    servers.push(Server::attach(endpoint, plan).await?);
                }
            }
        }
        Ok(Self { servers })
    }

    /// A site of servers that are somebody else's, without faults.
    #[must_use]
    pub fn of_servers(servers: Vec<Server>) -> Self {
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

    /// Stops the private servers and removes their directories.
    ///
    /// # Errors
    /// If one did not stop in order; it is gone all the same.
    pub async fn close(self) -> Result<(), LabError> {
        let mut outcome = Ok(());
        for server in self.servers {
            if let Some(cluster) = &server.cluster
                && let Err(error) = cluster.lock().await.stop(StopMode::Immediate).await
            {
                outcome = Err(error.into());
            }
        }
        outcome
    }
}

impl Server {
    /// Starts a private server.
    async fn start(install: &Install, plan: &FaultPlan) -> Result<Self, LabError> {
        let mut spec = ClusterSpec::new(install.clone(), Profile::Durable);
        spec.settings.push(("max_connections".to_owned(), MAX_CONNECTIONS.to_owned()));
        let kit = FaultKit::prepare(plan, &mut spec)?;
        let cluster = Cluster::create(spec).await?;
        let control = cluster.endpoint().with_application_name(APPLICATION_NAME);
        let (endpoint, faults) = kit.attach(&control)?;
        Ok(Self { endpoint, control, cluster: Some(Arc::new(Mutex::new(cluster))), faults })
    }

    /// Attaches to a server that is there.
    async fn attach(control: &Endpoint, plan: &FaultPlan) -> Result<Self, LabError> {
        let control = control.with_application_name(APPLICATION_NAME);
        // Found out now, where the user is told, and not by the first client.
        control.connect().await?;
        let (endpoint, faults) = FaultKit::for_attached(plan).attach(&control)?;
        Ok(Self { endpoint, control, cluster: None, faults })
    }

    /// A server that is not ours and has no faults: clients and control go the same way.
    #[must_use]
    pub fn plain(endpoint: Endpoint) -> Self {
        Self { control: endpoint.clone(), endpoint, cluster: None, faults: FaultPoints::default() }
    }
}
