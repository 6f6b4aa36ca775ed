//! How wrong the model is on cells that it has not seen, and whether it may rank.
//!
//! Cross-validation: the cells are dealt into folds by lot, each with all its strategies; a cell is judged by a model that
//! was trained on the other folds. Harder tests hold out whole values ([`Axis`]): all cells of one skew at once, and the
//! like. The measured best is a maximum of noisy figures, so even perfect knowledge has a regret above zero;
//! [`Card::noise_floor`] says how large that is.

use std::collections::BTreeSet;

use pgstrata_units::Text;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::RankingError;
use super::baselines::by_write_read_ratio;
use super::data::{TrainingCell, best_of, regret};
use super::features::Features;
use super::forests::{Choice, SEED, TREES};
use crate::advisor::grid::Strategy;

/// The goal: what choosing by the model may cost on the average, as a share of the best throughput.
pub const GOAL_MEAN_REGRET: f64 = 0.05;

/// How much is grown and held out: more is surer and slower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Trees of each forest.
    pub(crate) trees: usize,
    /// How many parts the cells are dealt into.
    pub(crate) folds: usize,
}

impl Effort {
    /// What ships.
    pub(crate) const FULL: Self = Self { trees: TREES, folds: 10 };
}

/// Fewer cells tell nothing about cells that are held out.
const CELLS_LEAST: usize = 40;

/// 95 % of a normal distribution lie within so many standard deviations; a mean over 40 cells and more is normal enough.
const NORMAL_95: f64 = 1.959_964;

/// Who chooses a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chooser {
    /// The model, trained without the cell.
    Model,
    /// The rules.
    Rules,
    /// The ratio of writes to reads.
    WriteReadRatio,
    /// Always the same strategy: the one that is best on the average of the training cells.
    BestFixed,
}

impl Chooser {
    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::Model => Text { en: "the model", zh: "模型" },
            Self::Rules => Text { en: "the rules", zh: "规则" },
            Self::WriteReadRatio => Text { en: "the write/read ratio", zh: "写读比规则" },
            Self::BestFixed => Text { en: "always the same strategy", zh: "始终同一策略" },
        }
    }
}

/// Who ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranks {
    /// The model: its mean regret is below that of the rules, and the interval of the difference does not reach zero.
    Model,
    /// The rules.
    Rules,
}

/// What is known of the model's error. Shares are of the best strategy's throughput in the cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// How many cells there are.
    pub cells: usize,
    /// How many parts they were dealt into.
    pub folds: usize,
    /// How many trees each forest has.
    pub trees: usize,
    /// The seed of the deal and of the forests.
    pub seed: u64,
    /// How each chooser did on cells that were held out.
    pub scores: Vec<Score>,
    /// The model against each of the others, cell by cell.
    pub against: Vec<Against>,
    /// How the model did where all cells of one value were held out together.
    pub values: Vec<ValuesHeldOut>,
    /// The mean regret of a chooser that knows half of the rounds of each cell and is judged by the other half.
    pub noise_floor: f64,
    /// The median of how far the predicted relative throughput of a strategy is from the measured one, as a share of it.
    pub error_median: f64,
    /// Who ranks, by these figures.
    pub ranks: Ranks,
}

/// How a chooser did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Who chose.
    pub chooser: Chooser,
    /// What the choices cost on the average.
    pub mean_regret: f64,
    /// The 95 % interval of that.
    pub interval: [f64; 2],
    /// What the worst choice of twenty cost (the 95th percentile).
    pub regret_p95: f64,
    /// The share of cells in which the measured best was chosen.
    pub best_chosen: f64,
}

/// The model's regret less another chooser's, cell by cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// The other chooser.
    pub chooser: Chooser,
    /// The mean difference; below zero where the model is better.
    pub mean: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
}

/// What cells have in common that are held out together: the model is asked about a value that it has never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// The share of rows that are only read.
    ReadShare,
    /// The skew.
    Skew,
    /// The length.
    Length,
    /// The number of clients.
    Clients,
    /// Both together.
    SkewAndLength,
}

