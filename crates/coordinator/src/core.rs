//! What all parts of one coordinator share: its shards, which of its transactions are under way, the barrier.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use tokio::sync::{RwLock, Semaphore};
use uuid::Uuid;

use crate::error::Standing;
use crate::figures::Counters;
use crate::gid::{GlobalId, TransactionId};
use crate::settings::{Barrier, Settings};
use crate::shard::{Branch, NoSession, Shard, lock_class, session_lost, timed_out};
use crate::step::{Place, Step, Then};

pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) shards: Vec<Shard>,
    pub(crate) epoch: i32,
    pub(crate) counters: Counters,
    /// How many transactions and snapshots may begin.
    pub(crate) permits: Arc<Semaphore>,
    /// Shared by commit phases, had alone to open snapshots; fair, so that neither side starves.
    pub(crate) barrier: Arc<RwLock<()>>,
    pub(crate) deposed: AtomicBool,
    next: AtomicI64,
    active: Mutex<BTreeSet<i64>>,
}

/// A transaction of this instance that is under way: the resolver leaves it alone until this is dropped.
pub(crate) struct Active {
    core: Arc<Core>,
    pub(crate) id: TransactionId,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.core.active.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id.number);
    }
}

impl Core {
    pub(crate) fn new(settings: Settings, shards: Vec<Shard>, epoch: i32) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(settings.transactions)),
            settings,
            shards,
            epoch,
            counters: Counters::default(),
            barrier: Arc::default(),
            deposed: AtomicBool::new(false),
            next: AtomicI64::new(1),
            active: Mutex::default(),
        }
    }

    pub(crate) fn number(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn activate(self: &Arc<Self>) -> Active {
        let number = self.number();
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        Active { core: Arc::clone(self), id: TransactionId { epoch: self.epoch, number } }
    }

    pub(crate) fn is_active(&self, number: i64) -> bool {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    pub(crate) fn home(&self) -> &Shard {
        &self.shards[self.settings.home]
    }

    pub(crate) fn class(&self) -> i32 {
        lock_class(self.settings.realm)
    }

    pub(crate) fn realm(&self) -> i32 {
        i32::from(self.settings.realm)
    }

    pub(crate) fn gid(&self, transaction: TransactionId, shard: usize) -> GlobalId {
        GlobalId { realm: self.settings.realm, transaction, shard }
    }

    pub(crate) fn is_deposed(&self) -> bool {
        self.deposed.load(Ordering::Relaxed)
    }

    /// A session of a shard; remembers when there is none because this instance was deposed.
    pub(crate) async fn session(&self, shard: usize) -> Result<Branch, pg::Error> {
        self.or_deposed(self.shards[shard].session().await)
    }

    /// The same, tried again until `deadline` while the server is away.
    pub(crate) async fn session_until(&self, shard: usize, deadline: Instant) -> Result<Branch, pg::Error> {
        self.or_deposed(self.shards[shard].session_until(deadline).await)
    }

    fn or_deposed(&self, session: Result<Branch, NoSession>) -> Result<Branch, pg::Error> {
        session.map_err(|reason| match reason {
            NoSession::Failed(error) => error,
            NoSession::Deposed => {
                self.deposed.store(true, Ordering::Relaxed);
                session_lost()
            }
        })
    }

    /// Tells the bystander of a step; whether the connection is to be lost there.
    pub(crate) async fn step(&self, step: Step, place: Place) -> Then {
        match &self.settings.bystander {
            None => Then::GoOn,
            Some(bystander) => bystander.at(step, place).await,
        }
    }

    /// Bounds a statement of the protocol.
    pub(crate) async fn bounded<T>(
        &self,
        context: &str,
        work: impl Future<Output = Result<T, pg::Error>>,
    ) -> Result<T, pg::Error> {
        bounded(context, self.settings.step_limit, work).await
    }

    /// Whether the barrier of all processes is in use.
    pub(crate) fn shares_barrier(&self) -> bool {
        self.settings.barrier == Barrier::Realm
    }

    /// What stands under a key, without changing it.
    pub(crate) async fn standing_of(&self, home: &Branch, key: Uuid) -> Result<Option<Standing>, pg::Error> {
        let sql = include_str!("sql/of_key.sql");
        let found = self.bounded("look a key up", home.query_opt(sql, &[&self.realm(), &key])).await?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(if row.try_get("is_commit")? {
            Standing::Committed(TransactionId { epoch: row.try_get("epoch")?, number: row.try_get("transaction")? })
        } else {
            Standing::Renounced
        }))
    }

    /// Decides to abort what is not decided, and tells which of these transactions are to be committed.
    pub(crate) async fn decide(
        &self,
        home: &Branch,
        transactions: &[TransactionId],
    ) -> Result<BTreeSet<TransactionId>, pg::Error> {
        let (epochs, numbers) = columns(transactions);
        let sql = include_str!("sql/abort.sql");
        self.bounded("decide to abort", home.execute(sql, &[&self.realm(), &epochs, &numbers])).await?;
        self.committed_among(home, transactions).await
    }

    /// Which of these transactions have a decision to commit.
    pub(crate) async fn committed_among(
        &self,
        home: &Branch,
        transactions: &[TransactionId],
    ) -> Result<BTreeSet<TransactionId>, pg::Error> {
        let (epochs, numbers) = columns(transactions);
        let sql = include_str!("sql/standing.sql");
        let mut committed = BTreeSet::new();
        for row in self.bounded("look decisions up", home.query(sql, &[&self.realm(), &epochs, &numbers])).await? {
            if row.try_get("is_commit")? {
                committed.insert(TransactionId { epoch: row.try_get(0)?, number: row.try_get(1)? });
            }
        }
        Ok(committed)
    }
}

/// Runs something on a home session, again on another one when that is lost, until a deadline.
///
/// A macro and not a function, because a closure that lends the session to a future cannot yet be said to be `Send`.
macro_rules! at_home {
    ($core:expr, $deadline:expr, $home:ident => $work:expr) => {
        loop {
            let session = match $core.session_until($core.settings.home, $deadline).await {
                Ok(session) => session,
                Err(error) => break Err(error),
            };
            let $home = &session;
            match $work.await {
                Err(error) if $crate::error::is_lost(&error) && std::time::Instant::now() < $deadline => {}
                ended => {
                    if ended.is_ok() {
                        $core.home().give_back(session);
                    }
                    break ended;
                }
            }
        }
    };
}
pub(crate) use at_home;

/// Two arrays, as the statements take them.
pub(crate) fn columns(transactions: &[TransactionId]) -> (Vec<i32>, Vec<i64>) {
    transactions.iter().map(|transaction| (transaction.epoch, transaction.number)).unzip()
}

pub(crate) async fn bounded<T>(
    context: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, pg::Error>>,
) -> Result<T, pg::Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(ended) => ended,
        Err(_) => Err(timed_out(context, limit)),
    }
}
