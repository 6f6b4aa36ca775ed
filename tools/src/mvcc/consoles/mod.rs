//! Consoles: named sessions side by side, in which a person (or a scene) interleaves statements by hand.
//!
//! A statement is sent and not waited for; whether it has ended, or waits for somebody, is seen afterwards. All that is
//! done is written down, and can be had as a scenario file that plays the same interleaving again. It knows nothing of
//! HTTP, and does not decide who may open a console.

mod driver;
mod error;
mod journal;
mod limits;
mod split;
mod statement;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgstrata_pg::simple::{SimpleSession, TransactionStatus};
use pgstrata_pg::{Endpoint, Session};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use self::driver::{Driver, Order};
pub use self::error::ConsoleError;
use self::journal::Journal;
pub use self::journal::{NotWritable, Setting};
pub use self::limits::Limits;
pub use self::statement::{Answer, Statement, StatementState};

/// A console as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Its name; also the session's `application_name`.
    pub name: String,
    /// Its server process.
    pub pid: i32,
    /// Whether it is in a transaction, as the server said when it was last ready.
    pub transaction: TransactionStatus,
    /// The last statement, if there was one.
    pub statement: Option<Statement>,
    /// Whether its connection has ended; it can only be closed.
    pub is_lost: bool,
}

impl Console {
    /// How it stands, in one word.
    #[must_use]
    pub fn state(&self) -> ConsoleState {
        match &self.statement {
            _ if self.is_lost => ConsoleState::Lost,
            Some(statement) if !statement.has_ended() && statement.waits_for.is_empty() => ConsoleState::Running,
            Some(statement) if !statement.has_ended() => ConsoleState::Waiting,
            _ => match self.transaction {
                TransactionStatus::Idle => ConsoleState::Idle,
                TransactionStatus::Open => ConsoleState::InTransaction,
                TransactionStatus::Failed => ConsoleState::Failed,
            },
        }
    }
}

/// How a console stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsoleState {
    /// Ready, in no transaction.
    Idle,
    /// Ready, in a transaction.
    InTransaction,
    /// In a transaction that has failed; only its end is accepted.
    Failed,
    /// A statement runs.
    Running,
    /// A statement waits for somebody.
    Waiting,
    /// The connection has ended.
    Lost,
}

/// A statement was sent, was found waiting, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The console.
    pub console: String,
    /// Its process.
    pub pid: i32,
    /// Its statement as it is now.
    pub statement: Statement,
}

/// Consoles on one server. Clones are the same consoles; when the last one is dropped, their sessions end.
#[derive(Clone)]
pub struct Consoles {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    limits: Limits,
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Event>,
    /// Asks who waits for whom; opened when it is first needed.
    watcher: tokio::sync::Mutex<Option<Session>>,
}

#[derive(Default)]
struct State {
    slots: BTreeMap<String, Slot>,
    journal: Journal,
}

struct Slot {
    console: Console,
    orders: mpsc::Sender<Order>,
    /// Statements before the last, newest last.
    past: VecDeque<Statement>,
    opened: usize,
}

impl Consoles {
    /// Consoles on a server; none is open yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, limits: Limits) -> Self {
        let shared = Shared {
            endpoint,
            limits,
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            events: broadcast::Sender::new(limits.events),
            watcher: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens a console.
    pub async fn open(&self, name: &str) -> Result<Console, ConsoleError> {
        let limits = self.shared.limits;
        let name = name.trim();
        let length = name.chars().count();
        if length == 0 || length > limits.name_chars || name.chars().any(char::is_control) {
            return Err(ConsoleError::BadName { name: name.to_owned(), most: limits.name_chars });
        }
        self.check_room(name)?;
        let connect = |source| ConsoleError::Connect { name: name.to_owned(), source };
        let endpoint = self.shared.endpoint.with_application_name(name);
        let mut session = SimpleSession::connect(&endpoint).await.map_err(connect)?;
        session.keep(limits.keep);
        let console = Console {
            name: name.to_owned(),
            pid: session.backend_pid(),
            transaction: TransactionStatus::Idle,
            statement: None,
            is_lost: false,
        };
        // Somebody may have been quicker while the connection was opened.
        self.check_room(name)?;
        let (orders, received) = mpsc::channel(limits.orders);
        let mut state = self.shared.state();
        let opened = state.slots.values().map(|slot| slot.opened + 1).max().unwrap_or(0);
        state.slots.insert(name.to_owned(), Slot { console: console.clone(), orders, past: VecDeque::new(), opened });
        tokio::spawn(Driver::new(session, name, Arc::downgrade(&self.shared)).drive(received));
        Ok(console)
    }

    fn check_room(&self, name: &str) -> Result<(), ConsoleError> {
        let state = self.shared.state();
        if state.slots.contains_key(name) {
            return Err(ConsoleError::Exists { name: name.to_owned() });
        }
        let most = self.shared.limits.consoles;
        if state.slots.len() >= most { Err(ConsoleError::TooMany { most }) } else { Ok(()) }
    }

    /// The consoles, in the order in which they were opened.
    #[must_use]
    pub fn list(&self) -> Vec<Console> {
        let state = self.shared.state();
        let mut slots: Vec<&Slot> = state.slots.values().collect();
        slots.sort_by_key(|slot| slot.opened);
        slots.into_iter().map(|slot| slot.console.clone()).collect()
    }

    /// A console.
    pub fn console(&self, name: &str) -> Result<Console, ConsoleError> {
        self.shared.slot(name, |slot| slot.console.clone())
    }

    /// Sends statements to a console, and returns when they are on their way.
    pub async fn run(&self, name: &str, sql: &str) -> Result<Statement, ConsoleError> {
        let limits = self.shared.limits;
        if sql.trim().trim_end_matches(';').trim().is_empty() {
            return Err(ConsoleError::NoStatement);
        }
        if sql.len() > limits.text_bytes || sql.contains('\0') {
            return Err(ConsoleError::BadText { bytes: sql.len(), most: limits.text_bytes });
        }
        let (pid, statement) = self.shared.begin(name, sql)?;
        self.shared.tell(name, pid, &statement);
        let (sent, was_sent) = oneshot::channel();
        self.order(name, Order::Run { sql: sql.to_owned(), sent }).await?;
        // The driver answers, or has ended, which the statement then says.
        let _ = was_sent.await;
        self.statement(name, statement.number)
    }

    /// A statement that a console was sent.
    pub fn statement(&self, name: &str, number: u64) -> Result<Statement, ConsoleError> {
        let found = self.shared.slot(name, |slot| {
            let all = slot.console.statement.iter().chain(slot.past.iter());
            all.into_iter().find(|statement| statement.number == number).cloned()
        })?;
        found.ok_or_else(|| ConsoleError::NoSuchStatement { name: name.to_owned(), number })
    }

    /// Waits until a statement has ended, at most so long; then it is returned as it is.
    pub async fn ended(&self, name: &str, number: u64, limit: Duration) -> Result<Statement, ConsoleError> {
        self.until(name, number, limit, Statement::has_ended).await
    }

    /// Waits until a statement has ended or waits for somebody, at most so long.
    pub async fn settled(&self, name: &str, number: u64, limit: Duration) -> Result<Statement, ConsoleError> {
        self.until(name, number, limit, Statement::has_settled).await
    }

    async fn until(
        &self,
        name: &str,
        number: u64,
        limit: Duration,
        is_enough: impl Fn(&Statement) -> bool,
    ) -> Result<Statement, ConsoleError> {
        let mut changed = self.shared.changed.subscribe();
        let until = tokio::time::Instant::now() + limit;
        loop {
            changed.mark_unchanged();
            let statement = self.statement(name, number)?;
            if is_enough(&statement) || tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                return self.statement(name, number);
            }
        }
    }

