//! What observing takes from an ordinary load: pgbench's transactions a second on a server that is observed, beside the same
//! on a bare one.
//!
//! Two servers of the same settings stand side by side, one of them with the extension preloaded. Each window of an
//! observed one is run next to a window of the bare one, in an order drawn by lot, and the pairs are judged as all
//! comparisons are ([`pgstrata_stats::compare`]). The recorder runs in this process, on the processors that the load and
//! the servers use: on a machine of few cores its work is part of what is seen.
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
/// What is watched by the recorder: a hundred rows that change all the time.
const TABLE: &str = "public.pgbench_tellers";
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
    /// The extension is preloaded and publishes snapshots; nobody looks.
    pub preloaded: Comparison,
    /// Preloaded, and recorded into a file on both tracks, with a table watched.
    pub recorded: Comparison,
}

/// A way of observing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Observed {
    No,
    Preloaded,
    Recorded,
}

/// Measures on two private servers that are made for it; takes some `4 * pairs` windows.
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
    }
    let site = Site { bare, observed, window: spec.window };
    // What a server does for the first time is not what is measured.
    site.rate(Observed::No).await?;
    site.rate(Observed::Recorded).await?;
    let mut random = ChaCha8Rng::seed_from_u64(spec.seed);
    let (mut preloaded, mut recorded) = (Vec::new(), Vec::new());
    let orders = schedule(2 * spec.pairs, &mut random);
    for (number, order) in orders.into_iter().enumerate() {
        progress(number);
        let (way, pairs) = match number % 2 {
            0 => (Observed::Preloaded, &mut preloaded),
            _ => (Observed::Recorded, &mut recorded),
        };
        pairs.push(match order {
            PairOrder::BaselineFirst => {
                let baseline = site.rate(Observed::No).await?;
                Pair { baseline, candidate: site.rate(way).await? }
            }
            PairOrder::CandidateFirst => {
                let candidate = site.rate(way).await?;
                Pair { baseline: site.rate(Observed::No).await?, candidate }
            }
        });
    }
    let mut bare_rates: Vec<f64> = preloaded.iter().chain(&recorded).map(|pair| pair.baseline).collect();
    bare_rates.sort_by(f64::total_cmp);
    let settings = Settings { equivalence_margin: MARGIN, ..Settings::new(Better::Higher) };
    Ok(Throughput {
        bare_rate: median(&bare_rates),
        preloaded: compare(&preloaded, &settings)?,
        recorded: compare(&recorded, &settings)?,
    })
}

struct Site {
    bare: Cluster,
    observed: Cluster,
    window: Duration,
}

impl Site {
    /// Transactions a second of one window.
    async fn rate(&self, way: Observed) -> Result<f64, TrialError> {
        let cluster = if way == Observed::No { &self.bare } else { &self.observed };
        let over = CancellationToken::new();
        let recorder = match way {
            Observed::Recorded => Some(tokio::spawn(record(cluster.endpoint(), over.clone()))),
            Observed::No | Observed::Preloaded => None,
        };
        let (bindir, endpoint, window) = (cluster.install().bindir.clone(), cluster.endpoint(), self.window);
        let run = blocking(move || pgbench::play(&bindir, &endpoint, Script::TpcbLike, CLIENTS, window)).await;
        over.cancel();
        if let Some(recorder) = recorder {
            match recorder.await {
                Ok(ended) => ended?,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        Ok(run?.rate)
    }
}

/// Follows a server on both tracks into a file of its own, until told to stop.
async fn record(endpoint: pgstrata_pg::Endpoint, over: CancellationToken) -> Result<(), TrialError> {
    let place = tempfile::tempdir().map_err(TrialError::Place)?;
    let mut follower = Follower::begin(&endpoint, Options::default(), LogLimits { changes: 1, bytes: 0 }).await?;
    let watch = Watch { table: Some(TABLE.to_owned()), ..Watch::default() };
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
