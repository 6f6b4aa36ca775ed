//! The model itself: forests of regression trees, one for each strategy's relative throughput and one for its aborts.
//!
//! Training is a function of the cells and of [`SEED`]: the same cells give the same forests.

use pgstrata_forest::{Forest, ForestError, Growth};

use super::data::TrainingCell;
use super::features::Features;
use crate::advisor::grid::Strategy;

/// The seed of all forests.
pub(crate) const SEED: u64 = 11_01;

/// How many trees a forest has. More change the predictions by less than the measurements vary.
pub(crate) const TREES: usize = 100;

/// How many cells a leaf has at least.
const LEAF: usize = 2;

/// What is predicted for one strategy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Predicted {
    /// The logarithm of its throughput, less that of all strategies together.
    pub(crate) relative: f64,
    /// The share of attempts that fail.
    pub(crate) aborts: f64,
}

/// The forests that choose: the relative throughput of each strategy.
#[derive(Debug)]
pub(crate) struct Choice {
    relative: Vec<Forest>,
}

/// The forests that also say how much and how often in vain.
#[derive(Debug)]
pub(crate) struct Forests {
    choice: Choice,
    aborts: Vec<Forest>,
    level: Forest,
}

impl Choice {
    /// Trains on these cells.
    pub(crate) fn train(cells: &[&TrainingCell], trees: usize) -> Result<Self, ForestError> {
        let throughput: Vec<Vec<f64>> = cells.iter().map(|cell| cell.relative_throughput()).collect();
        Ok(Self { relative: forests(cells, trees, |cell, place| throughput[cell][place])? })
    }

    /// The logarithm of each strategy's throughput, less that of all together; in the order of [`Strategy::ALL`].
    pub(crate) fn predict(&self, features: &Features) -> Result<Vec<f64>, ForestError> {
        let row = features.numbers();
        self.relative.iter().map(|forest| forest.ask(&row)).collect()
    }
}

impl Forests {
    /// Trains on these cells.
    pub(crate) fn train(cells: &[&TrainingCell], trees: usize) -> Result<Self, ForestError> {
        let level = cells.iter().map(|cell| cell.level()).collect();
        Ok(Self {
            choice: Choice::train(cells, trees)?,
            aborts: forests(cells, trees, |cell, place| cells[cell].outcomes[place].aborts)?,
            level: Forest::grow(&table(cells), &level, growth(trees))?,
        })
    }

    /// What is expected of each strategy, in the order of [`Strategy::ALL`].
    pub(crate) fn predict(&self, features: &Features) -> Result<Vec<Predicted>, ForestError> {
        let row = features.numbers();
        let each = self.choice.predict(features)?.into_iter().zip(&self.aborts);
        each.map(|(relative, aborts)| Ok(Predicted { relative, aborts: aborts.ask(&row)? })).collect()
    }

    /// The logarithm of the throughput of all strategies together, commits per second on the machine of the grid.
    pub(crate) fn level(&self, features: &Features) -> Result<f64, ForestError> {
        self.level.ask(&features.numbers())
    }
}

/// A forest for each strategy; `target` is asked for a cell and a strategy by their places.
fn forests(
    cells: &[&TrainingCell],
    trees: usize,
    target: impl Fn(usize, usize) -> f64,
) -> Result<Vec<Forest>, ForestError> {
    let table = table(cells);
    let of = |strategy: Strategy| (0..cells.len()).map(|cell| target(cell, strategy.place())).collect();
    Strategy::ALL.into_iter().map(|strategy| Forest::grow(&table, &of(strategy), growth(trees))).collect()
}

const fn growth(trees: usize) -> Growth {
    Growth { trees, leaf: LEAF, seed: SEED }
}

fn table(cells: &[&TrainingCell]) -> Vec<Vec<f64>> {
    cells.iter().map(|cell| cell.features.numbers().to_vec()).collect()
}
