//! What rules are told of a report.

use pgstrata_units::Isolation;

use crate::advisor::report::{Allocation, Report, Verdict};
use crate::advisor::rules::Findings;

impl Findings {
    /// What a report says, as far as rules ask.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let safe_at = |level| report.uniform.get(&level).is_some_and(Verdict::is_safe);
        let needs_retry =
            |allocation: &Allocation| allocation.0.values().any(|level| *level != Isolation::ReadCommitted);
        let promoted = report.with_promotion.first();
        Self {
            read_committed_is_safe: safe_at(Isolation::ReadCommitted),
            repeatable_read_is_safe: safe_at(Isolation::RepeatableRead),
            mixed_is_weaker: report.optimal.0.values().any(|level| *level != Isolation::Serializable),
            mixed_retries: needs_retry(&report.optimal),
            promotable: promoted.is_some(),
            promoted_retries: promoted.is_some_and(|promoted| needs_retry(&promoted.allocation)),
            split_program: !report.scopes.is_empty(),
            not_understood: !report.unanalysed.is_empty(),
        }
    }
}
