//! What a rule asks: a small language of questions about a requirement and the analysis of its SQL, so that what was
//! asked and what was found can be shown.

use pgstrata_units::Text;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::advisor::requirement::questions::{Flag, Quantity};
use crate::advisor::requirement::{
    Audit, Availability, Distribution, Invariant, Ordering, Pooling, Requirement, Tenancy,
};
use crate::advisor::words::Words;

/// When a rule applies.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Every one of these.
    All(&'static [Condition]),
    /// One of these, or several.
    Any(&'static [Condition]),
    /// Not this.
    Not(&'static Condition),
    /// A number is at least this.
    AtLeast(Quantity, f64),
    /// A question was answered with yes.
    Yes(Flag),
    /// This must hold.
    Needs(Invariant),
    /// The data is spread like this.
    Distribution(Distribution),
    /// This must go on.
    Availability(Availability),
    /// This stands in between.
    Pooling(Pooling),
    /// Work has this order.
    Ordering(Ordering),
    /// This of the past must be provable.
    Audit(Audit),
    /// Data lies together like this.
    Tenancy(Tenancy),
    /// The analysis of the SQL found this.
    Found(Finding),
}

/// What the analysis of the transactions' SQL can say to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// There is SQL, and it was analysed.
    Given,
    /// All programs are safe at read committed.
    ReadCommittedIsSafe,
    /// All programs are safe at repeatable read.
    RepeatableReadIsSafe,
    /// Some program may run below serializable.
    MixedIsWeaker,
    /// Some program needs more than read committed.
    MixedRetries,
    /// There are promotions.
    Promotable,
    /// After them some program still needs more than read committed.
    PromotedRetries,
    /// A program should be one transaction and is not.
    SplitProgram,
    /// Something was not understood.
    NotUnderstood,
}

impl Finding {
    const fn text(self) -> Text {
        match self {
            Self::Given => Text { en: "the transactions' SQL was analysed", zh: "已分析事务的 SQL" },
            Self::ReadCommittedIsSafe => {
                Text { en: "all programs are safe at read committed", zh: "所有程序在读已提交下安全" }
            }
            Self::RepeatableReadIsSafe => {
                Text { en: "all programs are safe at repeatable read", zh: "所有程序在可重复读下安全" }
            }
            Self::MixedIsWeaker => {
                Text { en: "some program may run below serializable", zh: "有程序可以低于可串行化" }
            }
            Self::MixedRetries => {
                Text { en: "some program needs more than read committed", zh: "有程序需要高于读已提交" }
            }
            Self::Promotable => Text { en: "reads can be promoted", zh: "有可以提升的读" },
            Self::PromotedRetries => Text {
                en: "after promotion some program needs more than read committed",
                zh: "提升之后仍有程序需要高于读已提交",
            },
            Self::SplitProgram => Text {
                en: "a program should be one transaction and is not",
                zh: "有程序应当是一个事务而不是",
            },
            Self::NotUnderstood => Text { en: "some SQL was not understood", zh: "有 SQL 未能理解" },
        }
    }
}

/// What the analysis of the transactions' SQL found, as far as rules ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and rules ask for them one by one")]
pub struct Findings {
    /// All programs are safe at read committed.
    pub read_committed_is_safe: bool,
    /// All programs are safe at repeatable read.
    pub repeatable_read_is_safe: bool,
    /// Some program may run below serializable.
    pub mixed_is_weaker: bool,
    /// Some program needs more than read committed.
    pub mixed_retries: bool,
    /// There are promotions.
    pub promotable: bool,
    /// After the best of them some program needs more than read committed.
    pub promoted_retries: bool,
    /// A program should be one transaction and is not.
    pub split_program: bool,
    /// Something was not understood.
    pub not_understood: bool,
}

impl Findings {
    const fn says(self, finding: Finding) -> bool {
        match finding {
            Finding::Given => true,
            Finding::ReadCommittedIsSafe => self.read_committed_is_safe,
            Finding::RepeatableReadIsSafe => self.repeatable_read_is_safe,
            Finding::MixedIsWeaker => self.mixed_is_weaker,
            Finding::MixedRetries => self.mixed_retries,
            Finding::Promotable => self.promotable,
            Finding::PromotedRetries => self.promoted_retries,
            Finding::SplitProgram => self.split_program,
            Finding::NotUnderstood => self.not_understood,
        }
    }
}

/// What conditions are asked of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The answers.
    pub requirement: &'a Requirement,
    /// What the SQL says, where there is SQL.
    pub findings: Option<Findings>,
}

/// One question that a rule asked, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observed {
    /// What was asked, with the value that was found.
    pub what: Words,
    /// Whether it is so.
    pub holds: bool,
    /// The requirement's field that answers it; none where the SQL does.
    pub field: Option<String>,
}

impl Condition {
    /// Whether it is so, and every question that was asked on the way, all of them, in order.
    pub fn ask(&self, facts: &Facts<'_>, seen: &mut Vec<Observed>) -> bool {
        match self {
            Self::All(parts) => answers(parts, facts, seen).into_iter().all(|holds| holds),
            Self::Any(parts) => answers(parts, facts, seen).into_iter().any(|holds| holds),
            Self::Not(part) => !part.ask(facts, seen),
            leaf => {
                let observed = leaf.observe(facts);
                let holds = observed.holds;
                seen.push(observed);
                holds
            }
        }
    }

    fn observe(&self, facts: &Facts<'_>) -> Observed {
        let told = facts.requirement;
        match *self {
            Self::All(_) | Self::Any(_) | Self::Not(_) => unreachable!("only leaves are observed"),
            Self::AtLeast(quantity, least) => {
                let (name, value) = (quantity.field(), quantity.of(told));
                let what = Words::new(
                    format!("{name} is {value}; at least {least}?"),
                    format!("{name} 为 {value}；是否至少 {least}？"),
                );
                Observed { what, holds: value >= least, field: Some(name.to_owned()) }
            }
            Self::Yes(flag) => {
                let (name, value) = (flag.field(), flag.of(told));
                let answer = if value { ("yes", "是") } else { ("no", "否") };
                let what = Words::new(format!("{name}: {}", answer.0), format!("{name}：{}", answer.1));
                Observed { what, holds: value, field: Some(name.to_owned()) }
            }
            Self::Needs(invariant) => {
                let what = invariant.text().into();
                let holds = told.invariants.contains(&invariant);
                Observed { what, holds, field: Some("invariants".to_owned()) }
            }
            Self::Distribution(one) => chosen("distribution", one.text(), told.distribution == one),
            Self::Availability(one) => chosen("availability", one.text(), told.availability == one),
            Self::Pooling(one) => chosen("pooling", one.text(), told.pooling == one),
            Self::Ordering(one) => chosen("ordering", one.text(), told.ordering == one),
            Self::Audit(one) => chosen("audit", one.text(), told.audit == one),
            Self::Tenancy(one) => chosen("tenancy", one.text(), told.tenancy == one),
            Self::Found(finding) => {
                let holds = facts.findings.is_some_and(|findings| findings.says(finding));
                Observed { what: finding.text().into(), holds, field: None }
            }
        }
    }
}

/// The answers to all parts. No short cut: a reader wants to see every question.
fn answers(parts: &[Condition], facts: &Facts<'_>, seen: &mut Vec<Observed>) -> Vec<bool> {
    parts.iter().map(|part| part.ask(facts, seen)).collect()
}

fn chosen(field: &str, text: Text, holds: bool) -> Observed {
    let what = Words::new(format!("{field}: {}", text.en), format!("{field}：{}", text.zh));
    Observed { what, holds, field: Some(field.to_owned()) }
}
