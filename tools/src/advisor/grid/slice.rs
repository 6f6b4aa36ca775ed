//! One slice: so many clients do nothing but transactions of one strategy, for a fraction of a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_lab::retry::RetryPolicy;
use pgstrata_pg::{Error, ErrorClass};
use pgstrata_stats::LatencyHistogram;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use super::strategy::Strategy;
use super::transaction::{Attempt, Worker};
use super::workload::Draws;

/// The part of a slice in which clients begin, and nothing is counted.
const RAMP: f64 = 0.1;

/// What came of a slice.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Commits in the counted part.
    pub(super) commits: u64,
    /// Attempts that failed, in all of the slice.
    pub(super) failures: u64,
    /// Attempts in all of the slice.
    pub(super) attempts: u64,
    /// Rows that committed transactions wrote, in all of the slice.
    pub(super) writes: u64,
    /// From the first attempt to the commit, of the counted commits.
    pub(super) latency: LatencyHistogram,
}

/// When a slice counts.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    until: Instant,
}

/// The counted seconds of a slice of this length.
pub(super) fn counted_seconds(slice: Duration) -> f64 {
    slice.as_secs_f64() * (1.0 - RAMP)
}

/// Lets the first `clients` workers work for a slice, and waits until each has ended what it had in hand.
///
/// # Errors
/// If a server says anything but that a transaction has to be tried again.
pub(super) async fn measure(
    workers: &mut Vec<Worker>,
    clients: usize,
    strategy: Strategy,
    draws: &Arc<Draws>,
    slice: Duration,
    seed: u64,
) -> Result<Tally, Error> {
    let now = Instant::now();
    let window = Window { from: now + slice.mul_f64(RAMP), until: now + slice };
    let mut tasks = JoinSet::new();
    for (number, mut worker) in (0_u64..).zip(workers.drain(..clients.min(workers.len()))) {
        let draws = Arc::clone(draws);
        let random = ChaCha8Rng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        tasks.spawn(async move {
            let tally = work(&mut worker, strategy, &draws, window, random).await;
            (worker, tally)
        });
    }
    let mut total = Tally::default();
    let mut failed = None;
    for (worker, tally) in tasks.join_all().await {
        workers.push(worker);
        match tally {
            Ok(tally) => total.add(&tally),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(total), Err)
}

/// One client's part of a slice.
async fn work(
    worker: &mut Worker,
    strategy: Strategy,
    draws: &Draws,
    window: Window,
    mut random: ChaCha8Rng,
) -> Result<Tally, Error> {
    let policy = RetryPolicy::default();
    let mut tally = Tally::default();
    while Instant::now() < window.until {
        let rows = draws.transaction(&mut random);
        let began = Instant::now();
        for attempt in 1.. {
            tally.attempts += 1;
            match worker.attempt(strategy, &rows).await {
                Ok(Attempt::Committed { writes }) => {
                    tally.writes += writes;
                    tally.count(began, window);
                    break;
                }
                Ok(Attempt::LostRace) => {}
                Err(error) if is_tried_again(&error) => {}
                Err(error) => return Err(error),
            }
            tally.failures += 1;
            if Instant::now() >= window.until {
                break;
            }
            // As the lab does between attempts, and the same for every strategy.
            tokio::time::sleep(policy.backoff_before(attempt, random.random())).await;
        }
    }
    Ok(tally)
}

fn is_tried_again(error: &Error) -> bool {
    matches!(error.class(), ErrorClass::SerializationFailure | ErrorClass::Deadlock)
}

impl Tally {
    fn count(&mut self, began: Instant, window: Window) {
        let ended = Instant::now();
        if (window.from..window.until).contains(&ended) {
            self.commits += 1;
            self.latency.record_ns(u64::try_from((ended - began).as_nanos()).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.commits += other.commits;
        self.failures += other.failures;
        self.attempts += other.attempts;
        self.writes += other.writes;
        self.latency.merge(&other.latency);
    }
}
