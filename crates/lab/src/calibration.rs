//! What the load loop itself costs: client CPU per statement beside `pgbench -S -M prepared`, in one run.
//!
//! Both read one row by key with a prepared statement over the same number of connections, on one thread. Windows
//! alternate in an order drawn by lot, and ratios are judged like everything else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_pg::pgbench::Script;
use pgstrata_pg::process::{CpuTime, self_cpu};
use pgstrata_pg::{self as pg, Session, pgbench, sql};
use pgstrata_stats::{Better, Comparison, Pair, Settings, compare};
use pgstrata_units::{SystemId, Text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::LabError;
use crate::history::History;
use crate::load::{ClientHome, Load, LoadSpec};
use crate::record::LoadShape;
use crate::retry::RetryPolicy;
use crate::site::Site;
use crate::study::{
    Arm, ArmKind, Card, Client, ClientCount, DEFAULT_SKEW, Operation, Preset, Reply, Rig, Scale, Setback, Study,
    StudyError, Violation,
};

/// Client CPU per statement at one number of connections.
#[derive(Clone, Debug, Serialize)]
pub struct ClientCost {
    /// Connections.
    pub connections: u32,
    /// pgbench, µs of CPU per statement, one figure a round.
    pub pgbench_us: Vec<f64>,
    /// The load loop, µs of CPU per statement, one figure a round.
    pub load_loop_us: Vec<f64>,
    /// The load loop's CPU divided by pgbench's.
    pub comparison: Comparison,
}

/// How long a window of ours runs before it counts.
const WARM_UP: Duration = Duration::from_millis(200);

/// How long clients may take to finish.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// pgbench's accounts at scale 1.
const ACCOUNTS: u64 = 100_000;

/// Measures both load generators in `rounds` interleaved rounds at each number of connections.
///
/// # Errors
/// If pgbench is missing, or the server fails.
pub async fn client_cost(
    site: &Site,
    bindir: &Path,
    connections: &[u32],
    rounds: u32,
    duration: Duration,
    seed: u64,
) -> Result<Vec<ClientCost>, LabError> {
    let endpoint = site.first().control.clone();
    blocking(bindir, &endpoint, |bindir, endpoint| pgbench::initialise(bindir, endpoint, 1))?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pairs = vec![Vec::new(); connections.len()];
    for _ in 0..rounds {
        for (pairs, &connections) in pairs.iter_mut().zip(connections) {
            let pgbench = |bindir: &Path, endpoint: &pg::Endpoint| {
                pgbench::play(bindir, endpoint, Script::SelectOnly, connections, duration)
            };
            let pgbench_first: bool = rng.random();
            let loop_seed = rng.random();
            let (baseline, candidate) = if pgbench_first {
                let baseline = blocking(bindir, &endpoint, pgbench)?;
                (baseline, window(site, connections, duration, loop_seed).await?)
            } else {
                let candidate = window(site, connections, duration, loop_seed).await?;
                (blocking(bindir, &endpoint, pgbench)?, candidate)
            };
            let baseline = per_statement(baseline.cpu, baseline.transactions);
            pairs.push(Pair { baseline, candidate });
        }
    }
    connections.iter().zip(pairs).map(|(&connections, pairs)| cost(connections, &pairs)).collect()
}

fn cost(connections: u32, pairs: &[Pair]) -> Result<ClientCost, LabError> {
    let comparison = compare(pairs, &Settings::new(Better::Lower))
        .map_err(|error| LabError::usage(error.to_string(), "measure more rounds, of at least a second"))?;
    Ok(ClientCost {
        connections,
        pgbench_us: pairs.iter().map(|pair| pair.baseline).collect(),
        load_loop_us: pairs.iter().map(|pair| pair.candidate).collect(),
        comparison,
    })
}

fn per_statement(cpu: CpuTime, statements: u64) -> f64 {
    cpu.as_micros_f64() / (statements.max(1)) as f64
}

/// Runs a program that blocks, off the runtime's own threads.
fn blocking<T>(
    bindir: &Path,
    endpoint: &pg::Endpoint,
    run: impl FnOnce(&Path, &pg::Endpoint) -> Result<T, pg::Error>,
) -> Result<T, LabError> {
    // The program's end is the only thing there is to wait for here.
    tokio::task::block_in_place(|| run(bindir, endpoint)).map_err(LabError::from)
}

/// One window of the load loop: µs of CPU of the whole process per statement.
async fn window(site: &Site, connections: u32, duration: Duration, seed: u64) -> Result<f64, LabError> {
    let spec = LoadSpec {
        shape: LoadShape::Closed { clients: connections },
        seed,
        first_operation: 0,
        duplicates: 0.0,
        retry: RetryPolicy::default(),
    };
    let scale = Scale { preset: Preset::Full, operations: 0, scarce: false, skew: DEFAULT_SKEW, observed: false, seed };
    let study: Arc<dyn Study> = Arc::new(PointRead);
    let load = Load::start(&study, &ARMS[0], site, scale, spec, ClientHome::Thread, DRAIN_LIMIT).await?;
    tokio::time::sleep(WARM_UP).await;
    let (from_ns, before) = (load.now_ns(), self_cpu()?);
    tokio::time::sleep(duration).await;
    let (until_ns, after) = (load.now_ns(), self_cpu()?);
    let output = load.finish().await?;
    let history = History {
        seed,
        events: output.events,
        observations: Vec::new(),
        measured_from_ns: from_ns,
        measured_until_ns: until_ns,
    };
    Ok(per_statement(after - before, history.counts().decided()))
}

/// pgbench's select-only script as a study; no case, and in no list.
struct PointRead;

static ARMS: [Arm; 1] = [Arm {
    name: "point-read",
    title: Text { en: "Point read", zh: "点查" },
    summary: Text { en: "Reads one account by key.", zh: "按主键读取一个账户。" },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(8),
    statements: &[("point_read.sql", POINT_READ)],
}];

/// The statement of pgbench's select-only script (src/bin/pgbench/pgbench.c, `SELECT only`).
const POINT_READ: &str = include_str!("point_read.sql");

static CARD: Card = Card {
    id: SystemId::known("11-03"),
    name: "point-read",
    title: Text { en: "Cost of the load loop", zh: "压测循环的开销" },
    summary: Text { en: "Client CPU per statement.", zh: "每条语句的客户端 CPU。" },
    operation: Text { en: "point read", zh: "点查" },
    arms: &ARMS,
    baseline: "point-read",
    invariants: &[],
    claims: &[],
};

#[async_trait]
impl Study for PointRead {
    fn card(&self) -> &'static Card {
        &CARD
    }

    async fn prepare(&self, _: &'static Arm, _: &Site, _: &Scale) -> Result<(), StudyError> {
        Ok(())
    }

    async fn open(&self, _: &'static Arm, site: &Site, _: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        Ok(Arc::new(PointReadRig { endpoint: site.first().endpoint.clone() }))
    }

    async fn check(&self, _: &'static Arm, _: &Site, _: &History) -> Result<Vec<Violation>, StudyError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _: &Site) -> Result<(), StudyError> {
        Ok(())
    }
}

