//! Entries of the log as transactions: which statements each session executed between `begin` and `commit`, or under one
//! virtual transaction id.
//!
//! What is held at a time is bounded: sessions, and statements of a transaction. Programs are not known here.

use std::collections::HashMap;

use pgstrata_units::Isolation;

use super::Counts;
use super::command::{Command, command};
use super::message::{Event, Found, event, json_plan};
use super::programs::{ShapeId, Shapes};
use super::record::Record;
use super::shape::Value;
use super::tokens::{statements, tokens};

/// Sessions that are followed at a time; the one that was silent longest is closed for another.
const SESSIONS_MOST: usize = 20_000;

/// The longest name of a session or of a transaction that the server writes is shorter than this, bytes.
const ID_MOST_BYTES: usize = 64;

/// Statements of one transaction; a longer one is counted and left out, as a load of data is no program.
const STATEMENTS_MOST: usize = 2_000;

/// Prepared statements by SQL's own `prepare` that are remembered for each session.
const PREPARED_MOST: usize = 1_000;

/// What all sessions hold together, bytes: transactions under way, and prepared statements. Beyond it the one that was
/// silent longest is closed, and a transaction that is larger than this by itself is too long.
const SESSIONS_MOST_BYTES: usize = 64 * 1024 * 1024;

/// A statement that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its shape.
    pub shape: ShapeId,
    /// The values at the shape's places.
    pub values: Vec<Value>,
}

impl Execution {
    /// What it holds, bytes.
    fn bytes(&self) -> usize {
        let texts: usize = self.values.iter().flatten().map(String::len).sum();
        size_of::<Self>() + self.values.len() * size_of::<Value>() + texts
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was committed, or committed itself.
    Committed,
    /// It was rolled back without an error.
    RolledBack,
    /// A statement failed, with this SQLSTATE.
    Failed(String),
    /// The log does not say.
    Lost,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The statements that read or write data, in order.
    pub executions: Vec<Execution>,
    /// The level that it asked for.
    pub level: Option<Isolation>,
    /// Whether it was begun by `begin`, or by a statement on its own.
    pub is_explicit: bool,
    /// How it ended.
    pub end: End,
    /// Its session has defined something, as those that load data do.
    pub is_beside_definitions: bool,
}

/// A transaction that has not ended.
#[derive(Debug)]
struct Open {
    transaction: Transaction,
    vxid: Option<String>,
    /// What was seen only as a plan, by its text, until the statement itself is seen.
    has_sent: bool,
    too_long: bool,
    /// What its executions hold.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Session {
    open: Option<Open>,
    last_line: u64,
    seen: u64,
    level: Option<Isolation>,
    prepared: HashMap<String, String>,
    prepared_bytes: usize,
    defines: bool,
}

/// All sessions that are being followed.
#[derive(Debug, Default)]
pub struct Sessions {
    followed: HashMap<String, Session>,
    clock: u64,
    bytes: usize,
}

/// A statement of an entry.
struct Said<'a> {
    text: &'a str,
    values: &'a [Value],
    found: Found,
    prepared: Option<&'a str>,
}

impl Sessions {
    /// Takes an entry; transactions that it ends are given to `done`.
    pub fn take(
        &mut self,
        record: &Record,
        shapes: &mut Shapes,
        counts: &mut Counts,
        done: &mut dyn FnMut(Transaction),
    ) {
        if record.session.is_empty() {
            return;
        }
        if [&record.session, &record.vxid, &record.sqlstate].iter().any(|id| id.len() > ID_MOST_BYTES) {
            counts.garbled += 1;
            return;
        }
        self.clock += 1;
        if self.followed.len() >= SESSIONS_MOST && !self.followed.contains_key(&record.session) {
            self.evict(done);
        }
        let session = self.followed.entry(record.session.clone()).or_default();
        let held_before = session.bytes();
        session.seen = self.clock;
        if record.line <= session.last_line {
            counts.out_of_order += 1;
        }
        session.last_line = record.line;
        match event(record) {
            Event::Statement { text, values, found, prepared, duration_us } => {
                if found == Found::Sent {
                    counts.sent(duration_us);
                }
                let said = Said { text, values: &values, found, prepared };
                session.execute(record, &said, shapes, counts, done);
            }
            Event::Failed => session.fail(record, done),
            Event::Ended => {
                if let Some(session) = self.followed.remove(&record.session) {
                    session.close(done);
                }
            }
            Event::Other => {
                if let Some((text, values)) = json_plan(&record.message) {
                    let said = Said { text: &text, values: &values, found: Found::Plan, prepared: None };
                    session.execute(record, &said, shapes, counts, done);
                }
            }
        }
        let holds = self.followed.get(&record.session).map_or(0, Session::bytes);
        self.bytes = self.bytes + holds - held_before;
        while self.bytes > SESSIONS_MOST_BYTES && self.followed.len() > 1 {
            self.evict(done);
        }
    }

