//! The one task of a shard: takes what has queued up, flushes it, answers, and goes on while the server comes and goes.
//!
//! It owns the session and every request that has left the queue, so that whatever ends it, each waiter is answered:
//! from the flush, from here, or (if the task is torn down in the middle of a flush) by its ticket being dropped,
//! which reads as `Unknown`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_pg::ErrorClass;
use pgstrata_pg::sql::SqlState;
use uuid::Uuid;

use crate::batch::{Batch, Doubtful, Pruned};
use crate::error::SubmitError;
use crate::figures::FlushFigures;
use crate::flush::Flush;
use crate::queue::{Queue, Take};
use crate::settings::Settings;
use crate::shard::{Attempt, Backend, RenewError, ShardSession, timed_out};

/// How often deadlines are looked at while a flush or a reconnection takes its time.
const SWEEP_INTERVAL: Duration = Duration::from_millis(10);

/// How long an idle worker sleeps before it looks whether its session is still open.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The shortest and longest pause between two attempts to open a session again.
const RECONNECT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// The shortest and longest pause before the same flush is tried again.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// What the worker shares with the handles.
pub(crate) struct Shared<R, A> {
    pub(crate) queue: Queue<R, A>,
    counters: Mutex<FlushFigures>,
}

impl<R, A> Shared<R, A> {
    pub(crate) fn new(queue_limit: usize) -> Self {
        Self { queue: Queue::new(queue_limit), counters: Mutex::new(FlushFigures::default()) }
    }

    pub(crate) fn figures(&self) -> FlushFigures {
        let mut figures = *self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let (queued, peak, pruned) = self.queue.depth();
        figures.queued = u64::try_from(queued).unwrap_or(u64::MAX);
        figures.queue_peak = u64::try_from(peak).unwrap_or(u64::MAX);
        figures.expired += pruned.expired;
        figures.abandoned += pruned.abandoned;
        figures
    }

    fn count(&self, change: impl FnOnce(&mut FlushFigures)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn count_pruned(&self, pruned: Pruned) {
        if pruned != Pruned::default() {
            self.count(|figures| {
                figures.expired += pruned.expired;
                figures.abandoned += pruned.abandoned;
            });
        }
    }
}

/// A batch whose commit was sent and not answered.
struct Doubt<R, A> {
    number: i64,
    requests: Vec<Doubtful<R, A>>,
    attempts: u32,
    error: pg::Error,
}

/// Why the worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The queue was closed and is empty.
    Finished,
    /// Another instance took over.
    Deposed,
}

/// What there is to do next.
enum Next<R, A> {
    Flush(Batch<R, A>),
    Reconnect,
    Finished,
}

/// The state of the task.
pub(crate) struct Worker<F: Flush> {
    endpoint: pg::Endpoint,
    flush: F,
    settings: Settings,
    shared: Arc<Shared<F::Request, F::Answer>>,
    /// `None` while the server is away.
    session: Option<ShardSession<F::Prepared>>,
    /// What this instance is known by in the shard's row.
    token: Uuid,
    /// The epoch and server process of the present session, or of the one that was lost.
    epoch: i64,
    backend: Backend,
    /// Counts flushes; that of the last one that committed stands in the shard's row.
    number: i64,
    /// What has left the queue and is not in a flush, the next last. More than one only while a batch is in pieces.
    work: Vec<Batch<F::Request, F::Answer>>,
    doubt: Option<Doubt<F::Request, F::Answer>>,
    /// How often the present batch may still be cut.
    splits_left: u32,
    /// How many requests the last batch took from the queue.
    last_batch: usize,
    /// An empty batch with room in it.
    spare: Option<Batch<F::Request, F::Answer>>,
}

impl<F: Flush> Worker<F> {
    pub(crate) fn new(
        endpoint: pg::Endpoint,
        flush: F,
        settings: Settings,
        shared: Arc<Shared<F::Request, F::Answer>>,
        token: Uuid,
        session: ShardSession<F::Prepared>,
    ) -> Self {
        let (epoch, backend) = (session.epoch, session.backend);
        Self {
            endpoint,
            flush,
            settings,
            shared,
            session: Some(session),
            token,
            epoch,
            backend,
            number: 0,
            work: Vec::new(),
            doubt: None,
            splits_left: 0,
            last_batch: 0,
            spare: None,
        }
    }

