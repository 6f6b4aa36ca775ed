//! The library's face: start a sequencer for a shard, submit requests to it, stop it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::error::{StartError, SubmitError};
use crate::figures::FlushFigures;
use crate::flush::Flush;
use crate::settings::Settings;
use crate::shard::{Durability, ShardSession, timed_out};
use crate::worker::{Shared, Worker};

/// One shard's sequencer: one task, one session, and the only writer of its shard.
///
/// Dropping it ends the task at once: what is queued is answered with `Stopped`, what is in a flush with `Unknown`.
pub struct Sequencer<F: Flush> {
    shared: Arc<Shared<F::Request, F::Answer>>,
    task: Option<JoinHandle<()>>,
    durability: Durability,
    epoch: i64,
    drain_limit: Duration,
}

impl<F: Flush> Sequencer<F> {
    /// Opens the session, takes the shard and starts the task on the current tokio runtime.
    ///
    /// The connection must be the server's own session: behind a proxy that shares sessions between transactions
    /// neither the lock nor the settings would stay.
    ///
    /// # Panics
    ///
    /// When `queue_limit`, `batch_limit` or `attempt_limit` is zero.
    pub async fn start(endpoint: pg::Endpoint, flush: F, settings: Settings) -> Result<Self, StartError> {
        assert!(settings.queue_limit > 0 && settings.batch_limit > 0, "a queue and a batch hold at least one request");
        assert!(settings.attempt_limit > 0, "a flush is tried at least once");
        let limit = settings.flush_limit + settings.takeover.limit();
        let token = Uuid::now_v7();
        let opening = ShardSession::start(&endpoint, &flush, &settings, token);
        let session = match tokio::time::timeout(limit, opening).await {
            Ok(opened) => opened?,
            Err(_) => return Err(StartError::Session(timed_out("start a sequencer", limit))),
        };
        let (epoch, durability) = (session.epoch, session.durability.clone());
        tracing::info!(shard = settings.shard, epoch, durability = ?durability, "sequencer started");
        if durability.fsync != "on" {
            tracing::warn!(
                shard = settings.shard,
                fsync = durability.fsync,
                "a crash of the machine can lose acknowledged requests"
            );
        }
        let shared = Arc::new(Shared::new(settings.queue_limit));
        let drain_limit = settings.drain_limit;
        let worker = Worker::new(endpoint, flush, settings, Arc::clone(&shared), token, session);
        let task = Some(tokio::spawn(worker.run()));
        Ok(Self { shared, task, durability, epoch, drain_limit })
    }

    /// A way to submit requests; cheap to clone, and harmless when it outlives the sequencer.
    #[must_use]
    pub fn handle(&self) -> Handle<F> {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// What the server promises about a commit. Show it, and with `fsync` other than `on` make it loud.
    #[must_use]
    pub fn durability(&self) -> &Durability {
        &self.durability
    }

    /// The epoch that this instance began with; each reconnection begins another.
    #[must_use]
    pub fn first_epoch(&self) -> i64 {
        self.epoch
    }

    /// What it has done so far.
    #[must_use]
    pub fn figures(&self) -> FlushFigures {
        self.shared.figures()
    }

    /// Takes no more requests, flushes those that are queued, and gives the shard back.
    ///
    /// Bounded by `Settings::drain_limit`; what is left then is answered as when the sequencer is dropped.
    pub async fn stop(mut self) {
        self.shared.queue.close(SubmitError::Stopped);
        let Some(mut task) = self.task.take() else { return };
        let ended = tokio::time::timeout(self.drain_limit, &mut task).await;
        if ended.is_err() {
            tracing::warn!(limit_ms = self.drain_limit.as_millis(), "sequencer not drained in time");
            task.abort();
            // The task ends at its next await, and answers everybody in doing so.
            let _ = task.await;
        }
    }
}

impl<F: Flush> Drop for Sequencer<F> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<F: Flush> fmt::Debug for Sequencer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("durability", &self.durability)
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

/// Submits requests to a [`Sequencer`].
pub struct Handle<F: Flush> {
    shared: Arc<Shared<F::Request, F::Answer>>,
}

impl<F: Flush> Handle<F> {
    /// Queues a request and waits for its answer, which comes after the commit is durable.
    ///
    /// The deadline bounds the wait until work begins: a request that is still queued then is answered with
    /// `DeadlinePassed` and never written. A request in a flush is waited for, since its answer is on the way; only if
    /// the server is lost at that moment does the deadline end the wait for it, with `Unknown`. Dropping the future
    /// withdraws a queued request; one that is in a flush by then may be carried out.
    pub async fn submit(&self, request: F::Request, deadline: Option<Instant>) -> Result<F::Answer, SubmitError> {
        let waiter = match self.shared.queue.push(request, deadline) {
            Ok(waiter) => waiter,
            Err(error) => {
                // A client that comes again at once must not keep the worker, which may share its thread, from running.
                tokio::task::consume_budget().await;
                return Err(error);
            }
        };
        // The worker drops a ticket without answer only when it is torn down in the middle of a flush.
        waiter.await.unwrap_or(Err(SubmitError::Unknown))
    }

    /// What the sequencer has done so far.
    #[must_use]
    pub fn figures(&self) -> FlushFigures {
        self.shared.figures()
    }
}

impl<F: Flush> Clone for Handle<F> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<F: Flush> fmt::Debug for Handle<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("figures", &self.figures()).finish_non_exhaustive()
    }
}
