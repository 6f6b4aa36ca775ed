//! The evidence for "unsafe": a schedule that a server can run, and the cycle of dependencies that it makes.
//!
//! Data only. The words around it belong to the presentation, the run on a server to the proof.

use std::collections::BTreeMap;

use pgstrata_sqltext::RelationName;
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use super::report::Allocation;

/// A schedule in which every transaction commits and which no serial order explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The levels under which it happens, of the programs that take part.
    pub allocation: Allocation,
    /// The transactions, in the order of the cycle. The first one is split: the others run between two of its parts.
    pub instances: Vec<Instance>,
    /// What happens in which order. A statement that waits for a lock goes on when the lock is free; [`Step::waits`]
    /// says that it is expected to.
    pub schedule: Vec<Step>,
    /// The dependencies in their order; the last one ends where the first begins.
    pub cycle: Vec<Dependency>,
    /// Rows that the schedule names, and whether they must exist before it begins.
    pub rows: Vec<SeedRow>,
}

/// A transaction of a witness: a program with arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `T1`, `T2`, …
    pub name: String,
    /// The program that it runs.
    pub program: String,
    /// The level at which it runs.
    pub level: Isolation,
    /// Values of parameters, in SQL. A parameter that does not matter is absent: any value does.
    pub arguments: BTreeMap<String, String>,
    /// The path: its statements in the order in which they run, a statement of a loop once for each iteration.
    pub path: Vec<usize>,
    /// The branches and loops that make the path, in the order of the program's text.
    pub choices: Vec<Choice>,
    /// Only this statement of the program is in the transaction: the program runs its statements separately.
    pub only: Option<usize>,
}

/// Which way a transaction takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// This branch, from 0, of the next choice.
    Branch(usize),
    /// So many iterations of the next loop.
    Iterations(usize),
}

/// One step of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which of [`Witness::instances`].
    pub instance: usize,
    /// What it does.
    pub what: StepKind,
    /// It will wait for a lock until another transaction has committed.
    pub waits: bool,
}

/// What a transaction does in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// `begin` at the instance's level. PostgreSQL takes the snapshot later, with the first statement.
    Begin,
    /// The next statement of the path; which of the program's statements it is.
    Statement(usize),
    /// `commit`.
    Commit,
}

/// One dependency of a cycle: whatever serial order explains the outcome has `from` before `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Where it begins.
    pub from: DependencyEnd,
    /// Where it ends.
    pub to: DependencyEnd,
    /// What it is.
    pub kind: DependencyKind,
    /// The relation in which they meet.
    pub relation: RelationName,
    /// The columns in which they meet; [`super::robustness::EXISTENCE`] when a row comes or goes.
    pub columns: Vec<String>,
    /// The transaction at its end had committed before the one at its beginning: it goes against time.
    pub is_counterflow: bool,
}

/// One end of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyEnd {
    /// Which of [`Witness::instances`].
    pub instance: usize,
    /// Which of the program's statements.
    pub statement: usize,
}

/// The three ways in which transactions depend on each other (Adya, Liskov & O'Neil, ICDE 2000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyKind {
    /// Both write; the first one's version comes first.
    Ww,
    /// The second one reads what the first one wrote.
    Wr,
    /// The first one read a version older than the second one's: an anti-dependency.
    Rw,
}

/// A row that a witness needs, or needs to be absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedRow {
    /// Its relation.
    pub relation: RelationName,
    /// Values of columns in SQL: of the key, and others that predicates look at.
    pub values: BTreeMap<String, String>,
    /// Whether it exists before the schedule begins.
    pub present: bool,
}
