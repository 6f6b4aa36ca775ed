//! 11-01, the concurrency-control decision assistant: which isolation level each transaction program needs, shown on
//! its own SQL, with a schedule as evidence wherever a weaker level would not do.
//!
//! [`robustness`] decides; it is pure. What a report says of a server is PostgreSQL's behaviour, version 14 to 18.

pub mod proof;
pub mod report;
pub mod robustness;
pub mod synthetic;
pub mod witness;

pub use report::{
    Allocation, ChangedStatement, Edge, EdgeEnd, MaximalSafeSets, Options, ProgramReport, PromotedAllocation,
    Promotion, PromotionKind, Report, ScopeFinding, Verdict, Work,
};
pub use robustness::analyse;
pub use witness::{Choice, Dependency, DependencyEnd, DependencyKind, Instance, SeedRow, Step, StepKind, Witness};
