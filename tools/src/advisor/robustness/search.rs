//! Finds a schedule that shows a candidate: first the split schedule itself, then others nearby.
//!
//! Of schedules that differ only in the order of steps that have nothing to do with each other one is tried: see
//! `footprint`.

use std::collections::BTreeSet;

use super::footprint::{Actors, Footprints};
use super::machine::{Machine, Made, Stage, Status};
use super::miss::Miss;

/// Most schedules of a candidate that are tried beyond the split ones, in statements run. Four times as many find no more
/// for the workloads of `speed`; a third finds as much.
pub(super) const MOST_STATEMENTS: u64 = 1_000;

/// A schedule that happened: who goes when (each entry runs the next statement of a transaction, or commits it),
/// whether it then waited, and the cycle that it made.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub order: Vec<(usize, bool)>,
    pub cycle: Vec<Made>,
    pub commits: Vec<u32>,
}

impl Shown {
    /// Whether a transaction takes part.
    pub fn has(&self, actor: usize) -> bool {
        self.order.iter().any(|(other, _)| *other == actor)
    }

    /// The same schedule of those alone through whom its cycle goes, if it happens without the others, too: a candidate
    /// of several transactions may come to a cycle of fewer of them.
    pub fn without_others(&self, stage: &Stage<'_>, steps: &mut u64) -> Option<Self> {
        let members: BTreeSet<usize> = self.cycle.iter().map(|made| made.from.0).collect();
        let members: Vec<usize> = members.into_iter().collect();
        if members.len() == stage.actors.len() {
            return None;
        }
        let actors = members.iter().map(|actor| stage.actors[*actor].clone()).collect();
        let fewer = Stage { actors, rows: stage.rows.clone() };
        let mut run = Run::of(&fewer);
        let mut turns = self.order.iter().filter_map(|(actor, _)| members.binary_search(actor).ok());
        if !turns.all(|actor| run.step(actor, steps)) {
            return None;
        }
        let found = run.judge(steps)?;
        let named = |(actor, op): (usize, usize)| (members[actor], op);
        let cycle = found.cycle.iter().map(|made| Made { from: named(made.from), to: named(made.to), ..*made });
        let mut commits = vec![u32::MAX; stage.actors.len()];
        for (actor, commit) in members.iter().zip(&found.commits) {
            commits[*actor] = *commit;
        }
        let order = found.order.iter().map(|(actor, waits)| (members[*actor], *waits)).collect();
        Some(Self { order, cycle: cycle.collect(), commits })
    }
}

/// Where a schedule is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    /// Among split schedules.
    Split,
    /// Among all, as far as the limit allows.
    Around,
}

/// Looks for a schedule in which all commit and no serial order explains it.
pub(super) fn search(stage: &Stage<'_>, place: Where, steps: &mut u64) -> Result<Shown, Miss> {
    let footprints = Footprints::of(stage);
    match place {
        Where::Split => split(stage, &footprints, steps).ok_or(Miss::Orders),
        Where::Around => wander(stage, &footprints, steps),
    }
}

/// A run, and how it came about.
struct Run<'s, 'm> {
    machine: Machine<'s, 'm>,
    order: Vec<(usize, bool)>,
}

impl Clone for Run<'_, '_> {
    fn clone(&self) -> Self {
        Self { machine: self.machine.clone(), order: self.order.clone() }
    }

    fn clone_from(&mut self, other: &Self) {
        self.machine.clone_from(&other.machine);
        self.order.clone_from(&other.order);
    }
}

impl<'s, 'm> Run<'s, 'm> {
    fn of(stage: &'s Stage<'m>) -> Self {
        Self { machine: Machine::new(stage), order: Vec::new() }
    }

    /// Runs the next step of a transaction; false when it cannot, or when somebody is refused.
    fn step(&mut self, actor: usize, steps: &mut u64) -> bool {
        if self.machine.status(actor) != Status::Ready {
            return false;
        }
        let before = self.machine.steps;
        let status = self.machine.step(actor);
        *steps += self.machine.steps - before;
        self.order.push((actor, status == Status::Waiting));
        !self.machine.has_refused()
    }

    /// Runs so many steps of a transaction.
    fn go(&mut self, actor: usize, count: usize, steps: &mut u64) -> bool {
        (0..count).all(|_| self.step(actor, steps))
    }

    /// What a run shows at its end.
    fn judge(&self, steps: &mut u64) -> Option<Shown> {
        if !self.machine.is_over() || self.machine.has_refused() {
            return None;
        }
        let cycle = self.machine.cycle()?;
        if self.machine.is_refused_by_ssi(true) || self.machine.is_as_in_a_serial_order(steps) {
            return None;
        }
        let actors = self.order.iter().map(|(actor, _)| *actor).max()? + 1;
        let commits = (0..actors).map(|actor| self.machine.commit_of(actor).unwrap_or(u32::MAX)).collect();
        Some(Shown { order: self.order.clone(), cycle, commits })
    }
}

