//! A number that a system promises to reach, and whether it did.
//!
//! A missed claim is a value like any other: it is recorded and shown, never an error.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Better, Interval};

/// A number to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The number; reaching it exactly is enough.
    pub target: f64,
    /// Its unit, such as `req/s` or `×`.
    pub unit: &'static str,
    /// Which side of it is good.
    pub better: Better,
}

/// What was measured for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The figure, in the claim's unit.
    pub value: f64,
    /// How well it is known; `None` for a count or another figure without a spread.
    pub interval: Option<Interval>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum ClaimVerdict {
    /// It was reached.
    Held {
        /// The figure.
        measured: f64,
    },
    /// It was not reached.
    Missed {
        /// The number to reach.
        target: f64,
        /// The figure.
        measured: f64,
    },
    /// The run cannot say.
    Inconclusive {
        /// Why, as a lowercase fragment.
        why: String,
    },
}

impl Claim {
    /// Judges the claim: held if the whole interval reaches the target, missed if none of it does.
    #[must_use]
    pub fn judge(&self, measured: Measured) -> ClaimVerdict {
        let Measured { value, interval } = measured;
        if !value.is_finite() {
            return ClaimVerdict::Inconclusive { why: format!("the measured figure is {value}") };
        }
        let Interval { low, high } = interval.unwrap_or(Interval { low: value, high: value });
        let (worst, best) = match self.better {
            Better::Higher => (low, high),
            Better::Lower => (high, low),
        };
        if self.reached_by(worst) {
            ClaimVerdict::Held { measured: value }
        } else if self.reached_by(best) {
            let why =
                format!("the interval {} includes the target {} {}", Interval { low, high }, self.target, self.unit);
            ClaimVerdict::Inconclusive { why }
        } else {
            ClaimVerdict::Missed { target: self.target, measured: value }
        }
    }

    fn reached_by(&self, value: f64) -> bool {
        match self.better {
            Better::Higher => value >= self.target,
            Better::Lower => value <= self.target,
        }
    }
}

impl fmt::Display for ClaimVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { measured } => write!(formatter, "held: {measured}"),
            Self::Missed { target, measured } => write!(formatter, "missed: {measured}, target {target}"),
            Self::Inconclusive { why } => write!(formatter, "inconclusive: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Claim = Claim { target: 1.5, unit: "×", better: Better::Higher };
    const LEAN: Claim = Claim { target: 5.0, unit: "µs", better: Better::Lower };

    fn between(low: f64, value: f64, high: f64) -> Measured {
        Measured { value, interval: Some(Interval { low, high }) }
    }

    fn exactly(value: f64) -> Measured {
        Measured { value, interval: None }
    }

    #[test]
    fn a_claim_holds_only_if_the_whole_interval_reaches_the_target() {
        assert_eq!(FAST.judge(between(1.5, 1.6, 1.7)), ClaimVerdict::Held { measured: 1.6 });
        assert_eq!(LEAN.judge(between(3.0, 4.0, 5.0)), ClaimVerdict::Held { measured: 4.0 });
        assert_eq!(FAST.judge(between(1.3, 1.4, 1.49)), ClaimVerdict::Missed { target: 1.5, measured: 1.4 });
        assert_eq!(LEAN.judge(between(5.1, 6.0, 7.0)), ClaimVerdict::Missed { target: 5.0, measured: 6.0 });
        let verdict = FAST.judge(between(1.4, 1.6, 1.8));
        assert_eq!(verdict.to_string(), "inconclusive: the interval 1.40–1.80 includes the target 1.5 ×");
        assert!(matches!(LEAN.judge(between(4.0, 4.5, 5.5)), ClaimVerdict::Inconclusive { .. }));
    }

    #[test]
    fn a_figure_without_a_spread_is_judged_by_itself() {
        assert_eq!(FAST.judge(exactly(1.5)), ClaimVerdict::Held { measured: 1.5 });
        assert_eq!(LEAN.judge(exactly(5.0)), ClaimVerdict::Held { measured: 5.0 });
        assert_eq!(LEAN.judge(exactly(5.1)).to_string(), "missed: 5.1, target 5");
        assert!(matches!(FAST.judge(exactly(f64::NAN)), ClaimVerdict::Inconclusive { .. }));
    }

    #[test]
    fn a_verdict_is_read_back_from_a_record() {
        let verdict = ClaimVerdict::Missed { target: 1.5, measured: 1.25 };
        let json = serde_json::to_string(&verdict).expect("finite numbers can be written");
        assert_eq!(json, r#"{"verdict":"missed","target":1.5,"measured":1.25}"#);
        assert_eq!(serde_json::from_str::<ClaimVerdict>(&json).expect("what was written can be read"), verdict);
    }
}