struct PointReadRig {
    endpoint: pg::Endpoint,
}

#[async_trait]
impl Rig for PointReadRig {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        let session = self.endpoint.connect().await?;
        let statement = session.prepare(POINT_READ).await.map_err(pg::Error::from)?;
        Ok(Box::new(PointReadClient { session, statement }))
    }
}

struct PointReadClient {
    session: Session,
    statement: sql::Statement,
}

#[async_trait]
impl Client for PointReadClient {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let account = i32::try_from(operation.draw % ACCOUNTS).unwrap_or(0) + 1;
        let row = self.session.query_one(&self.statement, &[&account]).await.map_err(pg::Error::from)?;
        Ok(Reply::Accepted { value: row.get::<_, i32>(0).into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_load_loop_and_pgbench_are_both_measured_on_a_real_server() {
        let cluster = pg::testing::server().await.expect("a server");
        let bindir = cluster.install().bindir.clone();
        let site = Site::of_servers(vec![crate::site::Server::plain(cluster.endpoint())]);
        let costs = client_cost(&site, &bindir, &[2], 2, Duration::from_secs(1), 7).await.expect("measured");
        assert_eq!(costs[0].pgbench_us.len(), 2);
        assert!(
            costs[0].pgbench_us.iter().chain(&costs[0].load_loop_us).all(|us| *us > 0.5 && us.is_finite()),
            "{costs:?}"
        );
    }
}
