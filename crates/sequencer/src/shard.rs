//! One shard's session: its settings, its lock, its epoch, and one fenced flush.
//!
//! Two things keep a second instance out. The session lock (`pg_try_advisory_lock`) makes a mistaken second start
//! visible at once and ends with the session. The epoch in `pgstrata_sequencer.shard` is what safety rests on: each
//! flush locks the row and finds its own epoch there, or rolls back. Nothing here queues, retries or answers.

use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_pg::ErrorClass;
use pgstrata_pg::sql::{ClientError, FromSql, Row, Statement, ToSql};
use uuid::Uuid;

use crate::error::StartError;
use crate::flush::Flush;
use crate::settings::{Settings, Takeover};

/// The first half of the library's advisory lock keys, "pgsq" in ASCII; the second is the shard.
pub const LOCK_CLASS: i32 = 0x7067_7371;

/// One attempt to connect; the worker makes many.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The pause between two tries for a lock that somebody else has.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How long a reconnected session waits for the lock of the session it replaces before it is closed and opened anew.
const RENEW_LOCK_LIMIT: Duration = Duration::from_secs(2);

/// What the server promises about a commit, as found at the start.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Durability {
    /// `synchronous_commit` as the session has it: `on` or `remote_apply`.
    pub synchronous_commit: String,
    /// The server's `fsync`; with `off` an acknowledged request survives a crash of the server but not of the machine.
    pub fsync: String,
}

/// One server process, told from a later one with the same id by its start (µs since 1970; `None` if hidden from us).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pid: i32,
    started_us: Option<i64>,
}

/// An open, fenced session for one shard.
pub(crate) struct ShardSession<P> {
    session: pg::Session,
    prepared: P,
    assert_epoch: Statement,
    begin: String,
    commit: String,
    shard: i32,
    /// Ours as long as nobody begins another.
    pub(crate) epoch: i64,
    pub(crate) backend: Backend,
    pub(crate) durability: Durability,
}

/// How one attempt at a flush ended.
pub(crate) enum Attempt<A> {
    /// Durable; the answers are true.
    Committed(Vec<A>),
    /// The server undid it for a reason that may lie in the requests. The session is good.
    Failed(pg::Error),
    /// The fence itself could not be had in time. The session is good.
    FenceBusy(pg::Error),
    /// The epoch is not ours any more; rolled back.
    Deposed,
    /// The session is gone, and the commit had not been sent: nothing was written.
    LostBefore(pg::Error),
    /// The session is gone, and the commit had been sent. If it went through, these are the answers.
    LostDuring(Vec<A>, pg::Error),
    /// Something that cannot be reasoned about; the session must go, and nobody can tell what was written.
    Unsure(pg::Error),
}

/// Why a session could not be renewed.
pub(crate) enum RenewError {
    /// Another instance has begun an epoch.
    Deposed,
    /// Not now; try again.
    Failed(pg::Error),
}

impl From<pg::Error> for RenewError {
    fn from(error: pg::Error) -> Self {
        Self::Failed(error)
    }
}

impl<P: Send + Sync> ShardSession<P> {
    /// Opens the first session of an instance and begins a new epoch.
    pub(crate) async fn start<F: Flush<Prepared = P>>(
        endpoint: &pg::Endpoint,
        flush: &F,
        settings: &Settings,
        token: Uuid,
    ) -> Result<Self, StartError> {
        let (session, durability, backend) = open(endpoint, settings).await.map_err(StartError::Session)?;
        ensure_schema(&session).await.map_err(StartError::Schema)?;
        let epoch = claim(&session, settings, token).await?;
        let prepared = flush.prepare(&session).await.map_err(StartError::Prepare)?;
        Self::assemble(session, prepared, settings.shard, epoch, durability, backend).await.map_err(StartError::Session)
    }

