//! One arena: a schema with two tables in which programs are played one after the other, as fast as the server answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgstrata_pg::simple::{Reply, SimpleSession, TransactionStatus};
use pgstrata_pg::{Endpoint, quote_identifier};
use pgstrata_units::Isolation;

use super::model::{self, State};
use super::program::{Program, Statement, TABLES};
use crate::language::Cell;
use crate::play::{Answer, PlayError};

/// How long a statement has before the next session's turn. It decides who goes next, and nothing else.
const TURN: Duration = Duration::from_millis(2);

/// How long a program may take until its open ends are only waited for; deadlocks are resolved long before.
const ROUND_LIMIT: Duration = Duration::from_secs(5);

/// How long an open end is waited for at once.
const LAST_TURN: Duration = Duration::from_secs(1);

/// How many transactions a program has at most.
const ACTORS: usize = 3;

const TABLES_SQL: &str = include_str!("arena.sql");

/// What became of a program.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// The program.
    pub(super) program: Program,
    /// How many of its transactions committed.
    pub(super) committed: usize,
    /// Whether the committed ones cannot have run one after the other.
    pub(super) is_suspect: bool,
    /// The turns as they were taken.
    pub(super) taken: Vec<usize>,
}

/// A schema of its own and the sessions that play in it.
pub(super) struct Arena {
    level: Isolation,
    control: SimpleSession,
    actors: Vec<SimpleSession>,
}

/// A transaction while it is played.
#[derive(Default)]
struct Actor {
    next: usize,
    told: Vec<(Statement, Answer)>,
    is_waiting: bool,
    has_failed: bool,
    is_done: bool,
}

impl Arena {
    /// Makes the schema and opens the sessions.
    pub(super) async fn open(endpoint: &Endpoint, number: usize, level: Isolation) -> Result<Self, PlayError> {
        let schema = format!("pgstrata_hunt_{}_{number}", std::process::id());
        // Index scans, so that predicate locks are on what was read and not on tables; and deadlocks that are found soon.
        let endpoint = endpoint
            .with_setting("search_path", &schema)
            .with_setting("enable_seqscan", "off")
            .with_setting("deadlock_timeout", "20ms")
            .with_application_name("pgstrata hunt");
        let mut control = SimpleSession::connect(&endpoint).await?;
        let schema = quote_identifier(&schema);
        expect_success(&control.run(&format!("drop schema if exists {schema} cascade")).await?)?;
        expect_success(&control.run(&format!("create schema {schema}")).await?)?;
        expect_success(&control.run(TABLES_SQL).await?)?;
        let mut actors = Vec::new();
        for _ in 0..ACTORS {
            actors.push(SimpleSession::connect(&endpoint).await?);
        }
        Ok(Self { level, control, actors })
    }

    /// Plays a program and says whether its outcome can be serial.
    pub(super) async fn play(&mut self, program: Program) -> Result<Round, PlayError> {
        let start = self.reset(&program).await?;
        let mut actors: Vec<Actor> = program.transactions.iter().map(|_| Actor::default()).collect();
        let mut taken = Vec::new();
        let began = Instant::now();
        let mut turns: std::collections::VecDeque<usize> = program.turns.iter().copied().collect();
        while let Some(turn) = turns.pop_front() {
            if actors[turn].is_done {
                continue;
            }
            if actors[turn].is_waiting {
                if self.listen(turn, &mut actors[turn], TURN).await? {
                    turns.push_front(turn);
                } else if began.elapsed() < ROUND_LIMIT {
                    // Its turn comes again when the others have had theirs.
                    turns.push_back(turn);
                }
                continue;
            }
            self.turn(turn, &mut actors[turn], &program).await?;
            taken.push(turn);
        }
        self.wind_up(&mut actors).await?;
        let committed: Vec<Vec<(Statement, Answer)>> =
            actors.into_iter().filter(|actor| !actor.has_failed).map(|actor| actor.told).collect();
        let is_suspect = committed.len() > 1 && {
            let end = self.state().await?;
            !model::is_serial(&start, &committed, &end)
        };
        Ok(Round { program, committed: committed.len(), is_suspect, taken })
    }

