//! An arm as data: the level at which each program runs, and which of its reads are promoted.

use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

/// How a program reads what others may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As it was written.
    Plain,
    /// Reads that matter are promoted to updates that change nothing.
    Updating,
    /// Reads that matter lock their rows.
    Locking,
}

/// How the programs of a study run, in the order in which the study lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocation<const PROGRAMS: usize> {
    /// The level of each.
    pub(crate) levels: [Isolation; PROGRAMS],
    /// The form of each.
    pub(crate) forms: [Form; PROGRAMS],
}

impl<const PROGRAMS: usize> Allocation<PROGRAMS> {
    /// All programs at one level, as they were written.
    pub(crate) const fn uniform(level: Isolation) -> Self {
        Self { levels: [level; PROGRAMS], forms: [Form::Plain; PROGRAMS] }
    }
}

/// Below this many written rows for each row read, the simple rule takes snapshot isolation.
const FEW_WRITES: f64 = 0.2;

/// Up to this many it takes serializable, above them read committed.
const SOME_WRITES: f64 = 0.4;

/// The level that a simple rule over rows written and rows read takes for all programs.
///
/// It is the baseline rule of `TxnSails` (VLDB 2025): below 0.2 snapshot isolation, to 0.4 serializable, above that read
/// committed. The rule chooses for speed; `TxnSails` makes the level safe by other means, and without them it is not.
#[must_use]
pub fn ratio_rule(rows_written: f64, rows_read: f64) -> Isolation {
    match rows_written / rows_read {
        ratio if ratio < FEW_WRITES => Isolation::RepeatableRead,
        ratio if ratio <= SOME_WRITES => Isolation::Serializable,
        _ => Isolation::ReadCommitted,
    }
}
