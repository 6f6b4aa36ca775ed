//! Two-phase commit over several servers: a durable decision before any second phase, and recovery after any crash.

mod coordinator;
mod core;
pub mod error;
pub mod figures;
pub mod gid;
mod resolve;
pub mod settings;
mod shard;
mod snapshot;
pub mod step;
mod transaction;

pub use coordinator::{Coordinator, Vote, Work};
pub use error::{AbortReason, CommitError, OpenError, RunError, SnapshotError, Standing};
pub use figures::Figures;
pub use gid::{GlobalId, TransactionId};
pub use resolve::Resolution;
pub use settings::{Barrier, Flaw, Peers, Settings};
pub use shard::{Branch, LOCK_CLASS};
pub use snapshot::{Reading, Snapshots};
pub use step::{Act, Bystander, Place, Step, Then};
pub use transaction::Transaction;

/// The query of the alarm: which prepared transactions of a server are older than so many seconds.
pub const OLD_PREPARED: &str = include_str!("sql/old_prepared.sql");
