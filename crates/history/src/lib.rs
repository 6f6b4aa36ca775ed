//! Histories of transactions, and the checkers that judge them.
//!
//! Pure: bytes in, verdicts out. Nothing here opens a file or a connection, looks at a clock or draws a random number.

pub mod formats;
pub mod model;
pub mod workload;

pub use model::{History, HistoryBuilder, Key, Operation, Read, Status, Transaction, TransactionId, Value};
