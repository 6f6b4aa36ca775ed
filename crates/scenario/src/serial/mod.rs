//! Judges whether what came of a permutation could have come of its transactions one after the other.
//!
//! The definition is used as it stands: an outcome is serializable when some serial order of the transactions that
//! committed gives it. So the judge runs them again, one after the other, from the same set-up, on the same server, in a
//! database of their own, and compares what each part was answered and what all user tables hold in the end. No model of
//! SQL stands between, so any specification can be judged: triggers, foreign keys, partitions, functions.
//!
//! Why it is sound. *Serializable* is a proof: the order is named, and was run. *Convicted* needs that no order gives the
//! outcome, and that every transaction was promised one. All orders that keep each session's own order are tried; these
//! are enough, because PostgreSQL's serializable level keeps it: by the theorem that its method rests on (Fekete et al.,
//! "Making Snapshot Isolation Serializable", 2005; Ports & Grittner, "Serializable Snapshot Isolation in PostgreSQL",
//! 2012, 3.2), a cycle needs two adjacent anti-dependencies whose last transaction commits first of all, and its proof
//! uses of every other edge only that the one transaction commits before the other begins, which holds of two
//! transactions of one session too. The promise binds only serializable transactions among themselves, so it is asked of
//! the lowest level among those that committed. What else can make answers differ from a serial run (clocks, sequences,
//! the state of the server, which rows come first) is looked for before a contradiction is stated, in the script's words
//! and by running the same order twice; then nothing is said, and the reason is counted.
//!
//! Limits. Transactions that did not commit are not judged: what they read is not compared. Notices are not compared.
//! Outcomes that differ from every serial one only in temporary tables or sequences are not seen. A serializable outcome
//! does not show that the level was kept: another run of the same script might have gone wrong.

pub mod contents;
mod judgement;
mod open_words;
mod outcome;
mod replay;
mod units;

use std::collections::BTreeMap;

use pgstrata_pg::{Endpoint, Error};
use pgstrata_units::Isolation;

pub use contents::{Contents, Tables};
pub use judgement::{Contradiction, ContradictionKind, Judgement, Why};

use crate::runner::{Call, Performed};
use crate::session::Sessions;
use crate::spec::{Interleavings, Spec};
use outcome::{Answer, Distance, Outcome, What, answers};
use replay::{Replay, Replayed};
use units::{PartOf, Unit, sql_of};

/// How many serial orders of one permutation are tried at most: five transactions of five sessions have 120.
pub const ORDERS_MAX: usize = 120;

/// The same for a script with words that excuse it, where trying them all could not convict.
const ORDERS_MAX_EXCUSED: usize = 12;

/// Rows shown of a table or an answer.
const SHOWN_MAX: usize = 6;

/// A serial run by what was run: the parts of each transaction, in order.
type Order = Vec<Vec<PartOf>>;

/// Judges the permutations of one specification, and remembers serial runs between them.
pub struct Judge<'a> {
    spec: &'a Spec,
    replay: Replay<'a>,
    runs: BTreeMap<Order, Result<Replayed, Why>>,
    /// Whether an order gave the same twice.
    repeats: BTreeMap<Order, bool>,
    claimed: Option<Isolation>,
    /// Why an outcome that no order gives is excused by the words of the script.
    open_word: Option<Why>,
}

impl<'a> Judge<'a> {
    /// A judge that makes its serial runs at this endpoint: another database than the one that is judged.
    #[must_use]
    pub fn new(spec: &'a Spec, name: &str, endpoint: Endpoint) -> Self {
        Self::with_replay(spec, Replay::new(spec, endpoint, name))
    }

    /// A judge that makes its serial runs where the transactions ran together, with the same sessions, and holds every
    /// transaction to being serializable. The set-up must make the tables as they were before each run, and none may come
    /// or go. The sessions are lent to it: see [`Judge::sessions`].
    #[must_use]
    pub fn in_place(spec: &'a Spec, sessions: Sessions, tables: Tables) -> Self {
        Self::with_replay(spec, Replay::here(spec, sessions, tables)).with_claim(Some(Isolation::Serializable))
    }

    /// The sessions of a judge made by [`Judge::in_place`], for running transactions together between two judgements, or to
    /// be taken back. None after an error of the server.
    pub fn sessions(&mut self) -> &mut Option<Sessions> {
        self.replay.sessions()
    }

    fn with_replay(spec: &'a Spec, replay: Replay<'a>) -> Self {
        let open_word = open_words::first(texts(spec), &[]);
        Self { spec, replay, runs: BTreeMap::new(), repeats: BTreeMap::new(), claimed: None, open_word }
    }

