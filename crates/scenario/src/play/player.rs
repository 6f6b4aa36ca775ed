//! Plays the steps, one after the other, as their sessions come to answer, wait or stand held.

use std::collections::HashMap;

use pgstrata_pg::simple::TransactionStatus;
use pgstrata_units::Isolation;

use super::{Answer, PlayError, Played, Stage, StepRecord, Transaction, TransactionEnd, Why};
use crate::hold::{Hold, Reached};
use crate::language::{Action, HoldAt, Scenario, Step};
use crate::session::{Blocking, Seat, Sessions, Settled};

/// Plays a scenario at a level, with its steps in the given order, and says what happened.
///
/// # Panics
/// If `order` does not name each step once.
pub async fn play(stage: &Stage, scenario: &Scenario, level: Isolation, order: &[usize]) -> Result<Played, PlayError> {
    let steps: Vec<&Step> = scenario.steps().collect();
    assert_eq!(order.len(), steps.len(), "an order names each step once");
    let mut control = stage.control().await?;
    stage.set_up(&mut control, scenario).await?;
    let sessions = stage.sessions(scenario).await?;
    let names = scenario.sessions();
    let mut player = Player {
        stage,
        level,
        sessions,
        places: names.iter().enumerate().map(|(index, name)| ((*name).to_owned(), Seat(index))).collect(),
        waiting: HashMap::new(),
        holds: HashMap::new(),
        open: HashMap::new(),
        records: Vec::new(),
        transactions: Vec::new(),
        has_killed: false,
    };
    let stopped = player.all(&steps, order).await?;
    if player.has_killed {
        control = stage.control_after_loss(&player.sessions).await?;
    } else {
        player.wind_up().await?;
    }
    let mut broken_invariants = Vec::new();
    if stopped.is_none() {
        for invariant in scenario.invariants() {
            let rows = stage.invariant(&mut control, scenario, invariant).await?;
            if !rows.is_empty() {
                broken_invariants.push((invariant.0.to_owned(), rows));
            }
        }
    }
    let tables = stage.tables(&mut control).await?;
    let left = stage.state(&mut control, &tables).await?;
    stage.tear_down(&mut control, scenario).await?;
    let Player { sessions, records, transactions, .. } = player;
    sessions.close().await;
    control.close().await;
    Ok(Played { level, order: order.to_vec(), steps: records, transactions, broken_invariants, state: left, stopped })
}

struct Player<'a> {
    stage: &'a Stage,
    level: Isolation,
    sessions: Sessions,
    places: HashMap<String, Seat>,
    /// Sessions whose statement has not answered, with the record of its step.
    waiting: HashMap<Seat, usize>,
    holds: HashMap<Seat, Hold>,
    /// Sessions in a transaction, with its place.
    open: HashMap<Seat, usize>,
    records: Vec<StepRecord>,
    transactions: Vec<Transaction>,
    /// Whether a server process was killed, and with it all sessions.
    has_killed: bool,
}

/// Whether the play goes on.
type Next = Result<Option<Why>, PlayError>;

