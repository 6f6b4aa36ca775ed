//! The field's words as types: system ids, log positions, transaction ids and snapshots, isolation levels, bilingual text,
//! memory that is held.
//!
//! Everything here is a value with a checked constructor. This crate reads no environment, file or clock, and
//! knows nothing of how a word is used: it sits below every other crate of the workspace.

mod isolation;
mod lsn;
pub mod memory;
mod system;
mod text;
mod xid;

pub use isolation::{Isolation, UnknownIsolation};
pub use lsn::{InvalidLsn, Lsn};
pub use system::{Module, SYSTEM_COUNT, System, SystemId, UnknownSystem};
pub use text::{Language, Text, UnknownLanguage};
pub use xid::{InvalidSnapshot, Snapshot, Xid};
