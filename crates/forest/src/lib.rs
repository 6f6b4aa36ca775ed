//! Forests of extremely randomized regression trees (Geurts, Ernst and Wehenkel, *Extremely Randomized Trees*, Machine
//! Learning 63, 2006) over small tables of numbers, by the crate `smartcore`.
//!
//! A crate of its own, because it is optimized in builds for tests, too: growing a thousand trees takes seconds otherwise.
//! What the numbers mean is its callers' business.

use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;

/// How a forest is grown. The same table, figures and growth give the same forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How many trees it has.
    pub trees: usize,
    /// How many rows a leaf has at least.
    pub leaf: usize,
    /// The seed of its lots.
    pub seed: u64,
}

/// A forest that is grown.
#[derive(Debug)]
pub struct Forest(ExtraTreesRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>);

/// A forest could not be grown or asked: the table is empty, or its rows are not all of one length.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} the forest")]
pub struct ForestError {
    action: &'static str,
    #[source]
    source: Failed,
}

impl Forest {
    /// Grows a forest that says `figures[i]` where it is asked about `table[i]`, and something between for other rows. All
    /// columns are looked at in every split.
    ///
    /// # Errors
    /// If the table is empty, ragged, or has not as many rows as there are figures.
    pub fn grow(table: &[Vec<f64>], figures: &Vec<f64>, growth: Growth) -> Result<Self, ForestError> {
        let failed = |source| ForestError { action: "grow", source };
        let columns = table.first().map_or(0, Vec::len);
        let matrix = DenseMatrix::from_2d_vec(&table.to_vec()).map_err(failed)?;
        let parameters = ExtraTreesRegressorParameters::default()
            .with_n_trees(growth.trees)
            .with_min_samples_leaf(growth.leaf)
            .with_m(columns)
            .with_seed(growth.seed);
        ExtraTreesRegressor::fit(&matrix, figures, parameters).map(Self).map_err(failed)
    }

    /// What it says of a row.
    ///
    /// # Errors
    /// If the row has not as many columns as the table had.
    pub fn ask(&self, row: &[f64]) -> Result<f64, ForestError> {
        let failed = |source| ForestError { action: "ask", source };
        let matrix = DenseMatrix::from_2d_vec(&vec![row.to_vec()]).map_err(failed)?;
        Ok(self.0.predict(&matrix).map_err(failed)?[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth { trees: 50, leaf: 2, seed: 1 };

    #[test]
    fn a_step_in_one_column_is_learned_and_the_other_column_ignored() {
        let table: Vec<Vec<f64>> = (0..100).map(|place| vec![f64::from(place), f64::from(place % 7)]).collect();
        let figures: Vec<f64> = (0..100).map(|place| if place < 50 { 1.0 } else { 5.0 }).collect();
        let forest = Forest::grow(&table, &figures, GROWTH).expect("grown");
        for (row, expected) in [([10.0, 3.0], 1.0), ([90.0, 3.0], 5.0), ([90.0, 0.0], 5.0)] {
            let said = forest.ask(&row).expect("asked");
            assert!((said - expected).abs() < 0.1, "{row:?}: {said}");
        }
        let again = Forest::grow(&table, &figures, GROWTH).expect("grown");
        assert_eq!(
            forest.ask(&[49.5, 1.0]).expect("asked").to_bits(),
            again.ask(&[49.5, 1.0]).expect("asked").to_bits()
        );
    }

    #[test]
    fn a_table_without_rows_grows_nothing() {
        let error = Forest::grow(&[], &Vec::new(), GROWTH).expect_err("nothing to learn from");
        assert_eq!(error.to_string(), "could not grow the forest");
    }
}
