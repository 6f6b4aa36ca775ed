//! Makes a set of contradicting transactions smaller until none can be taken away.
//!
//! Takes away halves, quarters and so on, then single transactions (after A. Zeller and R. Hildebrandt, "Simplifying and isolating
//! failure-inducing input", IEEE TSE 2002). A subset of a set without contradiction has none, so one pass over single
//! transactions after the last success is enough to be sure that the set is minimal. It need not be the smallest; but
//! transactions that contradict each other were mostly begun close together, so small windows of the history are tried first.

use super::polygraph::Polygraph;
use super::solve::{Answer, solve};

/// The smallest window of transactions that is tried by itself first.
const SMALLEST_WINDOW: usize = 4;

/// The smaller polygraph, and whether it is minimal; `looks` bounds the transactions that all runs of the solver look at.
pub(super) fn shrink(polygraph: Polygraph, mut looks: usize, conflicts: &mut u64) -> (Polygraph, bool) {
    let mut smallest = window(&polygraph, looks / 2, &mut looks, conflicts).unwrap_or(polygraph);
    let mut chunk = smallest.members().len().div_ceil(2);
    loop {
        let mut from = 0;
        while from < smallest.members().len() {
            let left = looks.checked_sub(smallest.members().len());
            let (Some(left), true) = (left, *conflicts > 0) else { return (smallest, false) };
            looks = left;
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

/// The first of the smallest windows of neighbours that contradict each other; `reserve` looks are left for taking away.
fn window(polygraph: &Polygraph, reserve: usize, looks: &mut usize, conflicts: &mut u64) -> Option<Polygraph> {
    let count = polygraph.members().len();
    let sizes = std::iter::successors(Some(SMALLEST_WINDOW), |size| size.checked_mul(2));
    for size in sizes.take_while(|size| *size < count) {
        for from in (0..count).step_by(size / 2) {
            if *looks < reserve + size || *conflicts == 0 {
                return None;
            }
            *looks -= size;
            let part = polygraph.restricted(|member| (from..from + size).contains(&member));
            if solve(&part, conflicts) == Answer::None {
                return Some(part);
            }
        }
    }
    None
}
