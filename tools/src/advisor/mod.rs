//! 11-01, the concurrency-control decision assistant: which isolation level each transaction program needs, shown on
//! its own SQL, with a schedule as evidence wherever a weaker level would not do; which way of keeping an application's
//! invariants fits it, why, what it costs, and the code.
//!
//! [`robustness`] decides; it is pure. What a report says of a server is PostgreSQL's behaviour, version 14 to 18.

pub mod examples;
pub mod gate;
pub mod grid;
pub mod input;
pub mod log;
pub mod present;
pub mod ranking;
pub mod report;
pub mod requirement;
pub mod robustness;
pub mod value;
pub mod witness;
mod words;

pub use report::{
    Allocation, ChangedStatement, Edge, EdgeEnd, MaximalSafeSets, Options, ProgramReport, PromotedAllocation,
    Promotion, PromotionKind, Report, ScopeFinding, Verdict, Work,
};
pub use requirement::{Requirement, RequirementError};
pub use robustness::analyse;
pub use witness::{Choice, Dependency, DependencyEnd, DependencyKind, Instance, SeedRow, Step, StepKind, Witness};
pub use words::Words;
