//! All clients of one trial on one thread of their own.
//!
//! One thread with a current-thread runtime, so that client CPU is what one core of client costs and no work
//! stealing disturbs the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::arrivals::{self, Arrivals, Clock};
use super::client::{ClientReport, ClientTask, Slot};
use super::journal::{Frame, Journal};
use super::{LoadOutput, LoadSpec};
use crate::record::LoadShape;
use crate::site::Site;
use crate::study::{Arm, Rig, Scale, Study, StudyError};

/// A load whose clients live on a thread of this process.
#[derive(Debug)]
pub(super) struct ThreadLoad {
    pub(super) clock: Clock,
    /// None once it is being joined.
    thread: Option<JoinHandle<Result<LoadOutput, StudyError>>>,
    ready: Option<oneshot::Receiver<()>>,
    stop: CancellationToken,
    /// Ends clients with what they have in hand.
    abandon: CancellationToken,
    /// Ends them and everything after them; nobody wants the outcome.
    given_up: CancellationToken,
    arrivals: Arc<Arrivals>,
}

/// How many different error texts of failed operations are kept.
const FAILURE_TEXT_LIMIT: usize = 8;

/// How often the watchdog looks for steps that take too long.
const WATCHDOG_PERIOD: Duration = Duration::from_millis(250);

/// The name of the load thread, as it shows in `top -H`.
const THREAD_NAME: &str = "pgstrata-load";

impl ThreadLoad {
    /// Starts the thread. A worker process also has a journal, and operations to ask for again.
    pub(super) fn start(
        study: Arc<dyn Study>,
        arm: &'static Arm,
        site: Site,
        scale: Scale,
        spec: LoadSpec,
        clock: Clock,
        worker: Option<(Arc<Journal>, Vec<u64>)>,
    ) -> Result<Self, StudyError> {
        let (journal, resume) = worker.map_or((None, Vec::new()), |(journal, resume)| (Some(journal), resume));
        let stop = CancellationToken::new();
        let given_up = CancellationToken::new();
        let abandon = given_up.child_token();
        let arrivals = Arc::new(Arrivals::new(&spec, clock, &resume));
        let (ready_sender, ready) = oneshot::channel();
        let body = LoadThread {
            study,
            arm,
            site,
            scale,
            spec,
            clock,
            journal,
            arrivals: Arc::clone(&arrivals),
            stop: stop.clone(),
            abandon: abandon.clone(),
            given_up: given_up.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || body.run(ready_sender))
            .map_err(|source| StudyError::new("start the load thread", source))?;
        Ok(Self { clock, thread: Some(thread), ready: Some(ready), stop, abandon, given_up, arrivals })
    }

    /// Waits until every client is connected; says whether it came to that.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self.ready.take() {
            Some(ready) => ready.await.is_ok(),
            None => true,
        }
    }

    pub(super) async fn finish(mut self, drain: Duration) -> Result<LoadOutput, StudyError> {
        self.end_arrivals();
        let abandon = self.abandon.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            abandon.cancel();
        });
        let output = self.join().await;
        timer.abort();
        output
    }

    /// Ends the load without an outcome, and returns when its thread is gone.
    pub(super) async fn give_up(mut self) {
        self.end_arrivals();
        self.given_up.cancel();
        if let Err(error) = self.join().await {
            tracing::debug!(error = %error, "the load that was given up had failed");
        }
    }

    fn end_arrivals(&self) {
        self.stop.cancel();
        self.arrivals.close();
    }

    async fn join(&mut self) -> Result<LoadOutput, StudyError> {
        let Some(thread) = self.thread.take() else { return Ok(LoadOutput::default()) };
        match tokio::task::spawn_blocking(move || thread.join()).await {
            Ok(Ok(output)) => output,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(StudyError::new("join the load thread", error)),
        }
    }
}

impl Drop for ThreadLoad {
    fn drop(&mut self) {
        self.end_arrivals();
        self.given_up.cancel();
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
    journal: Option<Arc<Journal>>,
    arrivals: Arc<Arrivals>,
    stop: CancellationToken,
    abandon: CancellationToken,
    given_up: CancellationToken,
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
        tokio::select! {
            output = self.load(ready) => output,
            () = self.given_up.cancelled() => Ok(LoadOutput::default()),
        }
    }

    async fn load(&self, ready: oneshot::Sender<()>) -> Result<LoadOutput, StudyError> {
        let rig = self.study.open(self.arm, &self.site, &self.scale).await?;
        let count = match self.spec.shape {
            LoadShape::Closed { clients } | LoadShape::Open { clients, .. } => clients,
        };
        let slots: Arc<[Slot]> = (0..count).map(|_| Slot::default()).collect();
        let clients = futures_util::future::try_join_all((0..count).map(|number| rig.client(number))).await?;

        // Before any client writes: the parent waits for this frame first.
        if let Some(journal) = &self.journal {
            journal.write(&Frame::Ready);
        }
        let mut tasks = JoinSet::new();
        for (number, client) in (0..count).zip(clients) {
            let task = ClientTask {
                number,
                rig: Arc::clone(&rig),
                arrivals: Arc::clone(&self.arrivals),
                slots: Arc::clone(&slots),
                clock: self.clock,
                spec: self.spec,
                journal: self.journal.clone(),
                abandon: self.abandon.clone(),
                meter: self.site.meter.clone(),
            };
            tasks.spawn(task.run(client));
        }
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
const SETTLE_LIMIT: Duration = Duration::from_mins(1);

async fn settle(rig: &dyn Rig) -> Result<(), StudyError> {
    match tokio::time::timeout(SETTLE_LIMIT, rig.settle()).await {
        Ok(settled) => settled,
        Err(elapsed) => Err(StudyError::new("settle after the load", elapsed)),
    }
}

async fn collect(tasks: &mut JoinSet<ClientReport>) -> Result<LoadOutput, StudyError> {
    let mut output = LoadOutput::default();
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(joined) = tasks.join_next().await {
        let report = joined.map_err(|source| StudyError::new("join a client", source))?;
        output.events.extend(report.events);
        output.observations.extend(report.observations);
        for (class, count) in report.retries {
            *output.retries.entry(class.name().to_owned()).or_default() += count;
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
