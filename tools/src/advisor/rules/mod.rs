//! Rules as data: when each applies, what it does, why, and who says so. Nothing here decides; the engine applies them.

mod condition;
mod table;

use pgstrata_units::Text;
use serde::Serialize;

use super::solutions::{Ask, Need, SolutionId};
pub use condition::{Condition, Facts, Finding, Findings, Observed};

/// One rule.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rule {
    /// Its name, for links and tests.
    pub id: &'static str,
    /// When it applies.
    pub when: Condition,
    /// What it does then.
    pub then: &'static [Effect],
    /// Why.
    pub because: Text,
    /// Who says so.
    pub source: &'static str,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Something more must be kept.
    Require(Need),
    /// These cannot be used.
    Exclude(&'static [SolutionId]),
    /// Whatever asks for this cannot be used.
    ExcludeAsking(Ask),
    /// A companion is of use beside these only.
    OnlyBeside(SolutionId, &'static [SolutionId]),
    /// Points for or against.
    Weigh(SolutionId, i32),
    /// Worth adding, though nothing requires it.
    Suggest(SolutionId),
    /// What the user must know.
    Warn,
}

/// Rules that belong together.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RuleSet {
    /// The rules, in the order in which they are tried and shown.
    pub rules: &'static [Rule],
}

impl RuleSet {
    /// The rules of this program.
    #[must_use]
    pub const fn shipped() -> Self {
        Self { rules: table::RULES }
    }

    /// A rule by its name.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&'static Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_a_reason_in_both_languages_and_a_source() {
        let rules = RuleSet::shipped().rules;
        let names: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(names.len(), rules.len());
        for rule in rules {
            assert!(!rule.because.en.is_empty() && !rule.because.zh.is_empty(), "{}", rule.id);
            assert!(!rule.source.is_empty() && !rule.then.is_empty(), "{}", rule.id);
        }
    }
}
