//! How a start, a request or a wait for durability can end otherwise than well.
//!
//! Each variant of [`SubmitError`] but one promises that nothing was written; [`SubmitError::Unknown`] promises nothing.

use std::sync::Arc;
use std::time::Duration;

use pgstrata_pg as pg;

/// Why a sequencer did not start. Nothing was written, except that `Takeover::Depose` may have begun a new epoch.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another instance has the shard.
    #[error("shard {shard} is held by {holder}")]
    Held {
        /// The shard.
        shard: i32,
        /// What that instance calls itself.
        holder: String,
        /// The server process of its session, while there is one.
        backend_pid: Option<i32>,
    },
    /// The library's schema is missing and could not be created, or is not as this version needs it.
    #[error("the schema pgstrata_sequencer could not be set up")]
    Schema(#[source] pg::Error),
    /// The `Flush` could not prepare its session.
    #[error("the flush could not prepare its session")]
    Prepare(#[source] pg::Error),
    /// The server could not be reached, or refused a statement of the library.
    #[error("the sequencer could not open its session")]
    Session(#[source] pg::Error),
}

impl StartError {
    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { .. } => {
                Some("stop that instance, or start this one with Takeover::Depose to replace it".to_owned())
            }
            Self::Schema(_) => {
                Some("run schema.sql of pgstrata-sequencer as a role that may create a schema".to_owned())
            }
            Self::Prepare(error) | Self::Session(error) => error.hint(),
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// As many requests wait as may. Nothing was written.
    #[error("the queue is full")]
    QueueFull {
        /// When the queue of now will have been flushed, at the rate of the last flushes.
        retry_after: Duration,
    },
    /// The deadline passed before any work was done. Nothing was written.
    #[error("the deadline passed before any work was done")]
    DeadlinePassed,
    /// The statement failed for this request, or kept failing for all requests of its batch. Nothing was written.
    #[error("the request was refused")]
    Refused(#[source] Arc<pg::Error>),
    /// The server was away for longer than `reconnect_limit`. Nothing was written.
    #[error("the server cannot be reached")]
    Unreachable,
    /// Another instance took over the shard. Nothing was written.
    #[error("another instance took over")]
    Deposed,
    /// The sequencer has ended or is ending. Nothing was written.
    #[error("the sequencer has stopped")]
    Stopped,
    /// The request may or may not have been carried out; look it up by its key.
    #[error("the outcome is unknown")]
    Unknown,
}

impl SubmitError {
    /// Whether it is certain that nothing was written.
    #[must_use]
    pub fn wrote_nothing(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// The commit may or may not survive a crash of the server, or may already have been lost in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whether the commit is durable is unknown")]
pub struct Unknown;

/// Why a unit of work under early lock release was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    /// The server of the barrier could not be reached in time; the work was not begun.
    #[error("the durability barrier has no server")]
    Unreachable,
    /// The work itself failed; the class of the error tells what that means for it.
    #[error(transparent)]
    Work(#[from] pg::Error),
    /// The work committed, but it is unknown whether it is durable; look it up by its key.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}
