//! Why a proof, a capture, a measurement or a soak was not carried out. What it finds wrong is none of these: that is a result.

use std::time::Duration;

use pgstrata_pg::sql::ClientError;

use super::MvccError;

/// A trial of the debugger that was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The server was not started, or not reached, or a process could not be looked at.
    #[error("could not use the server or a process")]
    Server(#[from] pgstrata_pg::Error),
    /// The server refused a statement of a reader, of the load, or of whoever judges.
    #[error("a statement of the trial failed")]
    Statement(#[from] ClientError),
    /// What the server said is not what its types promise.
    #[error("not understood: {0}")]
    Answer(String),
    /// It was not done in the time given.
    #[error("not done within {} s", limit.as_secs())]
    TooSlow {
        /// The time given.
        limit: Duration,
    },
    /// A part of it broke off.
    #[error("a session of the trial broke off")]
    Task(#[source] tokio::task::JoinError),
    /// The extension's worker does not run.
    #[error("the worker does not run")]
    NoWorker,
    /// The extension's worker has stopped looking.
    #[error("the worker has not looked for {} s", limit.as_secs())]
    NoLooks {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The server could not be recorded.
    #[error("could not record the server")]
    Recording(#[from] MvccError),
    /// There is no place for a recording.
    #[error("could not make a directory for a recording")]
    Place(#[source] std::io::Error),
    /// The windows cannot be compared.
    #[error("the windows cannot be compared")]
    Unusable(#[from] pgstrata_stats::Unusable),
}
