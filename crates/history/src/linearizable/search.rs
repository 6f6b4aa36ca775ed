//! Decides linearizability of a register to which values were written more than once: by search, with the checker of `todc-utils`
//! (after Wing and Gong 1993, Lowe 2017, and Horn and Kroening 2015).
//!
//! That crate's search has no bound of its own. Here the register that it searches with counts steps, and refuses every further one
//! when they are used up, so the search ends at once and its answer is not taken.

use std::cell::Cell;

use todc_utils::{Action, History, Specification, WGLChecker};

use super::{Judged, SearchLimits, Single, last_answer, prefix_at_fault};
use crate::model::Value;

thread_local! {
    /// Steps that the search of this thread may still take.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// A register as the search knows it.
struct Register;

impl Specification for Register {
    type State = Option<Value>;
    /// Whether it writes, and what.
    type Operation = (bool, Option<Value>);

    fn init() -> Self::State {
        None
    }

    fn apply(&(is_write, value): &Self::Operation, state: &Self::State) -> (bool, Self::State) {
        let Some(remaining) = STEPS.get().checked_sub(1) else { return (false, *state) };
        STEPS.set(remaining);
        if is_write { (true, value) } else { (value == *state, *state) }
    }
}

/// Operations that contradict each other, and of which no read can be left out.
pub(super) fn contradiction(operations: &[Single], limits: SearchLimits) -> Judged {
    if operations.len() > limits.operations {
        return Judged::Undecided;
    }
    match is_linearizable(operations, limits.steps) {
        Some(true) => Judged::Linearizable,
        None => Judged::Undecided,
        Some(false) => Judged::Contradiction(shortest(operations, limits.steps)),
    }
}

/// Nothing if the steps did not suffice.
fn is_linearizable(operations: &[Single], steps: u64) -> Option<bool> {
    if operations.is_empty() {
        return Some(true);
    }
    let end = last_answer(operations);
    let mut moments: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * operations.len());
    for (place, operation) in operations.iter().enumerate() {
        moments.push((operation.invoked_ns, false, place));
        // What may still take effect ends after all else.
        moments.push((operation.completed_ns.min(end.max(operation.invoked_ns) + 1), true, place));
    }
    // Beginnings before ends of the same moment: those overlap.
    moments.sort_unstable();
    let action = |(_, is_end, place): (u64, bool, usize)| {
        let what = (operations[place].is_write, operations[place].value);
        (place, if is_end { Action::Response(what) } else { Action::Call(what) })
    };
    STEPS.set(steps);
    let answer =
        WGLChecker::<Register>::is_linearizable(History::from_actions(moments.into_iter().map(action).collect()));
    (answer || STEPS.get() > 0).then_some(answer)
}

/// The shortest prefix at fault, without the operations that it can do without.
fn shortest(operations: &[Single], steps: u64) -> Vec<Single> {
    let is_at_fault = |operations: &[Single]| is_linearizable(operations, steps) == Some(false);
    let mut smallest = prefix_at_fault(operations, is_at_fault);
    let mut place = 0;
    while place < smallest.len() {
        let mut without = smallest.clone();
        let gone = without.remove(place);
        // A write stays while one of its reads does, or the fault would be that nobody wrote what was read.
        let is_needed = gone.is_write && without.iter().any(|read| !read.is_write && read.value == gone.value);
        if !is_needed && is_at_fault(&without) {
            smallest = without;
        } else {
            place += 1;
        }
    }
    smallest
}
