//! Grids that were never measured, for tests: with a best strategy planted by a law, or of noise alone.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::data::{Outcome, TrainingCell};
use super::features::Features;
use super::validation::Effort;
use crate::advisor::grid::Strategy;

/// How many rounds a synthetic cell has.
const ROUNDS: usize = 4;

/// As much as tests need: a planted law is found with few trees, and a model of noise is no better with more.
pub(crate) const QUICK: Effort = Effort { trees: 12, folds: 4 };

/// A cell without noise.
pub(crate) fn cell(read_share: f64, skew: f64, length: u32, clients: u32, per_second: [f64; 6]) -> TrainingCell {
    let outcomes = per_second.map(|figure| Outcome { per_second: vec![figure; ROUNDS], aborts: 0.0 });
    TrainingCell { features: Features { read_share, skew, length, clients }, outcomes: outcomes.to_vec() }
}

/// A grid of 240 cells whose throughput follows `law`, with noise of this relative size in each round.
pub(crate) fn grid(seed: u64, noise: f64, law: impl Fn(&Features, Strategy) -> f64) -> Vec<TrainingCell> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cells = Vec::new();
    for read_share in [0.2, 0.5, 0.7, 0.9] {
        for skew in [0.0, 0.6, 0.9, 1.2] {
            for length in [2, 5, 10] {
                for clients in [2, 4, 8, 16, 32] {
                    let features = Features { read_share, skew, length, clients };
                    let outcomes = Strategy::ALL.map(|strategy| {
                        let figure = law(&features, strategy);
                        let mut measured = || figure * (noise * (random.random::<f64>() - 0.5) * 2.0).exp();
                        Outcome { per_second: (0..ROUNDS).map(|_| measured()).collect(), aborts: 0.1 }
                    });
                    cells.push(TrainingCell { features, outcomes: outcomes.to_vec() });
                }
            }
        }
    }
    cells
}
