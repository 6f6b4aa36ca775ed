//! Early lock release: commit asynchronously, let go of the hot row, and acknowledge when the log has caught up.
//!
//! A transaction with `synchronous_commit = off` gives its row locks up without waiting for the disk, so the next one
//! need not wait for it either. It may only be acknowledged once its commit record is on disk. A [`DurabilityBarrier`]
//! tells when: one shared session commits something synchronously, again and again, and since the log is flushed in
//! order, a synchronous commit that was *begun* after the asynchronous one was answered proves that one durable.
//! Waiters that arrive while such a commit is under way wait for the next. The guarantee is that of an ordinary
//! commit; the way there costs one flush for many transactions.
//!
//! **Answers from reading need the barrier too.** A transaction that wrote nothing may have seen what another one
//! committed asynchronously a moment ago ("sold out", "already ordered"). If the server dies now, that other
//! commit never was, and an answer given from it is false for ever. So whatever is told to the outside world waits,
//! written or only read.
//!
//! **A barrier of one server run proves nothing about another.** Suppose the asynchronous commit is answered, the
//! server crashes and comes back, and only then is the barrier asked: its commit succeeds, but on a server that has
//! lost the other one. Therefore [`DurabilityBarrier::promise`] is called before the commit is sent. It notes the
//! session of the barrier; if that session is not the same any more when the barrier has flushed, the answer is
//! `Unknown`. [`DurabilityBarrier::acknowledge`] keeps that order.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgstrata_pg as pg;
use pgstrata_pg::sql::{Statement, ToSql};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use crate::error::{AcknowledgeError, Unknown};
use crate::figures::BarrierFigures;
use crate::shard::{bounded, ensure_schema};

/// How long one synchronous commit may go without an answer before the session counts as lost.
const FLUSH_LIMIT: Duration = Duration::from_secs(30);

/// One attempt to connect, and the set-up of a session.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long an idle barrier sleeps before it looks whether its session is still open. What was promised before a loss
/// that nobody noticed yet ends with `Unknown` at the first flush, so this only shortens the time of such promises.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The shortest and longest pause between two attempts to open the session again.
const RECONNECT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// How long [`DurabilityBarrier::acknowledge`] waits for a barrier that has no server before it begins the work.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Tells when asynchronous commits have become durable. Cheap to clone; ends when the last clone is dropped.
///
/// ```no_run
/// # async fn example(endpoint: pgstrata_pg::Endpoint) -> Result<(), Box<dyn std::error::Error>> {
/// let barrier = pgstrata_sequencer::DurabilityBarrier::start(endpoint).await?;
/// let session = barrier.session().await?; // commits asynchronously
/// let left = barrier
///     .acknowledge(async {
///         let row = session.query_one("update stock set left = left - 1 where left > 0 returning left", &[]).await?;
///         Ok(row.get::<_, i64>(0))
///     })
///     .await?; // as durable as any commit
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DurabilityBarrier {
    owner: Arc<Owner>,
}

/// What a wait holds against: the barrier's session at the time it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a promise made before the work is what its wait needs"]
pub struct Promise {
    /// `None` when the barrier had no session.
    run: Option<u64>,
}

/// How the barrier makes the server flush its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BarrierKind {
    /// A message in the log: `pg_logical_emit_message`, touching no table.
    Message,
    /// An update of the one row in `pgstrata_sequencer.barrier`, where that function is missing or not permitted.
    Row,
}

/// Ends the task when the last barrier is gone.
struct Owner {
    shared: Arc<Shared>,
    endpoint: pg::Endpoint,
    kind: BarrierKind,
    task: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    /// Whether there is a session, for those who wait for one.
    ready: watch::Sender<bool>,
}

struct State {
    /// The session's number, grown with each loss and each new session, so that no number covers two server runs.
    run: u64,
    /// `None` while the server is away.
    session: Option<Arc<pg::Session>>,
    waiting: Vec<oneshot::Sender<Result<(), Unknown>>>,
    sleeping: bool,
    figures: BarrierFigures,
}

impl DurabilityBarrier {
    /// Opens the barrier's session and starts its task on the current tokio runtime.
    ///
    /// Uses `pg_logical_emit_message`, which needs neither a setting of `wal_level` nor a role; where it is missing or
    /// revoked, a row of the library's schema, which is created if need be. The server must not be a standby.
    pub async fn start(endpoint: pg::Endpoint) -> Result<Self, pg::Error> {
        let session = connect(&endpoint).await?;
        match Flusher::prepare(session, BarrierKind::Message).await {
            Ok(flusher) => Ok(Self::spawn(endpoint, flusher)),
            Err(error) if error.class() == pg::ErrorClass::Other => {
                tracing::info!(
                    sqlstate = error.sqlstate().map(pg::sql::SqlState::code),
                    "no log message; the barrier writes a row"
                );
                Self::start_with(endpoint, BarrierKind::Row).await
            }
            Err(error) => Err(error),
        }
    }

