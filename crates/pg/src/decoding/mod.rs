//! Reads committed changes back from the server's log, through SQL functions alone.
//!
//! A [`Publication`] says which tables, a [`Slot`] keeps the place in the log, and [`Slot::drain`] gives whole
//! transactions in the order of their commit records, which is the order of the versions of each row; a [`Watch`] is all
//! three, and gives changes of rows by primary key for the exact dependency graph. It needs no
//! extension and no replication connection: PostgreSQL's own plugin `pgoutput` behind
//! `pg_logical_slot_get_binary_changes` (manual, 9.27.6 and 49). It judges nothing and keeps nothing.
//!
//! What the log does not hold cannot be decoded: changes of unlogged and temporary tables, of sequences, and of
//! definitions. The caller asks [`Publication::tables`] and [`unlogged_tables`], and says so.

mod error;
mod message;
mod publication;
mod slot;
mod transaction;
mod watch;

pub use error::DecodingError;
pub use message::{Datum, Message, MessageColumn, MessageError, OldRow};
pub use publication::{Identity, Publication, PublishedTable, Tables, unlogged_tables};
pub use slot::{Slot, name_for, sweep};
pub use transaction::{Assembler, Change, Column, DecodedTransaction, Relation};
pub use watch::Watch;
