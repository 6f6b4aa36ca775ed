//! Consoles: who owns which, what they were sent, what came back. The sessions themselves are the engine's
//! (`pgstrata_tools::mvcc::consoles`); here is what HTTP adds: browsers, keys that make requests safe to repeat, limits.

mod wire;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg::simple::TransactionStatus as EngineStatus;
use pgstrata_timeline::Cause;
use pgstrata_tools::mvcc::consoles::{self as engine, Event, Setting};
use pgstrata_units::Isolation;
use tokio::sync::Mutex;
use tokio::sync::broadcast::error::RecvError;

use crate::browser::Browser;
use crate::ground::Ground;
use crate::limits;
use crate::live::{Hub, News, ServerMessage};
use crate::problem::{Code, Problem};
use crate::routes::consoles::{Console, OpenConsole, RunStatement, Scenario, Statement, TransactionStatus};
pub use wire::statement;

/// The name of the scenario that is made of what was done.
const SCENARIO_NAME: &str = "my-consoles";

/// The consoles of all browsers; cheap to clone.
#[derive(Clone)]
pub struct Consoles(Arc<Shared>);

struct Shared {
    ground: Ground,
    told: Told,
    desks: Mutex<HashMap<Browser, Desk>>,
}

/// Where what happens in consoles and scenes is told.
#[derive(Clone)]
pub struct Told {
    /// Logs look again when a statement was sent or has ended.
    pub hub: Hub,
    /// The browser learns of its statements.
    pub news: News,
}

/// The consoles of one browser.
struct Desk {
    engine: engine::Consoles,
    seats: Vec<Seat>,
    next_id: u64,
    touched: Instant,
}

struct Seat {
    id: String,
    /// With which it was opened.
    key: String,
    name: String,
    /// The keys of statements with their numbers, oldest first.
    sent: VecDeque<(String, u64)>,
}

impl Consoles {
    /// No consoles yet, on this server.
    pub fn new(ground: Ground, told: Told) -> Self {
        Self(Arc::new(Shared { ground, told, desks: Mutex::default() }))
    }

    /// A browser's consoles.
    pub async fn list(&self, browser: &Browser) -> Vec<Console> {
        let mut desks = self.0.desks.lock().await;
        desks.get_mut(browser).map(Desk::touch).map(|desk| desk.consoles()).unwrap_or_default()
    }

    /// Opens one; the same key again is answered with the one that it opened.
    pub async fn open(&self, browser: &Browser, wanted: &OpenConsole) -> Result<Console, Problem> {
        let endpoint = self.0.ground.writing()?;
        check_key(&wanted.key)?;
        let mut desks = self.0.desks.lock().await;
        make_room(&mut desks, browser).await?;
        let desk = desks.entry(browser.clone()).or_insert_with(|| {
            let engine = engine::Consoles::new(endpoint.clone(), engine_limits());
            tell(&engine, browser.clone(), self.0.told.clone());
            Desk { engine, seats: Vec::new(), next_id: 1, touched: Instant::now() }
        });
        desk.touched = Instant::now();
        let seat = match desk.seats.iter().position(|seat| seat.key == wanted.key) {
            Some(known) => known,
            None => desk.sit_down(wanted).await?,
        };
        desk.console(&desk.seats[seat])
    }

    /// Sends statements to one; the same key again sends nothing, and is answered with what became of them.
    pub async fn run(&self, browser: &Browser, id: &str, wanted: &RunStatement) -> Result<Statement, Problem> {
        check_key(&wanted.key)?;
        let (engine, name, number) = {
            let mut desks = self.0.desks.lock().await;
            let (desk, seat) = find(&mut desks, browser, id)?;
            let known = seat.sent.iter().find(|(key, _)| *key == wanted.key).map(|(_, number)| *number);
            let number = if let Some(number) = known {
                number
            } else {
                let number = desk.run(&seat.name, &wanted.sql).await?.number;
                seat.remember(&wanted.key, number);
                number
            };
            (desk.clone(), seat.name.clone(), number)
        };
        let settled = engine.settled(&name, number, wait(wanted.wait_ms)).await?;
        Ok(statement(id, &settled))
    }

    /// What became of a statement.
    pub async fn statement(
        &self,
        browser: &Browser,
        id: &str,
        number: u64,
        wait_ms: u64,
    ) -> Result<Statement, Problem> {
        let (engine, name) = self.seat(browser, id).await?;
        let settled = engine.settled(&name, number, wait(wait_ms)).await?;
        Ok(statement(id, &settled))
    }

    /// Cancels what one runs.
    pub async fn cancel(&self, browser: &Browser, id: &str) -> Result<(), Problem> {
        let (engine, name) = self.seat(browser, id).await?;
        Ok(engine.cancel(&name).await?)
    }

    /// Closes one. One that is gone is closed.
    pub async fn close(&self, browser: &Browser, id: &str) -> Result<(), Problem> {
        let (engine, name) = self.seat(browser, id).await?;
        {
            let mut desks = self.0.desks.lock().await;
            if let Some(desk) = desks.get_mut(browser) {
                desk.seats.retain(|seat| seat.id != id);
            }
        }
        Ok(engine.close(&name).await?)
    }

    /// What was done in a browser's consoles.
    pub async fn scenario(&self, browser: &Browser) -> Result<Scenario, Problem> {
        let mut desks = self.0.desks.lock().await;
        let desk = desks.get_mut(browser).map(Desk::touch).ok_or_else(nothing_done)?;
        let about = "What was done in the workbench's consoles.";
        let setting = Setting { name: SCENARIO_NAME, about, setup: "", level: Isolation::ReadCommitted };
        let text = desk.engine.scenario(&setting)?;
        Ok(Scenario { file: format!("{SCENARIO_NAME}.scenario"), text })
    }

