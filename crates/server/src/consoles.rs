//! Consoles: who owns which, what they were sent, what came back. The sessions themselves are `pgstrata_tools`'.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgstrata_pg::simple;
use pgstrata_timeline::Cause;
use pgstrata_tools::mvcc::consoles as engine;
use pgstrata_units::Isolation;
use tokio::sync::broadcast;

use crate::browser::Browser;
use crate::ground::Ground;
use crate::limits;
use crate::live::{Hub, News, ServerMessage};
use crate::problem::{Code, Problem};
use crate::routes::consoles::{
    Answer, Console, OpenConsole, RunStatement, Scenario, SqlError, Statement, StatementState, TransactionStatus,
};

/// The consoles of all browsers. Clones are the same.
#[derive(Clone)]
pub struct Consoles(Arc<Parts>);

struct Parts {
    ground: Ground,
    hub: Hub,
    news: News,
    owners: Mutex<HashMap<Browser, Owner>>,
    opened: AtomicU64,
}

/// What one browser has.
struct Owner {
    engine: engine::Consoles,
    consoles: BTreeMap<String, Owned>,
    used: Instant,
}

/// A console of a browser, by its id.
struct Owned {
    name: String,
    /// The key that it was opened with.
    key: String,
    /// Numbers of statements by the keys that they were sent with.
    sent: BTreeMap<String, u64>,
}

