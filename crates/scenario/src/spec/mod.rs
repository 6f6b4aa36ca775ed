//! PostgreSQL's isolation specification files: who does what, and in which orders.
//!
//! A specification names sessions, each with its steps, and permutations of the steps; without any it means all
//! interleavings. The files are read unchanged, with the grammar of `src/test/isolation/specparse.y` and
//! `specscanner.l`, which did not change between PostgreSQL 15 and 18. This file is the meaning; [`parse`] reads it from
//! text, and [`interleavings`] makes the permutations that a file does not name.

mod error;
mod interleavings;
mod parse;
mod scan;

pub use error::{SpecError, SpecErrorKind};
pub use interleavings::{Interleavings, count as interleaving_count};
pub use parse::parse;

use crate::session::Seat;

/// What one specification file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Statements run before each permutation, in order, on the control connection.
    pub setups: Vec<String>,
    /// Statements run after each permutation, on the control connection.
    pub teardown: Option<String>,
    /// The sessions, in the order in which they are opened.
    pub sessions: Vec<SessionScript>,
    /// The permutations that the file names; none means every interleaving.
    pub permutations: Vec<Permutation>,
    /// Names of steps that no named permutation uses, which PostgreSQL's tester warns of; sorted.
    pub unused_steps: Vec<String>,
}

/// One session of a specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionScript {
    /// Its name.
    pub name: String,
    /// Statements it runs before each permutation.
    pub setup: Option<String>,
    /// Its steps, in the order in which all interleavings keep them.
    pub steps: Vec<Step>,
    /// Statements it runs after each permutation.
    pub teardown: Option<String>,
}

/// Some statements of one session that are sent together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Its name, which no other step of the specification has.
    pub name: String,
    /// The statements.
    pub sql: String,
    /// Columns of the last result's first row that later steps of the session use. PostgreSQL's files have none.
    pub takes: Vec<Taken>,
    /// Variables whose values stand in `sql` where it says `:'name'`, as in psql; null when there was no row.
    pub uses: Vec<String>,
}

/// A column of a result that becomes a variable of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its place in the result, from 0.
    pub index: usize,
    /// The variable.
    pub variable: String,
}

/// A step of a specification, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    /// Its session.
    pub session: Seat,
    /// Its place among the steps of that session.
    pub place: usize,
}

/// An order of steps; a step may come more than once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Permutation {
    /// The steps in the order in which they are begun.
    pub steps: Vec<PlannedStep>,
}

/// A step in a permutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// Which step.
    pub step: StepId,
    /// Until when it does not count as completed, even if the server has answered.
    pub markers: Vec<Marker>,
}

/// What a step has to wait for before it counts as completed, so that the output does not depend on timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// `*`: it counts as waiting when it is begun.
    Once,
    /// `step`: while that step of another session is active.
    Step(StepId),
    /// `step notices N`: until the session of that step has said so many more notices.
    Notices(StepId, u32),
}

impl Spec {
    /// What a step is called and does.
    #[must_use]
    pub fn step(&self, id: StepId) -> &Step {
        &self.sessions[id.session.0].steps[id.place]
    }

    /// The names of the sessions.
    #[must_use]
    pub fn session_names(&self) -> Vec<&str> {
        self.sessions.iter().map(|session| session.name.as_str()).collect()
    }

    /// The orders to run: those that are named, else all interleavings in the order of PostgreSQL's tester.
    pub fn orders(&self) -> impl Iterator<Item = Permutation> + '_ {
        let named = self.permutations.iter().cloned();
        let all = self.permutations.is_empty().then(|| Interleavings::of(self)).into_iter().flatten();
        named.chain(all)
    }

    /// How many orders there are; the number of all interleavings may be beyond counting.
    #[must_use]
    pub fn order_count(&self) -> u128 {
        if self.permutations.is_empty() {
            let steps: Vec<usize> = self.sessions.iter().map(|session| session.steps.len()).collect();
            interleavings::count(&steps)
        } else {
            self.permutations.len() as u128
        }
    }
}
