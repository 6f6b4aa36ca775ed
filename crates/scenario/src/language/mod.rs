//! The scenario language: who does what in which order, and what must come of it at each isolation level.
//!
//! ```text
//! scenario "on-conflict-write-skew"
//! about "insert … on conflict do nothing has read the row that it met"
//!
//! setup {
//!   create table t (id int primary key, v int);
//! }
//!
//! T1: begin
//! T1: insert into t values (1, 0) on conflict do nothing returning id
//!   -> 0 rows
//! T2: delete from t where id = 1
//!   -> blocks at serializable
//! T1: select count(*) from e0  hold at PredicateLockRelation
//! T1: release
//!   -> (0)
//! T1: commit
//!
//! expect read committed, repeatable read: anomaly G2-item
//! expect serializable: one of T1, T2 fails 40001; anomaly none
//! invariant "no row is lost" {
//!   select id from t where v < 0
//! }
//! permutations 20 seed 7
//! fixed in 15.20, 17.12 "what the release notes say"
//! ```
//!
//! This module reads and writes the language. It runs nothing.

mod error;
mod format;
mod outcome;
mod parse;
mod reader;
#[cfg(test)]
mod tests;

use pgstrata_pg::PgVersion;
use pgstrata_units::Isolation;

pub use error::{ParseError, ParseErrorKind};
pub use outcome::{Cell, Outcome, What};

/// The most steps a scenario may have.
pub const STEPS_MAX: usize = 500;

/// One scenario: what its file says, in the order in which it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// All else.
    pub items: Vec<Item>,
}

/// One thing that a scenario says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line of comment, without its `#`.
    Comment(String),
    /// An empty line.
    Blank,
    /// A sentence on what it shows.
    About(String),
    /// The levels it is run at, when it is not all of them.
    Levels(Vec<Isolation>),
    /// Statements that make the tables, each scenario in a schema of its own.
    Setup(String),
    /// Statements for after the end; the schema is dropped in any case.
    Teardown(String),
    /// A step.
    Step(Step),
    /// What must come of it at some levels.
    Expect(Expectation),
    /// A query that returns no rows when all is well at the end.
    Invariant {
        /// What it says.
        name: String,
        /// The query.
        sql: String,
    },
    /// Which orders of the steps are run.
    Permutations(Permutations),
    /// Servers before these releases are known to fail it.
    FixedIn {
        /// The first release of each major version with the repair.
        versions: Vec<PgVersion>,
        /// What was wrong.
        about: String,
    },
}

/// What one session does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The session's name.
    pub session: String,
    /// What it does.
    pub action: Action,
    /// What must come of it.
    pub outcomes: Vec<Outcome>,
    /// The line of the file it begins on, from 1.
    pub line: usize,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begins a transaction at the level that the scenario is run at; the text is what follows `begin`.
    Begin(String),
    /// Runs a statement.
    Sql {
        /// The statement.
        text: String,
        /// Where its server process is to be stopped.
        hold: Option<HoldAt>,
    },
    /// Waits for the end of a statement that was blocked.
    Resumes,
    /// Lets the session's server process run on, and waits for the end of its statement.
    Release,
    /// Kills the session's server process where it is held. The server ends all sessions and recovers: it is the last step.
    Kill,
}

/// A hold point of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldAt {
    /// The function, exported by the server's program.
    pub function: String,
    /// Calls that pass before the one that is held.
    pub skip: u32,
}

/// What must come of a scenario at some levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// At which levels.
    pub levels: Vec<Isolation>,
    /// What.
    pub clauses: Vec<Clause>,
}

/// One thing that must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// No transaction fails.
    AllCommit,
    /// These transactions fail with this SQLSTATE, or exactly one of them does; no other transaction fails.
    Fail {
        /// The sessions whose transactions they are.
        sessions: Vec<String>,
        /// Exactly one of them, instead of all.
        one: bool,
        /// The SQLSTATE.
        sqlstate: String,
    },
    /// The committed transactions show this anomaly; none, if they are as if one had run after the other.
    Anomaly(Option<pgstrata_history::Anomaly>),
}

/// Which orders of the steps are run. Within a session the order is always as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permutations {
    /// The written one.
    Written,
    /// All.
    All,
    /// So many, drawn by lot; the written one is always among them.
    Sampled {
        /// How many.
        count: u32,
        /// The seed of the lot.
        seed: u64,
    },
}

impl Scenario {
    /// Reads the scenarios of a file, at least one.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, ParseError> {
        parse::file(text)
    }

    /// The steps in their order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().filter_map(|item| if let Item::Step(step) = item { Some(step) } else { None })
    }

    /// The sessions in the order of their first steps.
    #[must_use]
    pub fn sessions(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for step in self.steps() {
            if !names.contains(&step.session.as_str()) {
                names.push(step.session.as_str());
            }
        }
        names
    }

    /// What it shows, in a sentence; empty when it does not say.
    #[must_use]
    pub fn about(&self) -> &str {
        self.items
            .iter()
            .find_map(|item| if let Item::About(text) = item { Some(text.as_str()) } else { None })
            .unwrap_or_default()
    }

    /// The levels it is run at.
    #[must_use]
    pub fn levels(&self) -> Vec<Isolation> {
        let named = self
            .items
            .iter()
            .find_map(|item| if let Item::Levels(levels) = item { Some(levels.clone()) } else { None });
        named.unwrap_or_else(|| Isolation::ALL.to_vec())
    }

    /// The statements that make its tables.
    pub fn setups(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| if let Item::Setup(sql) = item { Some(sql.as_str()) } else { None })
    }

    /// The statements for after the end.
    pub fn teardowns(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| if let Item::Teardown(sql) = item { Some(sql.as_str()) } else { None })
    }

    /// Its invariants: name and query.
    pub fn invariants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().filter_map(|item| {
            if let Item::Invariant { name, sql } = item { Some((name.as_str(), sql.as_str())) } else { None }
        })
    }

    /// What must come of it at a level.
    pub fn clauses(&self, level: Isolation) -> impl Iterator<Item = &Clause> {
        let expectations = self
            .items
            .iter()
            .filter_map(|item| if let Item::Expect(expectation) = item { Some(expectation) } else { None });
        expectations
            .filter(move |expectation| expectation.levels.contains(&level))
            .flat_map(|expectation| &expectation.clauses)
    }

    /// Which orders are run.
    #[must_use]
    pub fn permutations(&self) -> Permutations {
        let named =
            self.items.iter().find_map(|item| if let Item::Permutations(which) = item { Some(*which) } else { None });
        named.unwrap_or(Permutations::Written)
    }

    /// Whether a server of this version is known to fail it; none when the scenario says nothing about the major version.
    #[must_use]
    pub fn is_affected(&self, version: PgVersion) -> Option<bool> {
        let fixes = self
            .items
            .iter()
            .filter_map(|item| if let Item::FixedIn { versions, .. } = item { Some(versions) } else { None });
        fixes.flatten().find(|fixed| fixed.major == version.major).map(|fixed| version < *fixed)
    }
}

impl Step {
    /// Whether this step must end in `what` at a level.
    pub fn outcomes_at(&self, level: Isolation) -> impl Iterator<Item = &What> {
        self.outcomes
            .iter()
            .filter(move |outcome| outcome.levels.is_empty() || outcome.levels.contains(&level))
            .map(|outcome| &outcome.what)
    }
}
