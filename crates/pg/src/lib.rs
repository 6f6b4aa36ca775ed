//! The only door to PostgreSQL: find, start, kill, replicate and attach servers; open sessions.
//!
//! This crate knows no case and prints nothing. Only here is a connection opened or a server started.

pub mod error;

pub use error::{Error, ErrorClass, Kind};
