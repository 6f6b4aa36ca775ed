//! What the model has to beat: the rules, and the ratio of writes to reads.

use super::features::Features;
use crate::advisor::engine::DecisionEngine;
use crate::advisor::estimate::writes_of_a_writer;
use crate::advisor::grid::Strategy;
use crate::advisor::requirement::{Invariant, Requirement};
use crate::advisor::rules::RuleSet;

/// Below this ratio of written to read rows, `TxnSails`' simple rule takes snapshot isolation (VLDB 2025).
const FEW_WRITES: f64 = 0.2;

/// Up to this one it takes serializable, above it read committed.
const SOME_WRITES: f64 = 0.4;

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

/// What the rules choose: the first of their solutions that the grid measured. They are asked without a model, about a sum
/// over several rows that must keep its floor, which is what makes every row that is read matter.
#[must_use]
pub fn by_rules(features: &Features) -> Strategy {
    let engine = DecisionEngine { rules: RuleSet::shipped(), ml_model: None };
    let decision = engine.decide(&requirement(features), None);
    let chosen = decision.ranked.iter().find_map(|one| one.solution.solution().strategy);
    // What needs no argument at all, should the rules name nothing that was measured.
    chosen.unwrap_or(Strategy::Serializable)
}

/// A workload of the grid in the words of the rules; [`features`](crate::advisor::estimate::features) translates back.
fn requirement(features: &Features) -> Requirement {
    Requirement {
        invariants: [Invariant::SumFloor].into(),
        conflict_rate: 1.0 - (-features.conflicts()).exp(),
        hot_row_share: (features.hottest() * writes_of_a_writer(features.read_share, features.length)).min(1.0),
        read_share: features.read_share.powf(f64::from(features.length)),
        statements: features.length,
        clients: features.clients,
        ..Requirement::default()
    }
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
    fn a_workload_is_put_to_the_rules_in_words_that_they_accept() {
        for (read_share, skew, length, clients) in [(0.2, 1.2, 10, 32), (0.9, 0.0, 2, 2), (1.0, 0.6, 5, 1)] {
            let features = Features { read_share, skew, length, clients };
            requirement(&features).validate().expect("a valid requirement");
            assert_eq!(by_rules(&features), by_rules(&features), "the same question has the same answer");
        }
        let hot = requirement(&Features { read_share: 0.2, skew: 1.2, length: 10, clients: 32 });
        let calm = requirement(&Features { read_share: 0.9, skew: 0.0, length: 2, clients: 2 });
        assert!(hot.conflict_rate > 0.9 && calm.conflict_rate < 0.01, "{hot:?} {calm:?}");
        assert!(hot.hot_row_share > 0.9 && calm.hot_row_share < 0.01, "{hot:?} {calm:?}");
    }

    #[test]
    fn a_workload_in_the_words_of_the_rules_is_the_same_workload_to_the_model() {
        for (read_share, skew, length, clients) in [(0.2, 0.6, 2, 32), (0.9, 0.0, 10, 2), (0.7, 0.9, 5, 8)] {
            let asked = Features { read_share, skew, length, clients };
            let back = crate::advisor::estimate::features(&requirement(&asked));
            assert!(
                (back.read_share - read_share).abs() < 1e-9 && (back.skew - skew).abs() < 1e-6,
                "{asked:?} {back:?}"
            );
            assert_eq!((back.length, back.clients), (length, clients));
        }
    }
}
