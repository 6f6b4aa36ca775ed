//! How wrong the model is on cells that it has not seen, and whether it may rank.
//!
//! Cross-validation: the cells are dealt into folds by lot, each with all its strategies; a cell is judged by a model that
//! was trained on the other folds. A harder test holds out regions: all cells of one skew and one length at once. The
//! measured best is a maximum of noisy figures, so even perfect knowledge has a regret above zero;
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
use super::forests::{Forests, SEED};
use crate::advisor::grid::Strategy;

/// The goal: what choosing by the model may cost on the average, as a share of the best throughput.
pub const GOAL_MEAN_REGRET: f64 = 0.05;

/// How many parts the cells are dealt into.
const FOLDS: usize = 10;

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
    /// The seed of the deal and of the forests.
    pub seed: u64,
    /// How each chooser did on cells that were held out.
    pub scores: Vec<Score>,
    /// The model against each of the others, cell by cell.
    pub against: Vec<Against>,
    /// The model's mean regret where all cells of one skew and one length are held out together.
    pub regions_mean_regret: f64,
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
pub(super) fn validate(cells: &[TrainingCell], rules: &dyn Fn(&Features) -> Strategy) -> Result<Card, RankingError> {
    if cells.len() < CELLS_LEAST {
        return Err(RankingError::TooFewCells { found: cells.len(), needed: CELLS_LEAST });
    }
    let held_out = predict_held_out(cells, &deal(cells.len()))?;
    let regions = predict_held_out(cells, &regions(cells))?;
    let chosen_by_model = |predicted: &[HeldOut]| predicted.iter().map(|one| one.chosen).collect::<Vec<_>>();
    let choices = [
        (Chooser::Model, chosen_by_model(&held_out)),
        (Chooser::Rules, cells.iter().map(|cell| rules(&cell.features)).collect()),
        (Chooser::WriteReadRatio, cells.iter().map(|cell| by_write_read_ratio(&cell.features)).collect()),
        (Chooser::BestFixed, held_out.iter().map(|one| one.best_fixed).collect()),
    ];
    let regrets: Vec<(Chooser, Vec<f64>)> =
        choices.into_iter().map(|(chooser, chosen)| (chooser, regrets(cells, &chosen))).collect();
    let of_model = &regrets[0].1;
    let against: Vec<Against> =
        regrets[1..].iter().map(|(chooser, theirs)| against(*chooser, of_model, theirs)).collect();
    let beats_rules = against.iter().any(|one| one.chooser == Chooser::Rules && one.interval[1] < 0.0);
    Ok(Card {
        cells: cells.len(),
        folds: FOLDS,
        seed: SEED,
        scores: regrets.iter().map(|(chooser, regrets)| score(*chooser, regrets)).collect(),
        against,
        regions_mean_regret: round(mean(&self::regrets(cells, &chosen_by_model(&regions)))),
        noise_floor: round(noise_floor(cells)),
        error_median: round(median(held_out.into_iter().flat_map(|one| one.errors).collect())),
        ranks: if beats_rules { Ranks::Model } else { Ranks::Rules },
    })
}

/// What was said of a cell by a model that had not seen it.
struct HeldOut {
    chosen: Strategy,
    best_fixed: Strategy,
    errors: Vec<f64>,
}