    /// The same with the way chosen; an error if the server does not offer it.
    pub async fn start_with(endpoint: pg::Endpoint, kind: BarrierKind) -> Result<Self, pg::Error> {
        let session = connect(&endpoint).await?;
        let flusher = Flusher::prepare(session, kind).await?;
        Ok(Self::spawn(endpoint, flusher))
    }

    fn spawn(endpoint: pg::Endpoint, flusher: Flusher) -> Self {
        let state = State {
            run: 1,
            session: Some(Arc::clone(&flusher.session)),
            waiting: Vec::new(),
            sleeping: false,
            figures: BarrierFigures::default(),
        };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), wake: Notify::new(), ready: watch::Sender::new(true) });
        let kind = flusher.kind;
        let task = tokio::spawn(run(endpoint.clone(), Arc::clone(&shared), flusher));
        Self { owner: Arc::new(Owner { shared, endpoint, kind, task }) }
    }

    /// How this barrier makes the server flush its log.
    #[must_use]
    pub fn kind(&self) -> BarrierKind {
        self.owner.kind
    }

    /// Opens a session on the barrier's server whose commits are asynchronous: for work that is acknowledged by the
    /// barrier, and for nothing else.
    pub async fn session(&self) -> Result<pg::Session, pg::Error> {
        self.owner.endpoint.with_setting("synchronous_commit", "off").connect().await
    }

    /// Notes the barrier's session. Call it before the commit is sent, and give it to [`Self::wait`] afterwards.
    pub fn promise(&self) -> Promise {
        let state = self.owner.shared.lock();
        Promise { run: state.session.is_some().then_some(state.run) }
    }

    /// Waits until everything that this server has answered so far is durable.
    ///
    /// `Unknown` when the server may have crashed since `promise` was made. Dropping the future is harmless.
    pub async fn wait(&self, promise: Promise) -> Result<(), Unknown> {
        let waiter = {
            let mut state = self.owner.shared.lock();
            if state.session.is_none() || promise.run != Some(state.run) {
                state.figures.unknowns += 1;
                return Err(Unknown);
            }
            let (answer, waiter) = oneshot::channel();
            state.waiting.push(answer);
            if std::mem::take(&mut state.sleeping) {
                self.owner.shared.wake.notify_one();
            }
            waiter
        };
        waiter.await.unwrap_or(Err(Unknown))
    }

    /// Does `work`, which commits asynchronously and may only have read, and gives its result when it is durable.
    ///
    /// The work is not begun before the barrier has a session, for at most 30 s. Its own error is passed on at once;
    /// with class `ServerLost` it may have been carried out all the same, as with any commit.
    pub async fn acknowledge<T>(
        &self,
        work: impl Future<Output = Result<T, pg::Error>>,
    ) -> Result<T, AcknowledgeError> {
        // An idle barrier has not looked yet; a promise from a session that is gone would be worth nothing.
        self.owner.shared.lose_if_closed();
        let mut ready = self.owner.shared.ready.subscribe();
        let is_ready = ready.wait_for(|connected| *connected);
        if !matches!(tokio::time::timeout(READY_LIMIT, is_ready).await, Ok(Ok(_))) {
            return Err(AcknowledgeError::Unreachable);
        }
        // A future does nothing before it is polled, so nothing of the work has been sent yet.
        let promise = self.promise();
        let result = work.await?;
        self.wait(promise).await?;
        Ok(result)
    }

    /// What it has done so far.
    #[must_use]
    pub fn figures(&self) -> BarrierFigures {
        self.owner.shared.lock().figures
    }
}

impl fmt::Debug for DurabilityBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurabilityBarrier")
            .field("kind", &self.kind())
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    /// Nobody can be waiting: a wait borrows a barrier. The session says goodbye by being dropped.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every promise void. Those who wait cannot know any more, whether in the lost flush or queued behind it:
    /// what they wait for was committed before the loss. Without effect when the loss is known.
    fn lose(&self) {
        let waiting = {
            let mut state = self.lock();
            if state.session.take().is_none() {
                return;
            }
            state.run += 1;
            state.figures.unknowns += count_of(&state.waiting);
            std::mem::take(&mut state.waiting)
        };
        self.ready.send_replace(false);
        // The task may sleep.
        self.wake.notify_one();
        answer(waiting, Err(Unknown));
    }

    fn lose_if_closed(&self) {
        let closed = self.lock().session.as_ref().is_some_and(|session| session.is_closed());
        if closed {
            self.lose();
        }
    }

    fn regain(&self, session: &Arc<pg::Session>) {
        {
            let mut state = self.lock();
            state.session = Some(Arc::clone(session));
            state.run += 1;
            state.figures.reconnects += 1;
        }
        self.ready.send_replace(true);
    }
}

