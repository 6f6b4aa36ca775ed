//! What can go wrong while a trail is kept or audited. What an audit finds is no error: see `finding`.

use std::io;
use std::path::PathBuf;

use pgstrata_units::Lsn;

use super::entry::BadEntry;
use super::key::KeyError;

/// Why a trail cannot be kept or audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The server refused, or is not there.
    #[error("cannot work with the audited server")]
    Server(#[from] pgstrata_pg::Error),
    /// The key cannot be used.
    #[error("cannot use the auditor's key")]
    Key(#[from] KeyError),
    /// The file of signed statements, or another one, cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what} in line {line}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
        /// Where, from 1.
        line: usize,
    },
    /// The log or the catalog tells an entry that is none.
    #[error("what stands in the table's place at {lsn} is no entry")]
    Entry {
        /// Where.
        lsn: Lsn,
        /// Why.
        #[source]
        source: BadEntry,
    },
    /// The chain in the database does not go on from what was signed.
    #[error("the trail cannot be continued: {what}")]
    Broken {
        /// What does not fit, as a fragment.
        what: String,
    },
}

impl From<pgstrata_pg::sql::ClientError> for AuditError {
    fn from(source: pgstrata_pg::sql::ClientError) -> Self {
        Self::Server(source.into())
    }
}

impl AuditError {
    /// Whether the user named the wrong thing, rather than the environment failing.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        let is_missing = |source: &io::Error| {
            matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory
            )
        };
        match self {
            Self::Content { .. } | Self::Key(KeyError::Open { .. } | KeyError::NoKey { .. }) => true,
            Self::File { source, .. } | Self::Key(KeyError::File { source, .. }) => is_missing(source),
            _ => false,
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Key(error) => Some(error.hint().to_owned()),
            Self::File { .. } => Some("check the path, its owner and its mode".to_owned()),
            Self::Content { .. } => Some("give the file that the auditor wrote".to_owned()),
            Self::Entry { .. } => Some("the table's columns have changed: begin a new trail".to_owned()),
            Self::Broken { .. } => Some(
                "`pgstrata ledger audit` says what was changed; a trail that was meddled with is not continued"
                    .to_owned(),
            ),
        }
    }
}