    /// Works until the queue is closed and empty, or another instance takes over.
    pub(crate) async fn run(mut self) {
        let end = self.serve().await;
        if end == End::Deposed {
            tracing::error!(shard = self.settings.shard, epoch = self.epoch, "another instance took over");
            self.fail_work(&SubmitError::Deposed);
            self.shared.queue.end(&SubmitError::Deposed);
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        tracing::info!(shard = self.settings.shard, epoch = self.epoch, end = ?end, "sequencer ended");
    }

    async fn serve(&mut self) -> End {
        loop {
            if self.session.is_none()
                && let Some(end) = self.reconnect().await
            {
                return end;
            }
            match self.next().await {
                Next::Flush(batch) => {
                    if let Some(end) = self.flush(batch).await {
                        return end;
                    }
                }
                Next::Reconnect => self.session = None,
                Next::Finished => return End::Finished,
            }
        }
    }

    /// Waits for something to do. A session that was lost while nothing was under way is noticed here.
    async fn next(&mut self) -> Next<F::Request, F::Answer> {
        loop {
            if self.session.as_ref().is_none_or(ShardSession::is_closed) {
                tracing::warn!(shard = self.settings.shard, "idle session lost");
                return Next::Reconnect;
            }
            if let Some(mut batch) = self.work.pop() {
                self.shared.count_pruned(batch.prune(Instant::now()));
                if !batch.is_empty() {
                    return Next::Flush(batch);
                }
                self.recycle(batch);
                continue;
            }
            // Fewer than half of the last batch: most of those who were answered are not back yet.
            self.shared.queue.gather(self.last_batch / 2).await;
            let mut batch = self.spare.take().unwrap_or_default();
            let taken = self.shared.queue.take(&mut batch, self.settings.batch_limit);
            match taken {
                Take::Some => {
                    self.splits_left = self.settings.isolation_limit;
                    self.last_batch = batch.len();
                    self.work.push(batch);
                    continue;
                }
                Take::Nothing => {
                    self.shared.queue.wait(IDLE_CHECK_INTERVAL).await;
                    // The server is idle, so waiting for the others costs nobody anything.
                    self.shared.queue.gather(self.settings.batch_limit).await;
                }
                Take::Finished => return Next::Finished,
            }
            self.spare = Some(batch);
        }
    }

    async fn flush(&mut self, mut batch: Batch<F::Request, F::Answer>) -> Option<End> {
        self.number += 1;
        let Self { session: Some(session), flush, shared, settings, number, .. } = &mut *self else {
            unreachable!("a batch is only taken while there is a session");
        };
        let began = Instant::now();
        let attempt = session.flush(&*flush, *number, batch.requests(), settings.flush_limit);
        let attempt = sweep_during(attempt, |now| shared.queue.sweep(now)).await;
        match attempt {
            Attempt::Committed(answers) => self.committed(batch, answers, began.elapsed()),
            Attempt::Failed(error) => self.failed(batch, error).await,
            Attempt::FenceBusy(error) => self.try_again(batch, error).await,
            Attempt::Deposed => {
                self.work.push(batch);
                return Some(End::Deposed);
            }
            Attempt::LostBefore(error) => {
                self.lost(&error);
                self.put_back(batch, error);
            }
            Attempt::LostDuring(answers, error) => {
                self.lost(&error);
                let (number, attempts) = (self.number, batch.attempts);
                self.doubt = Some(Doubt { number, requests: batch.with_answers(answers), attempts, error });
                self.recycle(batch);
            }
            Attempt::Unsure(error) => {
                self.lost(&error);
                self.shared.count(|figures| figures.unknowns += count_of(batch.len()));
                batch.fail(&SubmitError::Unknown);
            }
        }
        None
    }

    fn committed(&mut self, mut batch: Batch<F::Request, F::Answer>, answers: Vec<F::Answer>, took: Duration) {
        let requests = batch.len();
        self.shared.count(|figures| figures.committed(requests, took));
        self.shared.queue.learn_cost(requests, took);
        tracing::trace!(shard = self.settings.shard, requests, took_us = count_of_us(took), "batch committed");
        batch.deliver(answers);
        self.recycle(batch);
    }

    /// The server has undone the statement; decides between trying again, cutting in two, and refusing.
    async fn failed(&mut self, mut batch: Batch<F::Request, F::Answer>, error: pg::Error) {
        let class = error.class();
        if class.is_retryable() {
            return self.try_again(batch, error).await;
        }
        // Want of memory or disk space is not the fault of one request.
        if batch.len() == 1 || self.splits_left == 0 || class == ErrorClass::Resources {
            return self.refuse(batch, error);
        }
        tracing::debug!(shard = self.settings.shard, requests = batch.len(), class = ?class, "batch cut in two");
        self.splits_left -= 1;
        self.shared.count(|figures| figures.splits += 1);
        let second = batch.split();
        self.work.push(second);
        self.work.push(batch);
    }

    async fn try_again(&mut self, mut batch: Batch<F::Request, F::Answer>, error: pg::Error) {
        batch.attempts += 1;
        if batch.attempts >= self.settings.attempt_limit {
            return self.refuse(batch, error);
        }
        tracing::debug!(shard = self.settings.shard, requests = batch.len(), attempt = batch.attempts, class = ?error.class(), "batch tried again");
        self.shared.count(|figures| figures.retries += 1);
        let pause = RETRY_PAUSE.0.saturating_mul(1 << batch.attempts.min(16)).min(RETRY_PAUSE.1);
        self.work.push(batch);
        let shared = &self.shared;
        sweep_during(tokio::time::sleep(pause), |now| shared.queue.sweep(now)).await;
    }

    /// The session went while these requests were in it, and nothing of them was written.
    fn put_back(&mut self, mut batch: Batch<F::Request, F::Answer>, error: pg::Error) {
        batch.attempts += 1;
        if batch.attempts >= self.settings.attempt_limit {
            return self.refuse(batch, error);
        }
        self.work.push(batch);
    }

    fn refuse(&mut self, mut batch: Batch<F::Request, F::Answer>, error: pg::Error) {
        let sqlstate = error.sqlstate().map(SqlState::code);
        tracing::warn!(shard = self.settings.shard, requests = batch.len(), class = ?error.class(), sqlstate, "requests refused");
        self.shared.count(|figures| figures.refused += count_of(batch.len()));
        batch.fail(&SubmitError::Refused(Arc::new(error)));
        self.recycle(batch);
    }

    fn recycle(&mut self, batch: Batch<F::Request, F::Answer>) {
        debug_assert!(batch.is_empty(), "only an answered batch is used again");
        self.spare = Some(batch);
    }

    fn lost(&mut self, error: &pg::Error) {
        tracing::warn!(shard = self.settings.shard, epoch = self.epoch, class = ?error.class(), error = %error, "session lost");
        self.session = None;
    }

    /// Opens a session again, however long that takes; whoever waits is answered when the patience of the settings, or
    /// its own, has ended.
    async fn reconnect(&mut self) -> Option<End> {
        let lost_at = Instant::now();
        let mut pause = RECONNECT_PAUSE.0;
        loop {
            match self.renew().await {
                Ok((session, last_flush)) => {
                    self.reconnected(session, last_flush, lost_at.elapsed());
                    return None;
                }
                Err(RenewError::Deposed) => return Some(End::Deposed),
                Err(RenewError::Failed(error)) => {
                    tracing::debug!(shard = self.settings.shard, error = %error, class = ?error.class(), "session not opened yet");
                }
            }
            if lost_at.elapsed() >= self.settings.reconnect_limit {
                self.fail_work(&SubmitError::Unreachable);
                self.shared.queue.shut(&SubmitError::Unreachable);
            }
            if self.work.is_empty() && self.doubt.is_none() && self.shared.queue.is_finished() {
                return Some(End::Finished);
            }
            let Self { shared, work, doubt, .. } = &mut *self;
            sweep_during(tokio::time::sleep(pause), |now| sweep_all(shared, work, doubt, now)).await;
            pause = (pause * 2).min(RECONNECT_PAUSE.1);
        }
    }

    async fn renew(&mut self) -> Result<(ShardSession<F::Prepared>, i64), RenewError> {
        let Self { endpoint, flush, settings, shared, work, doubt, token, backend, .. } = &mut *self;
        let limit = settings.flush_limit;
        let renewal = ShardSession::renew(endpoint, &*flush, settings, *token, *backend);
        let bounded = async {
            match tokio::time::timeout(limit, renewal).await {
                Ok(result) => result,
                Err(_) => Err(RenewError::Failed(timed_out("open the session again", limit))),
            }
        };
        sweep_during(bounded, |now| sweep_all(shared, work, doubt, now)).await
    }

    fn reconnected(&mut self, session: ShardSession<F::Prepared>, last_flush: i64, took: Duration) {
        self.shared.count(|figures| figures.reconnects += 1);
        self.shared.queue.open();
        self.epoch = session.epoch;
        self.backend = session.backend;
        self.session = Some(session);
        tracing::info!(
            shard = self.settings.shard,
            epoch = self.epoch,
            took_us = count_of_us(took),
            "session opened again"
        );
        let Some(doubt) = self.doubt.take() else { return };
        self.shared.count(|figures| figures.resolved += 1);
        let committed = doubt.number == last_flush;
        tracing::info!(
            shard = self.settings.shard,
            requests = doubt.requests.len(),
            committed,
            "commit in doubt resolved"
        );
        if committed {
            self.shared.count(|figures| figures.requests += count_of(doubt.requests.len()));
            doubt.requests.into_iter().for_each(Doubtful::confirm);
        } else {
            self.put_back(Batch::without_answers(doubt.requests, doubt.attempts), doubt.error);
        }
    }

    /// Answers everything that has left the queue: what is in doubt with `Unknown`, the rest with `error`.
    fn fail_work(&mut self, error: &SubmitError) {
        if let Some(doubt) = self.doubt.take() {
            self.shared.count(|figures| figures.unknowns += count_of(doubt.requests.len()));
            doubt.requests.into_iter().for_each(Doubtful::give_up);
        }
        for mut batch in self.work.drain(..) {
            batch.fail(error);
        }
    }
}

impl<F: Flush> Drop for Worker<F> {
    /// However the task ends, also by a panic of the flush or an abort, nobody is left waiting.
    fn drop(&mut self) {
        self.fail_work(&SubmitError::Stopped);
        self.shared.queue.end(&SubmitError::Stopped);
    }
}

/// Runs a future to its end, looking at deadlines meanwhile.
async fn sweep_during<T>(future: impl Future<Output = T>, mut sweep: impl FnMut(Instant)) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        tokio::select! {
            biased;
            output = &mut future => return output,
            () = tokio::time::sleep(SWEEP_INTERVAL) => sweep(Instant::now()),
        }
    }
}

/// Answers everybody whose deadline has passed while there is no session.
fn sweep_all<R, A>(shared: &Shared<R, A>, work: &mut Vec<Batch<R, A>>, doubt: &mut Option<Doubt<R, A>>, now: Instant) {
    shared.queue.sweep(now);
    for batch in &mut *work {
        shared.count_pruned(batch.prune(now));
    }
    work.retain(|batch| !batch.is_empty());
    let Some(doubted) = doubt else { return };
    let over: Vec<_> = doubted.requests.extract_if(.., |one| one.is_over(now)).collect();
    shared.count(|figures| figures.unknowns += count_of(over.len()));
    over.into_iter().for_each(Doubtful::give_up);
    if doubted.requests.is_empty() {
        *doubt = None;
    }
}

fn count_of(requests: usize) -> u64 {
    u64::try_from(requests).unwrap_or(u64::MAX)
}

fn count_of_us(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
