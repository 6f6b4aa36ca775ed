//! A confidence interval, and how a figure with its interval is printed.
//!
//! How an interval is computed is the business of the modules that return one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A confidence interval, ends included; the unit and the confidence are those of the figure it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end, never below the lower.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in the interval.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether the whole interval lies strictly between `low` and `high`.
    #[must_use]
    pub fn is_within(&self, low: f64, high: f64) -> bool {
        low < self.low && self.high < high
    }

    /// The decimals that show the interval's width with two digits, at least those that `value` deserves.
    ///
    /// A ratio of 1.003 with an interval of 1.001 to 1.005 must not be printed as 1.00 (1.00–1.00).
    pub(crate) fn decimals(&self, value: f64) -> usize {
        let usual = if value.abs() >= 100.0 {
            0
        } else if value.abs() >= 10.0 {
            1
        } else {
            2
        };
        let width = self.high - self.low;
        // Four decimals are a hundredth of a percent: finer than any difference that is ever shown.
        [10.0, 1.0, 0.1, 0.01].into_iter().filter(|&unit| width < unit).count().max(usual)
    }
}

impl fmt::Display for Interval {
    /// The ends with an en dash between them; a precision may be given, as in `{:.3}`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or_else(|| self.decimals(self.low.abs().max(self.high.abs())));
        write!(formatter, "{:.decimals$}–{:.decimals$}", self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_width_but_never_fall_below_what_the_value_deserves() {
        let check = |low, high, expected: &str| assert_eq!(Interval { low, high }.to_string(), expected);
        check(1.31, 1.55, "1.31–1.55");
        check(1.001, 1.005, "1.0010–1.0050");
        check(0.93, 0.97, "0.930–0.970");
        check(104.2, 139.8, "104–140");
        check(12.0, 19.0, "12.0–19.0");
        check(1.0, 1.0, "1.0000–1.0000");
        check(0.4, 3.1, "0.40–3.10");
    }

    #[test]
    fn an_interval_contains_its_ends_but_does_not_lie_within_them() {
        let interval = Interval { low: 0.9, high: 1.1 };
        assert!(interval.contains(0.9) && interval.contains(1.1) && !interval.contains(1.2));
        assert!(interval.is_within(0.8, 1.2) && !interval.is_within(0.9, 1.2));
    }
}
