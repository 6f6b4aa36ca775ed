//! What can go wrong with a scene.

use pgstrata_scenario::language::ParseError;

use crate::mvcc::consoles::ConsoleError;

/// An error of a scene. A statement that fails is none: it is what the scene shows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The file is no scenario.
    #[error("the file is not one scenario")]
    Language(#[from] ParseError),
    /// Something that a scene says in a comment is not there.
    #[error("line {line}: {what}")]
    Script {
        /// The line of the step that it is about, 0 for the whole scene.
        line: usize,
        /// What is missing or wrong.
        what: String,
    },
    /// A session failed.
    #[error("a session of the scene failed")]
    Console(#[from] ConsoleError),
    /// The server could not be prepared, or cleared up.
    #[error("could not {action}")]
    Server {
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: pgstrata_pg::Error,
    },
    /// The server refused what makes the scene's tables.
    #[error("the server refused to {action}: {message} ({sqlstate})")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// The server's words.
        message: String,
        /// Its SQLSTATE.
        sqlstate: String,
    },
    /// A session should act that waits for another one.
    #[error("{session} still waits for another session")]
    StillWaits {
        /// The session.
        session: String,
    },
}

impl SceneError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Console(error) => return error.hint(),
            Self::Server { source, .. } => return source.hint(),
            Self::Refused { sqlstate, .. } if sqlstate == "42501" => {
                "log in as a role that may create schemas in this database".to_owned()
            }
            Self::StillWaits { .. } => "let the other session act, or begin the scene anew".to_owned(),
            Self::Language(_) | Self::Script { .. } | Self::Refused { .. } => return None,
        })
    }
}
