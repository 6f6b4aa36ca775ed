//! Where a run takes place: one or more servers, private or attached, with the places for its faults around them.

use std::sync::Arc;

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Install, Profile, StopMode};
use tokio::sync::Mutex;

use crate::error::LabError;
use crate::faults::steps::Steps;
use crate::faults::{FaultKit, FaultPlan, FaultPoints};
use crate::machine;
use crate::meter::Meter;
use crate::observe::{Observer, Recorder, Watching};
use crate::study::{Arm, Study};

/// The servers of a run. A study that shards puts shard `n` on server `n`.
#[derive(Clone, Debug)]
pub struct Site {
    /// At least one.
    pub servers: Vec<Server>,
    /// Where faults take hold of the system that runs here.
    pub steps: Steps,
    /// Counts what clients do while they do it, for whoever shows it.
    pub meter: Meter,
    watching: Option<Watching>,
    recorders: Vec<Arc<Recorder>>,
}

/// One server of a site.
#[derive(Clone, Debug)]
pub struct Server {
    /// What clients connect to; may lead through a fault proxy.
    pub endpoint: Endpoint,
    /// The direct way, for preparation, checks and sampling; under a name of its own, so that faults spare it.
    pub control: Endpoint,
    /// The way of clients in windows that are measured undisturbed: no proxy in it.
    pub direct: Endpoint,
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

/// The names that our sessions carry in `pg_stat_activity`: the clients', and those of preparation and checks.
const CLIENT_NAME: &str = "pgstrata";
const CONTROL_NAME: &str = "pgstrata control";

/// What a server gets beside its profile: the sizes that anybody gives a server that has work to do. None of them
/// makes a commit less durable; all of them are in the record.
const SIZES: [(&str, &str); 2] = [
    // The largest arm's sessions, the sequencers, control and sampling.
    ("max_connections", "300"),
    // The default of 1 GB forces a checkpoint every few seconds at the rates of the faster arms.
    ("max_wal_size", "8GB"),
];

/// What servers that share their work get, so that it can be committed on all of them: by default there is none, and a
/// server by itself needs none.
const PREPARED_SLOTS: (&str, &str) = ("max_prepared_transactions", "256");

/// PostgreSQL's manual recommends a quarter of the memory for `shared_buffers`; no study needs more than this.
const SHARED_BUFFERS_MAX_MB: u64 = 2048;

/// PostgreSQL's default.
const SHARED_BUFFERS_MIN_MB: u64 = 128;

impl Site {
    /// Starts or attaches the servers, with what the faults of `plan` need around them.
    ///
    /// Private servers run the `durable` profile: every figure that is shown comes from a server that keeps its word.
    ///
    /// # Errors
    /// If a server cannot be started or reached, or the machine lacks what a fault needs.
    pub async fn open(spec: &SiteSpec, plan: &FaultPlan) -> Result<Self, LabError> {
        Self::open_with(spec, plan, &[]).await
    }

    /// The same with trials watched, as far as their study lets them be. Private servers are set up for it; attached
    /// ones must have `wal_level = logical`.
    ///
    /// # Errors
    /// As [`Site::open`].
    pub async fn open_watching(spec: &SiteSpec, plan: &FaultPlan, watching: Watching) -> Result<Self, LabError> {
        let site = Self::open_with(spec, plan, &[("wal_level", "logical")]).await?;
        Ok(site.watched(watching))
    }

    async fn open_with(spec: &SiteSpec, plan: &FaultPlan, settings: &[(&str, &str)]) -> Result<Self, LabError> {
        let mut servers = Vec::new();
        match spec {
            SiteSpec::Private { install, servers: count } => {
                for _ in 0..*count {
                    servers.push(Server::start(install, plan, settings, *count > 1).await?);
                }
            }
            SiteSpec::Attached { endpoints } => {
                for endpoint in endpoints {
                    servers.push(Server::attach(endpoint, plan).await?);
                }
            }
        }
        Ok(Self::of_servers(servers))
    }

    /// A site of servers that are somebody else's, without faults.
    #[must_use]
    pub fn of_servers(servers: Vec<Server>) -> Self {
        Self { servers, steps: Steps::default(), meter: Meter::default(), watching: None, recorders: Vec::new() }
    }

