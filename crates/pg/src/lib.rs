//! The only door to PostgreSQL: find, start, kill, replicate and attach servers; open sessions.
//!
//! This crate knows no case and prints nothing. Only here is a connection opened or a server started.

pub mod attach;
pub mod capabilities;
pub mod endpoint;
pub mod error;
mod probe;
pub mod process;
pub mod quote;
pub mod session;
pub mod settings;
pub mod sql;
mod url;
pub mod wheels;

pub use attach::{AttachPolicy, Attached};
pub use capabilities::{Capabilities, Feature, Lack, Product};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorClass, Kind};
pub use probe::probe;
pub use process::{CpuTime, MachineCpu, Pid, ProcessIdentity};
pub use quote::quote_identifier;
pub use session::{Canceller, Session};
pub use settings::recorded_settings;
