//! Why the log cannot be followed.

use pgstrata_units::Lsn;
use pgstrata_wal::StreamError;

use crate::simple::ServerMessage;

/// What stands between us and the log as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationError {
    /// The server refused a replication command.
    #[error("the server refused: {0}")]
    Refused(Box<ServerMessage>),
    /// The server's answer to a replication command has another form than the documentation says.
    #[error("the server's answer to {command} cannot be read")]
    Answer {
        /// The command's first word.
        command: &'static str,
    },
    /// The part of the log that was to be read is no longer there.
    #[error("the log at {wanted} was removed by the server")]
    Removed {
        /// From where it was wanted.
        wanted: Lsn,
    },
    /// Bytes that are no log.
    #[error("the log cannot be read")]
    Stream(#[from] StreamError),
    /// The server that answers now is not the one that was followed.
    #[error("another server answers: system {found}, not {expected}")]
    OtherSystem {
        /// The one that was followed.
        expected: u64,
        /// The one that answers.
        found: u64,
    },
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
}

impl ReplicationError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused(message) => match message.sqlstate.as_str() {
                "42501" => "the role needs the attribute REPLICATION: alter role … replication",
                "53300" => "raise max_wal_senders, or end another standby or receiver",
                "55000" => "set wal_level = replica (or logical) and restart the server",
                _ => return None,
            },
            Self::Removed { .. } => "follow with a temporary slot, or raise wal_keep_size",
            Self::OtherSystem { .. } => "begin anew: what was known is of another server",
            Self::Answer { .. } | Self::Stream(_) | Self::Ended => return None,
        })
    }
}
