//! Applies the rules to a requirement: which solutions are possible, with what beside them, in which order, and why.
//!
//! The same input gives the same answer: nothing here knows a clock, a server or chance.

mod candidates;
mod decision;
mod findings;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::estimate::estimates;
use super::ranking::RankingModel;
use super::report::Report;
use super::requirement::Requirement;
use super::rules::{Effect, Facts, Findings, Rule, RuleSet};
use super::solutions::{Need, Solution, SolutionId};
use super::words::Words;
pub use decision::{Because, Beside, Decision, Needed, Points, RankedBy, RankedSolution, Rejected, TraceStep, Warning};

/// Decides by rules, and ranks by the model where there is one that beats them.
#[derive(Clone, Copy, Debug)]
pub struct DecisionEngine {
    /// The rules.
    pub rules: RuleSet,
    /// The model that was trained on measured runs; none while nothing was measured.
    pub ml_model: Option<&'static RankingModel>,
}

/// No solution keeps all that is required.
#[derive(Debug, thiserror::Error)]
#[error("no solution keeps all that is required")]
pub struct NothingFits {
    /// Why each one does not, and everything else that was found.
    pub decision: Box<Decision>,
}

impl NothingFits {
    /// What a user can do.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "give up one of the requirements: the reasons for each solution name them"
    }
}

impl DecisionEngine {
    /// The rules and the model of this program. A model that cannot be read is none.
    #[must_use]
    pub fn shipped() -> Self {
        Self { rules: RuleSet::shipped(), ml_model: RankingModel::shipped().ok().flatten() }
    }

    /// The best solution.
    ///
    /// # Errors
    /// If nothing keeps all that is required.
    pub fn recommend(&self, requirement: &Requirement) -> Result<&'static Solution, NothingFits> {
        let decision = self.decide(requirement, None);
        match decision.ranked.first() {
            Some(best) => Ok(best.solution.solution()),
            None => Err(NothingFits { decision: Box::new(decision) }),
        }
    }

    /// All solutions, ranked or rejected, with every rule that was tried. Where the transactions' SQL was analysed, its
    /// report decides what is safe; else the kinds of invariants do.
    #[must_use]
    pub fn decide(&self, requirement: &Requirement, report: Option<&Report>) -> Decision {
        self.decide_on(requirement, report.map(Findings::of))
    }

    /// As [`Self::decide`], for what an analysis found.
    #[must_use]
    pub fn decide_on(&self, requirement: &Requirement, findings: Option<Findings>) -> Decision {
        let judged = Judged::new(self.rules, &Facts { requirement, findings });
        let (mut ranked, mut rejected) = candidates::weigh(&judged, findings);
        ranked.sort_by(|a, b| b.score.cmp(&a.score).then(a.solution.cmp(&b.solution)));
        let ranked_by = order::rank(&mut ranked, requirement, self.ml_model);
        for one in &mut ranked {
            one.estimates = estimates(one.solution.solution(), requirement, self.ml_model);
        }
        rejected.extend(candidates::not_needed(&judged, &ranked));
        rejected.sort_by_key(|one| one.solution);
        Decision {
            needs: judged.needed(),
            suggested: candidates::suggested(&judged, &ranked),
            warnings: judged.warnings,
            trace: judged.trace,
            ranked,
            rejected,
            ranked_by,
        }
    }
}

/// What the rules said.
struct Judged {
    needs: BTreeMap<Need, Option<&'static str>>,
    excluded: BTreeMap<SolutionId, Vec<Because>>,
    only_beside: BTreeMap<SolutionId, &'static [SolutionId]>,
    points: BTreeMap<SolutionId, Vec<Points>>,
    suggested: BTreeSet<SolutionId>,
    suggestions: BTreeMap<SolutionId, Because>,
    warnings: Vec<Warning>,
    trace: Vec<TraceStep>,
}

impl Judged {
    /// Tries every rule, in order.
    fn new(rules: RuleSet, facts: &Facts<'_>) -> Self {
        let mut judged = Self {
            needs: facts.requirement.invariants.iter().map(|invariant| (Need::Holds(*invariant), None)).collect(),
            excluded: BTreeMap::new(),
            only_beside: BTreeMap::new(),
            points: BTreeMap::new(),
            suggested: BTreeSet::new(),
            suggestions: BTreeMap::new(),
            warnings: Vec::new(),
            trace: Vec::new(),
        };
        for rule in rules.rules {
            let mut observed = Vec::new();
            let taken = rule.when.ask(facts, &mut observed);
            if taken {
                for effect in rule.then {
                    judged.apply(rule, *effect);
                }
            }
            judged.trace.push(TraceStep::of(rule, taken, observed));
        }
        judged
    }

    fn apply(&mut self, rule: &Rule, effect: Effect) {
        match effect {
            Effect::Require(need) => {
                self.needs.entry(need).or_insert(Some(rule.id));
            }
            Effect::Exclude(solutions) => solutions.iter().for_each(|id| self.exclude(*id, rule)),
            Effect::ExcludeAsking(ask) => {
                Solution::all().filter(|card| card.asks(ask)).for_each(|card| self.exclude(card.id, rule));
            }
            Effect::OnlyBeside(companion, leaders) => {
                self.only_beside.insert(companion, leaders);
            }
            Effect::Weigh(solution, points) => {
                let because = Because::of(rule);
                self.points.entry(solution).or_default().push(Points { points, because });
            }
            Effect::Suggest(solution) => {
                self.suggested.insert(solution);
                self.suggestions.insert(solution, Because::of(rule));
            }
            Effect::Warn => {
                self.warnings.push(Warning { rule: rule.id.to_owned(), text: rule.because.into() });
            }
        }
    }

    fn exclude(&mut self, solution: SolutionId, rule: &Rule) {
        self.excluded.entry(solution).or_default().push(Because::of(rule));
    }

    fn needed(&self) -> Vec<Needed> {
        let one = |need: Need, rule: Option<&str>| Needed {
            need: need.key().to_owned(),
            text: need.text().into(),
            rule: rule.map(str::to_owned),
        };
        self.needs.iter().map(|(need, rule)| one(*need, *rule)).collect()
    }

    /// The sum of the points for and against.
    fn points(&self, solution: SolutionId) -> i32 {
        self.points.get(&solution).into_iter().flatten().map(|one| one.points).sum()
    }

    fn is_excluded(&self, solution: SolutionId) -> bool {
        self.excluded.contains_key(&solution)
    }
}

/// A list of texts in both languages, as one sentence's part.
fn listed<'a>(texts: impl IntoIterator<Item = &'a Words>) -> Words {
    let (en, zh): (Vec<&str>, Vec<&str>) = texts.into_iter().map(|text| (text.en.as_str(), text.zh.as_str())).unzip();
    Words::new(en.join("; "), zh.join("；"))
}
