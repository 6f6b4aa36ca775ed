//! One transaction: its parts on the shards, and the two phases of its commit.
//!
//! Up to the decision everything can be undone by forgetting it, so any failure means "aborted", and prepared parts that
//! could not be told so are found by the resolver. After the decision nothing can be undone, so any failure means "again".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_units::Isolation;
use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit};
use uuid::Uuid;

use crate::core::{Active, Core, at_home};
use crate::error::{AbortReason, CommitError, is_busy, is_gone, is_lost};
use crate::figures::count;
use crate::gid::TransactionId;
use crate::settings::{Barrier, Flaw};
use crate::shard::{Branch, session_lost};
use crate::step::{Act, Place, Step, Then};

/// The pause before a second-phase command is sent again to a shard that refused it.
const FINISH_PAUSE: Duration = Duration::from_millis(10);

/// A transaction over the shards of a coordinator.
///
/// Dropping it without [`Transaction::commit`] or [`Transaction::roll_back`] closes its sessions, so that the servers
/// undo it. Dropping it in the middle of a commit leaves it to the resolver.
pub struct Transaction {
    core: Arc<Core>,
    active: Active,
    key: Uuid,
    isolation: Isolation,
    deadline: Option<Instant>,
    /// In the fixed order of shards.
    parts: BTreeMap<usize, Part>,
    /// A home session that is no part, if the decision needed one.
    decider: Option<Branch>,
    /// Whether the session that decided holds the barrier of all processes.
    shares_barrier: bool,
    _permit: OwnedSemaphorePermit,
}

/// What is done on one shard.
struct Part {
    /// None when the session is lost.
    branch: Option<Branch>,
    prepared: Prepared,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    No,
    /// The command was sent; it may be so or not.
    Perhaps,
    Yes,
}

/// What became of the decision.
enum Decided {
    Commit,
    Abort(AbortReason),
    Unknown,
}

impl Transaction {
    pub(crate) fn new(
        core: Arc<Core>,
        permit: OwnedSemaphorePermit,
        key: Uuid,
        isolation: Isolation,
        deadline: Option<Instant>,
    ) -> Self {
        let active = core.activate();
        Self {
            core,
            active,
            key,
            isolation,
            deadline,
            parts: BTreeMap::new(),
            decider: None,
            shares_barrier: false,
            _permit: permit,
        }
    }

