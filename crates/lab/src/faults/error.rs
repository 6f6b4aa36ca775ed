//! Why a fault could not be made ready, strike or be healed.

use std::io;

use pgstrata_pg as pg;

/// What kept a fault from being what it says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The place lacks what the fault works through: it was built for another plan, or the server is not ours.
    #[error("`{fault}` needs {what}")]
    Missing {
        /// The fault.
        fault: &'static str,
        /// What it needs.
        what: &'static str,
    },
    /// The operating system refused.
    #[error("could not {action}")]
    Machine {
        /// What was tried, as a lowercase fragment.
        action: String,
        /// What to do about it.
        hint: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The server refused, or did not come back.
    #[error("could not {action}")]
    Server {
        /// What was tried, as a lowercase fragment.
        action: String,
        /// The cause.
        #[source]
        source: pg::Error,
    },
    /// The fault struck, and nothing showed that it had.
    #[error("`{fault}` struck without effect: {seen}")]
    NoEffect {
        /// The fault.
        fault: &'static str,
        /// What was seen instead, as a lowercase fragment.
        seen: String,
        /// What to do about it.
        hint: &'static str,
    },
}

impl FaultError {
    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("run without --database-url, so that the server is our own and is built for the plan".to_owned())
            }
            Self::Machine { hint, .. } | Self::NoEffect { hint, .. } => Some((*hint).to_owned()),
            Self::Server { source, .. } => source.hint(),
        }
    }

    /// The server's refusal of something.
    pub(super) fn server(action: impl Into<String>) -> impl FnOnce(pg::Error) -> Self {
        let action = action.into();
        move |source| Self::Server { action, source }
    }

    /// The operating system's refusal of something.
    pub(super) fn machine(action: impl Into<String>, hint: &'static str) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Machine { action, hint, source }
    }
}
