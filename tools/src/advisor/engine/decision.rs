//! What the engine says: data only, the same for the page, the command line and the exports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::advisor::estimate::Estimates;
use crate::advisor::rules::{Effect, Observed, Rule};
use crate::advisor::solutions::{Solution, SolutionId};
use crate::advisor::words::Words;

/// The answer, with all that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdvisorDecision)]
pub struct Decision {
    /// What must be kept: the invariants, and what rules made of the other answers.
    pub needs: Vec<Needed>,
    /// What keeps all of it, best first. Empty where nothing does.
    pub ranked: Vec<RankedSolution>,
    /// Every other solution, and why it is not the answer.
    pub rejected: Vec<Rejected>,
    /// Worth adding, though nothing requires it.
    pub suggested: Vec<Beside>,
    /// What the user must know whatever is chosen.
    pub warnings: Vec<Warning>,
    /// Who ordered `ranked`.
    pub ranked_by: RankedBy,
    /// Every rule that was tried, in order.
    pub trace: Vec<TraceStep>,
}

/// Something that must be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Needed {
    /// Its name.
    pub need: String,
    /// In words.
    pub text: Words,
    /// The rule that requires it; none for an invariant of the requirement.
    pub rule: Option<String>,
}

/// A solution that keeps everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankedSolution {
    /// Which.
    pub solution: SolutionId,
    /// Its name.
    pub name: Words,
    /// What the rules gave it, less three points for each step of effort. Only the order means anything.
    pub score: i32,
    /// The rules that weighed it.
    pub why: Vec<Points>,
    /// What it keeps by itself.
    pub keeps: Vec<String>,
    /// What has to stand beside it, and for what.
    pub beside: Vec<Beside>,
    /// What to expect of it.
    pub estimates: Estimates,
}

/// Points of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Points {
    /// For, or against if below zero.
    pub points: i32,
    /// By which rule.
    pub because: Because,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Because {
    /// The rule: of the rule set, or `keeps`, `adds-nothing`, `not-needed` of the engine itself.
    pub rule: String,
    /// Why.
    pub text: Words,
    /// Who says so.
    pub source: String,
}

/// A companion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Beside {
    /// Which.
    pub solution: SolutionId,
    /// Its name.
    pub name: Words,
    /// The needs that it keeps there; none where it is only suggested.
    pub keeps: Vec<String>,
    /// Why.
    pub because: Words,
}

/// A solution that is not the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// Which.
    pub solution: SolutionId,
    /// Its name.
    pub name: Words,
    /// Why not: every reason, not only the first.
    pub because: Vec<Because>,
}

/// What the user must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// The rule.
    pub rule: String,
    /// The warning.
    pub text: Words,
}

/// Who ordered the solutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum RankedBy {
    /// The rules.
    Rules {
        /// Why not the model.
        because: Words,
    },
    /// The model, for the solutions that it was trained on; the others keep the places that the rules gave them.
    Model {
        /// The record that it was trained on.
        record: String,
        /// How far a predicted relative throughput is from the measured one, as a share of it: the median over cells
        /// that were held out.
        error: f64,
        /// What that means.
        because: Words,
    },
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceStep {
    /// Its name.
    pub rule: String,
    /// Whether it applied.
    pub taken: bool,
    /// What it rests on.
    pub because: Words,
    /// Who says so.
    pub source: String,
    /// What it asked, and what was found.
    pub observed: Vec<Observed>,
    /// The needs that it adds.
    pub requires: Vec<String>,
    /// The solutions that it rules out.
    pub excludes: Vec<SolutionId>,
    /// The solutions that it weighs.
    pub weighs: Vec<(SolutionId, i32)>,
    /// The companions that it suggests.
    pub suggests: Vec<SolutionId>,
}

impl TraceStep {
    /// What became of a rule. Its effects are listed also where it was not taken: they are what would have happened.
    pub(super) fn of(rule: &Rule, taken: bool, observed: Vec<Observed>) -> Self {
        let mut step = Self {
            rule: rule.id.to_owned(),
            taken,
            because: rule.because.into(),
            source: rule.source.to_owned(),
            observed,
            requires: Vec::new(),
            excludes: Vec::new(),
            weighs: Vec::new(),
            suggests: Vec::new(),
        };
        for effect in rule.then {
            match *effect {
                Effect::Require(need) => step.requires.push(need.key().to_owned()),
                Effect::Exclude(solutions) => step.excludes.extend(solutions),
                Effect::ExcludeAsking(ask) => {
                    step.excludes.extend(Solution::all().filter(|card| card.asks(ask)).map(|card| card.id));
                }
                Effect::Weigh(solution, points) => step.weighs.push((solution, points)),
                Effect::Suggest(solution) => step.suggests.push(solution),
                Effect::OnlyBeside(..) | Effect::Warn => {}
            }
        }
        step
    }
}

impl Because {
    pub(super) fn of(rule: &Rule) -> Self {
        Self { rule: rule.id.to_owned(), text: rule.because.into(), source: rule.source.to_owned() }
    }
}

impl Decision {
    /// The best solution, if any keeps everything.
    #[must_use]
    pub fn best(&self) -> Option<&RankedSolution> {
        self.ranked.first()
    }

    /// Why a solution is not the answer: the reasons for its rejection, or what the better ones have before it. None for
    /// the best one.
    #[must_use]
    pub fn why_not(&self, solution: SolutionId) -> Option<Words> {
        if let Some(rejected) = self.rejected.iter().find(|one| one.solution == solution) {
            return Some(super::listed(rejected.because.iter().map(|because| &because.text)));
        }
        let (best, place) = (self.best()?, self.ranked.iter().position(|one| one.solution == solution)?);
        (place > 0).then(|| {
            let one = &self.ranked[place];
            let against = super::listed(one.why.iter().filter(|why| why.points < 0).map(|why| &why.because.text));
            let lead = Words::new(
                format!("It keeps everything, and stands at place {} behind \"{}\".", place + 1, best.name.en),
                format!("它能满足全部要求，排在“{}”之后，第 {} 位。", best.name.zh, place + 1),
            );
            Words::new(format!("{} {}", lead.en, against.en).trim_end(), format!("{}{}", lead.zh, against.zh))
        })
    }
}
