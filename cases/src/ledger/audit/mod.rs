//! The audit trail: every committed entry is a link of a chain of hashes, whose heads are signed and kept outside the
//! database; and anybody with the public key can recompute the chain from the archived log alone.
//!
//! The auditor (`auditor`) follows the server by logical decoding. The audit (`verify`) trusts neither it nor the
//! database: it reads the archived segments with `pgstrata_wal`, and holds log, chain, heads and rows against each other.

pub mod auditor;
pub mod entry;
mod error;
pub mod finding;
mod judge;
pub mod key;
mod log;
mod statements;
pub mod trail;
mod verify;

#[cfg(test)]
mod tests;

pub use auditor::{Auditor, Cadence};
pub use error::AuditError;
pub use finding::{Finding, FindingKind};
pub use verify::{Evidence, Report, verify};
