//! Why a proof could not be carried out. A wrong judgement is none of these: it is a result.

use std::time::Duration;

use pgstrata_pg::sql::ClientError;

/// A proof that was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The server was not started, or not reached.
    #[error("could not use the server")]
    Server(#[from] pgstrata_pg::Error),
    /// The server refused a statement of a reader, or of whoever judges. Writers are refused all the time.
    #[error("a statement of the proof failed")]
    Statement(#[from] ClientError),
    /// What the server said is not what its types promise.
    #[error("not understood: {0}")]
    Answer(String),
    /// There were too few judgements in the time given.
    #[error("not done within {} s", limit.as_secs())]
    TooSlow {
        /// The time given.
        limit: Duration,
    },
    /// A part of it broke off.
    #[error("a session of the proof broke off")]
    Task(#[source] tokio::task::JoinError),
}
