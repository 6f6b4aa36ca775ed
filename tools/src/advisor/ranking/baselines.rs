//! What the model has to beat: the rules, and the ratio of writes to reads.

use super::features::Features;
use crate::advisor::grid::Strategy;

/// Below this ratio of written to read rows, `TxnSails`' simple rule takes snapshot isolation (VLDB 2025).
const FEW_WRITES: f64 = 0.2;

/// Up to this one it takes serializable, above it read committed.
const SOME_WRITES: f64 = 0.4;

/// Transactions that expect less than this many conflicts rarely meet anybody.
const RARE_CONFLICTS: f64 = 0.05;

/// What the simple rule chooses. The rule looks at the load and not at safety; here each level comes with what makes it
/// safe for the grid's workload.
#[must_use]
pub fn by_write_read_ratio(features: &Features) -> Strategy {
    match features.write_read_ratio() {
        ratio if ratio < FEW_WRITES => Strategy::PromotedRepeatableRead,
        ratio if ratio <= SOME_WRITES => Strategy::Serializable,
        _ => Strategy::RowLocks,
    }
}

/// What the rules choose: nothing to lock where conflicts are rare, row locks where they are not.
///
/// It is the textbook's: optimistic control for rare conflicts, pessimistic control for frequent ones (Kung and Robinson,
/// *On Optimistic Methods for Concurrency Control*, ACM TODS 6(2), 1981; Agrawal, Carey and Livny, TODS 12(4), 1987).
#[must_use]
pub fn by_rules(features: &Features) -> Strategy {
    if features.conflicts() < RARE_CONFLICTS { Strategy::Serializable } else { Strategy::RowLocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simple_rule_looks_at_the_ratio_alone() {
        let at = |read_share| by_write_read_ratio(&Features { read_share, skew: 1.2, length: 10, clients: 32 });
        assert_eq!(at(0.9), Strategy::PromotedRepeatableRead);
        assert_eq!(at(0.7), Strategy::Serializable);
        assert_eq!(at(0.2), Strategy::RowLocks);
    }

    #[test]
    fn the_rules_lock_where_transactions_meet() {
        let calm = Features { read_share: 0.9, skew: 0.0, length: 2, clients: 2 };
        assert_eq!(by_rules(&calm), Strategy::Serializable);
        assert_eq!(by_rules(&Features { skew: 1.2, clients: 32, ..calm }), Strategy::RowLocks);
    }
}
