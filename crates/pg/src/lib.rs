//! The only door to PostgreSQL: find, start, kill, replicate and attach servers; open sessions.
//!
//! This crate knows no case and prints nothing. Only here is a connection opened or a server started.

pub mod endpoint;
pub mod error;
pub mod quote;
pub mod session;
pub mod sql;
mod url;

pub use endpoint::Endpoint;
pub use error::{Error, ErrorClass, Kind};
pub use quote::quote_identifier;
pub use session::{Canceller, Session};
