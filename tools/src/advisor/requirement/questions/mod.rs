//! The questions behind a [`Requirement`], as data: the page's wizard, the command line's help and the book are made of this
//! one table. A test compares it with the fields of the requirement.

mod table;

use pgstrata_units::Text;
use serde::Serialize;

use super::Requirement;
pub use table::QUESTIONS;

/// A question of the wizard.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Question {
    /// The requirement's field.
    pub field: &'static str,
    /// Which part of the wizard asks it.
    pub group: Group,
    /// The question.
    pub ask: Text,
    /// What is meant, with an example.
    pub help: Text,
    /// What the answer changes.
    pub changes: Text,
    /// What can be answered.
    pub answer: Answer,
}

/// A part of the wizard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// What must hold.
    Truth,
    /// How much, how fast.
    Load,
    /// What may be changed.
    Freedom,
    /// Where it runs.
    Place,
}

impl Group {
    /// All parts, in their order.
    pub const ALL: [Self; 4] = [Self::Truth, Self::Load, Self::Freedom, Self::Place];

    /// The part's heading.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Truth => Text { en: "What must hold", zh: "必须成立的事实" },
            Self::Load => Text { en: "How much and how fast", zh: "负载与速度" },
            Self::Freedom => Text { en: "What may be changed", zh: "可以改动什么" },
            Self::Place => Text { en: "Where it runs", zh: "在哪里运行" },
        }
    }
}

/// What can be answered to a question. Defaults are those of [`Requirement::default`].
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Answer {
    /// Yes or no.
    Flag {
        /// Which.
        flag: Flag,
    },
    /// A number with bounds.
    Number {
        /// Which.
        quantity: Quantity,
        /// The least that can be meant.
        least: f64,
        /// The most that can be meant.
        most: f64,
        /// Its unit, empty for shares and counts.
        unit: &'static str,
        /// Whether it counts things, and has no fraction.
        whole: bool,
    },
    /// One of a list.
    One {
        /// Names in JSON and texts.
        options: &'static [(&'static str, Text)],
    },
    /// Any of a list.
    Many {
        /// Names in JSON and texts.
        options: &'static [(&'static str, Text)],
    },
}

/// A field that is a number, for conditions of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of `Requirement` of that name, where it is explained")]
pub enum Quantity {
    ConflictRate,
    HotRowShare,
    ReadShare,
    Statements,
    TransactionMs,
    Clients,
    Throughput,
    LatencyP99Ms,
    AgeingRows,
    StalenessMs,
}

impl Quantity {
    /// Its value in a requirement.
    #[must_use]
    pub fn of(self, requirement: &Requirement) -> f64 {
        match self {
            Self::ConflictRate => requirement.conflict_rate,
            Self::HotRowShare => requirement.hot_row_share,
            Self::ReadShare => requirement.read_share,
            Self::Statements => f64::from(requirement.statements),
            Self::TransactionMs => requirement.transaction_ms,
            Self::Clients => f64::from(requirement.clients),
            Self::Throughput => requirement.throughput_per_second,
            Self::LatencyP99Ms => requirement.latency_p99_ms,
            Self::AgeingRows => requirement.ageing_rows_per_day,
            Self::StalenessMs => requirement.staleness_ms,
        }
    }

    /// The requirement's field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::ConflictRate => "conflict_rate",
            Self::HotRowShare => "hot_row_share",
            Self::ReadShare => "read_share",
            Self::Statements => "statements",
            Self::TransactionMs => "transaction_ms",
            Self::Clients => "clients",
            Self::Throughput => "throughput_per_second",
            Self::LatencyP99Ms => "latency_p99_ms",
            Self::AgeingRows => "ageing_rows_per_day",
            Self::StalenessMs => "staleness_ms",
        }
    }
}

/// A field that is yes or no, for conditions of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of `Requirement` of that name, where it is explained")]
pub enum Flag {
    BrokenInside,
    OutsideEffects,
    WaitsInside,
    LongReports,
    MayRetry,
    MayChangeSql,
    MayChangeSchema,
    MayAddService,
}

impl Flag {
    /// Its value in a requirement.
    #[must_use]
    pub const fn of(self, requirement: &Requirement) -> bool {
        match self {
            Self::BrokenInside => requirement.broken_inside,
            Self::OutsideEffects => requirement.outside_effects,
            Self::WaitsInside => requirement.waits_inside,
            Self::LongReports => requirement.long_reports,
            Self::MayRetry => requirement.may_retry,
            Self::MayChangeSql => requirement.may_change_sql,
            Self::MayChangeSchema => requirement.may_change_schema,
            Self::MayAddService => requirement.may_add_service,
        }
    }

    /// The requirement's field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::BrokenInside => "broken_inside",
            Self::OutsideEffects => "outside_effects",
            Self::WaitsInside => "waits_inside",
            Self::LongReports => "long_reports",
            Self::MayRetry => "may_retry",
            Self::MayChangeSql => "may_change_sql",
            Self::MayChangeSchema => "may_change_schema",
            Self::MayAddService => "may_add_service",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_field_has_one_question_and_each_question_a_field() {
        let default = serde_json::to_value(Requirement::default()).expect("written");
        let fields: BTreeSet<&str> = default.as_object().expect("an object").keys().map(String::as_str).collect();
        let asked: BTreeSet<&str> = QUESTIONS.iter().map(|question| question.field).collect();
        assert_eq!(fields, asked);
        assert_eq!(asked.len(), QUESTIONS.len(), "a field is asked twice");
    }

    #[test]
    fn each_question_says_in_both_languages_what_it_means_and_changes() {
        for question in &QUESTIONS {
            for text in [question.ask, question.help, question.changes] {
                assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", question.field);
            }
            assert!(question.ask.en.ends_with('?') && question.ask.zh.ends_with('？'), "{}", question.field);
        }
    }

    #[test]
    fn flags_and_quantities_are_those_of_their_fields() {
        for question in &QUESTIONS {
            let default = serde_json::to_value(Requirement::default()).expect("written");
            match question.answer {
                Answer::Flag { flag } => {
                    assert_eq!(flag.field(), question.field);
                    assert_eq!(default[question.field], flag.of(&Requirement::default()));
                }
                Answer::Number { quantity, least, most, whole, .. } => {
                    let value = default[question.field].as_f64().expect("a number");
                    assert!(least <= value && value <= most, "{}", question.field);
                    assert!((value - quantity.of(&Requirement::default())).abs() < f64::EPSILON);
                    assert_eq!(whole, default[question.field].is_u64(), "{}", question.field);
                }
                Answer::One { options } => {
                    let value = default[question.field].as_str().expect("a choice");
                    assert!(options.iter().any(|(key, _)| *key == value), "{}", question.field);
                }
                Answer::Many { .. } => assert_eq!(default[question.field], serde_json::json!([])),
            }
        }
    }
}