/// Predicts every cell by a model of the cells of other groups.
fn predict_held_out(cells: &[TrainingCell], groups: &[usize]) -> Result<Vec<HeldOut>, RankingError> {
    let mut held_out: Vec<Option<HeldOut>> = cells.iter().map(|_| None).collect();
    for group in groups.iter().copied().collect::<BTreeSet<_>>() {
        let others: Vec<&TrainingCell> =
            cells.iter().zip(groups).filter(|(_, of)| **of != group).map(|(cell, _)| cell).collect();
        let forests = Forests::train(&others)?;
        let best_fixed = best_fixed(&others);
        for (place, cell) in cells.iter().enumerate().filter(|(place, _)| groups[*place] == group) {
            let predicted: Vec<f64> = forests.predict(&cell.features)?.iter().map(|one| one.relative).collect();
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
fn deal(cells: usize) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..cells).map(|place| place % FOLDS).collect();
    folds.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    folds
}

/// A group for each skew and length.
fn regions(cells: &[TrainingCell]) -> Vec<usize> {
    let key = |cell: &TrainingCell| (cell.features.skew.to_bits(), cell.features.length);
    let known: BTreeSet<_> = cells.iter().map(key).collect();
    cells.iter().map(|cell| known.iter().position(|one| *one == key(cell)).unwrap_or(0)).collect()
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
mod tests {
    use super::*;
    use crate::advisor::ranking::RankingModel;
    use crate::advisor::ranking::baselines::by_rules;
    use crate::advisor::ranking::synthetic::grid;

    /// Locks win where many meet, versions where few do, one lock where everybody meets; the rules know none of it.
    fn planted(features: &Features, strategy: Strategy) -> f64 {
        let heat = features.conflicts().max(1e-3).ln();
        let peak = match strategy {
            Strategy::Serializable => -20.0,
            Strategy::PromotedRepeatableRead => 30.0,
            Strategy::OptimisticVersions => -4.0,
            Strategy::AdvisoryLocks => 0.0,
            Strategy::RowLocks => 3.0,
            Strategy::OneLock => 6.0,
        };
        1_000.0 * (-(heat - peak).powi(2) / 20.0).exp() + 10.0
    }

    #[test]
    fn a_planted_best_strategy_is_found_on_cells_that_were_held_out() {
        let cells = grid(7, 0.05, planted);
        let model = RankingModel::train("synthetic", cells, by_rules).expect("trained");
        let card = model.card();
        assert_eq!(card.ranks, Ranks::Model, "{card:?}");
        assert!(card.reaches_goal(), "{card:?}");
        let hot = Features { read_share: 0.2, skew: 1.2, length: 10, clients: 32 };
        assert_eq!(model.predict(&hot).expect("predicted")[0].strategy, Strategy::OneLock);
        let calm = Features { read_share: 0.9, skew: 0.0, length: 2, clients: 2 };
        assert_eq!(model.predict(&calm).expect("predicted")[0].strategy, Strategy::OptimisticVersions);
    }

    #[test]
    fn of_noise_alone_the_model_learns_nothing_and_the_rules_rank() {
        for seed in 0..5 {
            let cells = grid(seed, 0.3, |_, _| 500.0);
            let model = RankingModel::train("synthetic", cells, by_rules).expect("trained");
            assert_eq!(model.card().ranks, Ranks::Rules, "seed {seed}: {:?}", model.card());
            assert!(!model.ranks());
            assert!(model.card().noise_floor > 0.05, "picking by noise costs: {:?}", model.card());
        }
    }

    #[test]
    fn where_the_rules_are_right_they_rank() {
        let law = |features: &Features, strategy| if strategy == by_rules(features) { 900.0 } else { 500.0 };
        let model = RankingModel::train("synthetic", grid(3, 0.02, law), by_rules).expect("trained");
        assert_eq!(model.card().ranks, Ranks::Rules, "{:?}", model.card());
        assert!(!model.card().reaches_goal(), "the model is not below the rules");
    }

    #[test]
    fn training_again_gives_the_same_model() {
        let train = || RankingModel::train("synthetic", grid(7, 0.05, planted), by_rules).expect("trained");
        let (one, other) = (train(), train());
        assert_eq!(one.file(), other.file());
        let features = Features { read_share: 0.4, skew: 0.8, length: 4, clients: 12 };
        assert_eq!(one.predict(&features).expect("predicted"), other.predict(&features).expect("predicted"));
        let text = serde_json::to_string(one.file()).expect("written");
        let read = RankingModel::read(&text).expect("read").expect("a model");
        assert_eq!(read.predict(&features).expect("predicted"), one.predict(&features).expect("predicted"));
    }

    #[test]
    fn a_grid_that_is_too_small_trains_nothing() {
        let cells = grid(7, 0.05, planted).into_iter().take(CELLS_LEAST - 1).collect();
        let refused = RankingModel::train("synthetic", cells, by_rules);
        assert!(matches!(refused, Err(RankingError::TooFewCells { found: 39, .. })));
    }
}
