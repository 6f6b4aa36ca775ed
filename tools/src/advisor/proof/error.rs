//! What keeps a verdict from being proved. That a witness does not show what it should is no error: it is part of a proof.

/// A proof could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The server or the connection.
    #[error(transparent)]
    Server(#[from] pgstrata_pg::Error),
    /// The server is not on this machine.
    #[error("{server} is not on this machine")]
    Remote {
        /// Its address, without a password.
        server: String,
    },
    /// The scratch schema could not be made.
    #[error("the server refused to make a scratch schema: {message} ({sqlstate})")]
    Scratch {
        /// The server's words.
        message: String,
        /// Its code.
        sqlstate: String,
    },
    /// A statement of the DDL or of the seeds does not belong into a scratch schema.
    #[error("the schema's SQL holds what does not go into a scratch schema: {what}: {statement}")]
    Foreign {
        /// What is wrong with it.
        what: String,
        /// The statement's beginning.
        statement: String,
    },
    /// The server refuses a statement of the DDL.
    #[error("the server refused the schema's SQL: {message} ({sqlstate}): {statement}")]
    Refused {
        /// The server's words.
        message: String,
        /// Its code.
        sqlstate: String,
        /// The statement's beginning.
        statement: String,
    },
    /// A session was lost in a play before.
    #[error("a session of the proof was lost")]
    Lost,
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
}

impl ProofError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server(error) => return error.hint(),
            Self::Remote { .. } => {
                "name a server on this machine, or leave the address out: a private server is started then; \
                 --allow-remote says that it may be another machine"
                    .to_owned()
            }
            Self::Scratch { sqlstate, .. } if sqlstate == "42501" => {
                "grant the role `create` on the database, or leave the address out: a private server is started then"
                    .to_owned()
            }
            Self::Scratch { .. } | Self::Lost | Self::Stopped => return None,
            Self::Foreign { .. } => {
                "give the tables of one schema, without its name, as `pg_dump --schema-only --no-owner` of a test \
                 database does"
                    .to_owned()
            }
            Self::Refused { .. } => "try the statement in psql, in an empty schema".to_owned(),
        })
    }

    /// Whether the user asked for something that cannot be, and nothing failed.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Remote { .. } | Self::Foreign { .. } | Self::Refused { .. })
    }
}
