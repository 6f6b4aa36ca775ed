//! System 11-01, the concurrency-control decision assistant: which way of keeping an application's invariants fits it,
//! why, what it costs, and the code.
//!
//! [`DecisionEngine`] ranks [`Solution`]s for a [`Requirement`] and says of every rule whether it was taken and why.
//! Whether transactions may run at a level is not guessed where their SQL is given: the analysis decides it.

pub mod engine;
pub mod estimate;
pub mod grid;
pub mod ranking;
pub mod requirement;
pub mod rules;
pub mod solutions;
pub mod templates;
pub mod value;
mod words;

pub use engine::{Decision, DecisionEngine};
pub use estimate::Estimate;
pub use requirement::{Requirement, RequirementError};
pub use solutions::{Solution, SolutionId};
pub use words::Words;