impl Axis {
    const ALL: [Self; 5] = [Self::ReadShare, Self::Skew, Self::Length, Self::Clients, Self::SkewAndLength];

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::ReadShare => Text { en: "read share", zh: "读取比例" },
            Self::Skew => Text { en: "skew", zh: "倾斜度" },
            Self::Length => Text { en: "length", zh: "长度" },
            Self::Clients => Text { en: "number of clients", zh: "客户端数" },
            Self::SkewAndLength => Text { en: "skew and length together", zh: "倾斜度与长度组合" },
        }
    }

    /// What is the same in all cells that are held out together.
    const fn value(self, features: &Features) -> (u64, u32) {
        match self {
            Self::ReadShare => (features.read_share.to_bits(), 0),
            Self::Skew => (features.skew.to_bits(), 0),
            Self::Length => (0, features.length),
            Self::Clients => (0, features.clients),
            Self::SkewAndLength => (features.skew.to_bits(), features.length),
        }
    }
}

/// The model's regret where whole values were held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValuesHeldOut {
    /// Values of what.
    pub axis: Axis,
    /// What the choices cost on the average.
    pub mean_regret: f64,
    /// The 95 % interval of that.
    pub interval: [f64; 2],
}

impl Card {
    /// How this chooser did.
    #[must_use]
    pub fn score(&self, chooser: Chooser) -> Option<&Score> {
        self.scores.iter().find(|score| score.chooser == chooser)
    }

    /// Whether the goal is reached: mean regret at most [`GOAL_MEAN_REGRET`], and below the rules' and the ratio's.
    #[must_use]
    pub fn reaches_goal(&self) -> bool {
        let regret = |chooser| self.score(chooser).map_or(f64::INFINITY, |score| score.mean_regret);
        let model = regret(Chooser::Model);
        model <= GOAL_MEAN_REGRET && model < regret(Chooser::Rules) && model < regret(Chooser::WriteReadRatio)
    }
}

/// Validates a model of these cells against the rules and the ratio.
pub(super) fn validate(
    cells: &[TrainingCell],
    rules: &dyn Fn(&Features) -> Strategy,
    effort: Effort,
) -> Result<Card, RankingError> {
    if cells.len() < CELLS_LEAST {
        return Err(RankingError::TooFewCells { found: cells.len(), needed: CELLS_LEAST });
    }
    let held_out = predict_held_out(cells, &deal(cells.len(), effort.folds), effort.trees)?;
    let choices = [
        (Chooser::Model, held_out.iter().map(|one| one.chosen).collect()),
        (Chooser::Rules, cells.iter().map(|cell| rules(&cell.features)).collect()),
        (Chooser::WriteReadRatio, cells.iter().map(|cell| by_write_read_ratio(&cell.features)).collect()),
        (Chooser::BestFixed, held_out.iter().map(|one| one.best_fixed).collect::<Vec<_>>()),
    ];
    let regrets: Vec<(Chooser, Vec<f64>)> =
        choices.into_iter().map(|(chooser, chosen)| (chooser, regrets(cells, &chosen))).collect();
    let of_model = &regrets[0].1;
    let against: Vec<Against> =
        regrets[1..].iter().map(|(chooser, theirs)| against(*chooser, of_model, theirs)).collect();
    let beats_rules = against.iter().any(|one| one.chooser == Chooser::Rules && one.interval[1] < 0.0);
    let values = Axis::ALL.into_iter().map(|axis| values_held_out(cells, axis, effort.trees));
    Ok(Card {
        cells: cells.len(),
        folds: effort.folds,
        trees: effort.trees,
        seed: SEED,
        scores: regrets.iter().map(|(chooser, regrets)| score(*chooser, regrets)).collect(),
        against,
        values: values.collect::<Result<_, _>>()?,
        noise_floor: round(noise_floor(cells)),
        error_median: round(median(held_out.into_iter().flat_map(|one| one.errors).collect())),
        ranks: if beats_rules { Ranks::Model } else { Ranks::Rules },
    })
}

