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
