//! What must come of a step: rows, their number, an error, or that it waits.

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

/// What must come of a step, at some levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What.
    pub what: What,
    /// At which levels; at all of them when there are none.
    pub levels: Vec<Isolation>,
}

/// What must come of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It succeeds.
    Ok,
    /// It returns, or changes, so many rows.
    RowCount(u64),
    /// It returns these rows, in any order.
    Rows(Vec<Vec<Cell>>),
    /// It fails with this SQLSTATE.
    Error(String),
    /// It waits for another session.
    Blocks,
}

/// A value of a row, as the server prints it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// NULL.
    Null,
    /// Anything else.
    Text(String),
}

impl Cell {
    /// From what the server sent.
    #[must_use]
    pub fn of(value: Option<&str>) -> Self {
        value.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }

    /// As text; null as the word.
    #[must_use]
    pub fn to_plain(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => text.clone(),
        }
    }
}