    /// Its id, which is part of the names that it prepares under.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.active.id
    }

    /// Begins this transaction's part on a shard, if it is not begun yet.
    ///
    /// # Panics
    /// If there is no such shard.
    pub async fn open(&mut self, shard: usize) -> Result<&Branch, pg::Error> {
        if !self.parts.contains_key(&shard) {
            let branch = self.core.session(shard).await?;
            let begin = match self.isolation {
                Isolation::ReadCommitted => "begin isolation level read committed",
                Isolation::RepeatableRead => "begin isolation level repeatable read",
                Isolation::Serializable => "begin isolation level serializable",
            };
            self.core.bounded("begin", execute(&branch, begin)).await?;
            self.parts.insert(shard, Part { branch: Some(branch), prepared: Prepared::No });
        }
        self.branch(shard)
    }

    /// The session of a part that was opened.
    pub fn branch(&self, shard: usize) -> Result<&Branch, pg::Error> {
        self.parts.get(&shard).and_then(|part| part.branch.as_ref()).ok_or_else(session_lost)
    }

    /// Undoes everything.
    pub async fn roll_back(mut self) {
        let _ = self.undo().await;
    }

    /// Ends a transaction that only read, and tells whether what it read may be believed.
    ///
    /// `Ok` means that every part was there until now, and with it every lock: what was read under them stood at one
    /// moment. A shard that restarted in between has forgotten the locks, and what was read on it may have changed
    /// before the next shard was read. A commit finds that out by itself; an answer without a commit has to ask here.
    ///
    /// # Errors
    /// What the first part said that is not there any more. Read again.
    pub async fn release(mut self) -> Result<(), pg::Error> {
        self.undo().await.map_or(Ok(()), Err)
    }

    /// Commits on every shard, or on none.
    ///
    /// Returns when every part is committed. A transaction with one part is committed in one phase, without a row in the
    /// book of decisions; an outcome that is unknown must then be looked up in what it wrote itself.
    pub async fn commit(mut self) -> Result<TransactionId, CommitError> {
        let id = self.id();
        match self.parts.len() {
            0 => Ok(id),
            1 => self.commit_alone().await.map(|()| id),
            _ => self.commit_all().await.map(|()| id),
        }
    }

    async fn commit_alone(&mut self) -> Result<(), CommitError> {
        let _shared = self.share_process_barrier().await;
        if self.core.shares_barrier()
            && let Err(error) = self.share_realm_barrier().await
        {
            let _ = self.undo().await;
            return Err(CommitError::Aborted(AbortReason::Home(error)));
        }
        let Some((shard, part)) = self.parts.pop_first() else { return Ok(()) };
        let Some(branch) = part.branch else {
            return Err(self.aborted(AbortReason::Participant { shard, source: session_lost() }));
        };
        // In a transaction that has failed, a bare commit would answer as if all were well and roll back.
        let outcome = self.core.bounded("commit", execute(&branch, "select; commit")).await;
        if let Some(decider) = self.decider.take() {
            self.leave_realm_barrier(decider).await;
        }
        match outcome {
            Ok(()) => {
                self.core.shards[shard].give_back(branch);
                count(&self.core.counters.committed_alone);
                Ok(())
            }
            Err(error) if is_lost(&error) || branch.session().is_closed() => Err(CommitError::Unknown),
            Err(source) => {
                self.parts.insert(shard, Part { branch: Some(branch), prepared: Prepared::No });
                let _ = self.undo().await;
                Err(CommitError::Aborted(AbortReason::Participant { shard, source }))
            }
        }
    }

    async fn commit_all(&mut self) -> Result<(), CommitError> {
        if let Err(reason) = self.prepare_all().await {
            let _ = self.undo().await;
            return Err(CommitError::Aborted(reason));
        }
        // From before the decision until the last part is committed.
        let _shared = self.share_process_barrier().await;
        let finish_by = Instant::now() + self.core.settings.finish_limit;
        if self.core.settings.flaw == Some(Flaw::CommitBeforeDecision) {
            self.finish(1, finish_by).await;
        }
        let decided = self.decide(finish_by).await;
        let outcome = match decided {
            Decided::Commit if self.finish(usize::MAX, finish_by).await => {
                count(&self.core.counters.committed);
                Ok(())
            }
            Decided::Commit => Err(CommitError::Unfinished),
            Decided::Abort(reason) => {
                let _ = self.undo().await;
                Err(CommitError::Aborted(reason))
            }
            Decided::Unknown => Err(CommitError::Unknown),
        };
        if self.shares_barrier {
            let home = self.core.settings.home;
            let own = self.parts.get_mut(&home).and_then(|part| part.branch.take());
            if let Some(session) = self.decider.take().or(own) {
                self.leave_realm_barrier(session).await;
            }
        }
        self.give_back();
        outcome
    }

    /// The first phase, in the order of shards.
    async fn prepare_all(&mut self) -> Result<(), AbortReason> {
        let shards: Vec<usize> = self.parts.keys().copied().collect();
        for (number, shard) in (1..).zip(shards) {
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(AbortReason::DeadlinePassed);
            }
            self.step(Step::Before(Act::Prepare(number)), shard).await;
            let prepare = self.core.gid(self.id(), shard).prepare();
            let branch = self.branch(shard).map_err(|source| AbortReason::Participant { shard, source })?;
            // In a transaction that has failed, a bare command would answer as if all were well and roll back.
            let command = format!("select; {prepare}");
            let outcome = self.core.bounded("prepare", execute(branch, &command)).await;
            let part = self.parts.entry(shard).or_insert(Part { branch: None, prepared: Prepared::No });
            match outcome {
                Ok(()) => part.prepared = Prepared::Yes,
                Err(source) => {
                    if is_lost(&source) {
                        *part = Part { branch: None, prepared: Prepared::Perhaps };
                    }
                    return Err(AbortReason::Participant { shard, source });
                }
            }
            self.step(Step::After(Act::Prepare(number)), shard).await;
        }
        Ok(())
    }

    /// Writes the decision. From the moment it is durable, every part is going to be committed.
    async fn decide(&mut self, finish_by: Instant) -> Decided {
        if self.core.settings.flaw == Some(Flaw::NoDecision) {
            return Decided::Commit;
        }
        let home = self.core.settings.home;
        if self.branch(home).is_err() {
            match self.core.session(home).await {
                Ok(branch) => self.decider = Some(branch),
                Err(_) if self.core.is_deposed() => return Decided::Abort(AbortReason::Deposed),
                Err(error) => return Decided::Abort(AbortReason::Home(error)),
            }
        }
        if self.step(Step::Before(Act::Decide), home).await == Then::Disconnect {
            self.decider = None;
        }
        let written = self.write_decision().await;
        match written {
            Ok(true) => {
                if self.step(Step::After(Act::Decide), home).await == Then::Disconnect {
                    self.decider = None;
                }
                Decided::Commit
            }
            Ok(false) => self.why_not().await,
            // Nothing was sent, or the server says that it was refused.
            Err(error) if !error.class().leaves_outcome_unknown() => Decided::Abort(AbortReason::Home(error)),
            Err(error) => self.find_out(error, finish_by).await,
        }
    }

    async fn write_decision(&mut self) -> Result<bool, pg::Error> {
        let id = self.id();
        let (core, key) = (Arc::clone(&self.core), self.key);
        let home = self.home_session()?;
        home.session().ensure_open()?;
        let (realm, class) = (core.realm(), core.class());
        let row = if core.shares_barrier() {
            let sql = include_str!("sql/decide_shared.sql");
            core.bounded("decide", home.query_opt(sql, &[&realm, &id.epoch, &id.number, &key, &class])).await
        } else {
            let sql = include_str!("sql/decide.sql");
            core.bounded("decide", home.query_opt(sql, &[&realm, &id.epoch, &id.number, &key])).await
        };
        self.shares_barrier = core.shares_barrier();
        row.map(|row| row.is_some())
    }

    /// Somebody else's row is there: it is about this transaction, or about this key.
    async fn why_not(&mut self) -> Decided {
        let (core, key) = (Arc::clone(&self.core), self.key);
        let standing = match self.home_session() {
            Ok(home) => core.standing_of(home, key).await,
            Err(error) => Err(error),
        };
        match standing {
            Ok(Some(standing)) => Decided::Abort(AbortReason::KeyDecided(standing)),
            // It is certain that this transaction is aborted; why, only that row could have told.
            Ok(None) | Err(_) => Decided::Abort(AbortReason::Overruled),
        }
    }

    /// The answer to the decision was lost. Whoever writes the row first decides, so trying to abort tells what stands.
    async fn find_out(&mut self, error: pg::Error, finish_by: Instant) -> Decided {
        let (core, id) = (Arc::clone(&self.core), self.id());
        // The session may still hold the barrier; it ends here.
        self.decider = None;
        if let Some(part) = self.parts.get_mut(&core.settings.home) {
            part.branch = None;
        }
        self.shares_barrier = false;
        let standing = at_home!(core, finish_by, home => core.decide(home, &[id]));
        match standing {
            Ok(committed) if committed.contains(&id) => Decided::Commit,
            Ok(_) => Decided::Abort(AbortReason::Home(error)),
            Err(later) => {
                tracing::warn!(transaction = %id, error = %later, "a decision is unknown");
                Decided::Unknown
            }
        }
    }

    fn home_session(&self) -> Result<&Branch, pg::Error> {
        match &self.decider {
            Some(branch) => Ok(branch),
            None => self.branch(self.core.settings.home),
        }
    }

    /// The second phase, for the first `limit` parts; whether all of them are committed.
    async fn finish(&mut self, limit: usize, finish_by: Instant) -> bool {
        let shards: Vec<usize> = self.parts.keys().copied().take(limit).collect();
        let mut complete = true;
        for (number, shard) in (1..).zip(shards) {
            self.step(Step::Before(Act::Commit(number)), shard).await;
            let branch = self.parts.get_mut(&shard).and_then(|part| part.branch.take());
            match commit_prepared(&self.core, self.id(), shard, branch, finish_by).await {
                Ok(branch) => {
                    if let Some(part) = self.parts.get_mut(&shard) {
                        part.branch = Some(branch);
                    }
                }
                Err(error) => {
                    tracing::warn!(transaction = %self.id(), shard, error = %error, "a commit is left to the resolver");
                    complete = false;
                    continue;
                }
            }
            self.step(Step::After(Act::Commit(number)), shard).await;
        }
        complete
    }

    /// Tells every part that it is over; the first part's error that could not be told. It is left to the resolver, which
    /// presumes the same.
    async fn undo(&mut self) -> Option<pg::Error> {
        count(&self.core.counters.aborted);
        let id = self.id();
        let mut lost = None;
        for (&shard, part) in &mut self.parts {
            let Some(branch) = part.branch.take() else {
                lost.get_or_insert_with(session_lost);
                continue;
            };
            let command = match part.prepared {
                Prepared::Yes => self.core.gid(id, shard).roll_back(),
                Prepared::No | Prepared::Perhaps => "rollback".to_owned(),
            };
            match self.core.bounded("roll back", execute(&branch, &command)).await {
                Ok(()) => part.branch = Some(branch),
                Err(error) if is_gone(&error) => part.branch = Some(branch),
                Err(error) => {
                    tracing::debug!(transaction = %id, shard, error = %error, "left to be resolved");
                    lost.get_or_insert(error);
                }
            }
        }
        self.give_back();
        lost
    }

    fn aborted(&self, reason: AbortReason) -> CommitError {
        count(&self.core.counters.aborted);
        CommitError::Aborted(reason)
    }

    fn give_back(&mut self) {
        for (shard, part) in std::mem::take(&mut self.parts) {
            // A session that may hold the barrier ends instead.
            if let Some(branch) = part.branch
                && !(self.shares_barrier && shard == self.core.settings.home)
            {
                self.core.shards[shard].give_back(branch);
            }
        }
        if let Some(branch) = self.decider.take()
            && !self.shares_barrier
        {
            self.core.home().give_back(branch);
        }
    }

    /// Tells the bystander, and loses the connection when he says so.
    async fn step(&mut self, step: Step, shard: usize) -> Then {
        if self.core.settings.bystander.is_none() {
            return Then::GoOn;
        }
        let backend_pid = self.branch(shard).ok().map(Branch::backend_pid);
        let place = Place { transaction: Some(self.id()), shard, backend_pid };
        let then = self.core.step(step, place).await;
        if then == Then::Disconnect
            && let Some(part) = self.parts.get_mut(&shard)
        {
            part.branch = None;
        }
        then
    }

    async fn share_process_barrier(&self) -> Option<OwnedRwLockReadGuard<()>> {
        match self.core.settings.barrier {
            Barrier::Off => None,
            Barrier::Process | Barrier::Realm => Some(Arc::clone(&self.core.barrier).read_owned().await),
        }
    }

    async fn share_realm_barrier(&mut self) -> Result<(), pg::Error> {
        let home = self.core.session(self.core.settings.home).await?;
        let class = self.core.class();
        let sql = include_str!("sql/barrier_share.sql");
        self.core.bounded("enter the commit barrier", home.execute(sql, &[&class])).await?;
        self.decider = Some(home);
        Ok(())
    }

    /// Gives the barrier back; a session that cannot say so is closed, which does the same.
    async fn leave_realm_barrier(&mut self, session: Branch) {
        let class = self.core.class();
        let sql = include_str!("sql/barrier_unshare.sql");
        if self.core.bounded("leave the commit barrier", session.execute(sql, &[&class])).await.is_ok() {
            self.core.home().give_back(session);
        }
        self.shares_barrier = false;
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shards: Vec<usize> = self.parts.keys().copied().collect();
        formatter.debug_struct("Transaction").field("id", &self.id()).field("shards", &shards).finish_non_exhaustive()
    }
}

async fn execute(branch: &Branch, command: &str) -> Result<(), pg::Error> {
    Ok(branch.session().batch_execute(command).await?)
}

/// Commits one part that is prepared, on any session of its shard, again and again until `finish_by`.
pub(crate) async fn commit_prepared(
    core: &Core,
    transaction: TransactionId,
    shard: usize,
    branch: Option<Branch>,
    finish_by: Instant,
) -> Result<Branch, pg::Error> {
    let command = core.gid(transaction, shard).commit();
    let mut branch = branch;
    loop {
        let session = match branch.take() {
            Some(session) => session,
            None => core.session_until(shard, finish_by).await?,
        };
        let error = match core.bounded("commit what was prepared", execute(&session, &command)).await {
            Ok(()) => return Ok(session),
            // Only a commit can have been carried out: nobody rolls back what is decided.
            Err(error) if is_gone(&error) => return Ok(session),
            Err(error) => error,
        };
        if Instant::now() >= finish_by {
            return Err(error);
        }
        if !is_lost(&error) {
            branch = Some(session);
            if !is_busy(&error) {
                tracing::warn!(%transaction, shard, %error, "a commit was refused, and is tried again");
            }
            tokio::time::sleep(FINISH_PAUSE).await;
        }
    }
}
