//! The isolation levels that PostgreSQL can tell apart.
//!
//! Only their names; what each of them allows is shown by the systems.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An isolation level of PostgreSQL, weakest first.
///
/// The SQL standard's fourth name, `read uncommitted`, is the same level as [`Isolation::ReadCommitted`] in
/// PostgreSQL (manual, 13.2 Transaction Isolation), so it is accepted when read and has no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// Each transaction sees one snapshot: snapshot isolation.
    RepeatableRead,
    /// Serializable snapshot isolation (Cahill, Röhm & Fekete 2008; Ports & Grittner 2012).
    Serializable,
}

impl Isolation {
    /// All levels, weakest first.
    pub const ALL: [Self; 3] = [Self::ReadCommitted, Self::RepeatableRead, Self::Serializable];

    /// The level in SQL, as in `begin isolation level …` and as `show transaction_isolation` prints it.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.sql())
    }
}

/// A name that is no isolation level of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown isolation level {0:?}, expected read committed, repeatable read or serializable")]
pub struct UnknownIsolation(pub String);

impl FromStr for Isolation {
    type Err = UnknownIsolation;

    /// Reads a level in any case, its words parted by a space, a hyphen or an underscore.
    fn from_str(text: &str) -> Result<Self, UnknownIsolation> {
        match text.to_ascii_lowercase().replace(['-', '_'], " ").as_str() {
            "read uncommitted" | "read committed" => Ok(Self::ReadCommitted),
            "repeatable read" => Ok(Self::RepeatableRead),
            "serializable" => Ok(Self::Serializable),
            _ => Err(UnknownIsolation(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_reads_back_from_its_sql_and_from_its_json() {
        for level in Isolation::ALL {
            assert_eq!(level.sql().parse(), Ok(level));
            let json = serde_json::to_string(&level).expect("a level can be written");
            assert_eq!(serde_json::from_str::<Isolation>(&json).expect("what was written can be read"), level);
            assert_eq!(json.trim_matches('"').parse(), Ok(level));
        }
    }

    #[test]
    fn levels_are_ordered_by_strength() {
        assert!(Isolation::ALL.is_sorted());
        assert!(Isolation::ReadCommitted < Isolation::Serializable);
    }

    #[test]
    fn read_uncommitted_is_read_committed_and_other_names_are_refused() {
        assert_eq!("READ UNCOMMITTED".parse(), Ok(Isolation::ReadCommitted));
        assert_eq!("snapshot".parse::<Isolation>(), Err(UnknownIsolation("snapshot".to_owned())));
    }
}
