//! The A/A control: one arm against itself, by the machinery that compares different arms.
//!
//! It can only show that the set-up is biased (one side of a pair is favoured: by its place, its data, its
//! connections), never that it is not. It says nothing about noise, which the interval of each comparison does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ClaimVerdict, Comparison, Pair, Settings, Unusable, Verdict, compare};

/// The confidence at which a control is judged.
///
/// At the 95 % of comparisons one sound run in twenty would be thrown away with everything it found; at 99 % it is
/// one in a hundred. A bias must then be a fifth larger to be noticed (3.4 standard errors instead of 2.8,
/// for 80 % power).
pub const CONTROL_CONFIDENCE: f64 = 0.99;

/// Whether a control convicts the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlVerdict {
    /// Nothing speaks against the set-up.
    Clean,
    /// An arm differs from itself: no comparison of this run may claim a difference, nor equality.
    Biased,
}

/// A judged control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The arm against itself, with an interval of [`CONTROL_CONFIDENCE`].
    pub comparison: Comparison,
    /// Whether it convicts the set-up.
    pub verdict: ControlVerdict,
}

/// Judges pairs whose two windows ran the same arm.
///
/// The settings are those of the comparisons of the run; their confidence is replaced by [`CONTROL_CONFIDENCE`].
///
/// # Errors
/// As [`compare`].
pub fn judge_control(pairs: &[Pair], settings: &Settings) -> Result<Control, Unusable> {
    let comparison = compare(pairs, &Settings { confidence: CONTROL_CONFIDENCE, ..*settings })?;
    // Not the verdict of the comparison: a bias within the margin of equivalence still shifts every other ratio.
    let verdict = if comparison.interval.contains(1.0) { ControlVerdict::Clean } else { ControlVerdict::Biased };
    Ok(Control { comparison, verdict })
}

impl ControlVerdict {
    /// What is left of a comparison's verdict in a run with this control.
    #[must_use]
    pub const fn temper(self, verdict: Verdict) -> Verdict {
        match self {
            Self::Clean => verdict,
            Self::Biased => Verdict::Undecided,
        }
    }

    /// What is left of the verdict on a claim that compares arms, in a run with this control.
    #[must_use]
    pub fn temper_claim(self, verdict: ClaimVerdict) -> ClaimVerdict {
        match self {
            Self::Clean => verdict,
            Self::Biased => ClaimVerdict::Inconclusive { why: "the control differs from itself".to_owned() },
        }
    }
}

impl fmt::Display for ControlVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Clean => "clean",
            Self::Biased => "biased",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Better;

    fn judge(ratios: &[f64]) -> Control {
        let pairs: Vec<Pair> = ratios.iter().map(|&candidate| Pair { baseline: 1.0, candidate }).collect();
        judge_control(&pairs, &Settings::new(Better::Higher)).expect("usable pairs")
    }

    #[test]
    fn a_control_around_one_is_clean_and_changes_nothing() {
        let control = judge(&[1.1, 0.9, 1.05, 0.97]);
        assert_eq!(control.verdict, ControlVerdict::Clean);
        assert_eq!(control.verdict.temper(Verdict::Faster), Verdict::Faster);
        let held = ClaimVerdict::Held { measured: 3.0 };
        assert_eq!(control.verdict.temper_claim(held.clone()), held);
    }

    #[test]
    fn a_control_off_one_is_biased_even_within_the_margin_and_takes_every_claim_with_it() {
        let control = judge(&[1.020, 1.021, 1.019, 1.020]);
        assert_eq!(control.comparison.verdict, Verdict::Equivalent);
        assert_eq!(control.verdict, ControlVerdict::Biased);
        assert_eq!(control.verdict.temper(Verdict::Equivalent), Verdict::Undecided);
        let left = control.verdict.temper_claim(ClaimVerdict::Held { measured: 3.0 });
        assert!(matches!(left, ClaimVerdict::Inconclusive { .. }));
    }
}
