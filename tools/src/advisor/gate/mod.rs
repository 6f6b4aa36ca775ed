//! The gate for repositories: what the analysis found as findings with a rule, a place and a fingerprint, and whether
//! they let a pipeline pass. SARIF, annotations and lines of text are views of them.
//!
//! A finding is accepted by a pragma beside the program, with a reason, or known from a baseline. Neither hides it.

mod annotations;
mod baseline;
mod finding;
mod findings;
pub mod sarif;

pub use annotations::annotations;
pub use baseline::{Baseline, BaselineError};
pub use finding::{FailOn, Finding, Place, Rule, Severity};
pub use findings::findings;
