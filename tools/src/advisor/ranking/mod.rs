//! Ranks the ways of keeping transactions serializable by a model that was trained on the measured grid.
//!
//! Whether the model ranks at all is decided by its own card: if it does not beat the rules on cells that it has not seen,
//! the rules rank ([`RankingModel::ranks`]), and the card says so. The model knows four numbers of a workload
//! ([`Features`]); what it says of throughput is for the machine of the grid, and what carries over is the order.

mod baselines;
mod card;
mod data;
mod features;
mod forests;
#[cfg(test)]
pub(crate) mod synthetic;
mod validation;

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use baselines::{by_rules, by_write_read_ratio};
pub use card::card_markdown;
pub use data::{Outcome, TrainingCell};
pub use features::{Features, ROWS};
pub use validation::{Against, Axis, Card, Chooser, GOAL_MEAN_REGRET, Ranks, Score, ValuesHeldOut};

use super::grid::Strategy;
use forests::Forests;
use validation::Effort;

/// The model that ships: cells and card as `cargo xtask gen` wrote them, or `null` while there is no grid.
const SHIPPED: &str = include_str!("model.json");

/// What is expected of one strategy for a workload.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The strategy.
    pub strategy: Strategy,
    /// Its throughput as a share of the best one's, 0 to 1.
    pub relative_throughput: f64,
    /// Its throughput, commits per second on the machine of the grid; a guide elsewhere.
    pub per_second: f64,
    /// The share of attempts that fail and are tried again, 0 to 1.
    pub aborts: f64,
}

/// The model, with the data that it was trained on and what is known of its error.
#[derive(Debug)]
pub struct RankingModel {
    file: ModelFile,
    /// Trained when they are first asked: who only reads the card does not wait for them.
    forests: OnceLock<Forests>,
}

/// What a model file holds: the forests are trained from it, always the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// The record of the grid that the cells come from.
    pub record: String,
    /// What is known of the model's error.
    pub card: Card,
    /// The training data.
    pub cells: Vec<TrainingCell>,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum RankingError {
    /// A forest could not be grown.
    #[error("could not train the ranking")]
    Training(#[from] pgstrata_forest::ForestError),
    /// There are too few cells to hold some of them out.
    #[error("the grid has {found} complete cells, and a ranking needs at least {needed}")]
    TooFewCells {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A model file cannot be read.
    #[error("could not read the model")]
    File(#[from] serde_json::Error),
}

impl ModelFile {
    /// As it is written: a line for each cell.
    ///
    /// # Errors
    /// If a figure is not finite, which training rules out.
    pub fn text(&self) -> Result<String, RankingError> {
        let cells: Result<Vec<String>, _> = self.cells.iter().map(serde_json::to_string).collect();
        Ok(format!(
            "{{\n\"record\": {},\n\"card\": {},\n\"cells\": [\n{}\n]\n}}",
            serde_json::to_string(&self.record)?,
            serde_json::to_string(&self.card)?,
            cells?.join(",\n")
        ))
    }
}

impl RankingModel {
    /// The model that ships with this program; none while no grid has been measured.
    ///
    /// # Errors
    /// If the file in the program is broken, which a test rules out.
    pub fn shipped() -> Result<Option<&'static Self>, &'static RankingError> {
        static MODEL: OnceLock<Result<Option<RankingModel>, RankingError>> = OnceLock::new();
        MODEL.get_or_init(|| Self::read(SHIPPED)).as_ref().map(Option::as_ref)
    }

    /// Reads a model file; none if it holds `null`.
    ///
    /// # Errors
    /// If it is no model file.
    pub fn read(text: &str) -> Result<Option<Self>, RankingError> {
        let file: Option<ModelFile> = serde_json::from_str(text)?;
        Ok(file.map(Self::of_file))
    }

    /// Trains a model on cells of a grid, and finds out how wrong it is on cells that it has not seen.
    ///
    /// # Errors
    /// If there are too few complete cells.
    pub fn train(
        record: &str,
        cells: Vec<TrainingCell>,
        rules: impl Fn(&Features) -> Strategy,
    ) -> Result<Self, RankingError> {
        Self::train_with(record, cells, rules, Effort::FULL)
    }

    pub(crate) fn train_with(
        record: &str,
        cells: Vec<TrainingCell>,
        rules: impl Fn(&Features) -> Strategy,
        effort: Effort,
    ) -> Result<Self, RankingError> {
        let cells: Vec<TrainingCell> = cells.into_iter().filter(TrainingCell::is_complete).collect();
        let card = validation::validate(&cells, &rules, effort)?;
        Ok(Self::of_file(ModelFile { record: record.to_owned(), card, cells }))
    }

    const fn of_file(file: ModelFile) -> Self {
        Self { file, forests: OnceLock::new() }
    }

    fn forests(&self) -> Result<&Forests, RankingError> {
        if let Some(trained) = self.forests.get() {
            return Ok(trained);
        }
        let trained = Forests::train(&self.file.cells.iter().collect::<Vec<_>>(), self.file.card.trees)?;
        // Another thread's, if it was faster, is the same.
        Ok(self.forests.get_or_init(|| trained))
    }

    /// What the model rests on, as it is written to a file.
    #[must_use]
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// What is known of its error.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.file.card
    }

    /// Whether it beats the rules on cells that it has not seen, and therefore ranks.
    #[must_use]
    pub fn ranks(&self) -> bool {
        self.file.card.ranks == Ranks::Model
    }

    /// What is expected of each strategy, the best first.
    ///
    /// # Errors
    /// If the forests cannot be grown, or one fails, which it does only for a malformed model.
    pub fn predict(&self, features: &Features) -> Result<Vec<Prediction>, RankingError> {
        let forests = self.forests()?;
        let (predicted, level) = (forests.predict(features)?, forests.level(features)?);
        let best = predicted.iter().map(|one| one.relative).fold(f64::NEG_INFINITY, f64::max);
        let mut predictions: Vec<Prediction> = Strategy::ALL
            .into_iter()
            .zip(predicted)
            .map(|(strategy, one)| Prediction {
                strategy,
                relative_throughput: (one.relative - best).exp(),
                per_second: (level + one.relative).exp(),
                aborts: one.aborts.clamp(0.0, 1.0),
            })
            .collect();
        predictions.sort_by(|a, b| b.relative_throughput.total_cmp(&a.relative_throughput));
        Ok(predictions)
    }
}
