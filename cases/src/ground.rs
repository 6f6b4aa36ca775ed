//! What the cases' tests have in common: servers that are gone when a test ends, and clients that carry out operations as
//! the lab's do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::history::{Event, History, Observation, Outcome, operation};
use pgstrata_lab::record::{LoadShape, TrialPurpose, TrialRecord};
use pgstrata_lab::retry::Reaction;
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::{Server, Site, SiteSpec};
use pgstrata_lab::study::{Arm, Client, DEFAULT_SKEW, Preset, Reply, Rig, Scale, Study};
use pgstrata_lab::trial::{self, TrialSpec};
use pgstrata_pg::{Cluster, Session, install, testing};
use tokio_util::sync::CancellationToken;

/// The seed of the operations of all tests.
pub(crate) const SEED: u64 = 11;

/// Servers of a test; gone when it ends.
pub(crate) struct Ground {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) site: Site,
}

impl Ground {
    pub(crate) async fn new(servers: usize) -> Self {
        let mut clusters = Vec::new();
        for _ in 0..servers {
            clusters.push(testing::server().await.expect("a PostgreSQL server"));
        }
        let site = Site::of_servers(clusters.iter().map(|cluster| Server::plain(cluster.endpoint())).collect());
        Self { clusters, site }
    }

    pub(crate) async fn session(&self) -> Session {
        self.site.first().control.connect().await.expect("a session")
    }

    /// One number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.session().await.query_one(sql, &[]).await.expect("a row").get(0)
    }
}

/// Lets `clients` carry out operations 0 to `operations`, each `copies` times, and writes down what they were told and
/// what they saw.
pub(crate) async fn carry_out(rig: &Arc<dyn Rig>, clients: u32, operations: u64, copies: u64) -> History {
    let next = Arc::new(AtomicU64::new(0));
    let clock = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..clients {
        let mut client = rig.client(number).await.expect("a client");
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut seen = Vec::new();
            loop {
                let turn = next.fetch_add(1, Ordering::SeqCst);
                if turn >= operations * copies {
                    return seen;
                }
                seen.push(see_through(&mut *client, turn / copies, number, clock).await);
            }
        });
    }
    let seen = tasks.join_all().await.into_iter().flatten();
    let (events, observations): (Vec<Event>, Vec<Option<Observation>>) = seen.unzip();
    let observations = observations.into_iter().flatten().collect();
    History { seed: SEED, events, observations, measured_from_ns: 0, measured_until_ns: u64::MAX }
}

/// One operation to its end, as one client.
pub(crate) async fn ask(client: &mut dyn Client, number: u64) -> Event {
    see_through(client, number, 0, Instant::now()).await.0
}

/// One operation to its end; what the lab would try again is tried again.
async fn see_through(
    client: &mut dyn Client,
    number: u64,
    client_number: u32,
    clock: Instant,
) -> (Event, Option<Observation>) {
    const ATTEMPTS: u16 = 10_000;
    let now_ns = || u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let operation = operation(SEED, number);
    let sent_ns = now_ns();
    for attempts in 1..=ATTEMPTS {
        let (value, outcome) = match client.step(&operation).await {
            Ok(Reply::Accepted { value }) => (value, Outcome::Ok),
            Ok(Reply::Rejected { reason }) => (reason, Outcome::Rejected),
            Err(setback) => match setback.reaction() {
                Reaction::RetryNow(_) => continue,
                Reaction::RetryLater(_) => {
                    // As the lab does, shorter: who has lost a race to several others lets them finish.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                Reaction::Reconnect(_) | Reaction::GiveUp => panic!("operation {number} met {setback:?}"),
            },
        };
        let event = Event {
            operation: number,
            intended_ns: sent_ns,
            sent_ns,
            finished_ns: now_ns(),
            value,
            client: client_number,
            attempts,
            outcome,
        };
        let seen = client.seen().map(|numbers| Observation { operation: number, client: client_number, numbers });
        return (event, seen);
    }
    panic!("operation {number} came to no end in {ATTEMPTS} attempts")
}

pub(crate) fn count(history: &History, outcome: Outcome) -> usize {
    history.events.iter().filter(|event| event.outcome == outcome).count()
}

/// Waits until something is so, for at most ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to it that {what}");
}

/// A trial of the lab with kills of the postmaster, on a server that keeps its word.
pub(crate) async fn trial_under_kills(
    study: Arc<dyn Study>,
    arm: &'static Arm,
    kills: u32,
    observed: bool,
) -> TrialRecord {
    let plan = FaultPlan::kills_of_the_postmaster(kills);
    let install = install::find(None, None).expect("PostgreSQL");
    let site = Site::open(&SiteSpec::Private { install, servers: 1 }, &plan).await.expect("a site");
    let scale =
        Scale { preset: Preset::Ci, operations: 1_000_000, scarce: false, skew: DEFAULT_SKEW, observed, seed: SEED };
    let spec = TrialSpec {
        purpose: TrialPurpose::Proof,
        arm,
        load: LoadShape::Closed { clients: 24 },
        warmup: Duration::from_millis(50),
        measure: Duration::from_millis(300),
        faults: plan,
        scale,
        evaluate_during: false,
    };
    let probe = SentinelProbe::new(&site).await.expect("a probe");
    let record = trial::run(&study, &site, &spec, &probe, &CancellationToken::new()).await.expect("a trial");
    site.close().await.expect("closed");
    record
}
