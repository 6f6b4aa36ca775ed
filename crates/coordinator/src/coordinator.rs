//! The library's face: open a coordinator over shards, run transactions, read, ask for outcomes, close.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_pg as pg;
use pgstrata_pg::sql::ToSql;
use pgstrata_units::Isolation;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::core::{Core, at_home};
use crate::error::{CommitError, OpenError, RunError, SnapshotError, Standing, is_retryable};
use crate::figures::{Figures, count};
use crate::resolve::{Memory, Resolution};
use crate::settings::Settings;
use crate::shard::{Bounds, Shard, ensure_schema, probe, register};
use crate::snapshot::{self, Reading, Snapshots};
use crate::transaction::{Transaction, commit_prepared};

/// How long closing waits for transactions that are under way.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// A unit of work over several shards that can be done again.
#[async_trait]
pub trait Work: Send + Sync {
    /// What the caller gets when it is done.
    type Answer: Send;

    /// Does the work in the parts that it opens. Called again in a fresh transaction when that one could not commit.
    ///
    /// # Errors
    /// What a shard said. Serialization failures, deadlocks, lock time-outs and lost connections are tried again.
    async fn perform(&self, transaction: &mut Transaction) -> Result<Vote<Self::Answer>, pg::Error>;
}

/// What is to become of the work that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote<A> {
    /// Commit it, and answer so.
    Commit(A),
    /// Undo it, and answer so, if every lock was held until then: where a session was lost, the work is done again.
    RollBack(A),
}

/// One instance of a coordinator: an epoch of its own, sessions on every shard, and a resolver.
///
/// Dropping it ends the resolver and closes the idle sessions; transactions under way end with theirs.
pub struct Coordinator {
    core: Arc<Core>,
    resolver: JoinHandle<()>,
    stop: CancellationToken,
    memory: Arc<Mutex<Memory>>,
}

impl Coordinator {
    /// Probes every shard, begins an epoch, deposes earlier coordinators if so set, and resolves what they left.
    ///
    /// `endpoints` are the shards in their fixed order, the same for every coordinator of the realm. The connections
    /// must be the servers' own sessions: behind a proxy that shares sessions between transactions no lock would stay.
    pub async fn open(endpoints: &[pg::Endpoint], settings: Settings) -> Result<Self, OpenError> {
        let home = settings.home;
        if home >= endpoints.len() {
            return Err(OpenError::NoHome { shards: endpoints.len(), home });
        }
        let bounds = Bounds { lock: settings.lock_limit, step: settings.step_limit };
        // All of them before anything is made on one.
        let mut sessions = Vec::new();
        for (number, endpoint) in endpoints.iter().enumerate() {
            sessions.push(probe(number, endpoint, &bounds).await?);
        }
        for (shard, session) in sessions.iter().enumerate() {
            ensure_schema(session).await.map_err(|source| OpenError::Schema { shard, source })?;
        }
        let epoch = register(&sessions[home], settings.realm, &settings.instance).await;
        let epoch = epoch.map_err(|source| OpenError::Shard { shard: home, source })?;
        let shard = |(number, endpoint)| Shard::new(number, endpoint, bounds.clone(), settings.realm, epoch);
        let shards = endpoints.iter().enumerate().map(shard).collect();
        let core = Arc::new(Core::new(settings, shards, epoch));
        let lease = core.home().take_in(sessions.swap_remove(home)).await;
        lease.map_err(|source| OpenError::Shard { shard: home, source })?;
        let memory = Arc::new(Mutex::new(Memory::default()));
        let resolution = core.resolve(&mut *memory.lock().await).await;
        if core.is_deposed() {
            return Err(OpenError::Deposed);
        }
        let resolution = resolution.map_err(|source| OpenError::Shard { shard: home, source })?;
        tracing::info!(epoch, ?resolution, "coordinator opened");
        let stop = CancellationToken::new();
        let resolver = tokio::spawn(keep_resolving(Arc::clone(&core), Arc::clone(&memory), stop.clone()));
        Ok(Self { core, resolver, stop, memory })
    }