    /// The same with clients counted while they work.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// The same with trials watched. The servers' `wal_level` must be `logical`.
    #[must_use]
    pub fn watched(self, watching: Watching) -> Self {
        Self { watching: Some(watching), ..self }
    }

    /// Whether trials are to be watched, and what is kept of them.
    #[must_use]
    pub fn watching(&self) -> Option<&Watching> {
        self.watching.as_ref()
    }

    /// The way of client `process` to do transactions on server `server`: written down where the trial is watched.
    #[must_use]
    pub fn observer(&self, server: usize, process: u32) -> Observer {
        Observer::new(self.recorders.get(server).cloned(), process)
    }

    /// The same site with a recorder for each server.
    pub(crate) fn recorded_by(&self, recorders: Vec<Arc<Recorder>>) -> Self {
        Self { recorders, ..self.clone() }
    }

    /// The place for a trial of `arm`: as many of the servers as the arm works with, and its steps.
    #[must_use]
    pub fn for_arm(&self, study: &dyn Study, arm: &'static Arm) -> Self {
        let count = study.servers(arm).map_or(self.servers.len(), |count| count as usize);
        let servers = self.servers.iter().take(count.max(1)).cloned().collect();
        Self { servers, steps: Steps::named(study.steps(arm)), ..self.clone() }
    }

    /// The first server; the only one unless the study shards.
    ///
    /// # Panics
    /// If the site is empty, which no constructor of the lab allows.
    #[must_use]
    pub fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// The same servers without the places for faults in the clients' way, for windows that are measured.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        let plain = |server: &Server| Server { endpoint: server.direct.clone(), ..server.clone() };
        Self { servers: self.servers.iter().map(plain).collect(), ..self.clone() }
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

/// A quarter of the memory within bounds, as PostgreSQL writes it.
fn shared_buffers(memory_bytes: u64) -> String {
    let quarter_mb = memory_bytes / 4 / (1 << 20);
    format!("{}MB", quarter_mb.clamp(SHARED_BUFFERS_MIN_MB, SHARED_BUFFERS_MAX_MB))
}

impl Server {
    /// Starts a private server.
    async fn start(
        install: &Install,
        plan: &FaultPlan,
        settings: &[(&str, &str)],
        is_one_of_many: bool,
    ) -> Result<Self, LabError> {
        let mut spec = ClusterSpec::new(install.clone(), Profile::Durable);
        spec.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        spec.settings.extend(SIZES.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if is_one_of_many {
            let (name, value) = PREPARED_SLOTS;
            spec.settings.push((name.to_owned(), value.to_owned()));
        }
        spec.settings.push(("shared_buffers".to_owned(), shared_buffers(machine::describe().memory_bytes)));
        let kit = FaultKit::prepare(plan, &mut spec)?;
        let cluster = Cluster::create(spec).await?;
        let direct = cluster.endpoint().with_application_name(CLIENT_NAME);
        let control = cluster.endpoint().with_application_name(CONTROL_NAME);
        let (endpoint, faults) = kit.attach(&direct)?;
        Ok(Self { endpoint, control, direct, cluster: Some(Arc::new(Mutex::new(cluster))), faults })
    }

    /// Attaches to a server that is there.
    async fn attach(server: &Endpoint, plan: &FaultPlan) -> Result<Self, LabError> {
        let direct = server.with_application_name(CLIENT_NAME);
        let control = server.with_application_name(CONTROL_NAME);
        // Found out now, where the user is told, and not by the first client.
        control.connect().await?;
        let (endpoint, faults) = FaultKit::for_attached(plan).attach(&direct)?;
        Ok(Self { endpoint, control, direct, cluster: None, faults })
    }

    /// A server that is not ours and has no faults: clients and control go the same way.
    #[must_use]
    pub fn plain(endpoint: Endpoint) -> Self {
        Self {
            control: endpoint.clone(),
            direct: endpoint.clone(),
            endpoint,
            cluster: None,
            faults: FaultPoints::default(),
        }
    }
}
