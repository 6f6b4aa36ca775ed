//! What can go wrong while a server is watched or a recording is used.
//!
//! A server that goes away while it is watched is no error here: it is shown ([`pgstrata_timeline::Cause::Connection`]).

use std::path::{Path, PathBuf};

use pgstrata_timeline::file::FileError;

/// An error of the MVCC debugger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MvccError {
    /// The server could not be attached to.
    #[error("could not watch the server")]
    Server(#[from] pgstrata_pg::Error),
    /// The server went away, or does not answer any more.
    #[error("the server does not answer: {reason}")]
    Lost {
        /// What it or the system said.
        reason: String,
    },
    /// The server refused a question.
    #[error("the server refused to {action}: {message} ({sqlstate})")]
    Refused {
        /// What was tried, as `list the tables`.
        action: &'static str,
        /// The server's words.
        message: String,
        /// Its SQLSTATE.
        sqlstate: String,
    },
    /// There is no such table to watch.
    #[error("there is no table {name}")]
    NoTable {
        /// As it was given.
        name: String,
    },
    /// A recording could not be made or read.
    #[error("the recording {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A file that should be made is there already.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A recording is too big for what is asked.
    #[error("the recording is too big for one page: {bytes} bytes as text, {most_bytes} at most")]
    TooBig {
        /// How big it would be.
        bytes: u64,
        /// How big it may be.
        most_bytes: u64,
    },
    /// A page to put a recording into is none.
    #[error("the page to export has no place for a recording")]
    NoPage,
    /// What was made cannot be written to where it should go.
    #[error("it cannot be written")]
    Write(#[source] std::io::Error),
    /// What was asked for cannot be had from what there is.
    #[error("{0}")]
    Usage(String),
}

impl MvccError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server(error) => return error.hint(),
            Self::Lost { .. } => "check that the server runs".to_owned(),
            Self::Refused { sqlstate, .. } if sqlstate == "42501" => {
                "log in as a role with these rights: a superuser for pages, pg_monitor for sessions of others"
                    .to_owned()
            }
            Self::Refused { .. } | Self::Usage(_) | Self::Write(_) => return None,
            Self::NoTable { .. } => "name it with its schema, like public.account".to_owned(),
            Self::File { source, .. } => source.hint().to_owned(),
            Self::Exists { .. } => "name another file, or remove this one".to_owned(),
            Self::TooBig { .. } => "record a shorter time, or export a part of it with --from and --to".to_owned(),
            Self::NoPage => "build the page first: `cargo xtask ui`".to_owned(),
        })
    }

    /// Whether the user asked for something that cannot be, and nothing failed.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(
            self,
            Self::NoTable { .. }
                | Self::Exists { .. }
                | Self::TooBig { .. }
                | Self::Usage(_)
                | Self::File {
                    source: FileError::NotARecording | FileError::Newer { .. } | FileError::OutOfRange { .. },
                    ..
                }
        )
    }

    pub(crate) fn file(path: &Path, source: impl Into<FileError>) -> Self {
        Self::File { path: path.to_owned(), source: source.into() }
    }
}
