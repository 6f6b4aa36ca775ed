//! Makes a set of contradicting transactions smaller until none can be taken away.
//!
//! Takes away halves, quarters and so on, then single transactions (after A. Zeller and R. Hildebrandt, "Simplifying and isolating
//! failure-inducing input", IEEE TSE 2002). A subset of a set without contradiction has none, so one pass over single
//! transactions after the last success is enough to be sure that the set is minimal. It need not be the smallest.

use super::polygraph::Polygraph;
use super::solve::{Answer, solve};

/// The smaller polygraph, and whether it is minimal; `tries` bounds the runs of the solver.
pub(super) fn shrink(polygraph: Polygraph, mut tries: usize, conflicts: &mut u64) -> (Polygraph, bool) {
    let mut smallest = polygraph;
    let mut chunk = smallest.members().len().div_ceil(2);
    loop {
        let mut from = 0;
        while from < smallest.members().len() {
            if tries == 0 || *conflicts == 0 {
                return (smallest, false);
            }
            tries -= 1;
            let without = smallest.restricted(|member| !(from..from + chunk).contains(&member));
            match solve(&without, conflicts) {
                Answer::None => smallest = without,
                Answer::Order(_) => from += chunk,
                Answer::Undecided => return (smallest, false),
            }
        }
        if chunk == 1 {
            return (smallest, true);
        }
        chunk = chunk.div_ceil(2).min(smallest.members().len().div_ceil(2)).max(1);
    }
}
