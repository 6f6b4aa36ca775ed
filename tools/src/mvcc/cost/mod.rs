//! What the preloaded part of the extension costs: the hook, in processor time of a session for each statement; the
//! worker, in processor time for each second, idle, under load and while sessions wait.
//!
//! The hook is measured by pairs in one session, with publishing on and off, in turn and in changing order, so that what
//! else the machine does falls on both. Its statements run inside one block, where each is published and the block's
//! snapshot given back after it: twice the work of a statement that a client sends. Processor time, not time on the
//! clock, because a busy machine takes the processor away from both.
//!
//! What is left of a load is measured besides: [`throughput()`].

mod throughput;

use std::path::Path;
use std::time::{Duration, Instant};

use pgstrata_pg::pgbench::Script;
use pgstrata_pg::process::of_process;
use pgstrata_pg::{Cluster, ClusterSpec, Pid, Session, pgbench};

pub use throughput::{MARGIN, Observed, Throughput, ThroughputSpec, throughput};

use super::TrialError;

/// The extension.
const EXTENSION: &str = "mvcc_visualizer";
/// Sessions that wait for one lock while the worker is measured.
const WAITERS: usize = 20;
/// Clients of the load under which the worker is measured.
const CLIENTS: u32 = 4;

const CREATE: &str = include_str!("sql/create.sql");
const WORKER: &str = include_str!("sql/worker.sql");
const PUBLISH: &str = include_str!("sql/publish.sql");
const STATEMENTS: &str = include_str!("sql/statements.sql");
const LOCK: &str = include_str!("sql/lock.sql");

/// How much is measured.
#[derive(Clone, Debug)]
pub struct CostSpec {
    /// The server, with the extension beside it.
    pub server: ClusterSpec,
    /// Statements of one run of the hook.
    pub statements: i32,
    /// Pairs of runs, one with and one without publishing.
    pub pairs: usize,
    /// How long the worker is watched in each situation.
    pub watched: Duration,
}

/// What it costs.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Cost {
    /// The server's version.
    pub server: String,
    /// Processor time of one statement without publishing, the least of all runs, nanoseconds.
    pub statement_ns: f64,
    /// What publishing adds, nanoseconds a statement, for each pair, ascending.
    pub hook_ns: Vec<f64>,
    /// The middle of them.
    pub hook_ns_median: f64,
    /// The worker's part of a core without any session at work, per cent.
    pub worker_idle_percent: f64,
    /// The same while clients read as fast as they can.
    pub worker_load_percent: f64,
    /// The same while sessions wait for a lock.
    pub worker_waits_percent: f64,
}

/// Measures on a private server that is made for it; takes some `pairs` seconds and three times `watched`.
pub async fn measure(spec: CostSpec) -> Result<Cost, TrialError> {
    let server = spec.server.clone().with_setting("shared_preload_libraries", EXTENSION);
    let cluster = Cluster::create(server).await?;
    let session = cluster.endpoint().connect().await?;
    session.batch_execute(CREATE).await?;
    let (statement_ns, mut hook_ns) = hook(&session, &spec).await?;
    hook_ns.sort_by(f64::total_cmp);
    let worker = worker(&session).await?;
    let worker_idle_percent = watch(worker, tokio::time::sleep(spec.watched)).await?;
    let worker_load_percent = under_load(&cluster, worker, spec.watched).await?;
    let worker_waits_percent = while_waiting(&cluster, &session, worker, spec.watched).await?;
    Ok(Cost {
        server: cluster.version().to_string(),
        statement_ns,
        hook_ns_median: median(&hook_ns),
        hook_ns,
        worker_idle_percent,
        worker_load_percent,
        worker_waits_percent,
    })
}

/// The least processor time of a statement, and what publishing adds to it in each pair, nanoseconds.
async fn hook(session: &Session, spec: &CostSpec) -> Result<(f64, Vec<f64>), TrialError> {
    let backend = Pid::from_raw(session.backend_pid().await?);
    let statements = f64::from(spec.statements.max(1));
    let (mut least, mut added) = (f64::INFINITY, Vec::with_capacity(spec.pairs));
    // What a session does for the first time is not what is measured.
    run(session, backend, spec.statements, false).await?;
    for pair in 0..spec.pairs {
        let on_first = pair % 2 == 0;
        let first = run(session, backend, spec.statements, on_first).await?;
        let second = run(session, backend, spec.statements, !on_first).await?;
        let (on, off) = if on_first { (first, second) } else { (second, first) };
        least = least.min(off / statements);
        added.push((on - off) / statements);
    }
    Ok((least, added))
}

/// The session's processor time of one run, nanoseconds.
async fn run(session: &Session, backend: Pid, statements: i32, publishes: bool) -> Result<f64, TrialError> {
    session.execute(PUBLISH, &[&publishes.to_string()]).await?;
    let before = of_process(backend)?;
    session.execute(STATEMENTS, &[&statements]).await?;
    Ok((of_process(backend)? - before).as_micros_f64() * 1_000.0)
}

async fn worker(session: &Session) -> Result<Pid, TrialError> {
    let began = Instant::now();
    // It starts a moment after the server does.
    while began.elapsed() < Duration::from_secs(10) {
        if let Some(pid) = session.query_one(WORKER, &[]).await?.try_get::<_, Option<i32>>(0)? {
            return Ok(Pid::from_raw(pid));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(TrialError::NoWorker)
}

/// The worker's part of a core while something lasts, per cent.
async fn watch(worker: Pid, lasts: impl Future<Output = ()>) -> Result<f64, TrialError> {
    let (before, began) = (of_process(worker)?, Instant::now());
    lasts.await;
    let (used, passed) = (of_process(worker)? - before, began.elapsed());
    Ok(100.0 * used.as_secs_f64() / passed.as_secs_f64())
}

async fn under_load(cluster: &Cluster, worker: Pid, watched: Duration) -> Result<f64, TrialError> {
    let (bindir, endpoint) = (cluster.install().bindir.clone(), cluster.endpoint());
    let load = tokio::task::spawn_blocking(move || load(&bindir, &endpoint, watched));
    let percent = watch(worker, tokio::time::sleep(watched)).await?;
    match load.await {
        Ok(ended) => ended?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
    Ok(percent)
}

fn load(bindir: &Path, endpoint: &pgstrata_pg::Endpoint, watched: Duration) -> Result<(), pgstrata_pg::Error> {
    pgbench::initialise(bindir, endpoint, 1)?;
    pgbench::play(bindir, endpoint, Script::SelectOnly, CLIENTS, watched + Duration::from_secs(1)).map(drop)
}

async fn while_waiting(
    cluster: &Cluster,
    session: &Session,
    worker: Pid,
    watched: Duration,
) -> Result<f64, TrialError> {
    session.batch_execute(LOCK).await?;
    let mut waiters = tokio::task::JoinSet::new();
    for _ in 0..WAITERS {
        let waiter = cluster.endpoint().connect().await?;
        waiters.spawn(async move { waiter.batch_execute(LOCK).await });
    }
    let percent = watch(worker, tokio::time::sleep(watched)).await?;
    // They wait for ever: the server goes when this returns.
    waiters.abort_all();
    Ok(percent)
}

/// Of ascending numbers.
fn median(ascending: &[f64]) -> f64 {
    match ascending.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => ascending[count / 2],
        count => f64::midpoint(ascending[count / 2 - 1], ascending[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert!((median(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median(&[1.0, 2.0, 9.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
