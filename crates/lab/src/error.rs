//! Why a run could not be made. A broken invariant or a missed claim is not an error: it is a result.

use pgstrata_pg as pg;

use crate::faults::{FaultError, PlanError};
use crate::study::StudyError;

/// What kept the lab from making a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The request makes no sense: an unknown name, a zero rate.
    #[error("{problem}")]
    Usage {
        /// What is wrong, with the value that was given.
        problem: String,
        /// What to write instead.
        hint: String,
    },
    /// A server could not be found, started or asked.
    #[error("the server was not to be had")]
    Server(#[from] pg::Error),
    /// The study could not be prepared, opened or checked.
    #[error("the study could not be run")]
    Study(#[from] StudyError),
    /// A fault could not be made ready, strike or be healed.
    #[error("a fault could not be injected")]
    Fault(#[from] FaultError),
    /// The machine refused something.
    #[error("could not {action}")]
    Machine {
        /// What was tried, as a lowercase fragment.
        action: String,
        /// What to do about it.
        hint: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } | Self::Machine { hint, .. } => Some(hint.clone()),
            Self::Server(error) => error.hint(),
            Self::Fault(error) => error.hint(),
            Self::Study(error) => error.source.downcast_ref::<pg::Error>().and_then(pg::Error::hint),
            Self::Interrupted => None,
        }
    }

    /// A usage error.
    pub fn usage(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), hint: hint.into() }
    }
}

impl From<PlanError> for LabError {
    fn from(error: PlanError) -> Self {
        Self::usage(error.to_string(), error.hint())
    }
}

/// The name among `known` that `wanted` was probably meant to be, by edit distance of at most two.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_recognised_and_a_strange_one_is_not() {
        let known = ["naive", "coalesced", "tokens"];
        assert_eq!(nearest("niave", known), Some("naive"));
        assert_eq!(nearest("coalesce", known), Some("coalesced"));
        assert_eq!(nearest("zebra", known), None);
    }
}
