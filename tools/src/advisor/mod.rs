//! System 11-01, the concurrency-control decision assistant: which way of keeping an application's invariants fits it,
//! why, what it costs, and the code.
//!
//! [`robustness`] decides which isolation level each transaction program needs, from its own SQL, with a schedule as
//! evidence wherever a weaker level would not do; it is pure. [`DecisionEngine`] ranks [`Solution`]s for a [`Requirement`]
//! and says of every rule whether it was taken and why. What a report says of a server is PostgreSQL's behaviour, version
//! 14 to 18.

pub mod engine;
pub mod estimate;
pub mod examples;
pub mod gate;
pub mod grid;
pub mod input;
pub mod log;
pub mod present;
pub mod proof;
pub mod ranking;
pub mod report;
pub mod requirement;
pub mod robustness;
pub mod rules;
pub mod solutions;
pub mod speed;
pub mod synthetic;
pub mod templates;
pub mod value;
pub mod witness;
mod words;

pub use engine::{Decision, DecisionEngine};
pub use estimate::Estimate;
pub use report::{
    Allocation, ChangedStatement, Edge, EdgeEnd, MaximalSafeSets, Options, ProgramReport, PromotedAllocation,
    Promotion, PromotionKind, Report, ScopeFinding, Verdict, Work,
};
pub use requirement::{Requirement, RequirementError};
pub use robustness::analyse;
pub use solutions::{Solution, SolutionId};
pub use witness::{Choice, Dependency, DependencyEnd, DependencyKind, Instance, SeedRow, Step, StepKind, Witness};
pub use words::Words;
