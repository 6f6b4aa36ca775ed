//! What is asked of the advisor: the state of its page, and what a decision's hash is of.

use std::collections::BTreeMap;

use pgstrata_tools::advisor::Requirement;
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is asked: the same question has the same hash, and gets the same answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdvisorQuestion)]
pub struct Question {
    /// A name for people.
    #[serde(default)]
    pub title: String,
    /// The tables, as DDL.
    #[serde(default)]
    pub schema: String,
    /// The transaction programs, as SQL.
    #[serde(default)]
    pub sources: Vec<SourceText>,
    /// What the application needs; absent fields have their defaults.
    #[serde(default)]
    pub requirement: Requirement,
    /// Levels to judge, by program; others run at what they declare, else at read committed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, Level>,
}

/// A text with programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdvisorSource)]
pub struct SourceText {
    /// Its name, as of a file.
    pub name: String,
    /// The text.
    pub text: String,
}

/// An isolation level of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IsolationLevel)]
pub enum Level {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// Each transaction sees one snapshot.
    RepeatableRead,
    /// As if one after the other.
    Serializable,
}

impl From<Isolation> for Level {
    fn from(level: Isolation) -> Self {
        match level {
            Isolation::ReadCommitted => Self::ReadCommitted,
            Isolation::RepeatableRead => Self::RepeatableRead,
            Isolation::Serializable => Self::Serializable,
        }
    }
}

impl From<Level> for Isolation {
    fn from(level: Level) -> Self {
        match level {
            Level::ReadCommitted => Self::ReadCommitted,
            Level::RepeatableRead => Self::RepeatableRead,
            Level::Serializable => Self::Serializable,
        }
    }
}
