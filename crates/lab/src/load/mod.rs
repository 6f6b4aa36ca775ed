//! The load generator: a thread of its own on which all clients of one trial run.
//!
//! One thread with a current-thread runtime, so that client CPU is what one core of client costs and no work
//! stealing disturbs the server. The loop sleeps when there is nothing to do; it never polls: on a small
//! machine a spinning generator makes durable commits many times slower.

mod arrivals;
mod client;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::history::Event;
use crate::record::LoadShape;
use crate::retry::{RetryCounts, RetryPolicy};
use crate::site::Site;
use crate::study::{Arm, Figure, Rig, Scale, Study, StudyError};

use arrivals::{Arrivals, Clock};
use client::{ClientReport, ClientTask, Slot};

/// What load to offer.
#[derive(Clone, Copy, Debug)]
pub struct LoadSpec {
    /// Closed or open loop.
    pub shape: LoadShape,
    /// The seed of operations and arrivals.
    pub seed: u64,
    /// The number of the first operation; a trial that restarts its load goes on counting.
    pub first_operation: u64,
    /// The share of operations that two clients send at the same time with the same key, 0 to 1.
    pub duplicates: f64,
    /// Bounds of retrying.
    pub retry: RetryPolicy,
}

/// A load under way.
#[derive(Debug)]
pub struct Load {
    thread: JoinHandle<Result<LoadOutput, StudyError>>,
    ready: Option<oneshot::Receiver<()>>,
    stop: CancellationToken,
    abandon: CancellationToken,
    clock: Clock,
    arrivals: Arc<Arrivals>,
}

/// What the load generator saw.
#[derive(Debug, Default)]
pub struct LoadOutput {
    /// Every operation that was started, warm-up included.
    pub events: Vec<Event>,
    /// Retries by class.
    pub retries: RetryCounts,
    /// Arrivals of an open loop that never got a client.
    pub dropped: u64,
    /// The first error texts of operations that failed for good, with how often each was seen.
    pub failures: Vec<(String, u64)>,
    /// The study's own figures.
    pub figures: Vec<Figure>,
}

/// How many different error texts of failed operations are kept.
const FAILURE_TEXT_LIMIT: usize = 8;

/// How often the watchdog looks for steps that take too long.
const WATCHDOG_PERIOD: Duration = Duration::from_millis(250);

/// The name of the load thread, as it shows in `top -H`.
const THREAD_NAME: &str = "pgstrata-load";

impl Load {
    /// Starts the clients of `arm`; they begin as soon as all of them are connected.
    ///
    /// # Errors
    /// If the thread cannot be made. That a client cannot connect is reported by [`Load::ready`].
    pub fn start(
        study: Arc<dyn Study>,
        arm: &'static Arm,
        site: Site,
        scale: Scale,
        spec: LoadSpec,
    ) -> Result<Self, StudyError> {
        let clock = Clock::start();
        let stop = CancellationToken::new();
        let abandon = CancellationToken::new();
        let arrivals = Arc::new(Arrivals::new(&spec, clock));
        let (ready_sender, ready) = oneshot::channel();
        let body = LoadThread {
            study,
            arm,
            site,
            scale,
            spec,
            clock,
            arrivals: Arc::clone(&arrivals),
            stop: stop.clone(),
            abandon: abandon.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || body.run(ready_sender))
            .map_err(|source| StudyError::new("start the load thread", source))?;
        Ok(Self { thread, ready: Some(ready), stop, abandon, clock, arrivals })
    }

    /// Waits until every client is connected.
    ///
    /// # Errors
    /// Whatever kept the rig or a client from being built.
    pub async fn ready(mut self) -> Result<Self, StudyError> {
        let ready = self.ready.take();
        let started = match ready {
            Some(ready) => ready.await.is_ok(),
            None => true,
        };
        if started {
            return Ok(self);
        }
        match self.finish(Duration::ZERO).await {
            Ok(_) => Err(StudyError::new("start the clients", "the load thread ended before it was ready")),
            Err(error) => Err(error),
        }
    }