    /// The epoch of this instance.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.core.epoch
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.core.shards.len()
    }

    /// Whether another coordinator has taken over; then nothing can be done with this one any more.
    #[must_use]
    pub fn is_deposed(&self) -> bool {
        self.core.is_deposed()
    }

    /// What it has done so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.core.counters.read()
    }

    /// Begins a transaction; waits while as many are open as may. Its parts begin when they are opened.
    ///
    /// `key` is the caller's idempotency key: of all transactions over several shards with the same key at most one is
    /// ever committed. With a deadline, the transaction is rolled back when that passes before all parts are prepared.
    ///
    /// # Panics
    /// Never: the semaphore is not closed while the coordinator lives.
    pub async fn begin(&self, key: Uuid, isolation: Isolation, deadline: Option<Instant>) -> Transaction {
        let permit = self.permit().await;
        Transaction::new(Arc::clone(&self.core), permit, key, isolation, deadline)
    }

    /// Does a unit of work until it is committed, refused for good, or the deadline has passed.
    ///
    /// Retries have the same key, so that at most one attempt counts; pauses are drawn uniformly from zero to an
    /// exponentially growing limit (full jitter).
    ///
    /// # Errors
    /// [`RunError::Work`] when the work fails in a way that trying again would not change; [`RunError::Commit`] else.
    pub async fn run<W: Work>(
        &self,
        key: Uuid,
        isolation: Isolation,
        deadline: Instant,
        work: &W,
    ) -> Result<W::Answer, RunError> {
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(key, isolation, deadline, work).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let again = match &failed {
                RunError::Work(error) => is_retryable(error),
                RunError::Commit(CommitError::Aborted(reason)) => reason.is_retryable(),
                RunError::Commit(CommitError::Unknown | CommitError::Unfinished) => false,
            };
            if !again || self.is_deposed() || attempt >= self.core.settings.attempts || Instant::now() >= deadline {
                return Err(failed);
            }
            tokio::time::sleep(self.backoff_before(attempt)).await;
            attempt += 1;
            count(&self.core.counters.retries);
        }
    }

    async fn attempt<W: Work>(
        &self,
        key: Uuid,
        isolation: Isolation,
        deadline: Instant,
        work: &W,
    ) -> Result<W::Answer, RunError> {
        let mut transaction = self.begin(key, isolation, Some(deadline)).await;
        match work.perform(&mut transaction).await {
            Ok(Vote::Commit(answer)) => {
                transaction.commit().await?;
                Ok(answer)
            }
            // An answer without a commit rests on reads alone.
            Ok(Vote::RollBack(answer)) => transaction.release().await.map(|()| answer).map_err(RunError::Work),
            Err(error) => {
                transaction.roll_back().await;
                Err(RunError::Work(error))
            }
        }
    }

    fn backoff_before(&self, attempt: u32) -> Duration {
        let settings = &self.core.settings;
        let ceiling = settings.backoff.saturating_mul(1 << attempt.min(16)).min(settings.backoff_cap);
        // A fresh RandomState hashes with keys of its own.
        let draw = RandomState::new().hash_one(attempt) >> 11;
        ceiling.mul_f64(draw as f64 / (1_u64 << 53) as f64)
    }

    /// What stands under a key: `None` means that nothing is decided, which may change while somebody works on it.
    ///
    /// # Errors
    /// When the home shard cannot be asked until the deadline.
    pub async fn look_up(&self, key: Uuid, deadline: Instant) -> Result<Option<Standing>, pg::Error> {
        let core = &self.core;
        let standing = at_home!(core, deadline, home => core.standing_of(home, key))?;
        if let Some(Standing::Committed(id)) = standing {
            for shard in 0..core.shards.len() {
                // On a shard that took no part, or has finished, there is nothing to commit.
                let branch = commit_prepared(core, id, shard, None, deadline).await?;
                core.shards[shard].give_back(branch);
            }
        }
        Ok(standing)
    }

    /// Makes the outcome under a key final: gives the key up unless something was committed under it.
    ///
    /// A commit that is found is carried out on every shard before this returns.
    ///
    /// # Errors
    /// When a shard cannot be reached until the deadline.
    ///
    /// # Panics
    /// Never, unless somebody deletes from the book of decisions meanwhile.
    pub async fn settle(&self, key: Uuid, deadline: Instant) -> Result<Standing, pg::Error> {
        let (core, number) = (&self.core, self.core.number());
        let realm = core.realm();
        let sql = include_str!("sql/renounce.sql");
        let parameters: [&(dyn ToSql + Sync); 4] = [&realm, &core.epoch, &number, &key];
        at_home!(core, deadline, home => core.bounded("renounce a key", home.execute(sql, &parameters)))?;
        Ok(self.look_up(key, deadline).await?.unwrap_or(Standing::Renounced))
    }

    /// Opens a snapshot on every shard.
    pub async fn snapshots(&self, reading: Reading) -> Result<Snapshots, SnapshotError> {
        let permit = self.permit().await;
        snapshot::open(&self.core, permit, reading).await
    }

    /// Resolves what is in doubt now, without waiting for the period.
    ///
    /// # Errors
    /// When the home shard cannot be asked.
    pub async fn resolve(&self) -> Result<Resolution, pg::Error> {
        self.core.resolve(&mut *self.memory.lock().await).await
    }

    /// Takes no more transactions, waits for those under way, resolves once more and closes all sessions.
    ///
    /// Bounded to ten seconds; what is left then, the next coordinator resolves.
    pub async fn close(mut self) {
        let all = u32::try_from(self.core.settings.transactions).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(CLOSE_LIMIT, self.core.permits.acquire_many(all)).await;
        if drained.is_err() {
            tracing::warn!("a coordinator is closed in the middle of transactions");
        }
        self.stop.cancel();
        // It ends at its next await; a panic of it is no worse than its end.
        let _ = (&mut self.resolver).await;
        if let Err(error) = self.resolve().await {
            tracing::warn!(error = %error, "what is in doubt is left to the next coordinator");
        }
        for shard in &self.core.shards {
            shard.close().await;
        }
    }

    async fn permit(&self) -> tokio::sync::OwnedSemaphorePermit {
        loop {
            // It is never closed, so this succeeds the first time.
            if let Ok(permit) = Arc::clone(&self.core.permits).acquire_owned().await {
                return permit;
            }
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Coordinator")
            .field("epoch", &self.core.epoch)
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Core").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

async fn keep_resolving(core: Arc<Core>, memory: Arc<Mutex<Memory>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(core.settings.resolve_period) => {}
        }
        let resolve = async { core.resolve(&mut *memory.lock().await).await };
        tokio::select! {
            () = stop.cancelled() => return,
            resolved = resolve => match resolved {
                Ok(resolution) if resolution.committed + resolution.rolled_back > 0 => {
                    tracing::info!(?resolution, "prepared transactions were resolved");
                }
                Ok(_) => {}
                Err(_) if core.is_deposed() => return,
                Err(error) => tracing::debug!(error = %error, "nothing could be resolved"),
            }
        }
    }
}
