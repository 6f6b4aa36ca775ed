//! One shard as this instance sees it: admitted sessions, kept for the next transaction, and the fence around them.
//!
//! Every session shares an advisory lock that stands for the instance's epoch, for as long as it lives. To fence an
//! epoch on a shard is to forbid new sessions, end those that are there, and wait until the lock is to be had alone:
//! from then on nothing that the deposed instance sends can reach the shard.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_pg::Kind;
use pgstrata_pg::sql::types::ToSql;
use pgstrata_pg::sql::{Row, Statement};

use crate::error::OpenError;

/// The first half of the library's advisory lock keys, "pc" in ASCII; the realm is its lower half. The second key is an
/// epoch, 0 for the commit barrier, or -1 for the schema.
pub const LOCK_CLASS: i32 = 0x7063_0000;

/// The advisory lock class of a realm.
pub(crate) fn lock_class(realm: u16) -> i32 {
    LOCK_CLASS | i32::from(realm)
}

/// One attempt to connect; whoever needs a session tries again as long as it has time.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The pause between two looks whether the sessions of a fenced epoch have ended.
const FENCE_PAUSE: Duration = Duration::from_millis(5);

/// How long the sessions of a fenced epoch may take to end; then the fence is tried again later.
const FENCE_LIMIT: Duration = Duration::from_secs(20);

/// What a session may not exceed, as the server is told.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) lock: Duration,
    pub(crate) step: Duration,
}

/// A session with a transaction's part on one shard, or ready for one.
#[derive(Debug)]
pub struct Branch {
    session: pg::Session,
    statements: Mutex<HashMap<&'static str, Statement>>,
    backend_pid: i32,
}

impl Branch {
    /// The session, for whatever the other methods do not do. Do not end the transaction on it.
    #[must_use]
    pub fn session(&self) -> &pg::Session {
        &self.session
    }

