//! What keeps a scenario from being played; how it ends is not an error.

use pgstrata_pg as pg;

use crate::hold::HoldError;

/// A scenario could not be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The server or the connection.
    #[error(transparent)]
    Server(#[from] pg::Error),
    /// A hold point.
    #[error("could not play the step in line {line}")]
    Hold {
        /// The step's line in its file.
        line: usize,
        /// Why.
        #[source]
        source: HoldError,
    },
    /// Its set-up or an invariant is refused by the server.
    #[error("the {part} of scenario {scenario} failed: {message}")]
    Refused {
        /// `setup` or the name of an invariant.
        part: String,
        /// The scenario's name.
        scenario: String,
        /// What the server said.
        message: String,
    },
}

impl PlayError {
    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Hold { source, .. } => source.hint().map(str::to_owned),
            Self::Refused { .. } => {
                Some("try the statement in psql; a scenario has a schema of its own, empty at first".to_owned())
            }
        }
    }
}
