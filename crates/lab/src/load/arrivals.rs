//! Where clients get their next operation from: at once (closed loop), or when it arrives (open loop).
//!
//! An open loop counts latency from the intended arrival, also for operations that had to queue for a client;
//! what never got a client is counted, not forgotten.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::LoadSpec;
use crate::history::uniform;
use crate::record::LoadShape;

/// The clock of a trial's events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// A clock that shows `shown_ns` at `instant`.
    pub(super) fn started_before(instant: Instant, shown_ns: u64) -> Self {
        Self { origin: instant.checked_sub(Duration::from_nanos(shown_ns)).unwrap_or(instant) }
    }

    pub(super) fn origin(self) -> Instant {
        self.origin
    }

    /// Nanoseconds since the trial's start; never 0, which slots use for "idle".
    pub(super) fn now_ns(self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

/// One operation handed to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) intended_ns: u64,
    /// When a client took it; in a closed loop the same as intended.
    pub(super) sent_ns: u64,
    /// An earlier worker process may have had it carried out.
    pub(super) resumed: bool,
}

/// How many arrivals may wait for a client; beyond that they are dropped and counted.
///
/// Ten seconds of backlog at 100 000 arrivals a second: an overloaded arm shows its growing latency, and memory
/// stays bounded (24 bytes each).
pub(super) const BACKLOG_LIMIT: usize = 1_000_000;

/// The queue between the arrival process and the clients.
#[derive(Debug)]
pub(super) struct Arrivals {
    clock: Clock,
    closed_loop: bool,
    duplicates: f64,
    seed: u64,
    next: AtomicU64,
    closed: AtomicBool,
    dropped: AtomicU64,
    /// A closed loop looks at the backlog only when there can be one.
    has_backlog: bool,
    backlog: Mutex<VecDeque<Arrival>>,
    waiting: Semaphore,
}

impl Arrivals {
    /// An arrival queue that begins with operations to ask for again.
    pub(super) fn new(spec: &LoadSpec, clock: Clock, resume: &[u64]) -> Self {
        let now_ns = clock.now_ns();
        let again = |&number: &u64| Arrival { number, intended_ns: now_ns, sent_ns: now_ns, resumed: true };
        Self {
            clock,
            closed_loop: matches!(spec.shape, LoadShape::Closed { .. }),
            duplicates: spec.duplicates,
            seed: spec.seed,
            next: AtomicU64::new(spec.first_operation),
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            has_backlog: spec.duplicates > 0.0 || !resume.is_empty(),
            waiting: Semaphore::new(resume.len()),
            backlog: Mutex::new(resume.iter().map(again).collect()),
        }
    }

    /// The next operation of a client; none when the load has stopped.
    pub(super) async fn next(&self) -> Option<Arrival> {
        if self.closed_loop {
            return self.next_of_closed_loop();
        }
        // A closed semaphore means that the load has stopped; what is still queued is dropped.
        self.waiting.acquire().await.ok()?.forget();
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let arrival = self.lock_backlog().pop_front()?;
        Some(Arrival { sent_ns: self.clock.now_ns(), ..arrival })
    }

    fn next_of_closed_loop(&self) -> Option<Arrival> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let intended_ns = self.clock.now_ns();
        if self.has_backlog
            && let Some(twin) = self.lock_backlog().pop_front()
        {
            return Some(Arrival { intended_ns, sent_ns: intended_ns, ..twin });
        }
        let arrival = self.number(intended_ns);
        if self.is_duplicated(arrival.number) {
            self.lock_backlog().push_back(arrival);
        }
        Some(arrival)
    }

    fn number(&self, intended_ns: u64) -> Arrival {
        Arrival { number: self.next.fetch_add(1, Ordering::Relaxed), intended_ns, sent_ns: intended_ns, resumed: false }
    }

    fn is_duplicated(&self, number: u64) -> bool {
        self.duplicates > 0.0 && uniform(self.seed ^ DUPLICATE_SALT, number) < self.duplicates
    }

    /// Adds one arrival of an open loop, or counts it as dropped.
    fn arrive(&self, intended_ns: u64) {
        let arrival = self.number(intended_ns);
        let copies = if self.is_duplicated(arrival.number) { 2 } else { 1 };
        let mut backlog = self.lock_backlog();
        for _ in 0..copies {
            if backlog.len() >= BACKLOG_LIMIT {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            } else {
                backlog.push_back(arrival);
                self.waiting.add_permits(1);
            }
        }
    }

    /// No operation is handed out any more; an open loop's backlog is counted as dropped.
    pub(super) fn close(&self) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.waiting.close();
        if !self.closed_loop {
            let left = self.lock_backlog().drain(..).count() as u64;
            self.dropped.fetch_add(left, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock_backlog(&self) -> std::sync::MutexGuard<'_, VecDeque<Arrival>> {
        // Nothing can panic while the lock is held, so a poisoned lock still holds a sound queue.
        self.backlog.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Keeps the choice of duplicated operations apart from what a study draws.
const DUPLICATE_SALT: u64 = 0x6475_706c_6963_6174;

/// How far ahead of a sleep arrivals are handed out; the timer's own grain.
const TICK: Duration = Duration::from_millis(1);

/// Offers Poisson arrivals at `rate` per second until `stop`.
///
/// Gaps are exponential with mean `1 / rate`. Each arrival keeps its intended time, so that being handed out up
/// to one timer tick late counts as latency.
pub(super) async fn dispatch(arrivals: std::sync::Arc<Arrivals>, rate: f64, seed: u64, stop: CancellationToken) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut due_ns = arrivals.clock.now_ns() as f64;
    let mean_gap_ns = 1e9 / rate;
    while !stop.is_cancelled() {
        let now_ns = arrivals.clock.now_ns() as f64;
        while due_ns <= now_ns {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time of this run")]
            arrivals.arrive(due_ns as u64);
            let uniform: f64 = rng.random();
            due_ns += -mean_gap_ns * (1.0 - uniform).ln();
        }
        let wait = Duration::from_secs_f64((due_ns - now_ns) / 1e9).max(TICK);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}
