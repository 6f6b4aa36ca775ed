//! Lets the ranking model order what it was trained on, where its card says that it beats the rules.

use super::decision::{RankedBy, RankedSolution};
use crate::advisor::estimate::features;
use crate::advisor::ranking::{Prediction, RankingModel};
use crate::advisor::requirement::Requirement;
use crate::advisor::words::Words;

/// Orders the solutions that the model knows among the places that they hold; the others stay where they are.
pub(super) fn rank(ranked: &mut [RankedSolution], requirement: &Requirement, model: Option<&RankingModel>) -> RankedBy {
    let Some(model) = model else {
        return rules(
            "no model was shipped: nothing was measured to train it on",
            "没有随程序发布的模型：尚无训练数据",
        );
    };
    if !model.ranks() {
        return rules(
            "the model does not beat the rules on workloads that it has not seen",
            "模型在未见过的负载上不优于规则",
        );
    }
    let Ok(predictions) = model.predict(&features(requirement)) else {
        return rules("the model could not be asked", "无法询问模型");
    };
    reorder(ranked, &predictions);
    RankedBy::Model {
        record: model.file().record.clone(),
        error: model.card().error_median,
        because: Words::new(
            "solutions that were measured in the grid are ordered by the model, among the places that the rules gave them",
            "在网格中测量过的方案由模型在规则给出的名次之间排序",
        ),
    }
}

fn rules(en: &str, zh: &str) -> RankedBy {
    RankedBy::Rules { because: Words::new(en, zh) }
}

/// Predictions come best first.
fn reorder(ranked: &mut [RankedSolution], predictions: &[Prediction]) {
    let place = |one: &RankedSolution| {
        let strategy = one.solution.solution().strategy?;
        predictions.iter().position(|prediction| prediction.strategy == strategy)
    };
    let places: Vec<usize> = (0..ranked.len()).filter(|at| place(&ranked[*at]).is_some()).collect();
    let mut known: Vec<RankedSolution> = places.iter().map(|at| ranked[*at].clone()).collect();
    known.sort_by_key(place);
    for (at, one) in places.into_iter().zip(known) {
        ranked[at] = one;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::engine::DecisionEngine;
    use crate::advisor::grid::Strategy;
    use crate::advisor::ranking::synthetic::{QUICK, grid};
    use crate::advisor::ranking::{Features, by_rules};
    use crate::advisor::requirement::Invariant;
    use crate::advisor::rules::RuleSet;

    /// A model of a grid in which one strategy is always the best.
    fn model(best: Strategy) -> &'static RankingModel {
        let law = move |_: &Features, strategy| if strategy == best { 1_000.0 } else { 400.0 };
        Box::leak(Box::new(
            RankingModel::train_with("synthetic", grid(1, 0.02, law), by_rules, QUICK).expect("trained"),
        ))
    }

    fn floor_over_rows() -> Requirement {
        Requirement { invariants: [Invariant::SumFloor].into(), ..Requirement::default() }
    }

    #[test]
    fn a_model_that_beats_the_rules_orders_what_it_was_trained_on_and_moves_nothing_else() {
        let model = model(Strategy::OneLock);
        assert!(model.ranks(), "{:?}", model.card());
        let decide = |ml_model| DecisionEngine { rules: RuleSet::shipped(), ml_model }.decide(&floor_over_rows(), None);
        let (by_rules, by_model) = (decide(None), decide(Some(model)));
        assert!(matches!(&by_model.ranked_by, RankedBy::Model { record, .. } if record == "synthetic"));
        let known = |one: &RankedSolution| one.solution.solution().strategy;
        let first = by_model.ranked.iter().find_map(known);
        assert_eq!(first, Some(Strategy::OneLock));
        assert_ne!(by_rules.ranked.iter().find_map(known), first, "the rules say otherwise, or nothing is shown");
        for (before, after) in by_rules.ranked.iter().zip(&by_model.ranked) {
            assert_eq!(known(before).is_some(), known(after).is_some());
            assert!(known(before).is_some() || before.solution == after.solution, "{after:?}");
        }
    }

    #[test]
    fn a_model_that_does_not_beat_the_rules_changes_no_order_and_the_decision_says_so() {
        let law = |features: &Features, strategy| if strategy == by_rules(features) { 900.0 } else { 500.0 };
        let model = RankingModel::train_with("synthetic", grid(3, 0.02, law), by_rules, QUICK).expect("trained");
        assert!(!model.ranks(), "{:?}", model.card());
        let decide = |ml_model| DecisionEngine { rules: RuleSet::shipped(), ml_model }.decide(&floor_over_rows(), None);
        let with = decide(Some(Box::leak(Box::new(model))));
        let order = |decision: &crate::advisor::engine::Decision| {
            decision.ranked.iter().map(|one| one.solution).collect::<Vec<_>>()
        };
        assert_eq!(order(&with), order(&decide(None)));
        let RankedBy::Rules { because } = &with.ranked_by else { panic!("{:?}", with.ranked_by) };
        assert!(because.en.contains("does not beat the rules"), "{because:?}");
    }
}
