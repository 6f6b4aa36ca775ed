//! What observing takes from an ordinary load: pgbench's transactions a second on a server that is observed, beside the same
//! on a bare one, and the processor time that the server takes for one of them.
//!
//! Two servers of the same settings stand side by side, one of them with the extension preloaded. Each window of an
//! observed one is run next to a window of the bare one, in an order drawn by lot, and the pairs are judged as all
//! comparisons are ([`pgstrata_stats::compare`]). The recorder runs in this process, on the processors that the load and
//! the servers use: on a machine of few cores its work is part of what is seen in the rate. What it asks of the server,
//! and what remains when it runs on another machine, is in the server's processor time.
//!
//! Limit: what the place of two data directories on a disk makes of a difference is not told apart from observing.

use std::time::Duration;

use pgstrata_pg::pgbench::{self, Script};
use pgstrata_pg::{Cluster, ClusterSpec};
use pgstrata_stats::{Better, Comparison, Pair, PairOrder, Settings, compare, schedule};
use pgstrata_timeline::{LogLimits, Moment};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{EXTENSION, median};
use crate::mvcc::{Follower, Options, Recorder, RecorderLimits, TrialError, Watch};

/// Branches of pgbench's tables; more than clients, so that they rarely wait for each other.
const SCALE: u32 = 10;
/// Sessions of the load.
const CLIENTS: u32 = 4;
/// A hundred rows, one of which changes with every transaction.
const BUSY_TABLE: &str = "public.pgbench_tellers";
/// A table that the load leaves alone.
const IDLE_TABLE: &str = "public.idle";
const MAKE_IDLE_TABLE: &str = "create table idle as select n as id from generate_series(1, 100) n";
/// Difference that is called none, as promised: 2 %.
pub const MARGIN: f64 = 0.02;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct ThroughputSpec {
    /// The servers, with the extension beside them.
    pub server: ClusterSpec,
    /// Pairs of windows for each way of observing, at least 2.
    pub pairs: usize,
    /// The length of a window, at least a second.
    pub window: Duration,
    /// Seed of the order.
    pub seed: u64,
}

/// What is left of the load under each way of observing.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// Transactions a second of the bare server, the middle of all its windows.
    pub bare_rate: f64,
    /// Processor time of the bare server for a transaction, the middle of all its windows, microseconds.
    pub bare_cpu_us: f64,
    /// The extension is preloaded and publishes snapshots; nobody looks.
    pub preloaded: Observed,
    /// Preloaded, and recorded into a file on both tracks, with a table watched that the load leaves alone.
    pub recorded_idle: Observed,
    /// The same, with a table watched of which every transaction changes a row.
    pub recorded_busy: Observed,
}

/// An observed server beside the bare one.
#[derive(Clone, Debug, Serialize)]
pub struct Observed {
    /// Transactions a second.
    pub rate: Comparison,
    /// Processor time of all processes of the server for a transaction; the recorder's own is not in it.
    pub server_cpu: Comparison,
}

impl Observed {
    /// Whether transactions a second certainly fell by more than [`MARGIN`].
    #[must_use]
    pub fn is_slower(&self) -> bool {
        self.rate.interval.high < 1.0 - MARGIN
    }
}

/// What one window showed.
#[derive(Clone, Copy)]
struct Window {
    /// Transactions a second.
    rate: f64,
    /// Processor time of the server for a transaction, microseconds.
    cpu_us: f64,
}