impl Consoles {
    pub fn new(ground: Ground, hub: Hub, news: News) -> Self {
        Self(Arc::new(Parts { ground, hub, news, owners: Mutex::default(), opened: AtomicU64::new(0) }))
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<Browser, Owner>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn list(&self, browser: &Browser) -> Vec<Console> {
        let owners = self.owners();
        let Some(owner) = owners.get(browser) else { return Vec::new() };
        let ids: BTreeMap<&str, &str> =
            owner.consoles.iter().map(|(id, owned)| (owned.name.as_str(), id.as_str())).collect();
        let listed = owner.engine.list().into_iter();
        listed.filter_map(|console| ids.get(console.name.as_str()).map(|id| on_wire(id, &console))).collect()
    }

    pub async fn open(&self, browser: &Browser, wanted: &OpenConsole) -> Result<Console, Problem> {
        let endpoint = self.0.ground.writing()?.clone();
        self.make_room().await?;
        let (engine, is_new) = {
            let mut owners = self.owners();
            let is_new = !owners.contains_key(browser);
            let owner = owners.entry(browser.clone()).or_insert_with(|| Owner {
                engine: engine::Consoles::new(endpoint, engine_limits()),
                consoles: BTreeMap::new(),
                used: Instant::now(),
            });
            owner.used = Instant::now();
            if let Some((id, owned)) = owner.consoles.iter().find(|(_, owned)| owned.key == wanted.key) {
                return Ok(on_wire(id, &owner.engine.console(&owned.name)?));
            }
            (owner.engine.clone(), is_new)
        };
        if is_new {
            self.pass_on(browser.clone(), engine.subscribe());
        }
        let console = engine.open(&wanted.name).await?;
        let id = format!("c{}", self.0.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let owned = Owned { name: console.name.clone(), key: wanted.key.clone(), sent: BTreeMap::new() };
        if let Some(owner) = self.owners().get_mut(browser) {
            owner.consoles.insert(id.clone(), owned);
        }
        Ok(on_wire(&id, &console))
    }

    /// When there are as many consoles as there may be, those of the browser that has not used its own for longest go,
    /// if that is long.
    async fn make_room(&self) -> Result<(), Problem> {
        let stale = {
            let mut owners = self.owners();
            let count: usize = owners.values().map(|owner| owner.consoles.len()).sum();
            if count < limits::CONSOLES {
                return Ok(());
            }
            let oldest = owners.iter().min_by_key(|(_, owner)| owner.used);
            let stale = oldest.filter(|(_, owner)| owner.used.elapsed() > limits::CONSOLES_LINGER);
            let browser = stale.map(|(browser, _)| browser.clone());
            browser.and_then(|browser| owners.remove(&browser))
        };
        match stale {
            Some(owner) => {
                owner.engine.close_all().await;
                Ok(())
            }
            None => Err(Problem::new(Code::LimitReached, format!("there are {} consoles already", limits::CONSOLES))
                .hint("close one of them; those of a browser that is gone go after ten minutes")),
        }
    }

    pub async fn run(&self, browser: &Browser, id: &str, wanted: &RunStatement) -> Result<Statement, Problem> {
        let (engine, name) = self.find(browser, id)?;
        let known = self.owned(browser, id, |owned| owned.sent.get(&wanted.key).copied());
        let number = match known.flatten() {
            Some(number) => number,
            None => {
                let sent = engine.run(&name, &wanted.sql).await?;
                self.owned(browser, id, |owned| owned.sent.insert(wanted.key.clone(), sent.number));
                sent.number
            }
        };
        let statement = engine.ended(&name, number, wait(wanted.wait_ms)).await?;
        Ok(statement_on_wire(id, &statement))
    }

    pub async fn statement(
        &self,
        browser: &Browser,
        id: &str,
        number: u64,
        wait_ms: u64,
    ) -> Result<Statement, Problem> {
        let (engine, name) = self.find(browser, id)?;
        Ok(statement_on_wire(id, &engine.ended(&name, number, wait(wait_ms)).await?))
    }

    pub async fn cancel(&self, browser: &Browser, id: &str) -> Result<(), Problem> {
        let (engine, name) = self.find(browser, id)?;
        Ok(engine.cancel(&name).await?)
    }

    pub async fn close(&self, browser: &Browser, id: &str) -> Result<(), Problem> {
        let (engine, name) = self.find(browser, id)?;
        if let Some(owner) = self.owners().get_mut(browser) {
            owner.consoles.remove(id);
        }
        Ok(engine.close(&name).await?)
    }

    pub fn scenario(&self, browser: &Browser) -> Result<Scenario, Problem> {
        let nothing = || Problem::missing("console of this browser");
        let engine = self.owners().get(browser).map(|owner| owner.engine.clone()).ok_or_else(nothing)?;
        let setting = engine::Setting {
            name: "by-hand",
            about: "Played by hand in the consoles of the workbench",
            setup: "",
            level: Isolation::ReadCommitted,
        };
        let text = engine.scenario(&setting).map_err(|error| match error {
            engine::NotWritable::Nothing => Problem::new(Code::Conflict, "no statement was run yet"),
            other => Problem::internal("write what was done as a scenario", &other),
        })?;
        Ok(Scenario { file: "by-hand.scenario".to_owned(), text })
    }

    /// Ends all sessions.
    pub async fn close_all(&self) {
        let owners = std::mem::take(&mut *self.owners());
        for owner in owners.into_values() {
            owner.engine.close_all().await;
        }
    }

    fn find(&self, browser: &Browser, id: &str) -> Result<(engine::Consoles, String), Problem> {
        let mut owners = self.owners();
        let is_anothers = owners.iter().any(|(owner, its)| owner != browser && its.consoles.contains_key(id));
        let found = owners.get_mut(browser).and_then(|owner| {
            owner.used = Instant::now();
            Some((owner.engine.clone(), owner.consoles.get(id)?.name.clone()))
        });
        found.ok_or_else(|| {
            if is_anothers {
                Problem::new(Code::NotYours, format!("console {id} belongs to another browser"))
            } else {
                Problem::missing(format!("console {id}"))
            }
        })
    }

    fn owned<T>(&self, browser: &Browser, id: &str, change: impl FnOnce(&mut Owned) -> T) -> Option<T> {
        self.owners().get_mut(browser).and_then(|owner| owner.consoles.get_mut(id)).map(change)
    }

    fn id_of(&self, browser: &Browser, name: &str) -> Option<String> {
        let owners = self.owners();
        let consoles = &owners.get(browser)?.consoles;
        consoles.iter().find(|(_, owned)| owned.name == name).map(|(id, _)| id.clone())
    }

    /// Passes on what happens in a browser's consoles, until they are gone.
    fn pass_on(&self, browser: Browser, events: broadcast::Receiver<engine::Event>) {
        let parts = Arc::downgrade(&self.0);
        let (news, hub) = (self.0.news.clone(), self.0.hub.clone());
        let id_of = {
            let browser = browser.clone();
            move |name: &str| parts.upgrade().and_then(|parts| Self(parts).id_of(&browser, name))
        };
        tokio::spawn(pass_on(browser, events, news, hub, id_of));
    }
}

/// Tells a browser of its statements, and puts them into the logs that are being made as causes.
pub async fn pass_on(
    browser: Browser,
    mut events: broadcast::Receiver<engine::Event>,
    news: News,
    hub: Hub,
    id_of: impl Fn(&str) -> Option<String> + Send,
) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if let Some(cause) = cause(&event) {
                    hub.note(cause).await;
                }
                let Some(id) = id_of(&event.console) else { continue };
                let statement = statement_on_wire(&id, &event.statement);
                news.tell_one(&browser, ServerMessage::Statement { statement });
            }
            // The page asks for what it misses.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn cause(event: &engine::Event) -> Option<Cause> {
    let (console, statement) = (event.console.clone(), &event.statement);
    if statement.has_ended() {
        let tags: Vec<&str> = statement.answers.iter().map(|answer| answer.tag.as_str()).collect();
        let error = statement.error.as_ref();
        let text = error.map_or_else(|| tags.join(", "), |error| error.message.clone());
        return Some(Cause::Answer { console, text, sqlstate: error.map(|error| error.sqlstate.clone()) });
    }
    // That it came to wait is seen by looking.
    (!statement.has_waited).then(|| Cause::Statement { console, sql: statement.sql.clone() })
}