    /// Asks the server to cancel what a console runs; it then fails with SQLSTATE 57014.
    pub async fn cancel(&self, name: &str) -> Result<(), ConsoleError> {
        let (done, is_done) = oneshot::channel();
        self.order(name, Order::Cancel { done }).await?;
        match is_done.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(ConsoleError::Connect { name: name.to_owned(), source }),
            Err(_) => Err(ConsoleError::Lost { name: name.to_owned() }),
        }
    }

    /// Ends a console's session; what it had not committed is rolled back.
    pub async fn close(&self, name: &str) -> Result<(), ConsoleError> {
        let (done, is_done) = oneshot::channel();
        let sent = self.order(name, Order::Close { done }).await;
        if sent.is_ok() {
            let _ = is_done.await;
        }
        self.shared
            .state()
            .slots
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| ConsoleError::Unknown { name: name.to_owned() })
    }

    /// Ends all sessions.
    pub async fn close_all(&self) {
        for console in self.list() {
            // One that is gone already is closed.
            let _ = self.close(&console.name).await;
        }
        if let Some(watcher) = self.shared.watcher.lock().await.take() {
            watcher.close().await;
        }
    }

    /// Statements as they are sent, found waiting, and end. Who is too slow misses some, and is told so.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// What was done, in its order, as the text of a scenario file.
    pub fn scenario(&self, setting: &Setting<'_>) -> Result<String, NotWritable> {
        self.shared.state().journal.scenario(setting)
    }

    /// Forgets what was done, so that a scenario begins here.
    pub fn forget(&self) {
        self.shared.state().journal = Journal::default();
    }

    async fn order(&self, name: &str, order: Order) -> Result<(), ConsoleError> {
        let orders = self.shared.slot(name, |slot| slot.orders.clone())?;
        orders.send(order).await.map_err(|_| ConsoleError::Lost { name: name.to_owned() })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot<T>(&self, name: &str, look: impl FnOnce(&Slot) -> T) -> Result<T, ConsoleError> {
        self.state().slots.get(name).map(look).ok_or_else(|| ConsoleError::Unknown { name: name.to_owned() })
    }

    /// Notes a statement as sent, and says by which process it is carried out.
    fn begin(&self, name: &str, sql: &str) -> Result<(i32, Statement), ConsoleError> {
        let mut state = self.state();
        let State { slots, journal } = &mut *state;
        let slot = slots.get_mut(name).ok_or_else(|| ConsoleError::Unknown { name: name.to_owned() })?;
        if slot.console.is_lost {
            return Err(ConsoleError::Lost { name: name.to_owned() });
        }
        if slot.console.statement.as_ref().is_some_and(|statement| !statement.has_ended()) {
            return Err(ConsoleError::Busy { name: name.to_owned() });
        }
        let number = slot.console.statement.as_ref().map_or(1, |last| last.number + 1);
        let statement = Statement::sent(number, sql, now_us());
        if let Some(last) = slot.console.statement.replace(statement.clone()) {
            slot.past.push_back(last);
            if slot.past.len() > self.limits.past_statements {
                slot.past.pop_front();
            }
        }
        journal.sent(name, number, sql, slot.console.transaction != TransactionStatus::Idle);
        Ok((slot.console.pid, statement))
    }

    fn tell(&self, name: &str, pid: i32, statement: &Statement) {
        self.changed.send_modify(|count| *count += 1);
        // Nobody needs to listen.
        let _ = self.events.send(Event { console: name.to_owned(), pid, statement: statement.clone() });
    }
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
