//! What the analysis of programs says, over the wire: programs, where they meet, verdicts with their evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::question::Level;
use pgstrata_tools::advisor::Words;

/// What came of reading and analysing the programs. Mistakes in the SQL are no refusal: the editor shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorAnswer)]
pub struct Analysed {
    /// The question's hash.
    pub id: String,
    /// What is wrong with the SQL; then there is no analysis.
    pub errors: Vec<Remark>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// How long it took, microseconds.
    pub took_us: u64,
}

/// A place in one of the sources; lines and columns from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SourcePlace)]
pub struct Place {
    /// The source's name; `schema` for the tables.
    pub source: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The line of its end.
    pub to_line: u32,
    /// One past its last column.
    pub to_column: u32,
}

/// Something that is wrong, or was not understood, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SourceRemark)]
pub struct Remark {
    /// Where.
    pub at: Place,
    /// What.
    pub message: Words,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Words>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorAnalysis)]
pub struct Analysis {
    /// The programs.
    pub programs: Vec<Program>,
    /// Where they meet.
    pub edges: Vec<Edge>,
    /// The verdict when all run at one level, weakest first.
    pub uniform: Vec<LevelVerdict>,
    /// The levels that were asked about.
    pub asked_levels: BTreeMap<String, Level>,
    /// The verdict on them.
    pub asked: Verdict,
    /// The weakest safe levels of the programs as they are.
    pub optimal: BTreeMap<String, Level>,
    /// What happens below them.
    pub why_not_lower: Vec<WhyNotLower>,
    /// Changes of the SQL that allow weaker levels, best first.
    pub promotions: Vec<Promoted>,
    /// Programs that should be one transaction and are not.
    pub scopes: Vec<ScopeFinding>,
    /// What was not understood, and is taken for unsafe.
    pub unanalysed: Vec<Remark>,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorProgram)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: Place,
    /// The level that it declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Level>,
    /// The weakest that is safe.
    pub recommended: Level,
    /// Whether it takes part in what is wrong with the levels that were asked about.
    pub is_involved: bool,
    /// Why a finding on it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// Whether some of it was not understood.
    pub has_unanalysed: bool,
    /// Whether its statements are one transaction.
    pub is_one_transaction: bool,
    /// How often it runs, relative to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<f64>,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// A statement of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorStatement)]
pub struct Statement {
    /// Its text.
    pub sql: String,
    /// Where it stands.
    pub at: Place,
}

/// How two statements depend on each other (Adya, Liskov & O'Neil, ICDE 2000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DependencyKind)]
pub enum Kind {
    /// Both write.
    Ww,
    /// The second reads what the first wrote.
    Wr,
    /// The first read what the second overwrites.
    Rw,
}

/// Statements of two programs that can touch the same row, one of them writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorEdge)]
pub struct Edge {
    /// The first program.
    pub from: String,
    /// Its statement, from 0.
    pub from_statement: usize,
    /// The second program.
    pub to: String,
    /// Its statement, from 0.
    pub to_statement: usize,
    /// What the dependency is.
    pub kind: Kind,
    /// Where they meet.
    pub relation: String,
    /// In which columns.
    pub columns: Vec<String>,
    /// Whether it can go against time.
    pub can_be_counterflow: bool,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = AdvisorVerdict)]
pub enum Verdict {
    /// Every execution is as one after the other.
    Safe,
    /// Here is one that is not.
    Unsafe {
        /// It.
        witness: Witness,
    },
    /// It could not be decided, and counts as unsafe.
    Unknown {
        /// What stands in the way.
        why: Words,
        /// The programs that it is about.
        programs: Vec<String>,
    },
}

/// The verdict on a level for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LevelVerdict {
    /// The level.
    pub level: Level,
    /// The verdict.
    pub verdict: Verdict,
}

/// Why a program needs its level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyNotLower {
    /// The program.
    pub program: String,
    /// The level that is too weak.
    pub level: Level,
    /// What happens there.
    pub verdict: Verdict,
}

/// A schedule that no serial order explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorWitness)]
pub struct Witness {
    /// Its transactions, in the order of the cycle.
    pub transactions: Vec<Transaction>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The cycle of dependencies.
    pub cycle: Vec<Dependency>,
}

/// A transaction of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WitnessTransaction)]
pub struct Transaction {
    /// `T1`, ….
    pub name: String,
    /// The program that it runs.
    pub program: String,
    /// At this level.
    pub level: Level,
    /// Values of parameters, in SQL.
    pub arguments: BTreeMap<String, String>,
}

/// What a transaction does in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WitnessAct)]
pub enum Act {
    /// Begins.
    Begin,
    /// Runs a statement.
    Statement,
    /// Commits.
    Commit,
}

/// A step of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WitnessStep)]
pub struct Step {
    /// Which transaction, from 0.
    pub transaction: usize,
    /// What it does.
    pub act: Act,
    /// The statement of its program, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// What is run.
    pub sql: String,
    /// Whether it is expected to wait.
    pub waits: bool,
}

/// A dependency of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WitnessDependency)]
pub struct Dependency {
    /// The transaction that comes first in every serial order, from 0.
    pub from: usize,
    /// Its statement.
    pub from_statement: usize,
    /// The other.
    pub to: usize,
    /// Its statement.
    pub to_statement: usize,
    /// What it is.
    pub kind: Kind,
    /// Where they meet.
    pub relation: String,
    /// In which columns.
    pub columns: Vec<String>,
    /// Whether it goes against time.
    pub is_counterflow: bool,
}

/// A change of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorChange)]
pub struct Change {
    /// The program.
    pub program: String,
    /// Its statement, from 0.
    pub statement: usize,
    /// How it is changed: `identity_update`, `for_update`, `for_share`, `advisory_lock`.
    pub kind: String,
    /// The relation that it is about.
    pub relation: String,
    /// The text as it is.
    pub before: String,
    /// The statements that stand there instead.
    pub after: Vec<String>,
}

/// Weaker levels after changes of the SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorPromotion)]
pub struct Promoted {
    /// The changes.
    pub changes: Vec<Change>,
    /// The weakest levels that are safe then.
    pub levels: BTreeMap<String, Level>,
    /// What they cost between all at read committed (0) and all serializable (1); no prediction of throughput.
    pub level_cost: f64,
}

/// A program that should be one transaction and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorScope)]
pub struct ScopeFinding {
    /// The program.
    pub program: String,
    /// The statement that relies on nothing happening after it, from 0.
    pub first: usize,
    /// The statement that acts.
    pub second: usize,
    /// Where somebody comes in between.
    pub relation: String,
    /// In which columns.
    pub columns: Vec<String>,
    /// The program that comes in between.
    pub other: String,
    /// The weakest level that is safe once it is one transaction.
    pub level_as_one: Level,
}