    /// Sends a transaction's next statement, and gives it a moment to answer.
    async fn turn(&mut self, turn: usize, actor: &mut Actor, program: &Program) -> Result<(), PlayError> {
        let statements = &program.transactions[turn];
        let session = &mut self.actors[turn];
        let begin =
            if actor.next == 0 { format!("begin isolation level {}; ", self.level.sql()) } else { String::new() };
        let text = match statements.get(actor.next) {
            Some(statement) => format!("{begin}{statement}"),
            None => "commit".to_owned(),
        };
        session.start(&text).await?;
        actor.next += 1;
        actor.is_waiting = true;
        if let Some(statement) = statements.get(actor.next - 1) {
            actor.told.push((*statement, Answer::default()));
        }
        let statements = statements.len();
        let answered = self.listen(turn, actor, TURN).await?;
        actor.is_done |= actor.next > statements && answered;
        Ok(())
    }

    /// Takes what a transaction was told, if it comes within the limit.
    async fn listen(&mut self, turn: usize, actor: &mut Actor, limit: Duration) -> Result<bool, PlayError> {
        let session = &mut self.actors[turn];
        loop {
            let Some(reply) = session.next_reply_within(limit).await? else { return Ok(false) };
            match &reply {
                Reply::Ready(status) => {
                    actor.is_waiting = false;
                    actor.is_done |= *status != TransactionStatus::Open;
                    return Ok(true);
                }
                Reply::Closed => {
                    actor.is_waiting = false;
                    actor.is_done = true;
                    actor.has_failed = true;
                    return Ok(true);
                }
                Reply::Error(_) => actor.has_failed = true,
                Reply::Complete { tag, .. } if tag != "BEGIN" && tag != "COMMIT" => {
                    if let Some((_, told)) = actor.told.last_mut() {
                        *told = Answer::of(std::slice::from_ref(&reply));
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits for whoever still waits, and takes back what failed.
    async fn wind_up(&mut self, actors: &mut [Actor]) -> Result<(), PlayError> {
        for (turn, actor) in actors.iter_mut().enumerate() {
            while actor.is_waiting {
                if !self.listen(turn, actor, LAST_TURN).await? {
                    self.actors[turn].cancel().await?;
                }
            }
            actor.has_failed |= !actor.is_done;
            if actor.has_failed && !self.actors[turn].is_closed() {
                self.actors[turn].run("rollback").await?;
            }
        }
        Ok(())
    }

    async fn reset(&mut self, program: &Program) -> Result<State, PlayError> {
        let mut statements = Vec::new();
        let mut state: State = [BTreeMap::new(), BTreeMap::new()];
        for (table, keys) in program.rows.iter().enumerate() {
            let name = TABLES[table];
            // An index that never had an entry is another thing than one whose entries are gone; making one takes time.
            let is_made_anew = keys.is_empty() && program.turns.len().is_multiple_of(4);
            statements.push(if is_made_anew { format!("truncate {name}") } else { format!("delete from {name}") });
            for key in keys {
                statements.push(format!("insert into {name} values ({key}, 0)"));
                state[table].insert(*key, 0);
            }
        }
        expect_success(&self.control.run(&statements.join("; ")).await?)?;
        Ok(state)
    }

    async fn state(&mut self) -> Result<State, PlayError> {
        let mut state: State = [BTreeMap::new(), BTreeMap::new()];
        for (table, name) in TABLES.iter().enumerate() {
            let answer = Answer::of(&self.control.run(&format!("select id, value from {name}")).await?);
            for row in answer.rows.unwrap_or_default() {
                if let [Cell::Text(key), Cell::Text(value)] = row.as_slice()
                    && let (Ok(key), Ok(value)) = (key.parse(), value.parse())
                {
                    state[table].insert(key, value);
                }
            }
        }
        Ok(state)
    }

    /// Removes the schema and says goodbye.
    pub(super) async fn close(mut self) -> Result<(), PlayError> {
        for actor in self.actors {
            actor.close().await;
        }
        self.control.run("select pg_catalog.set_config('client_min_messages', 'warning', false)").await?;
        let schema = Answer::of(&self.control.run("select current_schema()").await?);
        if let Some([Cell::Text(schema)]) = schema.rows.as_deref().and_then(|rows| rows.first()).map(Vec::as_slice) {
            let schema = quote_identifier(schema);
            expect_success(&self.control.run(&format!("drop schema {schema} cascade")).await?)?;
        }
        self.control.close().await;
        Ok(())
    }
}

fn expect_success(replies: &[Reply]) -> Result<(), PlayError> {
    let answer = Answer::of(replies);
    match answer.error {
        None => Ok(()),
        Some(_) => {
            Err(PlayError::Refused { part: "setup".to_owned(), scenario: "hunt".to_owned(), message: answer.message })
        }
    }
}