impl Player<'_> {
    async fn all(&mut self, steps: &[&Step], order: &[usize]) -> Next {
        for &index in order {
            if let Some(why) = self.step(index, steps[index]).await? {
                return Ok(Some(why));
            }
            if self.has_killed {
                break;
            }
        }
        Ok(None)
    }

    async fn step(&mut self, index: usize, step: &Step) -> Next {
        let seat = self.places[&step.session];
        match &step.action {
            Action::Resumes => {
                self.record(index);
                return self.collect(seat, step, Blocking::Ignored).await;
            }
            Action::Release => {
                self.record(index);
                if let Some(hold) = self.holds.remove(&seat) {
                    hold.release().map_err(|source| PlayError::Hold { line: step.line, source })?;
                }
                return self.collect(seat, step, Blocking::Allowed).await;
            }
            Action::Kill => {
                self.record(index);
                if let Some(hold) = self.holds.remove(&seat) {
                    hold.kill().map_err(|source| PlayError::Hold { line: step.line, source })?;
                    self.has_killed = true;
                }
                return self.collect(seat, step, Blocking::Ignored).await;
            }
            Action::Begin(_) | Action::Sql { .. } => {}
        }
        if let Some(why) = self.collect(seat, step, Blocking::Allowed).await? {
            return Ok(Some(why));
        }
        if self.waiting.contains_key(&seat) {
            return Ok(Some(Why::StillBlocked { session: step.session.clone(), line: step.line }));
        }
        let record = self.record(index);
        match &step.action {
            Action::Begin(modes) => self.begin(seat, record, step, modes).await,
            Action::Sql { text, hold } => self.statement(seat, record, step, text, hold.as_ref()).await,
            Action::Resumes | Action::Release | Action::Kill => Ok(None),
        }
    }

    fn record(&mut self, step: usize) -> usize {
        self.records.push(StepRecord { step, blocked: false, held: None, answer: None, skipped: false });
        self.records.len() - 1
    }

    async fn begin(&mut self, seat: Seat, record: usize, step: &Step, modes: &str) -> Next {
        let lower = modes.to_ascii_lowercase();
        // A level that the scenario names itself stays.
        let names_a_level =
            ["isolation", "serializable", "repeatable", "read committed"].iter().any(|word| lower.contains(word));
        let level = if names_a_level { String::new() } else { format!(" isolation level {}", self.level.sql()) };
        let comma = if level.is_empty() || modes.is_empty() { "" } else { "," };
        self.open.insert(seat, self.transactions.len());
        let session = step.session.clone();
        self.transactions.push(Transaction { session, steps: Vec::new(), end: TransactionEnd::Open });
        self.run(seat, record, step, &format!("begin{level}{comma} {modes}"), None).await
    }

    async fn statement(&mut self, seat: Seat, record: usize, step: &Step, text: &str, hold: Option<&HoldAt>) -> Next {
        let first = text.split_whitespace().next().unwrap_or_default().trim_end_matches(';').to_ascii_lowercase();
        let is_end = matches!(first.as_str(), "commit" | "end" | "rollback" | "abort")
            && !text.to_ascii_lowercase().contains(" to ");
        if !is_end && self.sessions.status(seat) == TransactionStatus::Failed && !first.starts_with("rollback") {
            self.records[record].skipped = true;
            return Ok(None);
        }
        if !is_end {
            let step_index = self.records[record].step;
            let transaction = self.open.get(&seat).copied();
            match transaction {
                Some(transaction) => self.transactions[transaction].steps.push(step_index),
                None if is_of_data(&first) => {
                    let end = TransactionEnd::Open;
                    self.transactions.push(Transaction { session: step.session.clone(), steps: vec![step_index], end });
                    self.open.insert(seat, self.transactions.len() - 1);
                }
                None => {}
            }
        }
        self.run(seat, record, step, text, hold).await
    }

    /// Gives the session a statement, and waits until it answers, waits for another one, or is held.
    async fn run(&mut self, seat: Seat, record: usize, step: &Step, sql: &str, at: Option<&HoldAt>) -> Next {
        let failed = |source| PlayError::Hold { line: step.line, source };
        let mut hold = None;
        if let Some(at) = at {
            hold = Some(Hold::set(self.sessions.backend_pid(seat), &at.function, at.skip).await.map_err(failed)?);
        }
        self.sessions.start(seat, sql).await?;
        self.waiting.insert(seat, record);
        let Some(mut hold) = hold else {
            return self.collect(seat, step, Blocking::Allowed).await;
        };
        let limit = self.stage.limits.step;
        let mut notices = Vec::new();
        let reached = tokio::select! {
            biased;
            reached = hold.reached() => Some(reached.map_err(failed)?),
            settled = self.sessions.settle(seat, Blocking::Ignored, limit, &mut notices) => {
                settled?;
                None
            }
        };
        let is_held = reached == Some(Reached::Held);
        self.records[record].held = Some(is_held);
        if is_held {
            self.holds.insert(seat, hold);
            return Ok(None);
        }
        drop(hold);
        let function = at_function(step);
        Ok(Some(Why::NeverReached { line: step.line, function }))
    }

    /// Takes the answer of a statement that was under way, if there is one; a session may be found waiting.
    async fn collect(&mut self, seat: Seat, step: &Step, blocking: Blocking) -> Next {
        let Some(&record) = self.waiting.get(&seat) else { return Ok(None) };
        let limit = self.stage.limits.step;
        let mut notices = Vec::new();
        match self.sessions.settle(seat, blocking, limit, &mut notices).await? {
            Settled::Answered => {
                let replies = self.sessions.finish(seat, limit).await?;
                self.answered(seat, record, Answer::of(&replies));
                Ok(None)
            }
            Settled::Blocked => {
                self.records[record].blocked = true;
                Ok(None)
            }
            Settled::Busy => Ok(Some(Why::NoAnswer { line: step.line, limit_ms: limit.as_millis() })),
        }
    }

    fn answered(&mut self, seat: Seat, record: usize, answer: Answer) {
        self.waiting.remove(&seat);
        if let Some(&transaction) = self.open.get(&seat) {
            let end = &mut self.transactions[transaction].end;
            if let Some(sqlstate) = &answer.error {
                *end = TransactionEnd::Failed(sqlstate.clone());
            }
            if self.sessions.status(seat) == TransactionStatus::Idle {
                if *end == TransactionEnd::Open {
                    *end = if answer.rolled_back { TransactionEnd::RolledBack } else { TransactionEnd::Committed };
                }
                self.open.remove(&seat);
            }
        }
        self.records[record].answer = Some(answer);
    }

    /// Lets go whoever is held, ends what still runs, and rolls open transactions back.
    async fn wind_up(&mut self) -> Result<(), PlayError> {
        self.holds.clear();
        let limit = self.stage.limits.step;
        let seats: Vec<Seat> = self.sessions.seats().collect();
        // Whoever holds a lock goes first, so that whoever waits for it comes to an end.
        for &seat in seats.iter().filter(|seat| !self.waiting.contains_key(seat)) {
            if self.sessions.status(seat) != TransactionStatus::Idle && !self.sessions.is_closed(seat) {
                self.sessions.run(seat, "rollback", limit).await?;
            }
        }
        for &seat in &seats {
            let Some(record) = self.waiting.get(&seat).copied() else { continue };
            let mut notices = Vec::new();
            if self.sessions.settle(seat, Blocking::Allowed, limit, &mut notices).await? != Settled::Answered {
                self.sessions.cancel(seat).await?;
            }
            let replies = self.sessions.finish(seat, limit).await?;
            self.answered(seat, record, Answer::of(&replies));
            if self.sessions.status(seat) != TransactionStatus::Idle && !self.sessions.is_closed(seat) {
                self.sessions.run(seat, "rollback", limit).await?;
            }
        }
        Ok(())
    }
}

fn at_function(step: &Step) -> String {
    match &step.action {
        Action::Sql { hold: Some(hold), .. } => hold.function.clone(),
        _ => String::new(),
    }
}

/// Whether a statement outside a transaction is one by itself that others can see or be seen by.
fn is_of_data(first_word: &str) -> bool {
    matches!(
        first_word,
        "select" | "insert" | "update" | "delete" | "merge" | "with" | "truncate" | "copy" | "table" | "values"
    )
}