/// A way of observing.
#[derive(Clone, Copy)]
enum Way {
    Bare,
    Preloaded,
    /// With that table watched.
    Recorded(&'static str),
}

/// The ways that are compared with the bare server, in the order in which [`Throughput`] names them.
const WAYS: [Way; 3] = [Way::Preloaded, Way::Recorded(IDLE_TABLE), Way::Recorded(BUSY_TABLE)];

/// A window of the bare server and one of the observed.
#[derive(Clone, Copy)]
struct Windows {
    bare: Window,
    observed: Window,
}

impl ThroughputSpec {
    /// How many pairs of windows there are in all.
    #[must_use]
    pub const fn all_pairs(&self) -> usize {
        WAYS.len() * self.pairs
    }
}

/// Measures on two private servers that are made for it; takes two windows for each of [`ThroughputSpec::all_pairs`].
///
/// # Errors
/// If a server or pgbench fails, or the pairs cannot be compared.
pub async fn throughput(
    spec: &ThroughputSpec,
    progress: &mut (dyn FnMut(usize) + Send),
) -> Result<Throughput, TrialError> {
    let bare = Cluster::create(spec.server.clone()).await?;
    let observed = Cluster::create(spec.server.clone().with_setting("shared_preload_libraries", EXTENSION)).await?;
    for cluster in [&bare, &observed] {
        let (bindir, endpoint) = (cluster.install().bindir.clone(), cluster.endpoint());
        blocking(move || pgbench::initialise(&bindir, &endpoint, SCALE)).await?;
        cluster.endpoint().connect().await?.batch_execute(MAKE_IDLE_TABLE).await?;
    }
    let site = Site { bare, observed, window: spec.window };
    // What a server does for the first time is not what is measured.
    site.window(Way::Bare).await?;
    site.window(Way::Recorded(BUSY_TABLE)).await?;
    let mut random = ChaCha8Rng::seed_from_u64(spec.seed);
    let mut pairs: [Vec<Windows>; WAYS.len()] = Default::default();
    let orders = schedule(spec.all_pairs(), &mut random);
    for (number, order) in orders.into_iter().enumerate() {
        progress(number);
        let place = number % WAYS.len();
        pairs[place].push(match order {
            PairOrder::BaselineFirst => {
                let bare = site.window(Way::Bare).await?;
                Windows { bare, observed: site.window(WAYS[place]).await? }
            }
            PairOrder::CandidateFirst => {
                let observed = site.window(WAYS[place]).await?;
                Windows { bare: site.window(Way::Bare).await?, observed }
            }
        });
    }
    let middle = |figure: fn(Window) -> f64| {
        let mut figures: Vec<f64> = pairs.iter().flatten().map(|windows| figure(windows.bare)).collect();
        figures.sort_by(f64::total_cmp);
        median(&figures)
    };
    Ok(Throughput {
        bare_rate: middle(|window| window.rate),
        bare_cpu_us: middle(|window| window.cpu_us),
        preloaded: judge(&pairs[0])?,
        recorded_idle: judge(&pairs[1])?,
        recorded_busy: judge(&pairs[2])?,
    })
}

fn judge(windows: &[Windows]) -> Result<Observed, TrialError> {
    let compared = |better, figure: fn(Window) -> f64| {
        let pairs: Vec<Pair> = windows
            .iter()
            .map(|windows| Pair { baseline: figure(windows.bare), candidate: figure(windows.observed) })
            .collect();
        compare(&pairs, &Settings { equivalence_margin: MARGIN, ..Settings::new(better) })
    };
    Ok(Observed {
        rate: compared(Better::Higher, |window| window.rate)?,
        server_cpu: compared(Better::Lower, |window| window.cpu_us)?,
    })
}

struct Site {
    bare: Cluster,
    observed: Cluster,
    window: Duration,
}

impl Site {
    async fn window(&self, way: Way) -> Result<Window, TrialError> {
        let over = CancellationToken::new();
        let (cluster, recorder) = match way {
            Way::Bare => (&self.bare, None),
            Way::Preloaded => (&self.observed, None),
            Way::Recorded(table) => {
                let recorded = record(self.observed.endpoint(), table, over.clone());
                (&self.observed, Some(tokio::spawn(recorded)))
            }
        };
        let (bindir, endpoint, window) = (cluster.install().bindir.clone(), cluster.endpoint(), self.window);
        let before = cluster.cpu()?;
        let run = blocking(move || pgbench::play(&bindir, &endpoint, Script::TpcbLike, CLIENTS, window)).await;
        let used = cluster.cpu()? - before;
        over.cancel();
        if let Some(recorder) = recorder {
            match recorder.await {
                Ok(ended) => ended?,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        let run = run?;
        Ok(Window { rate: run.rate, cpu_us: used.as_micros_f64() / run.transactions as f64 })
    }
}

/// Follows a server on both tracks into a file of its own, until told to stop.
async fn record(endpoint: pgstrata_pg::Endpoint, table: &str, over: CancellationToken) -> Result<(), TrialError> {
    let place = tempfile::tempdir().map_err(TrialError::Place)?;
    let mut follower = Follower::begin(&endpoint, Options::default(), LogLimits { changes: 1, bytes: 0 }).await?;
    let watch = Watch { table: Some(table.to_owned()), ..Watch::default() };
    let header = follower.header(&watch, None);
    let file = place.path().join("cost.pgmvcc");
    let mut recorder = Recorder::create(&file, &header, Moment::default(), RecorderLimits::default())?;
    let mut changes = follower.watch(watch).await;
    loop {
        for change in &changes {
            recorder.append(change)?;
        }
        changes = tokio::select! {
            changes = follower.next() => changes,
            () = over.cancelled() => break,
        };
    }
    recorder.finish()?;
    follower.close().await;
    Ok(())
}

/// Runs a program that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, pgstrata_pg::Error> + Send + 'static,
) -> Result<T, pgstrata_pg::Error> {
    match spawn_blocking(run).await {
        Ok(ended) => ended,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