fn engine_limits() -> engine::Limits {
    let default = engine::Limits::default();
    engine::Limits {
        consoles: limits::CONSOLES,
        text_bytes: limits::STATEMENT_BYTES,
        keep: simple::Keep { rows: limits::ROWS, ..default.keep },
        ..default
    }
}

fn wait(wait_ms: u64) -> Duration {
    Duration::from_millis(wait_ms).min(limits::STATEMENT_WAIT)
}

fn on_wire(id: &str, console: &engine::Console) -> Console {
    Console {
        id: id.to_owned(),
        name: console.name.clone(),
        pid: console.pid,
        transaction: match console.transaction {
            simple::TransactionStatus::Idle => TransactionStatus::Idle,
            simple::TransactionStatus::Open => TransactionStatus::Open,
            simple::TransactionStatus::Failed => TransactionStatus::Failed,
        },
        statement: console.statement.as_ref().map(|statement| statement_on_wire(id, statement)),
        is_lost: console.is_lost,
    }
}

/// A statement as it goes over the wire; `console` is what the page knows its console by.
pub fn statement_on_wire(console: &str, statement: &engine::Statement) -> Statement {
    let answer = |answer: &engine::Answer| Answer {
        tag: answer.tag.clone(),
        columns: answer.columns.clone(),
        rows: answer.rows.clone(),
        is_cut: answer.left_out > 0,
    };
    let error = |error: &simple::ServerMessage| SqlError {
        severity: error.severity.clone(),
        sqlstate: error.sqlstate.clone(),
        message: error.message.clone(),
        detail: error.detail.clone(),
        hint: error.hint.clone(),
        position: error.position,
    };
    Statement {
        console: console.to_owned(),
        number: statement.number,
        sql: statement.sql.clone(),
        state: match statement.state {
            engine::StatementState::Running => StatementState::Running,
            engine::StatementState::Done => StatementState::Done,
            engine::StatementState::Failed => StatementState::Failed,
        },
        began_us: statement.began_us,
        ended_us: statement.ended_us,
        answers: statement.answers.iter().map(answer).collect(),
        error: statement.error.as_ref().map(error),
    }
}

impl From<engine::ConsoleError> for Problem {
    fn from(error: engine::ConsoleError) -> Self {
        use engine::ConsoleError as E;
        let code = match error {
            E::Connect { source, .. } => return source.into(),
            E::BadName { .. } | E::NoStatement | E::BadText { .. } => Code::BadRequest,
            E::Exists { .. } | E::Busy { .. } => Code::Conflict,
            E::TooMany { .. } => Code::LimitReached,
            E::Lost { .. } => Code::ServerAway,
            E::Unknown { .. } | E::NoSuchStatement { .. } => Code::NotFound,
            _ => Code::Internal,
        };
        Self { hint: error.hint(), ..Self::new(code, error.to_string()) }
    }
}