    /// Says that these words leave nothing open where the script has them: the caller has looked at what they are used for.
    #[must_use]
    pub fn with_settled_words(mut self, settled: &[&str]) -> Self {
        self.open_word = open_words::first(texts(self.spec), settled);
        self
    }

    /// Holds every transaction to this level, whatever it asked for: what a service promises that runs its transactions
    /// at a lower one.
    #[must_use]
    pub fn with_claim(mut self, claimed: Option<Isolation>) -> Self {
        self.claimed = claimed;
        self
    }

    /// How many serial runs were made.
    #[must_use]
    pub fn serial_runs(&self) -> usize {
        self.runs.len()
    }

    /// Judges one permutation, whose tables held `contents` when all its sessions were done.
    ///
    /// Call it when the permutation is torn down: roles and prepared transactions belong to all databases.
    ///
    /// Errors: those of a server that is gone.
    pub async fn judge(&mut self, performed: &Performed, contents: Option<Contents>) -> Result<Judgement, Error> {
        match self.try_judge(performed, contents).await? {
            Ok(judgement) => Ok(judgement),
            Err(because) => Ok(Judgement::NotCovered { because }),
        }
    }

    async fn try_judge(
        &mut self,
        performed: &Performed,
        contents: Option<Contents>,
    ) -> Result<Result<Judgement, Why>, Error> {
        if performed.stopped.is_some() {
            return Ok(Err(Why::Unfinished));
        }
        let calls = &performed.calls;
        let units = match units::committed(self.spec, calls) {
            Ok(units) => units,
            Err(why) => return Ok(Err(why)),
        };
        let Some(contents) = contents else { return Ok(Err(Why::Locked)) };
        let found = found(&units, calls, contents);
        let limit = if self.open_word.is_some() { ORDERS_MAX_EXCUSED } else { ORDERS_MAX };
        let (orders, is_all) = orders(self.spec, &units, limit);
        let mut nearest: Option<(Distance, Vec<usize>)> = None;
        for order in &orders {
            let keys: Order = order.iter().map(|unit| units[*unit].key(calls)).collect();
            let replayed = match self.run(keys).await? {
                Ok(replayed) => replayed,
                Err(why) => return Ok(Err(*why)),
            };
            match found.distance(&replayed.outcome) {
                None => return Ok(Ok(Judgement::Serializable { order: self.names(order, &units) })),
                Some(distance) if nearest.as_ref().is_none_or(|(least, _)| is_nearer(&distance, least)) => {
                    nearest = Some((distance, order.clone()));
                }
                Some(_) => {}
            }
        }
        // There is at least the order in which they committed.
        let Some((distance, order)) = nearest else { return Ok(Err(Why::Lost)) };
        if !is_all {
            return Ok(Err(self.open_word.unwrap_or(Why::TooManyOrders)));
        }
        let keys: Order = order.iter().map(|unit| units[*unit].key(calls)).collect();
        if let Some(why) = self.excuse(&found, &keys).await? {
            return Ok(Err(why));
        }
        self.contradiction(&units, orders.len(), distance, &order, keys).await.map(Ok)
    }

    /// The serial run of this order, made now or remembered.
    async fn run(&mut self, order: Order) -> Result<&Result<Replayed, Why>, Error> {
        if !self.runs.contains_key(&order) {
            let replayed = self.replay.run(&order).await?;
            self.runs.insert(order.clone(), replayed);
        }
        Ok(&self.runs[&order])
    }

    /// Why an outcome that no order gives need not contradict serializability.
    async fn excuse(&mut self, found: &Outcome, nearest: &Order) -> Result<Option<Why>, Error> {
        if found.has_failures() {
            return Ok(Some(Why::FailedInside));
        }
        if let Some(why) = self.open_word {
            return Ok(Some(why));
        }
        if !self.repeats.contains_key(nearest) {
            // Fresh sessions: their numbers are others, and so is the time.
            self.replay.refresh().await;
            let again = self.replay.run(nearest).await?;
            let is_same =
                matches!((&self.runs[nearest], &again), (Ok(first), Ok(again)) if first.outcome == again.outcome);
            self.repeats.insert(nearest.clone(), is_same);
        }
        Ok((!self.repeats[nearest]).then_some(Why::Unrepeatable))
    }

    async fn contradiction(
        &mut self,
        units: &[Unit],
        orders: usize,
        distance: Distance,
        order: &[usize],
        keys: Order,
    ) -> Result<Judgement, Error> {
        let lowest = match self.run(keys).await? {
            Ok(replayed) => replayed.levels.iter().min().copied(),
            Err(_) => None,
        };
        let level = self.claimed.or(lowest).unwrap_or(Isolation::ReadCommitted);
        let contradiction = Contradiction {
            level,
            orders,
            kind: distance.kind,
            nearest: self.names(order, units),
            detail: self.sentence(&distance.what),
        };
        Ok(match level {
            Isolation::Serializable => Judgement::Convicted(contradiction),
            Isolation::RepeatableRead | Isolation::ReadCommitted => Judgement::Allowed(contradiction),
        })
    }