    /// Opens a session in place of a lost one; also gives the number of the last flush that committed.
    ///
    /// `token` is the instance's own, `predecessor` the server process of the lost session.
    pub(crate) async fn renew<F: Flush<Prepared = P>>(
        endpoint: &pg::Endpoint,
        flush: &F,
        settings: &Settings,
        token: Uuid,
        predecessor: Backend,
    ) -> Result<(Self, i64), RenewError> {
        let (session, durability, backend) = open(endpoint, settings).await?;
        relock(&session, settings.shard, token, predecessor).await?;
        let renewed = session.query_opt(include_str!("sql/renew.sql"), &[&settings.shard, &token]).await;
        let Some(row) = renewed.map_err(pg::Error::from)? else { return Err(RenewError::Deposed) };
        let (epoch, last_flush): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        let prepared = flush.prepare(&session).await?;
        let new = Self::assemble(session, prepared, settings.shard, epoch, durability, backend).await?;
        Ok((new, last_flush))
    }

    async fn assemble(
        session: pg::Session,
        prepared: P,
        shard: i32,
        epoch: i64,
        durability: Durability,
        backend: Backend,
    ) -> Result<Self, pg::Error> {
        let assert_epoch = session.prepare(include_str!("sql/assert_epoch.sql")).await?;
        let commit = match durability.synchronous_commit.as_str() {
            "remote_apply" => include_str!("sql/commit_remote_apply.sql"),
            _ => include_str!("sql/commit.sql"),
        };
        let (begin, commit) = (without_comments(include_str!("sql/begin.sql")), without_comments(commit));
        Ok(Self { session, prepared, assert_epoch, begin, commit, shard, epoch, backend, durability })
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// Gives the lock back and says goodbye.
    pub(crate) async fn close(self) {
        let key: [&(dyn ToSql + Sync); 2] = [&LOCK_CLASS, &self.shard];
        let unlocked =
            bounded("unlock", CONNECT_LIMIT, self.session.execute(include_str!("sql/unlock.sql"), &key)).await;
        if let Err(error) = unlocked {
            tracing::debug!(shard = self.shard, error = %error, "lock not given back; it ends with the session");
        }
        self.session.close().await;
    }

    /// Runs one flush in two round trips: begin, fence and statement; then the commit.
    pub(crate) async fn flush<F: Flush<Prepared = P>>(
        &self,
        flush: &F,
        number: i64,
        requests: &[F::Request],
        limit: Duration,
    ) -> Attempt<F::Answer> {
        let Ok(statement) = tokio::time::timeout(limit, self.run_statement(flush, number, requests)).await else {
            return Attempt::LostBefore(timed_out("flush a batch", limit));
        };
        let answers = match statement {
            Ok(answers) => answers,
            Err(Halt::Session(error)) => return Attempt::LostBefore(error),
            Err(Halt::Begin(error)) => return Attempt::Unsure(error),
            Err(halt) => return self.undo(halt, limit).await,
        };
        assert_eq!(answers.len(), requests.len(), "a flush gives one answer for each request of its batch");
        let committed = tokio::time::timeout(limit, self.session.batch_execute(&self.commit)).await;
        let error = match committed {
            Ok(Ok(())) => return Attempt::Committed(answers),
            Ok(Err(error)) => pg::Error::from(error),
            Err(_) => return Attempt::LostDuring(answers, timed_out("commit a batch", limit)),
        };
        // An answer of severity ERROR to a commit (a deferred constraint, a transaction that had failed) means that
        // the server has undone it. Without such an answer it may have been carried out.
        if self.is_lost(&error) {
            Attempt::LostDuring(answers, error)
        } else {
            self.undo(Halt::Statement(error), limit).await
        }
    }

    /// The first round trip.
    async fn run_statement<F: Flush<Prepared = P>>(
        &self,
        flush: &F,
        number: i64,
        requests: &[F::Request],
    ) -> Result<Vec<F::Answer>, Halt> {
        let session = &self.session;
        let fence: [&(dyn ToSql + Sync); 3] = [&self.shard, &self.epoch, &number];
        // Each of these queues its message on the connection when it is first polled, so the order of polling is the
        // order in which the server runs them, and it runs none before the one in front of it has ended. A statement
        // that follows a failed fence runs in vain: the commit is sent only when the fence found our epoch.
        let (begun, fenced, answers) = tokio::join!(
            biased;
            session.batch_execute(&self.begin),
            session.execute(&self.assert_epoch, &fence),
            flush.flush(session, &self.prepared, requests),
        );
        if let Err(error) = begun.map_err(pg::Error::from) {
            // Only for want of memory does an idle session fail to begin, and live on. Then what followed may have
            // run without a transaction around it.
            return Err(if self.is_lost(&error) { Halt::Session(error) } else { Halt::Begin(error) });
        }
        match fenced.map_err(pg::Error::from) {
            Ok(0) => return Err(Halt::Deposed),
            Ok(_) => {}
            Err(error) if self.is_lost(&error) => return Err(Halt::Session(error)),
            Err(error) => return Err(Halt::Fence(error)),
        }
        answers.map_err(|error| if self.is_lost(&error) { Halt::Session(error) } else { Halt::Statement(error) })
    }

    /// Rolls back what did not go well. A rollback that gets no answer ends with the session all the same.
    async fn undo<A>(&self, halt: Halt, limit: Duration) -> Attempt<A> {
        let rolled_back = tokio::time::timeout(limit, self.session.batch_execute("rollback")).await;
        match (rolled_back, halt) {
            (_, Halt::Deposed) => Attempt::Deposed,
            (Ok(Ok(())), Halt::Fence(error)) => Attempt::FenceBusy(error),
            (Ok(Ok(())), Halt::Statement(error) | Halt::Session(error) | Halt::Begin(error)) => Attempt::Failed(error),
            (Ok(Err(error)), _) => Attempt::LostBefore(error.into()),
            (Err(_), _) => Attempt::LostBefore(timed_out("roll back a batch", limit)),
        }
    }

    fn is_lost(&self, error: &pg::Error) -> bool {
        self.session.is_closed() || matches!(error.class(), ErrorClass::ServerLost | ErrorClass::NotConnected)
    }
}

/// Why a flush does not go on to its commit.
enum Halt {
    Session(pg::Error),
    Begin(pg::Error),
    Fence(pg::Error),
    Deposed,
    Statement(pg::Error),
}

async fn open(endpoint: &pg::Endpoint, settings: &Settings) -> Result<(pg::Session, Durability, Backend), pg::Error> {
    let name = format!("pgstrata sequencer {}", settings.shard);
    let endpoint = endpoint.with_application_name(&name).with_connect_limit(CONNECT_LIMIT);
    let session = endpoint.connect().await?;
    let lock_ms = settings.lock_limit.as_millis().to_string();
    let flush_ms = settings.flush_limit.as_millis().to_string();
    let row = session.query_one(include_str!("sql/session.sql"), &[&lock_ms, &flush_ms]).await?;
    let durability =
        Durability { synchronous_commit: row.try_get("synchronous_commit")?, fsync: row.try_get("fsync")? };
    let backend = Backend { pid: row.try_get("pid")?, started_us: row.try_get("started_us")? };
    Ok((session, durability, backend))
}

/// Creates the library's schema where it is missing.
pub(crate) async fn ensure_schema(session: &pg::Session) -> Result<(), pg::Error> {
    let present: bool = get(&session.query_one(include_str!("sql/schema_present.sql"), &[]).await?, 0)?;
    if !present {
        session.batch_execute(include_str!("sql/schema.sql")).await?;
        tracing::info!("schema pgstrata_sequencer created");
    }
    Ok(())
}

/// Takes the shard's lock as the settings say, and begins a new epoch.
async fn claim(session: &pg::Session, settings: &Settings, token: Uuid) -> Result<i64, StartError> {
    if try_lock(session, settings.shard).await.map_err(StartError::Session)? {
        return take_epoch(session, settings, token).await.map_err(StartError::Session);
    }
    match settings.takeover {
        Takeover::Refuse => Err(held(session, settings.shard).await),
        Takeover::Wait(limit) => {
            if wait_for_lock(session, settings.shard, limit).await.map_err(StartError::Session)? {
                return take_epoch(session, settings, token).await.map_err(StartError::Session);
            }
            Err(held(session, settings.shard).await)
        }
        Takeover::Depose(limit) => {
            // The epoch first: from here on no flush of the other instance commits, whatever becomes of its session.
            let epoch = take_epoch(session, settings, token).await.map_err(StartError::Session)?;
            tracing::warn!(shard = settings.shard, epoch, "another instance is deposed");
            if let Some(holder) = find_holder(session, settings.shard).await.map_err(StartError::Session)? {
                end_backend(session, settings.shard, holder.backend.pid).await.map_err(StartError::Session)?;
            }
            if wait_for_lock(session, settings.shard, limit).await.map_err(StartError::Session)? {
                return Ok(epoch);
            }
            Err(held(session, settings.shard).await)
        }
    }
}

async fn take_epoch(session: &pg::Session, settings: &Settings, token: Uuid) -> Result<i64, pg::Error> {
    let parameters: [&(dyn ToSql + Sync); 3] = [&settings.shard, &token, &settings.instance];
    get(&session.query_one(include_str!("sql/take_over.sql"), &parameters).await?, 0)
}

async fn try_lock(session: &pg::Session, shard: i32) -> Result<bool, pg::Error> {
    get(&session.query_one(include_str!("sql/try_lock.sql"), &[&LOCK_CLASS, &shard]).await?, 0)
}

async fn wait_for_lock(session: &pg::Session, shard: i32, limit: Duration) -> Result<bool, pg::Error> {
    let began = Instant::now();
    loop {
        if try_lock(session, shard).await? {
            return Ok(true);
        }
        if began.elapsed() >= limit {
            return Ok(false);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// Takes the lock for a reconnected session. The lost session's server process may live on for a while, not knowing
/// that its client is gone; it is ended, since its lock is ours.
async fn relock(session: &pg::Session, shard: i32, token: Uuid, predecessor: Backend) -> Result<(), RenewError> {
    if try_lock(session, shard).await? {
        return Ok(());
    }
    if find_holder(session, shard).await?.is_some_and(|holder| holder.backend == predecessor) {
        end_backend(session, shard, predecessor.pid).await?;
    }
    let began = Instant::now();
    while began.elapsed() < RENEW_LOCK_LIMIT {
        // If another instance has the lock, it has begun an epoch or is about to.
        let current = session.query_opt(include_str!("sql/current_token.sql"), &[&shard]).await;
        let current: Option<Uuid> = current.map_err(pg::Error::from)?.map(|row| get(&row, 0)).transpose()?;
        if current != Some(token) {
            return Err(RenewError::Deposed);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
        if try_lock(session, shard).await? {
            return Ok(());
        }
    }
    Err(RenewError::Failed(timed_out("take the shard's lock again", RENEW_LOCK_LIMIT)))
}

struct Holder {
    backend: Backend,
    name: Option<String>,
}

async fn find_holder(session: &pg::Session, shard: i32) -> Result<Option<Holder>, pg::Error> {
    let Some(row) = session.query_opt(include_str!("sql/holder.sql"), &[&LOCK_CLASS, &shard]).await? else {
        return Ok(None);
    };
    let backend = Backend { pid: row.try_get("pid")?, started_us: row.try_get("started_us")? };
    Ok(Some(Holder { backend, name: row.try_get("holder")? }))
}

async fn end_backend(session: &pg::Session, shard: i32, pid: i32) -> Result<(), pg::Error> {
    session.execute(include_str!("sql/end_backend.sql"), &[&LOCK_CLASS, &shard, &pid]).await?;
    Ok(())
}

async fn held(session: &pg::Session, shard: i32) -> StartError {
    match find_holder(session, shard).await {
        Ok(holder) => {
            let (name, backend_pid) = holder.map_or((None, None), |holder| (holder.name, Some(holder.backend.pid)));
            StartError::Held { shard, holder: name.unwrap_or_else(|| "an unknown instance".to_owned()), backend_pid }
        }
        Err(error) => StartError::Session(error),
    }
}

/// A column of a row, with this crate's error.
fn get<T: for<'a> FromSql<'a>>(row: &Row, column: usize) -> Result<T, pg::Error> {
    row.try_get(column).map_err(pg::Error::from)
}

/// Runs one step of the library's own with a limit.
pub(crate) async fn bounded<T>(
    context: &str,
    limit: Duration,
    step: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, pg::Error> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result.map_err(pg::Error::from),
        Err(_) => Err(timed_out(context, limit)),
    }
}

pub(crate) fn timed_out(context: &str, limit: Duration) -> pg::Error {
    pg::Error::new(context, pg::Kind::Timeout { limit_ms: limit.as_millis() })
}

/// The statements of a file without their comments, which would be sent with each flush and hide the statement in
/// `pg_stat_activity`. For the library's own files, in which a comment has its line to itself.
pub(crate) fn without_comments(sql: &str) -> String {
    sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ")
}
