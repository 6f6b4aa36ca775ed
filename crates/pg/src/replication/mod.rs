//! The log of a running server, followed as it is flushed: the stream that standbys get, read record by record.
//!
//! [`WalFeed`] is the whole way from an endpoint to records; [`PhysicalStream`] is one connection of it. Nothing is changed on the
//! server: no extension, no slot unless asked for, and no reply that would make us count as a synchronous standby.

mod error;
mod feed;
mod stream;

pub use error::ReplicationError;
pub use feed::{Fed, FeedOptions, WalFeed};
pub use stream::{PhysicalStream, Sent, ServerIdentity};
