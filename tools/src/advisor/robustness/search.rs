//! Finds a schedule that shows a candidate: first the split schedule itself, then others nearby.

use super::machine::{Machine, Made, Stage, Status};

/// Most schedules of a candidate that are tried beyond the split ones, in statements run.
const MOST_STATEMENTS: u64 = 4_000;

/// A schedule that happened: who goes when (each entry runs the next statement of a transaction, or commits it),
/// whether it then waited, and the cycle that it made.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub order: Vec<(usize, bool)>,
    pub cycle: Vec<Made>,
    pub commits: Vec<u32>,
}

/// Looks for a schedule in which all commit and no serial order explains it.
pub(super) fn search(stage: &Stage<'_>, steps: &mut u64) -> Option<Shown> {
    splits(stage).into_iter().find_map(|order| play(stage, &order, steps)).or_else(|| wander(stage, steps))
}

/// Split schedules: the first transaction up to some place, the others one after the other, the rest of the first. Also
/// those in which one of the others has not committed when the first goes on, so that it waits inside a statement.
fn splits(stage: &Stage<'_>) -> Vec<Vec<usize>> {
    let length = |actor: usize| stage.actors[actor].path.statements.len();
    let others = 1..stage.actors.len();
    let mut all = Vec::new();
    for before in 1..=length(0) {
        let mut order = vec![0; before];
        others.clone().for_each(|actor| order.extend(std::iter::repeat_n(actor, length(actor) + 1)));
        order.extend(std::iter::repeat_n(0, length(0) + 1 - before));
        all.push(order);
    }
    for before in 0..length(0) {
        for holder in others.clone() {
            let mut order = vec![0; before];
            others
                .clone()
                .filter(|actor| *actor < holder)
                .for_each(|actor| order.extend(std::iter::repeat_n(actor, length(actor) + 1)));
            order.extend(std::iter::repeat_n(holder, length(holder)));
            order.extend([0, holder]);
            others
                .clone()
                .filter(|actor| *actor > holder)
                .for_each(|actor| order.extend(std::iter::repeat_n(actor, length(actor) + 1)));
            order.extend(std::iter::repeat_n(0, length(0) - before));
            all.push(order);
        }
    }
    all
}

/// Plays an order; nothing when it cannot happen or shows nothing.
pub(super) fn play(stage: &Stage<'_>, order: &[usize], steps: &mut u64) -> Option<Shown> {
    let mut machine = Machine::new(stage);
    let mut done = Vec::new();
    let mut shown = None;
    for actor in order {
        if machine.status(*actor) != Status::Ready {
            break;
        }
        let status = machine.step(*actor);
        done.push((*actor, status == Status::Waiting));
        if machine.has_refused() {
            break;
        }
    }
    *steps += machine.steps;
    if machine.is_over() && !machine.has_refused() {
        shown = judge(&machine, done);
    }
    shown
}

fn judge(machine: &Machine<'_, '_>, order: Vec<(usize, bool)>) -> Option<Shown> {
    let cycle = machine.cycle()?;
    if machine.is_refused_by_ssi(true) {
        return None;
    }
    let actors = order.iter().map(|(actor, _)| *actor).max()? + 1;
    let commits = (0..actors).map(|actor| machine.commit_of(actor).unwrap_or(u32::MAX)).collect();
    Some(Shown { order, cycle, commits })
}

/// Tries orders one after the other, those with few switches first, as long as the limit allows.
fn wander(stage: &Stage<'_>, steps: &mut u64) -> Option<Shown> {
    let mut left = MOST_STATEMENTS;
    let mut stack = vec![(Machine::new(stage), Vec::new())];
    while let Some((machine, order)) = stack.pop() {
        if machine.has_refused() {
            continue;
        }
        if machine.is_over() {
            if let Some(shown) = judge(&machine, order) {
                *steps += MOST_STATEMENTS - left;
                return Some(shown);
            }
            continue;
        }
        for actor in next_actors(&machine, &order, stage.actors.len()) {
            if left == 0 {
                *steps += MOST_STATEMENTS;
                return None;
            }
            left -= 1;
            let mut machine = machine.clone();
            let status = machine.step(actor);
            let mut order = order.clone();
            order.push((actor, status == Status::Waiting));
            stack.push((machine, order));
        }
    }
    *steps += MOST_STATEMENTS - left;
    None
}

/// Who can go on, the one that went last at the end, as the stack is taken from there.
fn next_actors(machine: &Machine<'_, '_>, order: &[(usize, bool)], count: usize) -> Vec<usize> {
    let last = order.last().map(|(actor, _)| *actor);
    let mut ready: Vec<usize> = (0..count).filter(|actor| machine.status(*actor) == Status::Ready).collect();
    ready.sort_by_key(|actor| (Some(*actor) == last, std::cmp::Reverse(*actor)));
    ready
}

/// Whether any order of the transactions at all is unserializable: for tests, exact within the limit.
#[cfg(test)]
pub(super) fn any(stage: &Stage<'_>, most_statements: u64) -> Option<bool> {
    let mut left = most_statements;
    let mut stack = vec![Machine::new(stage)];
    while let Some(machine) = stack.pop() {
        if machine.has_refused() {
            continue;
        }
        if machine.is_over() {
            if machine.cycle().is_some() && !machine.is_refused_by_ssi(false) {
                return Some(true);
            }
            continue;
        }
        for actor in (0..stage.actors.len()).filter(|actor| machine.status(*actor) == Status::Ready) {
            left = left.checked_sub(1)?;
            let mut machine = machine.clone();
            machine.step(actor);
            stack.push(machine);
        }
    }
    Some(false)
}
