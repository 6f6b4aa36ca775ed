//! What happened inside a server, as one log of changes that folds into moments. Pure: it opens nothing, and knows
//! neither where changes come from nor how they are drawn.
//!
//! A [`Change`] puts and drops [`Item`]s at one point of time; a [`Moment`] is what a prefix of the log folds into. A live page, a
//! recording that is played, and a recording that was sent to somebody are the same log, read by the same fold, so they
//! cannot disagree. Every item says whether it is exact, sampled or inferred ([`Origin`]).

mod change;
mod item;
mod moment;

pub use change::{At, Cause, Change};
pub use item::{
    Blocker, Command, Conflict, Fate, Holder, HolderKind, Horizon, Item, Key, Line, LineState, LockMode, Member,
    Origin, Page, PutItem, RowVersion, SerializableTransaction, Server, Session, SessionSnapshot, Tier, Transaction,
    TransactionState, Verdict, Viewer, Wait, XmaxKind,
};
pub use moment::Moment;
