//! The log of a running server, followed as it is flushed: the stream that standbys get, read record by record.
//!
//! Without the right to replicate there is [`InspectedLog`], which knows records by name.
//!
//! [`WalFeed`] is the whole way from an endpoint to records; [`PhysicalStream`] is one connection of it. Nothing is changed on the
//! server: no extension, no slot unless asked for, and no reply that would make us count as a synchronous standby.

mod error;
mod feed;
mod inspect;
mod stream;

pub use error::ReplicationError;
pub use feed::{Fed, FeedOptions, WalFeed};
pub use inspect::{InspectedLog, NamedRecord};
pub use stream::{PhysicalStream, Sent, ServerIdentity};