/// The session that commits synchronously.
struct Flusher {
    session: Arc<pg::Session>,
    statement: Statement,
    kind: BarrierKind,
}

impl Flusher {
    /// Prepares the statement and runs it once, so that a missing right shows now.
    async fn prepare(session: pg::Session, kind: BarrierKind) -> Result<Self, pg::Error> {
        let sql = match kind {
            BarrierKind::Message => include_str!("sql/barrier_message.sql"),
            BarrierKind::Row => {
                ensure_schema(&session).await?;
                include_str!("sql/barrier_row.sql")
            }
        };
        let statement = bounded("prepare a barrier", FLUSH_LIMIT, session.prepare(sql)).await?;
        let flusher = Self { session: Arc::new(session), statement, kind };
        flusher.flush().await?;
        Ok(flusher)
    }

    async fn flush(&self) -> Result<(), pg::Error> {
        bounded("flush the log", FLUSH_LIMIT, self.session.execute(&self.statement, &[])).await.map(|_| ())
    }
}

async fn connect(endpoint: &pg::Endpoint) -> Result<pg::Session, pg::Error> {
    let endpoint = endpoint.with_application_name("pgstrata barrier").with_connect_limit(CONNECT_LIMIT);
    let session = endpoint.connect().await?;
    // No limits of the server's own: each statement has one here.
    let none: [&(dyn ToSql + Sync); 2] = [&"0", &"0"];
    bounded("set up a session", CONNECT_LIMIT, session.execute(include_str!("sql/session.sql"), &none)).await?;
    Ok(session)
}

async fn run(endpoint: pg::Endpoint, shared: Arc<Shared>, mut flusher: Flusher) {
    loop {
        let lost = serve(&shared, &flusher).await;
        tracing::warn!(error = %lost, class = ?lost.class(), "barrier session lost");
        shared.lose();
        flusher = reopen(&endpoint, flusher.kind).await;
        shared.regain(&flusher.session);
        tracing::info!("barrier session opened again");
    }
}

/// Flushes for whoever waits, until the session is lost.
async fn serve(shared: &Shared, flusher: &Flusher) -> pg::Error {
    loop {
        let waiting = {
            let mut state = shared.lock();
            state.sleeping = state.waiting.is_empty();
            std::mem::take(&mut state.waiting)
        };
        if waiting.is_empty() {
            let _ = tokio::time::timeout(IDLE_CHECK_INTERVAL, shared.wake.notified()).await;
            if let Err(closed) = flusher.session.ensure_open() {
                return closed;
            }
            continue;
        }
        let outcome = flusher.flush().await;
        let verdict = if outcome.is_ok() { Ok(()) } else { Err(Unknown) };
        {
            let mut state = shared.lock();
            match verdict {
                Ok(()) => {
                    state.figures.flushes += 1;
                    state.figures.waits += count_of(&waiting);
                }
                Err(Unknown) => state.figures.unknowns += count_of(&waiting),
            }
        }
        answer(waiting, verdict);
        if let Err(error) = outcome {
            // A commit that failed on a good session (disk full, cancelled) proves nothing either way; the next may.
            if flusher.session.is_closed() || matches!(error.class(), pg::ErrorClass::ServerLost) {
                return error;
            }
            tracing::warn!(error = %error, class = ?error.class(), "the log was not flushed");
        }
    }
}

async fn reopen(endpoint: &pg::Endpoint, kind: BarrierKind) -> Flusher {
    let mut pause = RECONNECT_PAUSE.0;
    loop {
        let opened = async { Flusher::prepare(connect(endpoint).await?, kind).await };
        match opened.await {
            Ok(flusher) => return flusher,
            Err(error) => tracing::debug!(error = %error, class = ?error.class(), "barrier session not opened yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RECONNECT_PAUSE.1);
    }
}

fn answer(waiting: Vec<oneshot::Sender<Result<(), Unknown>>>, verdict: Result<(), Unknown>) {
    for waiter in waiting {
        // A waiter that is gone is no error.
        let _ = waiter.send(verdict);
    }
}

fn count_of<T>(waiting: &[T]) -> u64 {
    u64::try_from(waiting.len()).unwrap_or(u64::MAX)
}
