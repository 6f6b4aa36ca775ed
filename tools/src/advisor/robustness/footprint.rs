//! What each step of some transactions touches, and which steps may change places without anybody noticing: the search
//! for schedules tries one of all those that differ in nothing else (Godefroid, Partial-Order Methods, LNCS 1032, 1996).
//!
//! A step is a statement, or the commit. Two steps of different transactions are independent when they share no row that
//! one of them locks or writes, and no lock on a relation; a commit touches all that its transaction has locked or
//! written, and the step that takes the transaction's snapshot reads all that it will read by it.

use pgstrata_sqltext::TableLock;
use pgstrata_units::Isolation;

use super::machine::{Actor, Machine, Stage, Status};
use super::model::{Action, table_locks_conflict};

/// Rows by number; from the 127th on they share the last bit, which can only make steps dependent.
type Rows = u128;
/// Transactions by number. More than there are bits are never independent.
pub(super) type Actors = u32;

/// The footprints of a stage.
pub(super) struct Footprints {
    /// By transaction: its statements in their order, and the commit.
    steps: Vec<Vec<Footprint>>,
    /// Serializable transactions notice who is concurrent with whom, whatever the rows.
    order_shows: bool,
}

#[derive(Debug, Clone, Default)]
struct Footprint {
    reads: Rows,
    writes: Rows,
    tables: Vec<(usize, TableLock)>,
    takes_snapshot: bool,
    commits: bool,
}

impl Footprint {
    fn meets(&self, other: &Self) -> bool {
        let locks = |(relation, mode): &(usize, TableLock)| {
            other.tables.iter().any(|(theirs, lock)| relation == theirs && table_locks_conflict(*mode, *lock))
        };
        self.writes & (other.reads | other.writes) != 0
            || other.writes & self.reads != 0
            || self.tables.iter().any(locks)
    }

    fn join(&mut self, other: &Self) {
        self.reads |= other.reads;
        self.writes |= other.writes;
        self.tables.extend(&other.tables);
    }
}

impl Footprints {
    pub fn of(stage: &Stage<'_>) -> Self {
        let order_shows = stage.actors.iter().any(|actor| actor.level == Isolation::Serializable);
        let locks_table = |actor: &Actor<'_>| actor.path.ops.iter().any(|op| matches!(op.action, Action::Table(_)));
        let tables_matter = stage.actors.iter().any(locks_table);
        Self { steps: stage.actors.iter().map(|actor| steps(actor, tables_matter)).collect(), order_shows }
    }

    /// Whether a statement of one transaction comes to anything that another transaction has locked or written by its end.
    pub fn meets_at_end(&self, actor: usize, place: usize, other: usize) -> bool {
        let (Some(step), Some(end)) = (self.steps[actor].get(place), self.steps[other].last()) else { return true };
        step.meets(end)
    }

    /// Whether a statement of one transaction has to do with anything that another one does.
    pub fn meets(&self, actor: usize, place: usize, other: usize) -> bool {
        (0..self.steps[other].len()).any(|step| self.depend((actor, place), (other, step)))
    }

    /// Whether a step is independent of all that the others may still do.
    pub fn is_alone(&self, machine: &Machine<'_, '_>, actor: usize) -> bool {
        let place = machine.place(actor);
        (0..self.steps.len()).filter(|other| *other != actor && machine.status(*other) != Status::Committed).all(
            |other| {
                let rest = machine.place(other).min(self.steps[other].len() - 1)..self.steps[other].len();
                machine.status(other) == Status::Ready
                    && rest.into_iter().all(|step| !self.depend((actor, place), (other, step)))
            },
        )
    }

    /// Whether the next steps of two ready transactions may change places. What a commit sets going is not known here,
    /// so none does while somebody waits.
    pub fn may_swap(&self, machine: &Machine<'_, '_>, one: usize, two: usize) -> bool {
        let waits = || (0..self.steps.len()).any(|actor| machine.status(actor) == Status::Waiting);
        let next = |actor: usize| (actor, machine.place(actor));
        let is_commit = |(actor, place): (usize, usize)| self.steps[actor].get(place).is_none_or(|step| step.commits);
        let (one, two) = (next(one), next(two));
        !self.depend(one, two) && !((is_commit(one) || is_commit(two)) && waits())
    }

    fn depend(&self, one: (usize, usize), two: (usize, usize)) -> bool {
        let (Some(mine), Some(theirs)) = (self.steps[one.0].get(one.1), self.steps[two.0].get(two.1)) else {
            return true;
        };
        let in_order =
            self.order_shows && (mine.commits || mine.takes_snapshot) && (theirs.commits || theirs.takes_snapshot);
        in_order || mine.meets(theirs)
    }
}

fn steps(actor: &Actor<'_>, tables_matter: bool) -> Vec<Footprint> {
    let path = actor.path;
    let mut all = vec![Footprint::default(); path.statements.len() + 1];
    for op in &path.ops {
        let rows = actor.rows[op.var].iter().fold(0, |rows: Rows, row| rows | 1 << (*row).min(127));
        let step = &mut all[op.place];
        match op.action {
            Action::Read { .. } => step.reads |= rows,
            Action::Table(_) => {}
            _ => step.writes |= rows,
        }
        let lock = (op.relation, op.table);
        if tables_matter && !step.tables.contains(&lock) {
            step.tables.push(lock);
        }
    }
    let statements = path.statements.len();
    let mut end = Footprint { commits: true, ..Footprint::default() };
    for step in &all[..statements] {
        end.join(&Footprint { reads: 0, ..step.clone() });
    }
    all[statements] = end;
    if let Some(first) = (path.snapshot < statements).then_some(path.snapshot) {
        all[first].takes_snapshot = true;
        if actor.level != Isolation::ReadCommitted {
            let reads = all[first..statements].iter().fold(0, |rows, step| rows | step.reads | step.writes);
            all[first].reads |= reads;
        }
    }
    all
}
