//! What the analysis says of a workload: verdicts, allocations of levels, and what to change for cheaper ones.
//!
//! Data only; [`super::robustness`] computes it, others show it.

use std::collections::BTreeMap;

use pgstrata_sqltext::{RelationName, Span, Unanalysed};
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

use super::witness::{DependencyKind, Witness};

/// A level for each program, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Allocation(pub BTreeMap<String, Isolation>);

/// Whether every execution under some allocation is serializable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is, whatever the arguments and the interleaving.
    Safe,
    /// It is not: here is one.
    Unsafe(Box<Witness>),
    /// Safety could not be shown, and no schedule was found that breaks it. Counts as unsafe.
    Unknown {
        /// What stands in the way.
        why: String,
        /// The programs that would have to take part.
        programs: Vec<String>,
    },
}

/// What to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Judge this allocation too ([`Report::asked`]); programs that it does not name run at their declared level, else
    /// at read committed, PostgreSQL's default.
    pub allocation: Option<Allocation>,
    /// Search for changes of the SQL that make a weaker level safe.
    pub may_promote: bool,
}

/// What the analysis found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// One for each program, in the workload's order.
    pub programs: Vec<ProgramReport>,
    /// The verdict when all programs run at one level.
    pub uniform: BTreeMap<Isolation, Verdict>,
    /// The verdict on the allocation that was asked about; without one, on the levels that the programs declare, where
    /// none means read committed.
    pub asked: Verdict,
    /// The levels that were judged in `asked`.
    pub asked_levels: Allocation,
    /// The weakest safe level of each program. Lowering any one of them is unsafe.
    pub optimal: Allocation,
    /// For each program above read committed in `optimal`: what happens one level, or two, lower.
    pub why_not_lower: BTreeMap<String, BTreeMap<Isolation, Verdict>>,
    /// Changes of the SQL and the levels that are safe after them, best first.
    pub with_promotion: Vec<PromotedAllocation>,
    /// The largest sets of programs that are safe when all of them run at the level.
    pub maximal_safe: BTreeMap<Isolation, MaximalSafeSets>,
    /// Where programs meet.
    pub edges: Vec<Edge>,
    /// Programs that should be one transaction and are not.
    pub scopes: Vec<ScopeFinding>,
    /// What was not understood, each of them treated as unsafe.
    pub unanalysed: Vec<Unanalysed>,
    /// How much was looked at.
    pub work: Work,
}

/// The largest safe sets of one level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaximalSafeSets {
    /// Each set in the order of names; the sets in theirs.
    pub sets: Vec<Vec<String>>,
    /// Whether these are all. Their number can grow exponentially, so the search has a limit.
    pub complete: bool,
}

/// What is said of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramReport {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The level that it declares.
    pub declared: Option<Isolation>,
    /// The weakest level that is safe beside the others' recommended ones.
    pub recommended: Isolation,
    /// It takes part in the witness of `asked`, or in what could not be decided there.
    pub is_involved: bool,
    /// The reason why a finding on it is accepted: the pragma `accept unsafe`.
    pub accepted: Option<String>,
    /// Some of its statements could not be analysed.
    pub has_unanalysed: bool,
}

/// Statements of two programs that can touch the same row, one of them writing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The one whose access comes first.
    pub from: EdgeEnd,
    /// The one whose access comes second.
    pub to: EdgeEnd,
    /// What the dependency is.
    pub kind: DependencyKind,
    /// Where they meet.
    pub relation: RelationName,
    /// In which columns; [`super::robustness::EXISTENCE`] when a row comes or goes.
    pub columns: Vec<String>,
    /// It can go against time: `from` may commit after `to` at read committed or repeatable read.
    pub can_be_counterflow: bool,
}

/// A statement of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeEnd {
    /// The program.
    pub program: String,
    /// Which of its statements, from 0.
    pub statement: usize,
}

/// A program whose statements run in transactions of their own, although one relies on another: what was read may have
/// changed when it is acted upon. No isolation level helps (Warszawski & Bailis, SIGMOD 2017: scope-based anomalies).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeFinding {
    /// The program.
    pub program: String,
    /// The statement that relies on nothing happening after it.
    pub first: usize,
    /// The statement that acts.
    pub second: usize,
    /// The relation that the first one touches.
    pub relation: RelationName,
    /// The columns that somebody else changes in between.
    pub columns: Vec<String>,
    /// The program, perhaps the same, that comes in between.
    pub other: String,
    /// The weakest level that makes it safe once it is one transaction, beside the others' recommended levels.
    pub level_as_one: Isolation,
}

/// A change of a program that makes conflicts visible to PostgreSQL's locks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Promotion {
    /// The program that changes.
    pub program: String,
    /// The statement that is replaced, or before which something is put.
    pub statement: usize,
    /// How.
    pub kind: PromotionKind,
    /// The relation that it is about.
    pub relation: RelationName,
}

/// How a read is made visible to writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionKind {
    /// The row is updated to what it is: a new version, which first-updater-wins sees at repeatable read. Costs a dead
    /// tuple and log for each read.
    IdentityUpdate,
    /// The row is read `for update`: writers wait. Makes no version, so a *later* writer of the row with an older
    /// snapshot is not refused.
    ForUpdate,
    /// The row is read `for share`: readers do not block each other, writers wait. Two readers that then write the
    /// row deadlock.
    ForShare,
    /// A lock that the application names, taken as the transaction's first statement at read committed.
    AdvisoryLock,
}

/// What is safe after some promotions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotedAllocation {
    /// The changes, each of them needed.
    pub promotions: Vec<Promotion>,
    /// The statements as they become.
    pub changed: Vec<ChangedStatement>,
    /// The weakest levels that are safe then.
    pub allocation: Allocation,
    /// What the levels cost, relative to all programs at read committed (0) and all serializable (1), weighted with the
    /// programs' frequencies. Not a prediction of throughput.
    pub level_cost: f64,
}

/// A statement before and after a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedStatement {
    /// The program.
    pub program: String,
    /// Which of its statements.
    pub statement: usize,
    /// Its text as it is.
    pub before: String,
    /// What stands there instead: one statement, or several in order, without semicolons.
    pub after: Vec<String>,
}

/// How much the analysis looked at: what its speed is judged by, as time depends on the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Paths through all programs.
    pub paths: u64,
    /// Pairs of operations that were unified.
    pub unifications: u64,
    /// Combinations of a split transaction with its two neighbours in the cycle.
    pub combinations: u64,
    /// Steps of the model in the search for witnesses.
    pub model_steps: u64,
}

impl Allocation {
    /// All programs at one level.
    pub fn uniform<'a>(programs: impl IntoIterator<Item = &'a str>, level: Isolation) -> Self {
        Self(programs.into_iter().map(|name| (name.to_owned(), level)).collect())
    }

    /// The level of a program; read committed, PostgreSQL's default, when it has none.
    #[must_use]
    pub fn level(&self, program: &str) -> Isolation {
        self.0.get(program).copied().unwrap_or(Isolation::ReadCommitted)
    }
}

impl Verdict {
    /// Whether it was shown to be safe.
    #[must_use]
    pub const fn is_safe(&self) -> bool {
        matches!(self, Self::Safe)
    }

    /// The evidence against it.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Unsafe(witness) => Some(witness),
            Self::Safe | Self::Unknown { .. } => None,
        }
    }
}