    /// The server process behind it.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Runs a query, which the session prepares once and keeps.
    pub async fn query(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, pg::Error> {
        let statement = self.statement(sql).await?;
        Ok(self.session.query(&statement, parameters).await?)
    }

    /// The same, for at most one row.
    pub async fn query_opt(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, pg::Error> {
        let statement = self.statement(sql).await?;
        Ok(self.session.query_opt(&statement, parameters).await?)
    }

    /// The same, for exactly one row.
    pub async fn query_one(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, pg::Error> {
        let statement = self.statement(sql).await?;
        Ok(self.session.query_one(&statement, parameters).await?)
    }

    /// Runs a statement; the number of rows.
    pub async fn execute(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, pg::Error> {
        let statement = self.statement(sql).await?;
        Ok(self.session.execute(&statement, parameters).await?)
    }

    /// The statement of a query, prepared once and kept.
    pub async fn statement(&self, sql: &'static str) -> Result<Statement, pg::Error> {
        let kept = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = kept {
            return Ok(statement);
        }
        let statement = self.session.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }
}

/// One shard's address and the sessions that wait for work.
pub(crate) struct Shard {
    pub(crate) number: usize,
    endpoint: pg::Endpoint,
    bounds: Bounds,
    realm: u16,
    epoch: i32,
    idle: Mutex<Vec<Branch>>,
}

/// Why there is no session.
pub(crate) enum NoSession {
    /// The epoch is fenced on this shard.
    Deposed,
    Failed(pg::Error),
}

impl From<pg::Error> for NoSession {
    fn from(error: pg::Error) -> Self {
        Self::Failed(error)
    }
}

impl Shard {
    pub(crate) fn new(number: usize, endpoint: &pg::Endpoint, bounds: Bounds, realm: u16, epoch: i32) -> Self {
        Self { number, endpoint: named(endpoint), bounds, realm, epoch, idle: Mutex::default() }
    }

    /// A session without a transaction: one that waits, or a new one. The caller bounds the number.
    pub(crate) async fn session(&self) -> Result<Branch, NoSession> {
        while let Some(branch) = self.pop() {
            if branch.session.ensure_open().is_ok() {
                return Ok(branch);
            }
        }
        let admission = self.admit();
        let limit = CONNECT_LIMIT + self.bounds.step;
        match tokio::time::timeout(limit, admission).await {
            Ok(admitted) => admitted,
            Err(_) => Err(NoSession::Failed(timed_out("open a session", limit))),
        }
    }

    /// The same, tried again until `deadline` while the server is away.
    pub(crate) async fn session_until(&self, deadline: Instant) -> Result<Branch, NoSession> {
        const PAUSE: Duration = Duration::from_millis(10);
        loop {
            match self.session().await {
                Err(NoSession::Failed(error)) if crate::error::is_retryable(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    fn pop(&self) -> Option<Branch> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Takes a session back that has no transaction and owes no answer.
    pub(crate) fn give_back(&self, branch: Branch) {
        if branch.session.ensure_open().is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(branch);
        }
    }

    /// Lets go of the sessions that wait.
    pub(crate) async fn close(&self) {
        while let Some(branch) = self.pop() {
            branch.session.close().await;
        }
    }

    /// Takes the session in by which the epoch was begun: it keeps this instance from being taken for dead.
    pub(crate) async fn take_in(&self, session: pg::Session) -> Result<(), pg::Error> {
        let backend_pid = session.backend_pid().await?;
        self.give_back(Branch { session, statements: Mutex::default(), backend_pid });
        Ok(())
    }

    async fn admit(&self) -> Result<Branch, NoSession> {
        let (session, backend_pid) = open(&self.endpoint, &self.bounds).await?;
        let class = lock_class(self.realm);
        session.execute(include_str!("sql/admit.sql"), &[&class, &self.epoch]).await.map_err(pg::Error::from)?;
        let realm = i32::from(self.realm);
        let fenced = session.query_one(include_str!("sql/is_fenced.sql"), &[&realm, &self.epoch]).await;
        if fenced.and_then(|row| row.try_get(0)).map_err(pg::Error::from)? {
            return Err(NoSession::Deposed);
        }
        Ok(Branch { session, statements: Mutex::default(), backend_pid })
    }

    /// Keeps an epoch out of this shard for good; false when a session of it has not ended in time.
    pub(crate) async fn fence(&self, branch: &Branch, epoch: i32) -> Result<bool, pg::Error> {
        let class = lock_class(self.realm);
        branch.execute(include_str!("sql/fence.sql"), &[&i32::from(self.realm), &epoch]).await?;
        let began = Instant::now();
        loop {
            let alone = branch.query_one(include_str!("sql/try_alone.sql"), &[&class, &epoch]).await?;
            if alone.try_get(0)? {
                return Ok(true);
            }
            if began.elapsed() > FENCE_LIMIT {
                return Ok(false);
            }
            branch.query(include_str!("sql/end_sessions.sql"), &[&class, &epoch]).await?;
            tokio::time::sleep(FENCE_PAUSE).await;
        }
    }
}

fn named(endpoint: &pg::Endpoint) -> pg::Endpoint {
    endpoint.with_application_name("pgstrata coordinator").with_connect_limit(CONNECT_LIMIT)
}

async fn open(endpoint: &pg::Endpoint, bounds: &Bounds) -> Result<(pg::Session, i32), pg::Error> {
    let session = endpoint.connect().await?;
    let (lock_ms, idle_ms) = (bounds.lock.as_millis().to_string(), bounds.step.as_millis().to_string());
    let row = session.query_one(include_str!("sql/session.sql"), &[&lock_ms, &idle_ms]).await?;
    let pid = row.try_get("pid")?;
    Ok((session, pid))
}

/// Finds out whether a server can be a shard, before anything is made on any of them.
pub(crate) async fn probe(number: usize, endpoint: &pg::Endpoint, bounds: &Bounds) -> Result<pg::Session, OpenError> {
    let failed = |source| OpenError::Shard { shard: number, source };
    let (session, _) = open(&named(endpoint), bounds).await.map_err(failed)?;
    let row = session.query_one(include_str!("sql/probe.sql"), &[]).await.map_err(|error| failed(error.into()))?;
    let read = |error: pg::sql::ClientError| failed(error.into());
    if row.try_get::<_, i32>("prepared_slots").map_err(read)? == 0 {
        return Err(OpenError::NoPreparedTransactions { shard: number });
    }
    if row.try_get("is_read_only").map_err(read)? {
        return Err(OpenError::ReadOnly { shard: number });
    }
    Ok(session)
}

/// Creates the library's schema where it is missing.
pub(crate) async fn ensure_schema(session: &pg::Session) -> Result<(), pg::Error> {
    let present = session.query_one(include_str!("sql/schema_present.sql"), &[]).await?;
    if !present.try_get::<_, bool>(0)? {
        session.batch_execute(include_str!("sql/schema.sql")).await?;
    }
    Ok(())
}

/// Begins a new epoch on the home shard. The session is admitted by that, and becomes one of the shard's.
pub(crate) async fn register(session: &pg::Session, realm: u16, holder: &str) -> Result<i32, pg::Error> {
    let parameters: [&(dyn ToSql + Sync); 3] = [&i32::from(realm), &holder, &lock_class(realm)];
    let row = session.query_one(include_str!("sql/register.sql"), &parameters).await?;
    Ok(row.try_get("epoch")?)
}

/// The error of a wait that was given up.
pub(crate) fn timed_out(context: &str, limit: Duration) -> pg::Error {
    pg::Error::new(context, Kind::Timeout { limit_ms: limit.as_millis() })
}

/// The error of a session that is not there any more.
pub(crate) fn session_lost() -> pg::Error {
    pg::Error::new("use a session", Kind::SessionClosed)
}
