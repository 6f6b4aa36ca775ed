//! What the load loop does after a step gave no decision: try again, reconnect, or give up.
//!
//! Whether an operation may be tried again is not asked here: every step is idempotent by its key.

use std::collections::BTreeMap;
use std::time::Duration;

use pgstrata_pg::ErrorClass;
use serde::{Deserialize, Serialize};

use crate::study::Setback;

/// Bounds of retrying one operation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How often an operation is tried at most while its outcome is certain (conflicts, serialization failures).
    pub attempts: u16,
    /// The first back-off; doubled each time, drawn uniformly from zero (full jitter).
    ///
    /// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    pub backoff: Duration,
    /// The longest back-off.
    pub backoff_cap: Duration,
    /// How long a client goes on asking for the outcome of one operation whose outcome is unknown.
    pub resolve_limit: Duration,
    /// How long one step may take before the client is torn down and the step counts as unknown.
    pub step_limit: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 10_000,
            backoff: Duration::from_millis(1),
            backoff_cap: Duration::from_millis(100),
            resolve_limit: Duration::from_mins(1),
            step_limit: Duration::from_secs(20),
        }
    }
}

/// Why an operation was tried again; each class is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryClass {
    /// The arm's own optimistic check.
    Conflict,
    /// The sequencer or front door could not say.
    Unknown,
    /// The client was torn down because a step took too long.
    StepLimit,
    /// A class of PostgreSQL's errors.
    Database(ErrorClass),
}

impl RetryClass {
    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
            Self::StepLimit => "step_limit",
            Self::Database(class) => match class {
                ErrorClass::SerializationFailure => "serialization_failure",
                ErrorClass::Deadlock => "deadlock",
                ErrorClass::LockTimeout => "lock_timeout",
                ErrorClass::UniqueViolation => "unique_violation",
                ErrorClass::ConstraintViolation => "constraint_violation",
                ErrorClass::Cancelled => "cancelled",
                ErrorClass::ServerLost => "server_lost",
                ErrorClass::NotConnected => "not_connected",
                ErrorClass::Resources => "resources",
                ErrorClass::Other => "other",
            },
        }
    }
}

/// Counts of retries by the name of their class.
pub type RetryCounts = BTreeMap<String, u64>;

/// What follows from a setback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Try the same operation again at once, on the same client.
    RetryNow(RetryClass),
    /// Try the same operation again after a back-off, on the same client.
    RetryLater(RetryClass),
    /// Replace the client, then try the same operation again.
    Reconnect(RetryClass),
    /// Give up: nothing was done.
    GiveUp,
}

impl Setback {
    /// What follows from this setback.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Conflict => Reaction::RetryNow(RetryClass::Conflict),
            Self::Overloaded => Reaction::GiveUp,
            Self::Unknown => Reaction::RetryLater(RetryClass::Unknown),
            Self::Database(error) => {
                let class = error.class();
                match class {
                    // The other copy of the same key won; asking again gives its answer.
                    ErrorClass::UniqueViolation => Reaction::RetryNow(RetryClass::Database(class)),
                    ErrorClass::SerializationFailure
                    | ErrorClass::Deadlock
                    | ErrorClass::LockTimeout
                    | ErrorClass::Resources => Reaction::RetryLater(RetryClass::Database(class)),
                    ErrorClass::ServerLost | ErrorClass::NotConnected => {
                        Reaction::Reconnect(RetryClass::Database(class))
                    }
                    ErrorClass::ConstraintViolation | ErrorClass::Cancelled | ErrorClass::Other => Reaction::GiveUp,
                }
            }
        }
    }

    /// Whether the operation may have been carried out in spite of the setback.
    #[must_use]
    pub fn leaves_outcome_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Conflict | Self::Overloaded => false,
            Self::Database(error) => error.class().leaves_outcome_unknown(),
        }
    }
}

impl RetryPolicy {
    /// The back-off before attempt `attempt` (from 1), given a uniform draw in [0, 1).
    #[must_use]
    pub fn backoff_before(&self, attempt: u16, uniform: f64) -> Duration {
        let doublings = u32::from(attempt.min(16));
        let ceiling = self.backoff.saturating_mul(1 << doublings).min(self.backoff_cap);
        ceiling.mul_f64(uniform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_but_never_passes_its_cap() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.backoff_before(1, 0.0), Duration::ZERO);
        assert!(policy.backoff_before(2, 0.99) > policy.backoff_before(1, 0.99));
        assert!(policy.backoff_before(u16::MAX, 0.99) <= policy.backoff_cap);
    }

    #[test]
    fn a_lost_optimistic_race_is_retried_at_once_and_overload_is_not() {
        assert_eq!(Setback::Conflict.reaction(), Reaction::RetryNow(RetryClass::Conflict));
        assert_eq!(Setback::Overloaded.reaction(), Reaction::GiveUp);
        assert!(Setback::Unknown.leaves_outcome_unknown());
        assert!(!Setback::Overloaded.leaves_outcome_unknown());
    }
}
