//! What an application needs of its transactions: the answers to the questions of [`questions`].
//!
//! Every answer has a default that a careful engineer would give for an ordinary web application, so an empty
//! requirement is a valid one. What follows from the answers is the business of the rules.

pub mod choices;
pub mod file;
pub mod questions;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use choices::{Audit, Availability, Distribution, Invariant, Ordering, Pooling, Tenancy};
pub use questions::{Answer, QUESTIONS, Question};

/// The answers. Names are those of [`QUESTIONS`], where each is explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = AdvisorRequirement)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and any two can be answered apart")]
pub struct Requirement {
    /// What must stay true.
    pub invariants: BTreeSet<Invariant>,
    /// Share of writing transactions that meet another one at the same rows, 0 to 1.
    pub conflict_rate: f64,
    /// Share of writing transactions that write the most wanted row, 0 to 1.
    pub hot_row_share: f64,
    /// Share of transactions that only read, 0 to 1.
    pub read_share: f64,
    /// Statements in one transaction.
    pub statements: u32,
    /// How long one transaction takes when it is alone, milliseconds.
    pub transaction_ms: f64,
    /// Whether a person or another service is waited for inside the transaction.
    pub waits_inside: bool,
    /// Transactions under way at the same time.
    pub clients: u32,
    /// Transactions per second that must be carried.
    pub throughput_per_second: f64,
    /// The latency that 99 of 100 transactions must keep, milliseconds.
    pub latency_p99_ms: f64,
    /// Whether the application may run a whole transaction again.
    pub may_retry: bool,
    /// Whether statements may be changed.
    pub may_change_sql: bool,
    /// Whether tables may be changed.
    pub may_change_schema: bool,
    /// Whether another process may be run beside the application.
    pub may_add_service: bool,
    /// Over how many servers the data is spread.
    pub distribution: Distribution,
    /// What must go on when servers cannot reach each other.
    pub availability: Availability,
    /// What stands between the application and the server.
    pub pooling: Pooling,
    /// Whether work must be done in the order of its arrival.
    pub ordering: Ordering,
    /// Whether a transaction has effects outside of the database.
    pub outside_effects: bool,
    /// Whether long reports run beside the writers.
    pub long_reports: bool,
    /// How old what a reader sees may be, milliseconds.
    pub staleness_ms: f64,
    /// Whether an invariant may be broken for a moment inside a transaction.
    pub broken_inside: bool,
    /// What of the past must be provable.
    pub audit: Audit,
    /// Whose data lies together.
    pub tenancy: Tenancy,
    /// Rows that are added in a day and removed when they are old; 0 where nothing ages.
    pub ageing_rows_per_day: f64,
}

impl Default for Requirement {
    fn default() -> Self {
        Self {
            invariants: BTreeSet::new(),
            conflict_rate: 0.02,
            hot_row_share: 0.01,
            read_share: 0.8,
            statements: 4,
            transaction_ms: 5.0,
            waits_inside: false,
            clients: 32,
            throughput_per_second: 200.0,
            latency_p99_ms: 200.0,
            may_retry: true,
            may_change_sql: true,
            may_change_schema: true,
            may_add_service: false,
            distribution: Distribution::OneServer,
            availability: Availability::Failover,
            pooling: Pooling::Session,
            ordering: Ordering::None,
            outside_effects: false,
            long_reports: false,
            staleness_ms: 0.0,
            broken_inside: false,
            audit: Audit::None,
            tenancy: Tenancy::One,
            ageing_rows_per_day: 0.0,
        }
    }
}

/// Why answers cannot be used. Users' mistakes, all of them.
#[derive(Debug, thiserror::Error)]
pub enum RequirementError {
    /// The text is no JSON object of answers.
    #[error("the requirement cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// An answer is outside of what can be meant.
    #[error("{field} is {value}, and must be between {least} and {most}{unit}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was given.
        value: f64,
        /// The least that can be meant.
        least: f64,
        /// The most that can be meant.
        most: f64,
        /// The unit, with a space before it.
        unit: String,
    },
    /// Two answers contradict each other.
    #[error("{one} and {other} contradict each other: {why}")]
    Contradiction {
        /// A field.
        one: &'static str,
        /// Another.
        other: &'static str,
        /// Why.
        why: &'static str,
    },
}

impl RequirementError {
    /// What a user can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "fields that are left out have defaults; an empty object is a valid requirement",
            Self::OutOfRange { .. } => "shares are between 0 and 1: write 0.2 for 20 %",
            Self::Contradiction { .. } => "change one of the two answers",
        }
    }
}

impl Requirement {
    /// Reads and checks answers.
    ///
    /// # Errors
    /// Where the text is not JSON, names a field or a choice that there is not, or [`Self::validate`] refuses it.
    pub fn from_json(text: &str) -> Result<Self, RequirementError> {
        let read: Self =
            serde_json::from_str(text).map_err(|error| RequirementError::Unreadable { reason: error.to_string() })?;
        read.validate()?;
        Ok(read)
    }

    /// Checks every number against the bounds of its question, and answers against each other.
    ///
    /// # Errors
    /// The first answer that cannot be meant.
    pub fn validate(&self) -> Result<(), RequirementError> {
        for question in &QUESTIONS {
            let Answer::Number { quantity, least, most, unit, .. } = question.answer else { continue };
            let value = quantity.of(self);
            if !(least..=most).contains(&value) {
                let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
                return Err(RequirementError::OutOfRange { field: question.field, value, least, most, unit });
            }
        }
        if self.distribution == Distribution::OneServer && self.availability == Availability::AlwaysWritable {
            return Err(RequirementError::Contradiction {
                one: "distribution",
                other: "availability",
                why: "one server that cannot be reached takes no writes",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_a_valid_requirement_with_the_defaults() {
        assert_eq!(Requirement::from_json("{}").expect("valid"), Requirement::default());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_field_and_its_bounds() {
        let check = |text: &str, expect: &str| {
            let error = Requirement::from_json(text).expect_err(text);
            assert!(error.to_string().contains(expect), "{text}: {error}");
            assert!(!error.hint().is_empty());
        };
        check(r#"{"conflict_rate": 20}"#, "conflict_rate is 20, and must be between 0 and 1");
        check(r#"{"clients": 0}"#, "clients is 0");
        check(r#"{"transaction_ms": -1}"#, "between 0.01 and");
        check(r#"{"conflicts": 0.2}"#, "unknown field `conflicts`");
        check(r#"{"invariants": ["no_oversel"]}"#, "unknown variant `no_oversel`");
        check(r#"{"availability": "always_writable"}"#, "takes no writes");
        check("[", "cannot be read");
        check(r#"{"latency_p99_ms": null}"#, "cannot be read");
    }

    #[test]
    fn answers_survive_being_written_and_read() {
        let told = Requirement {
            invariants: BTreeSet::from([Invariant::NoOversell, Invariant::AtMostOnce]),
            distribution: Distribution::ReadReplicas,
            ..Requirement::default()
        };
        let text = serde_json::to_string(&told).expect("written");
        assert_eq!(Requirement::from_json(&text).expect("read"), told);
    }
}