    /// Closes what is still open at the end of the log.
    pub fn finish(self, done: &mut dyn FnMut(Transaction)) {
        let mut sessions: Vec<(String, Session)> = self.followed.into_iter().collect();
        sessions.sort_by(|one, other| one.0.cmp(&other.0));
        for (_, session) in sessions {
            session.close(done);
        }
    }

    fn evict(&mut self, done: &mut dyn FnMut(Transaction)) {
        let silent = self.followed.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| id.clone());
        if let Some(session) = silent.and_then(|id| self.followed.remove(&id)) {
            self.bytes -= session.bytes();
            session.close(done);
        }
    }
}

impl Session {
    fn execute(
        &mut self,
        record: &Record,
        said: &Said<'_>,
        shapes: &mut Shapes,
        counts: &mut Counts,
        done: &mut dyn FnMut(Transaction),
    ) {
        let tokens = tokens(said.text);
        for piece in statements(said.text, &tokens) {
            let tokens = &tokens[piece];
            counts.statements += 1;
            match command(said.text, tokens) {
                Command::Begin { level } => self.begin(record, level, done),
                Command::Commit { and_chain } => self.end(End::Committed, and_chain, done),
                Command::Rollback { and_chain } => self.end(End::RolledBack, and_chain, done),
                Command::Level(level) => self.set_level(level),
                Command::SessionLevel(level) => self.level = Some(level),
                Command::Prepare { name, statement } => self.prepare(name, statement),
                Command::Execute { name, values } => {
                    let of_detail = said.prepared.and_then(super::command::prepared_text);
                    match of_detail.or_else(|| self.prepared.get(&name).cloned()) {
                        Some(text) => {
                            let tokens = super::tokens::tokens(&text);
                            let execution = shapes.execution(&text, &tokens, &values, counts);
                            self.add(record, said.found, execution, counts, done);
                        }
                        None => counts.unknown_prepared += 1,
                    }
                }
                Command::Data => {
                    let execution = shapes.execution(said.text, tokens, said.values, counts);
                    self.add(record, said.found, execution, counts, done);
                }
                Command::Definition => {
                    counts.definitions += 1;
                    self.defines = true;
                }
                Command::Other => counts.others += 1,
            }
        }
    }

    /// What it holds, bytes.
    fn bytes(&self) -> usize {
        self.prepared_bytes + self.open.as_ref().map_or(0, |open| open.bytes)
    }

    fn prepare(&mut self, name: String, statement: String) {
        let (of_name, bytes) = (name.len(), name.len() + statement.len());
        if self.prepared.len() < PREPARED_MOST && self.bytes() + bytes <= SESSIONS_MOST_BYTES {
            self.prepared_bytes += bytes;
            if let Some(before) = self.prepared.insert(name, statement) {
                self.prepared_bytes -= of_name + before.len();
            }
        }
    }

    fn begin(&mut self, record: &Record, level: Option<Isolation>, done: &mut dyn FnMut(Transaction)) {
        if let Some(mut open) = self.open.take() {
            if open.transaction.is_explicit {
                open.transaction.end = End::Lost;
            }
            self.finish(open, done);
        }
        let level = level.or(self.level);
        self.open = Some(Open::new(record.transaction(), true, level));
    }