    fn names(&self, order: &[usize], units: &[Unit]) -> Vec<String> {
        order.iter().map(|unit| self.spec.sessions[units[*unit].session.0].name.clone()).collect()
    }

    fn sentence(&self, what: &What) -> String {
        match what {
            What::Table { name, found, instead: Some(instead) } => {
                format!("{name} holds {}, not {}", rows(found), rows(instead))
            }
            What::Table { name, found, instead: None } => {
                format!("{name} holds {}, and would not be there", rows(found))
            }
            What::Answer { part, found, instead } => {
                let session = &self.spec.sessions[part.0.0].name;
                let sql = sql_of(self.spec, *part).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
                // Of a text of several statements only what differs.
                let is_paired = found.len() == instead.len();
                let pairs = found.iter().zip(instead).filter(|(one, other)| one != other);
                let (found, instead): (Vec<&Answer>, Vec<&Answer>) =
                    if is_paired { pairs.unzip() } else { (found.iter().collect(), instead.iter().collect()) };
                format!("{session} was answered {} to `{sql}`, not {}", said(&found), said(&instead))
            }
        }
    }
}

/// All that a script says.
fn texts(spec: &Spec) -> impl Iterator<Item = &str> {
    spec.setups.iter().map(String::as_str).chain(spec.sessions.iter().flat_map(|session| {
        let steps = session.steps.iter().map(|step| step.sql.as_str());
        session.setup.as_deref().into_iter().chain(session.teardown.as_deref()).chain(steps)
    }))
}

/// What a permutation gave, of the transactions that committed.
fn found(units: &[Unit], calls: &[Call], contents: Contents) -> Outcome {
    let parts = units.iter().flat_map(|unit| &unit.calls).map(|call| {
        let call = &calls[*call];
        ((call.session, call.part), answers(&call.replies))
    });
    Outcome::new(parts.collect(), contents)
}

/// The orders to try, and whether these are all: first the order in which they committed, which is the one for nearly
/// every outcome that is serializable.
fn orders(spec: &Spec, units: &[Unit], limit: usize) -> (Vec<Vec<usize>>, bool) {
    let mut by_commit: Vec<usize> = (0..units.len()).collect();
    by_commit.sort_by_key(|unit| units[*unit].ended);
    let of_session = |session: usize| {
        let places = units.iter().enumerate().filter(move |(_, unit)| unit.session.0 == session);
        places.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let sessions: Vec<Vec<usize>> = (0..spec.sessions.len()).map(of_session).collect();
    let lengths: Vec<usize> = sessions.iter().map(Vec::len).collect();
    let mut orders = vec![by_commit.clone()];
    let mut all = Interleavings::of_lengths(lengths);
    for permutation in all.by_ref().take(limit) {
        let order = permutation.steps.iter().map(|planned| sessions[planned.step.session.0][planned.step.place]);
        let order: Vec<usize> = order.collect();
        if order != by_commit {
            orders.push(order);
        }
    }
    let is_all = all.next().is_none();
    (orders, is_all)
}

/// A state of the tables that some order gives is nearer than one that none gives; then fewer differences.
fn is_nearer(distance: &Distance, than: &Distance) -> bool {
    let rank = |distance: &Distance| (distance.kind == ContradictionKind::Contents, distance.differences);
    rank(distance) < rank(than)
}

fn rows(rows: &[String]) -> String {
    let shown: Vec<&str> = rows.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let more = rows.len().saturating_sub(SHOWN_MAX);
    match (rows.len(), more) {
        (0, _) => "no rows".to_owned(),
        (_, 0) => shown.join(" "),
        _ => format!("{} and {more} more", shown.join(" ")),
    }
}

fn said(answers: &[&Answer]) -> String {
    let one = |answer: &&Answer| match answer {
        Answer::Failed { sqlstate } => format!("error {sqlstate}"),
        Answer::Done { tag, rows: None } => tag.clone(),
        Answer::Done { rows: Some(given), .. } => {
            let text = |row: &Vec<Option<String>>| {
                let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
                format!("({})", values.join(","))
            };
            rows(&given.iter().map(text).collect::<Vec<_>>())
        }
    };
    if answers.is_empty() { "nothing".to_owned() } else { answers.iter().map(one).collect::<Vec<_>>().join("; ") }
}