    /// Nanoseconds since the load started, on the clock of its events.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// The instant that event times count from.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.clock.origin()
    }

    /// Ends arrivals; clients finish the operation in hand.
    pub fn stop(&self) {
        self.stop.cancel();
        self.arrivals.close();
    }

    /// Stops, gives the clients `drain` to finish, settles the rig and returns what was seen.
    ///
    /// Operations still in hand after `drain` are reported as unknown.
    ///
    /// # Errors
    /// If the rig cannot be settled or the load thread died.
    pub async fn finish(self, drain: Duration) -> Result<LoadOutput, StudyError> {
        self.stop();
        let abandon = self.abandon.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            abandon.cancel();
        });
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        timer.abort();
        match joined {
            Ok(Ok(output)) => output,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(StudyError::new("join the load thread", error)),
        }
    }
}

/// Everything the load thread needs.
struct LoadThread {
    study: Arc<dyn Study>,
    arm: &'static Arm,
    site: Site,
    scale: Scale,
    spec: LoadSpec,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl LoadThread {
    fn run(self, ready: oneshot::Sender<()>) -> Result<LoadOutput, StudyError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| StudyError::new("start the load thread's runtime", source))?;
        runtime.block_on(self.drive(ready))
    }

    async fn drive(self, ready: oneshot::Sender<()>) -> Result<LoadOutput, StudyError> {
        let rig = self.study.open(self.arm, &self.site, &self.scale).await?;
        let count = match self.spec.shape {
            LoadShape::Closed { clients } | LoadShape::Open { clients, .. } => clients,
        };
        let slots: Arc<[Slot]> = (0..count).map(|_| Slot::default()).collect();
        let clients = futures_util::future::try_join_all((0..count).map(|number| rig.client(number))).await?;

        let mut tasks = JoinSet::new();
        for (number, client) in (0..count).zip(clients) {
            let task = ClientTask {
                number,
                rig: Arc::clone(&rig),
                arrivals: Arc::clone(&self.arrivals),
                slots: Arc::clone(&slots),
                clock: self.clock,
                spec: self.spec,
                abandon: self.abandon.clone(),
            };
            tasks.spawn(task.run(client));
        }
        self.arrivals.open();
        let watchdog = tokio::spawn(watch(Arc::clone(&slots), self.clock, self.spec.retry.step_limit));
        let dispatcher = match self.spec.shape {
            LoadShape::Open { rate, .. } => {
                let arrivals = Arc::clone(&self.arrivals);
                Some(tokio::spawn(arrivals::dispatch(arrivals, rate, self.spec.seed, self.stop.clone())))
            }
            LoadShape::Closed { .. } => None,
        };
        // Nobody listening means that the trial was given up; the stop token says so too.
        let _ = ready.send(());

        let mut output = collect(&mut tasks).await?;
        watchdog.abort();
        if let Some(dispatcher) = dispatcher {
            dispatcher.abort();
        }
        output.dropped = self.arrivals.dropped();
        settle(&*rig).await?;
        output.figures = rig.figures();
        Ok(output)
    }
}

/// How long a rig may take to settle.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

async fn settle(rig: &dyn Rig) -> Result<(), StudyError> {
    match tokio::time::timeout(SETTLE_LIMIT, rig.settle()).await {
        Ok(settled) => settled,
        Err(elapsed) => Err(StudyError::new("settle after the load", elapsed)),
    }
}

async fn collect(tasks: &mut JoinSet<ClientReport>) -> Result<LoadOutput, StudyError> {
    let mut output = LoadOutput::default();
    let mut failures: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    while let Some(joined) = tasks.join_next().await {
        let report = joined.map_err(|source| StudyError::new("join a client", source))?;
        output.events.extend(report.events);
        for (class, count) in report.retries {
            *output.retries.entry(class).or_default() += count;
        }
        for text in report.failures {
            if failures.len() < FAILURE_TEXT_LIMIT || failures.contains_key(&text) {
                *failures.entry(text).or_default() += 1;
            }
        }
    }
    output.failures = failures.into_iter().collect();
    Ok(output)
}

/// Tears down clients whose step takes longer than the limit: a half-open connection gives no error of its own.
async fn watch(slots: Arc<[Slot]>, clock: Clock, limit: Duration) {
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    loop {
        tokio::time::sleep(WATCHDOG_PERIOD).await;
        let now = clock.now_ns();
        for slot in &*slots {
            let since = slot.step_since_ns.load(Ordering::Relaxed);
            if since != 0 && now.saturating_sub(since) > limit_ns {
                slot.kick.notify_one();
            }
        }
    }
}
