//! What happened inside a server, as one log of changes that folds into moments. Pure: it opens nothing, and knows
//! neither where changes come from nor how they are drawn.
//!
//! A [`Change`] puts and drops [`Item`]s at one point of time; a [`Moment`] is what a prefix of the log folds into. A live page, a
//! recording that is played, and a recording that was sent to somebody are the same log, read by the same fold, so they
//! cannot disagree. Every item says whether it is exact, sampled or inferred ([`Origin`]).

mod change;
mod conflict;
pub mod file;
mod horizon;
mod item;
mod log;
mod memory;
mod moment;
mod page;
mod session;
mod shared;
mod version;

pub use change::{At, Cause, Change};
pub use conflict::{Blocker, Conflict, SerializableTransaction, Wait};
pub use horizon::{Holder, HolderKind, Horizon, Verdict, Viewer};
pub use item::{Item, Key, Origin, PutItem, Server, Tier};
pub use log::{Log, LogLimits, Resume};
pub use moment::Moment;
pub use page::{Line, LineState, Page};
pub use session::{Session, SessionSnapshot, Transaction, TransactionState};
pub use shared::SharedItem;
pub use version::{Command, Fate, LockMode, Member, RowVersion, XmaxKind};