    /// Ends all sessions.
    pub async fn close_all(&self) {
        for (_, desk) in self.0.desks.lock().await.drain() {
            desk.engine.close_all().await;
        }
    }

    async fn seat(&self, browser: &Browser, id: &str) -> Result<(engine::Consoles, String), Problem> {
        let mut desks = self.0.desks.lock().await;
        let (engine, seat) = find(&mut desks, browser, id)?;
        Ok((engine.clone(), seat.name.clone()))
    }
}

impl Desk {
    fn touch(&mut self) -> &mut Self {
        self.touched = Instant::now();
        self
    }

    /// Opens a session, and returns its place.
    async fn sit_down(&mut self, wanted: &OpenConsole) -> Result<usize, Problem> {
        let opened = self.engine.open(&wanted.name).await?;
        let id = format!("c{}", self.next_id);
        self.next_id += 1;
        self.seats.push(Seat { id, key: wanted.key.clone(), name: opened.name, sent: VecDeque::new() });
        Ok(self.seats.len() - 1)
    }

    fn consoles(&self) -> Vec<Console> {
        self.seats.iter().filter_map(|seat| self.console(seat).ok()).collect()
    }

    fn console(&self, seat: &Seat) -> Result<Console, Problem> {
        let console = self.engine.console(&seat.name)?;
        Ok(Console {
            id: seat.id.clone(),
            name: console.name,
            pid: console.pid,
            transaction: match console.transaction {
                EngineStatus::Idle => TransactionStatus::Idle,
                EngineStatus::Open => TransactionStatus::Open,
                EngineStatus::Failed => TransactionStatus::Failed,
            },
            statement: console.statement.as_ref().map(|last| statement(&seat.id, last)),
            is_lost: console.is_lost,
        })
    }
}

impl Seat {
    fn remember(&mut self, key: &str, number: u64) {
        if self.sent.len() >= limits::KEPT_KEYS {
            self.sent.pop_front();
        }
        self.sent.push_back((key.to_owned(), number));
    }
}

/// A browser's console.
fn find<'a>(
    desks: &'a mut HashMap<Browser, Desk>,
    browser: &Browser,
    id: &str,
) -> Result<(&'a engine::Consoles, &'a mut Seat), Problem> {
    let missing =
        || Problem::missing(format!("there is no console {id} of this browser")).hint("`GET /api/consoles` lists them");
    let desk = desks.get_mut(browser).ok_or_else(missing)?.touch();
    let seat = desk.seats.iter_mut().find(|seat| seat.id == id).ok_or_else(missing)?;
    Ok((&desk.engine, seat))
}

/// Sees to it that one more console is within the limit: those that were left alone go.
async fn make_room(desks: &mut HashMap<Browser, Desk>, browser: &Browser) -> Result<(), Problem> {
    let seats = |desks: &HashMap<Browser, Desk>| desks.values().map(|desk| desk.seats.len()).sum::<usize>();
    while seats(desks) >= limits::CONSOLES {
        let oldest =
            desks.iter().filter(|(other, desk)| *other != browser && desk.touched.elapsed() > limits::LEFT_ALONE);
        let Some(oldest) = oldest.min_by_key(|(_, desk)| desk.touched).map(|(other, _)| other.clone()) else {
            return Err(Problem::new(Code::LimitReached, format!("{} consoles are open", limits::CONSOLES))
                .hint("close one of them; those of other browsers go after a quarter of an hour without use"));
        };
        if let Some(desk) = desks.remove(&oldest) {
            desk.engine.close_all().await;
        }
    }
    Ok(())
}

/// Tells what happens in consoles to the logs and to their browser, until they are gone.
pub fn tell(consoles: &engine::Consoles, browser: Browser, told: Told) {
    let mut events = consoles.subscribe();
    tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => tell_one(event, &browser, &told).await,
                // How things stand can be asked for.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}

async fn tell_one(Event { console, pid, statement: said }: Event, browser: &Browser, told: &Told) {
    let news = ServerMessage::Statement { statement: statement(&console, &said) };
    told.news.tell_one(browser, news);
    told.hub.note(cause(console, pid, &said)).await;
}

fn cause(console: String, pid: i32, said: &engine::Statement) -> Cause {
    let (text, sqlstate) = match &said.error {
        Some(error) => (error.message.clone(), Some(error.sqlstate.clone())),
        None => (said.answers.last().map(|answer| answer.tag.clone()).unwrap_or_default(), None),
    };
    if said.has_ended() {
        Cause::Answer { console, pid, text, sqlstate }
    } else if said.has_waited {
        // Found waiting: the picture has changed, and not because of something new.
        Cause::Sample
    } else {
        Cause::Statement { console, pid, sql: said.sql.clone() }
    }
}

fn engine_limits() -> engine::Limits {
    let usual = engine::Limits::default();
    let keep = pgstrata_pg::simple::Keep { rows: limits::ROWS, ..usual.keep };
    engine::Limits { consoles: limits::CONSOLES, text_bytes: limits::STATEMENT_BYTES, keep, ..usual }
}

fn wait(ms: u64) -> Duration {
    Duration::from_millis(ms).min(limits::STATEMENT_WAIT)
}

fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() || key.len() > limits::KEY_CHARACTERS {
        return Err(Problem::new(Code::BadRequest, "the key is missing or too long").hint("a UUID is a good one"));
    }
    Ok(())
}

fn nothing_done() -> Problem {
    Problem::new(Code::Conflict, "nothing was done in this browser's consoles yet")
        .hint("open a console and run something")
}