/// Holds out all cells of each value in turn.
fn values_held_out(cells: &[TrainingCell], axis: Axis, trees: usize) -> Result<ValuesHeldOut, RankingError> {
    let value = |cell: &TrainingCell| axis.value(&cell.features);
    let known: BTreeSet<_> = cells.iter().map(value).collect();
    let groups: Vec<usize> =
        cells.iter().map(|cell| known.iter().position(|one| *one == value(cell)).unwrap_or(0)).collect();
    let chosen: Vec<Strategy> = predict_held_out(cells, &groups, trees)?.into_iter().map(|one| one.chosen).collect();
    let regrets = regrets(cells, &chosen);
    let [low, high] = interval(&regrets);
    Ok(ValuesHeldOut { axis, mean_regret: round(mean(&regrets)), interval: [low.max(0.0), high] })
}

/// What was said of a cell by a model that had not seen it.
struct HeldOut {
    chosen: Strategy,
    best_fixed: Strategy,
    errors: Vec<f64>,
}

/// Predicts every cell by a model of the cells of other groups.
fn predict_held_out(cells: &[TrainingCell], groups: &[usize], trees: usize) -> Result<Vec<HeldOut>, RankingError> {
    let mut held_out: Vec<Option<HeldOut>> = cells.iter().map(|_| None).collect();
    for group in groups.iter().copied().collect::<BTreeSet<_>>() {
        let others: Vec<&TrainingCell> =
            cells.iter().zip(groups).filter(|(_, of)| **of != group).map(|(cell, _)| cell).collect();
        let choice = Choice::train(&others, trees)?;
        let best_fixed = best_fixed(&others);
        for (place, cell) in cells.iter().enumerate().filter(|(place, _)| groups[*place] == group) {
            let predicted = choice.predict(&cell.features)?;
            let measured = cell.relative_throughput();
            let errors = predicted.iter().zip(&measured).map(|(said, is)| ((said - is).exp() - 1.0).abs()).collect();
            held_out[place] = Some(HeldOut { chosen: best_of(&predicted), best_fixed, errors });
        }
    }
    Ok(held_out.into_iter().flatten().collect())
}

/// The strategy with the least mean regret.
fn best_fixed(cells: &[&TrainingCell]) -> Strategy {
    let gain = Strategy::ALL.map(|strategy| -cells.iter().map(|cell| cell.regret(strategy)).sum::<f64>());
    best_of(&gain)
}

/// Folds by lot, of equal size.
fn deal(cells: usize, parts: usize) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..cells).map(|place| place % parts).collect();
    folds.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    folds
}

fn regrets(cells: &[TrainingCell], chosen: &[Strategy]) -> Vec<f64> {
    cells.iter().zip(chosen).map(|(cell, strategy)| cell.regret(*strategy)).collect()
}

fn score(chooser: Chooser, regrets: &[f64]) -> Score {
    let mut sorted = regrets.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [low, high] = interval(regrets);
    Score {
        chooser,
        mean_regret: round(mean(regrets)),
        interval: [low.max(0.0), high],
        regret_p95: round(sorted[sorted.len() * 19 / 20]),
        best_chosen: round(regrets.iter().filter(|regret| **regret <= 0.0).count() as f64 / regrets.len() as f64),
    }
}

fn against(chooser: Chooser, ours: &[f64], theirs: &[f64]) -> Against {
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
    Against { chooser, mean: round(mean(&differences)), interval: interval(&differences) }
}

/// The regret of whoever knows every second round, judged by the others; none where there is one round only.
fn noise_floor(cells: &[TrainingCell]) -> f64 {
    let half = |cell: &TrainingCell, first: usize| cell.relative((first..cell.rounds()).step_by(2));
    let both = cells.iter().filter(|cell| cell.rounds() > 1).flat_map(|cell| {
        let (even, odd) = (half(cell, 0), half(cell, 1));
        [regret(&odd, best_of(&even)), regret(&even, best_of(&odd))]
    });
    mean(&both.collect::<Vec<_>>())
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn interval(values: &[f64]) -> [f64; 2] {
    let count = values.len() as f64;
    let middle = mean(values);
    let variance = values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let reach = NORMAL_95 * (variance / count).sqrt();
    [round(middle - reach), round(middle + reach)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Six digits are kept, so that a card is the same on every machine.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
