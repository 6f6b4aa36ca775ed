//! System 11-01, the concurrency-control decision assistant: which way of keeping an application's invariants fits it,
//! why, what it costs, and the code.

pub mod grid;
pub mod proof;
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