/// Split schedules: the first transaction up to some place, the others one after the other, the rest of the first. Then
/// those in which one of the others has not committed when the first goes on, so that it waits inside a statement.
fn split(stage: &Stage<'_>, footprints: &Footprints, steps: &mut u64) -> Option<Shown> {
    let length = |actor: usize| stage.actors[actor].path.statements.len();
    let others = || 1..stage.actors.len();
    // By place: the first transaction alone up to there.
    let mut begun = vec![Run::of(stage)];
    for place in 0..length(0) {
        let mut next = begun[place].clone();
        if !next.step(0, steps) {
            break;
        }
        begun.push(next);
    }
    for (place, before) in begun.iter().enumerate().skip(1) {
        let mut run = before.clone();
        // To split before a statement that meets nobody is to split after it.
        let is_same = place > 1 && !others().any(|other| footprints.meets(0, place - 1, other));
        if !is_same
            && others().all(|other| run.go(other, length(other) + 1, steps))
            && run.go(0, length(0) + 1 - place, steps)
            && let Some(shown) = run.judge(steps)
        {
            return Some(shown);
        }
    }
    for (place, before) in begun.iter().enumerate().take(length(0)) {
        for holder in others().filter(|holder| footprints.meets_at_end(0, place, *holder)) {
            let mut run = before.clone();
            if others().filter(|other| *other < holder).all(|other| run.go(other, length(other) + 1, steps))
                && run.go(holder, length(holder), steps)
                && run.step(0, steps)
                && run.step(holder, steps)
                && others().filter(|other| *other > holder).all(|other| run.go(other, length(other) + 1, steps))
                && run.go(0, length(0) - place, steps)
                && let Some(shown) = run.judge(steps)
            {
                return Some(shown);
            }
        }
    }
    None
}

/// Tries orders one after the other, those with few switches first, as long as the limit allows.
fn wander(stage: &Stage<'_>, footprints: &Footprints, steps: &mut u64) -> Result<Shown, Miss> {
    let mut left = MOST_STATEMENTS;
    let mut open = vec![Fork::of(Run::of(stage), footprints, 0)];
    // Runs that are done with: their room serves others.
    let mut spare: Vec<Run<'_, '_>> = Vec::new();
    while let Some(fork) = open.last_mut() {
        let Some((actor, mut run, asleep)) = fork.next(footprints, &mut spare) else {
            spare.extend(open.pop().and_then(|fork| fork.run));
            continue;
        };
        left = left.checked_sub(1).ok_or(Miss::Limit)?;
        if !run.step(actor, steps) {
            spare.push(run);
        } else if !run.machine.is_over() {
            open.push(Fork::of(run, footprints, asleep));
        } else if let Some(shown) = run.judge(steps) {
            return Ok(shown);
        } else {
            spare.push(run);
        }
    }
    Err(Miss::Orders)
}

/// A run that can go on in several ways.
struct Fork<'s, 'm> {
    run: Option<Run<'s, 'm>>,
    /// Who can go on and was not tried yet, the last one first.
    ways: Vec<usize>,
    /// Those whose next step was tried already where what happened since does not matter to it.
    asleep: Actors,
}

impl<'s, 'm> Fork<'s, 'm> {
    fn of(run: Run<'s, 'm>, footprints: &Footprints, asleep: Actors) -> Self {
        let last = run.order.last().map(|(actor, _)| *actor);
        let mut ways = run.machine.ready();
        // Who went last goes on.
        ways.sort_by_key(|actor| std::cmp::Reverse((Some(*actor) != last, *actor)));
        // Whoever has nothing to do with the others may as well go now.
        if let Some(alone) = ways.iter().rev().find(|actor| footprints.is_alone(&run.machine, **actor)) {
            ways = vec![*alone];
        }
        ways.retain(|actor| asleep & bit(*actor) == 0);
        Self { run: Some(run), ways, asleep }
    }

    /// The next way: who goes, in a run of its own, and who need not go right after that.
    fn next(&mut self, footprints: &Footprints, spare: &mut Vec<Run<'s, 'm>>) -> Option<(usize, Run<'s, 'm>, Actors)> {
        let actor = self.ways.pop()?;
        let run = match (self.ways.is_empty(), spare.pop()) {
            (true, room) => {
                spare.extend(room);
                self.run.take()?
            }
            (false, Some(mut room)) => {
                room.clone_from(self.run.as_ref()?);
                room
            }
            (false, None) => self.run.clone()?,
        };
        let asleep = (0..run.machine.count()).filter(|other| self.asleep & bit(*other) != 0);
        let still = asleep.filter(|other| footprints.may_swap(&run.machine, *other, actor));
        let still = still.fold(0, |all, other| all | bit(other));
        self.asleep |= bit(actor);
        Some((actor, run, still))
    }
}

/// The place of a transaction in a set. Those that have none are always awake.
fn bit(actor: usize) -> Actors {
    u32::try_from(actor).ok().and_then(|actor| Actors::from(1_u8).checked_shl(actor)).unwrap_or(0)
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
