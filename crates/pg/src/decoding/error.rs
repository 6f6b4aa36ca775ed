//! Why logical decoding is not to be had, or gave what cannot be.

use super::message::MessageError;

/// What stands between us and the decoded log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodingError {
    /// The server writes too little into its log.
    #[error("wal_level is {found}, and logical decoding needs logical")]
    WalLevel {
        /// The setting.
        found: String,
    },
    /// Every slot is taken.
    #[error("all {limit} replication slots are in use")]
    NoFreeSlot {
        /// `max_replication_slots`.
        limit: String,
    },
    /// The role has no right to slots.
    #[error("the role {role} may not use replication slots")]
    MayNotReplicate {
        /// Its name.
        role: String,
    },
    /// The role has no right to publish these tables.
    #[error("the role {role} may not publish {tables}")]
    MayNotPublish {
        /// Its name.
        role: String,
        /// Which tables, as a fragment.
        tables: String,
    },
    /// A slot of this name is there.
    #[error("there is a replication slot {name} already")]
    SlotExists {
        /// The name.
        name: String,
    },
    /// A name that no slot can have.
    #[error("{name:?} cannot be the name of a replication slot")]
    BadName {
        /// The name.
        name: String,
    },
    /// Bytes that are no message.
    #[error("a message of the decoding plugin cannot be read")]
    Message(#[from] MessageError),
    /// A message where none of its kind can be.
    #[error("the decoding plugin sent {what}")]
    OutOfPlace {
        /// What, as a noun phrase.
        what: &'static str,
    },
    /// More was decoded than was asked for at most.
    #[error("more than {limit} transactions were decoded")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl DecodingError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::WalLevel { .. } => {
                "set wal_level = logical in postgresql.conf and restart the server; a private server of pgstrata's has it \
                 where a run asks for the history of its transactions"
            }
            Self::NoFreeSlot { .. } => {
                "drop slots that nobody reads (`select * from pg_replication_slots where not active`), or raise \
                 max_replication_slots and restart the server"
            }
            Self::MayNotReplicate { .. } => "alter role … replication, or connect as a role that has it",
            Self::MayNotPublish { .. } => {
                "a publication of all tables needs a superuser, one of single tables their owner and the right to create \
                 in the database"
            }
            Self::SlotExists { .. } => "end the other run, or drop the slot with pg_drop_replication_slot",
            Self::BadName { .. } => "use lower-case letters, digits and underscores, at most 63",
            Self::Message(MessageError::NotUtf8 { .. }) => "decode a database whose encoding is not SQL_ASCII",
            Self::Message(_) | Self::OutOfPlace { .. } => return None,
            Self::TooMany { .. } => "run for a shorter time, or drain the slot more often",
        })
    }
}
