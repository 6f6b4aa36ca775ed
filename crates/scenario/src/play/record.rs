//! What happened when a scenario was played.

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::language::Cell;

/// One play of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// At which level.
    pub level: Isolation,
    /// The steps in the order in which they were played, by their place in the scenario.
    pub order: Vec<usize>,
    /// What became of each step that was played.
    pub steps: Vec<StepRecord>,
    /// The transactions in the order in which they were begun.
    pub transactions: Vec<Transaction>,
    /// The rows that broken invariants returned, by name.
    pub broken_invariants: Vec<(String, Vec<Vec<Cell>>)>,
    /// All tables at the end.
    pub state: Vec<TableState>,
    /// Why it could not be played to its end.
    pub stopped: Option<Why>,
}

/// A table with its rows, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Row {
    /// Its primary key; all of it in a table without one.
    pub identity: String,
    /// All of it.
    pub text: String,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step's place in the scenario.
    pub step: usize,
    /// Whether it had to wait for another session.
    pub blocked: bool,
    /// Whether its server process was held where it was to be.
    pub held: Option<bool>,
    /// What the server said in the end; none while it waits, and for steps of a transaction that had failed.
    pub answer: Option<Answer>,
    /// Whether it was left out because its transaction had failed.
    pub skipped: bool,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The session that ran it.
    pub session: String,
    /// Its steps, by their place in the scenario; the ones that begin and end it are not among them.
    pub steps: Vec<usize>,
    /// How it ended.
    pub end: TransactionEnd,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionEnd {
    /// Committed.
    Committed,
    /// Failed with this SQLSTATE.
    Failed(String),
    /// Rolled back as the scenario says.
    RolledBack,
    /// Neither when the scenario ended.
    Open,
}

/// Why a play stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A session was to go on while it still waited for another one: this order cannot happen.
    #[error("session {session} still waits for another session when it is to do the step in line {line}")]
    StillBlocked {
        /// Which.
        session: String,
        /// The line of the step that cannot be done.
        line: usize,
    },
    /// A statement ended without calling the function at which it was to be held.
    #[error("the statement in line {line} ended without calling {function}")]
    NeverReached {
        /// The step's line.
        line: usize,
        /// The function.
        function: String,
    },
    /// A statement neither answered nor was found waiting within the limit.
    #[error("the statement in line {line} did not answer within {limit_ms} ms")]
    NoAnswer {
        /// The step's line.
        line: usize,
        /// The limit, milliseconds.
        limit_ms: u128,
    },
}
