//! The only door to PostgreSQL: find, start, kill, replicate and attach servers; open sessions.
//!
//! This crate knows no case and prints nothing. Only here is a connection opened or a server started.

pub mod cluster;
mod config;
pub mod dirs;
pub mod endpoint;
pub mod error;
mod family;
mod home;
pub mod install;
mod launch;
pub mod process;
pub mod profile;
pub mod quote;
pub mod reclaim;
mod server_log;
mod server_process;
pub mod session;
mod spawn;
pub mod spec;
pub mod sql;
mod template;
pub mod testing;
mod tree;
mod url;
pub mod user;
pub mod version;
pub mod wheels;

pub use cluster::Cluster;
pub use cluster::StopMode;
pub use dirs::Dirs;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorClass, Kind};
pub use install::Install;
pub use install::InstallSource;
pub use install::discover;
pub use install::find;
pub use process::{CpuTime, MachineCpu, Pid, ProcessIdentity};
pub use profile::Profile;
pub use quote::quote_identifier;
pub use session::{Canceller, Session};
pub use spec::ClusterSpec;
pub use user::ServerUser;
pub use version::PgVersion;
