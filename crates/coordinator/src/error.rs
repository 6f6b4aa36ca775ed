//! How opening a coordinator, a transaction or a snapshot can end otherwise than well.
//!
//! [`CommitError::Aborted`] promises that nothing was done on any shard; [`CommitError::Unknown`] promises nothing, and
//! [`CommitError::Unfinished`] that everything will be.

use pgstrata_pg as pg;
use pgstrata_pg::ErrorClass;
use pgstrata_pg::sql::SqlState;

use crate::gid::TransactionId;

/// Why a coordinator did not open. No transaction was touched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A server has no slots for prepared transactions: `max_prepared_transactions` is 0, as it is by default.
    #[error("shard {shard} cannot prepare transactions: its max_prepared_transactions is 0")]
    NoPreparedTransactions {
        /// The shard.
        shard: usize,
    },
    /// A server takes no writes.
    #[error("shard {shard} takes no writes")]
    ReadOnly {
        /// The shard.
        shard: usize,
    },
    /// There is no shard to open, or the home shard is none of them.
    #[error("{shards} shards, and the home shard is number {home}")]
    NoHome {
        /// How many shards were given.
        shards: usize,
        /// Which one was to keep the decisions.
        home: usize,
    },
    /// The library's schema is missing and could not be created, or is not as this version needs it.
    #[error("the schema pgstrata_coordinator could not be set up on shard {shard}")]
    Schema {
        /// The shard.
        shard: usize,
        /// The cause.
        #[source]
        source: pg::Error,
    },
    /// Another coordinator of the realm opened later and deposed this one at once.
    #[error("another coordinator of the realm has taken over")]
    Deposed,
    /// A server could not be reached, or refused a statement of the library.
    #[error("shard {shard} could not be opened")]
    Shard {
        /// The shard.
        shard: usize,
        /// The cause.
        #[source]
        source: pg::Error,
    },
}

impl OpenError {
    /// Whether it may go away by itself: a server that is away or recovering.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Shard { source, .. } | Self::Schema { source, .. } => is_retryable(source),
            _ => false,
        }
    }

    /// What the user can do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPreparedTransactions { .. } => Some(
                "set max_prepared_transactions to at least the number of transactions that may be open at a time \
                 (64, say) in postgresql.conf, and restart the server"
                    .to_owned(),
            ),
            Self::ReadOnly { .. } => Some("name the primary server of the shard".to_owned()),
            Self::NoHome { .. } => Some("give at least one shard, and a home among them".to_owned()),
            Self::Schema { .. } => {
                Some("run schema.sql of pgstrata-coordinator as a role that may create a schema".to_owned())
            }
            Self::Deposed => Some("let only one start at a time, or set Peers::Beside for all of them".to_owned()),
            Self::Shard { source, .. } => source.hint(),
        }
    }
}

/// Why a transaction was not committed, or not seen to be.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was done on any shard, and nothing will be.
    #[error("the transaction was rolled back")]
    Aborted(#[source] AbortReason),
    /// The decision was on its way when the home shard was lost, and could not be asked for in time. Ask by the key.
    #[error("the outcome is unknown")]
    Unknown,
    /// It is decided to commit, but a shard that is away has not been told in time. It will be.
    #[error("committed, but not yet on every shard")]
    Unfinished,
}

impl CommitError {
    /// What stands under the key, when that is the reason.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Aborted(AbortReason::KeyDecided(standing)) => Some(*standing),
            _ => None,
        }
    }
}

/// What made a transaction abort.
#[derive(Debug, thiserror::Error)]
pub enum AbortReason {
    /// A participant failed or was lost before the decision.
    #[error("shard {shard} could not take part")]
    Participant {
        /// The shard.
        shard: usize,
        /// The cause; its class tells whether trying again makes sense.
        #[source]
        source: pg::Error,
    },
    /// The decision could not be written; it is certain that it was not.
    #[error("the decision could not be written")]
    Home(#[source] pg::Error),
    /// Somebody else decided so: a resolver that took this instance for dead.
    #[error("another coordinator decided to abort it")]
    Overruled,
    /// The key has been decided before, in another transaction.
    #[error("the key was decided before")]
    KeyDecided(Standing),
    /// This instance was deposed.
    #[error("another coordinator has taken over")]
    Deposed,
    /// The deadline passed before the decision.
    #[error("the deadline passed")]
    DeadlinePassed,
}

/// What stands in the book of decisions under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Standing {
    /// This transaction was committed.
    Committed(TransactionId),
    /// The key was given up: nothing was or will be committed under it.
    Renounced,
}

impl AbortReason {
    /// Whether the same work may be tried again at once.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Participant { source, .. } | Self::Home(source) => is_retryable(source),
            Self::Overruled => true,
            Self::KeyDecided(_) | Self::Deposed | Self::DeadlinePassed => false,
        }
    }
}

/// Before the decision nothing can have been done for good, so a lost server is as good as a failed one.
pub(crate) fn is_retryable(error: &pg::Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::SerializationFailure
            | ErrorClass::Deadlock
            | ErrorClass::LockTimeout
            | ErrorClass::ServerLost
            | ErrorClass::NotConnected
            | ErrorClass::Resources
    )
}

/// Whether the session that gave this error is of no use any more.
pub(crate) fn is_lost(error: &pg::Error) -> bool {
    matches!(error.class(), ErrorClass::ServerLost | ErrorClass::NotConnected)
}

/// The prepared transaction is not there: somebody else has finished it.
pub(crate) fn is_gone(error: &pg::Error) -> bool {
    error.sqlstate() == Some(&SqlState::UNDEFINED_OBJECT)
}

/// Somebody else is finishing it at this moment (`LockGXact` in `src/backend/access/transam/twophase.c`).
pub(crate) fn is_busy(error: &pg::Error) -> bool {
    error.sqlstate() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE)
}

/// Why a unit of work given to [`crate::Coordinator::run`] has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The work itself failed for good; nothing was done.
    #[error("the work failed")]
    Work(#[source] pg::Error),
    /// It did not commit, or is not known to have.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why snapshots could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A shard failed or could not be reached.
    #[error("shard {shard} could not open its snapshot")]
    Shard {
        /// The shard.
        shard: usize,
        /// The cause.
        #[source]
        source: pg::Error,
    },
    /// Commits that a crash has interrupted could not be completed in time, so no snapshot would be whole.
    #[error("a commit that was interrupted is not yet complete")]
    Interrupted,
    /// This instance was deposed.
    #[error("another coordinator has taken over")]
    Deposed,
}