    fn end(&mut self, end: End, and_chain: bool, done: &mut dyn FnMut(Transaction)) {
        let level = self.open.as_ref().and_then(|open| open.transaction.level);
        if let Some(mut open) = self.open.take() {
            // A failed transaction stays failed, whatever ends it.
            if open.transaction.end == End::Committed {
                open.transaction.end = end;
            }
            self.finish(open, done);
        }
        if and_chain {
            self.open = Some(Open::new(None, true, level));
        }
    }

    /// Gives a transaction that is over to `done`.
    fn finish(&self, mut open: Open, done: &mut dyn FnMut(Transaction)) {
        open.transaction.is_beside_definitions = self.defines;
        if !open.too_long && !open.transaction.executions.is_empty() {
            done(open.transaction);
        }
    }

    fn set_level(&mut self, level: Isolation) {
        if let Some(open) = &mut self.open {
            open.transaction.level = Some(level);
        }
    }

    fn fail(&mut self, record: &Record, done: &mut dyn FnMut(Transaction)) {
        let Some(open) = &mut self.open else { return };
        let is_its_own = record.transaction().is_none() || open.vxid.is_none() || open.vxid == vxid(record);
        if is_its_own && open.transaction.end == End::Committed {
            open.transaction.end = End::Failed(record.sqlstate.clone());
        }
        if !open.transaction.is_explicit
            && let Some(open) = self.open.take()
        {
            self.finish(open, done);
        }
    }

    /// Puts an execution into its transaction, which may be new.
    fn add(
        &mut self,
        record: &Record,
        found: Found,
        execution: Option<Execution>,
        counts: &mut Counts,
        done: &mut dyn FnMut(Transaction),
    ) {
        self.leave(record, done);
        if self.open.is_none() {
            self.open = Some(Open::new(record.transaction(), false, self.level));
        }
        let is_alone = record.transaction().is_none();
        let Some(open) = &mut self.open else { return };
        if open.vxid.is_none() {
            open.vxid = vxid(record);
        }
        match (found, execution) {
            // A plan repeats what was logged as it was sent.
            (Found::Plan, _) if open.has_sent => counts.plans_beside += 1,
            (_, None) => open.too_long = true,
            (_, Some(execution)) => {
                open.has_sent |= found == Found::Sent;
                let bytes = open.bytes + execution.bytes();
                if open.transaction.executions.len() < STATEMENTS_MOST && bytes <= SESSIONS_MOST_BYTES {
                    open.bytes = bytes;
                    open.transaction.executions.push(execution);
                } else {
                    open.too_long = true;
                }
            }
        }
        if open.too_long {
            // It is no program any more: what was kept of it is of no use.
            (open.transaction.executions, open.bytes) = (Vec::new(), 0);
            counts.too_long_statements += 1;
        }
        // Written after the statement had committed itself.
        if is_alone
            && !open.transaction.is_explicit
            && let Some(open) = self.open.take()
        {
            self.finish(open, done);
        }
    }

    /// Closes the transaction that an entry of another one shows to be over.
    fn leave(&mut self, record: &Record, done: &mut dyn FnMut(Transaction)) {
        let Some(open) = &self.open else { return };
        let is_another = match (&open.vxid, record.transaction()) {
            (Some(open), Some(now)) => open != now,
            (Some(_), None) => !open.transaction.is_explicit,
            (None, _) => false,
        };
        if is_another && let Some(mut open) = self.open.take() {
            if open.transaction.is_explicit && open.transaction.end == End::Committed {
                open.transaction.end = End::Lost;
            }
            self.finish(open, done);
        }
    }

    fn close(mut self, done: &mut dyn FnMut(Transaction)) {
        if let Some(mut open) = self.open.take() {
            if open.transaction.is_explicit && open.transaction.end == End::Committed {
                open.transaction.end = End::Lost;
            }
            self.finish(open, done);
        }
    }
}

impl Open {
    fn new(vxid: Option<&str>, is_explicit: bool, level: Option<Isolation>) -> Self {
        let (executions, end) = (Vec::new(), End::Committed);
        let transaction = Transaction { executions, level, is_explicit, end, is_beside_definitions: false };
        Self { transaction, vxid: vxid.map(str::to_owned), has_sent: false, too_long: false, bytes: 0 }
    }
}

fn vxid(record: &Record) -> Option<String> {
    record.transaction().map(str::to_owned)
}
