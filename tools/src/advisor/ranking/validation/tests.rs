//! The validation held against grids that were never measured: with a planted best strategy, and of noise alone.

use super::*;
use crate::advisor::ranking::RankingModel;
use crate::advisor::ranking::baselines::by_rules;
use crate::advisor::ranking::synthetic::{QUICK, grid};

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
    let model = RankingModel::train_with("synthetic", cells, by_rules, QUICK).expect("trained");
    let card = model.card();
    assert_eq!(card.ranks, Ranks::Model, "{card:?}");
    assert!(card.reaches_goal(), "{card:?}");
    assert_eq!(card.values.len(), Axis::ALL.len());
    let hot = Features { read_share: 0.2, skew: 1.2, length: 10, clients: 32 };
    assert_eq!(model.predict(&hot).expect("predicted")[0].strategy, Strategy::OneLock);
    let calm = Features { read_share: 0.9, skew: 0.0, length: 2, clients: 2 };
    assert_eq!(model.predict(&calm).expect("predicted")[0].strategy, Strategy::OptimisticVersions);
}

#[test]
fn of_noise_alone_the_model_learns_nothing_and_the_rules_rank() {
    for seed in 0..2 {
        let cells = grid(seed, 0.3, |_, _| 500.0);
        let model = RankingModel::train_with("synthetic", cells, by_rules, QUICK).expect("trained");
        assert_eq!(model.card().ranks, Ranks::Rules, "seed {seed}: {:?}", model.card());
        assert!(!model.ranks());
        assert!(model.card().noise_floor > 0.05, "picking by noise costs: {:?}", model.card());
    }
}

#[test]
fn where_the_rules_are_right_they_rank() {
    let law = |features: &Features, strategy| if strategy == by_rules(features) { 900.0 } else { 500.0 };
    let model = RankingModel::train_with("synthetic", grid(3, 0.02, law), by_rules, QUICK).expect("trained");
    assert_eq!(model.card().ranks, Ranks::Rules, "{:?}", model.card());
    assert!(!model.card().reaches_goal(), "the model is not below the rules");
}

#[test]
fn training_again_gives_the_same_model() {
    let cells = || grid(7, 0.05, planted).into_iter().take(2 * CELLS_LEAST).collect();
    let train = || RankingModel::train_with("synthetic", cells(), by_rules, QUICK).expect("trained");
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
    let refused = RankingModel::train_with("synthetic", cells, by_rules, QUICK);
    assert!(matches!(refused, Err(RankingError::TooFewCells { found: 39, .. })));
}

#[test]
fn cells_of_one_value_are_held_out_together() {
    // Which strategy is best hangs on the number of clients alone, in no order: who has not seen a number cannot know it.
    let law = |features: &Features, strategy: Strategy| {
        let best = match features.clients {
            2 | 8 => Strategy::RowLocks,
            4 | 32 => Strategy::Serializable,
            _ => Strategy::OneLock,
        };
        if strategy == best { 1_000.0 } else { 200.0 }
    };
    let model = RankingModel::train_with("synthetic", grid(5, 0.02, law), by_rules, QUICK).expect("trained");
    let card = model.card();
    let regret = |axis| card.values.iter().find(|one| one.axis == axis).expect("an axis").mean_regret;
    assert!(card.score(Chooser::Model).expect("judged").mean_regret < 0.05, "{card:?}");
    assert!(regret(Axis::ReadShare) < 0.05, "{card:?}");
    assert!(regret(Axis::Clients) > 0.5, "a cell of the number that was held out was seen: {card:?}");
}
