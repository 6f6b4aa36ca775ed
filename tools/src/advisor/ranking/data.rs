//! What the ranking learns from: cells of the grid with what each strategy achieved there, round by round.

use serde::{Deserialize, Serialize};

use super::features::Features;
use crate::advisor::grid::Strategy;

/// One cell of the grid, as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingCell {
    /// The workload.
    pub features: Features,
    /// What came of each strategy, in the order of [`Strategy::ALL`].
    pub outcomes: Vec<Outcome>,
}

/// What one strategy achieved in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Commits per second, one figure for each round; as many in all strategies of a cell.
    pub per_second: Vec<f64>,
    /// The share of attempts that ended in a serialization failure, a deadlock or a lost optimistic race, 0 to 1.
    pub aborts: f64,
}

/// A round in which nothing was committed counts as this many commits per second, so that it has a logarithm.
const SLOWEST_PER_SECOND: f64 = 0.5;

impl TrainingCell {
    /// Whether it holds what training needs: every strategy, measured in as many rounds, with finite figures.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let rounds = self.rounds();
        self.outcomes.len() == Strategy::ALL.len()
            && rounds > 0
            && self.outcomes.iter().all(|outcome| {
                outcome.per_second.len() == rounds
                    && outcome.aborts.is_finite()
                    && outcome.per_second.iter().all(|figure| figure.is_finite())
            })
    }

    /// How many rounds were measured.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.outcomes.first().map_or(0, |outcome| outcome.per_second.len())
    }

    /// The logarithm of each strategy's throughput over these rounds, less that of the cell's strategies together.
    ///
    /// The strategies of a round were measured side by side, so each round is first compared within itself: what slowed a
    /// whole round down cancels out.
    pub(crate) fn relative(&self, rounds: impl Iterator<Item = usize> + Clone) -> Vec<f64> {
        let count = rounds.clone().count().max(1) as f64;
        let strategies = self.outcomes.len() as f64;
        let mut relative = vec![0.0; self.outcomes.len()];
        for round in rounds {
            let logarithms: Vec<f64> =
                self.outcomes.iter().map(|outcome| logarithm(outcome.per_second[round])).collect();
            let middle = logarithms.iter().sum::<f64>() / strategies;
            for (sum, logarithm) in relative.iter_mut().zip(logarithms) {
                *sum += (logarithm - middle) / count;
            }
        }
        relative
    }

    /// The same over all rounds.
    pub(crate) fn relative_throughput(&self) -> Vec<f64> {
        self.relative(0..self.rounds())
    }

    /// The logarithm of the throughput of the cell's strategies together, commits per second.
    pub(crate) fn level(&self) -> f64 {
        let all = self.outcomes.iter().flat_map(|outcome| &outcome.per_second);
        let count = self.outcomes.iter().map(|outcome| outcome.per_second.len()).sum::<usize>().max(1);
        all.map(|figure| logarithm(*figure)).sum::<f64>() / count as f64
    }

    /// What is lost by choosing this strategy instead of the best: the share of the best one's throughput, 0 to 1.
    #[must_use]
    pub fn regret(&self, chosen: Strategy) -> f64 {
        regret(&self.relative_throughput(), chosen)
    }
}

/// What is lost by a choice, given the logarithms of throughput.
pub(crate) fn regret(relative: &[f64], chosen: Strategy) -> f64 {
    let best = relative.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    1.0 - (relative[chosen.place()] - best).exp()
}

/// The strategy of the largest figure; the first of equals.
pub(crate) fn best_of(figures: &[f64]) -> Strategy {
    let mut best = Strategy::ALL[0];
    for strategy in Strategy::ALL {
        if figures[strategy.place()] > figures[best.place()] {
            best = strategy;
        }
    }
    best
}

fn logarithm(per_second: f64) -> f64 {
    per_second.max(SLOWEST_PER_SECOND).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::ranking::synthetic::cell;

    #[test]
    fn a_choice_costs_what_the_best_one_would_have_done_more() {
        let cell = cell(0.5, 0.0, 2, 4, [100.0, 200.0, 400.0, 50.0, 100.0, 10.0]);
        assert!(cell.is_complete());
        assert!((cell.regret(Strategy::RowLocks)).abs() < 1e-12);
        assert!((cell.regret(Strategy::PromotedRepeatableRead) - 0.5).abs() < 1e-12);
        assert_eq!(best_of(&cell.relative_throughput()), Strategy::RowLocks);
    }

    #[test]
    fn a_slow_round_slows_every_strategy_and_changes_nothing() {
        let mut cell = cell(0.5, 0.0, 2, 4, [100.0, 200.0, 400.0, 50.0, 100.0, 10.0]);
        let before = cell.relative_throughput();
        for outcome in &mut cell.outcomes {
            outcome.per_second[1] *= 0.5;
        }
        let after = cell.relative_throughput();
        assert!(before.iter().zip(&after).all(|(before, after)| (before - after).abs() < 1e-12));
    }

    #[test]
    fn a_cell_that_lacks_a_strategy_or_a_round_is_incomplete() {
        let whole = cell(0.5, 0.0, 2, 4, [1.0; 6]);
        let mut lacking = whole.clone();
        lacking.outcomes.pop();
        assert!(!lacking.is_complete());
        let mut lacking = whole;
        lacking.outcomes[3].per_second.pop();
        assert!(!lacking.is_complete());
    }
}
