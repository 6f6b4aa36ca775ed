//! All dangerous cycles of a model, found once for all levels: split schedules.
//!
//! A schedule that is not serializable has a cycle of dependencies. Take a shortest one, and call T2 the transaction of
//! it that commits first, T1 the one before it in the cycle. Then T1 read what T2 overwrites (b1 → a2), as everything
//! else would make T1 commit before. The rest of the cycle comes back to T1 from Tm (bm → a1). What T1 locked before b1
//! kept T2 out, so nothing of that may conflict; at repeatable read, nothing that T1 locks or writes at all may conflict
//! with T2's versions, whose snapshot is older; and so on: each condition below says why it is necessary. They are those
//! of the multiversion split schedules of Vandevoort, Ketsman, Koch & Neven (PVLDB 14, 2021; PODS 2023), but for
//! PostgreSQL's locks, which are per row and of four strengths, while dependencies are per column: whoever is blocked
//! without depending on the blocker can still close the cycle later, so blocking counts between T1 and T2 alone.
//!
//! What is found may happen; whether it can be made to happen is shown by a run of the model (`super::machine`).

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::{At, Judge, Kinds, Presence, dependencies};
use super::model::{Action, Model, Op, Path, RowSet};
use super::reach::Reach;
use super::unify::Unifier;
use crate::advisor::report::Work;

/// T1 at read committed.
pub(super) const T1_READ_COMMITTED: u8 = 1;
/// T1 at repeatable read.
pub(super) const T1_REPEATABLE_READ: u8 = 2;
/// T1 serializable, T2 and Tm not.
pub(super) const T1_SERIALIZABLE: u8 = 4;
/// T1 and T2 serializable, Tm not.
pub(super) const T1_T2_SERIALIZABLE: u8 = 8;
/// T1 and Tm serializable, T2 not.
pub(super) const T1_TM_SERIALIZABLE: u8 = 16;

/// Most candidates that are kept for a cell and a level: if the first cannot be run, another may.
const KEPT: usize = 6;

/// Which programs split, come second and come last.
pub(super) type CellKey = (usize, usize, usize);

/// What is known of three programs as T1, T2 and Tm.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// The levels at which some candidate exists.
    pub levels: u8,
    /// Candidates, the shortest first.
    pub candidates: Vec<Candidate>,
}

/// A cycle that may be possible.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// At which levels.
    pub levels: u8,
    /// The paths in the order of the cycle: T1, T2 and, if it is another, Tm. Of longer cycles the middle is not here.
    pub paths: Vec<usize>,
    /// The dependencies between them, both ends as transaction and operation: T1 to T2, perhaps T2 to Tm, and the last to T1.
    pub links: Vec<(At, At)>,
    /// Transactions come between T2 and Tm.
    pub is_long: bool,
}

/// T1 reads what T2 overwrites.
struct Departure<'m> {
    b1: usize,
    path: usize,
    a2: usize,
    rows: Unifier<'m>,
}

/// Tm comes back to T1.
#[derive(Clone, Copy)]
struct Return {
    a1: usize,
    path: usize,
    bm: usize,
    /// It can be an anti-dependency.
    rw: bool,
    /// Tm ends a row, and T1 inserts it anew: what first-updater-wins does not see.
    renews: bool,
}

/// All cells of the programs that take part.
pub(super) fn cells(model: &Model, included: &BTreeSet<usize>, work: &mut Work) -> BTreeMap<CellKey, Cell> {
    let is_in = |program: usize| included.contains(&program);
    let presence = Presence::of(model, &is_in);
    let touching = Touching::of(model, included);
    let reach = Reach::of(model, included);
    let mut search =
        Search { model, presence: &presence, touching: &touching, reach: &reach, cells: BTreeMap::new(), work };
    for (number, path) in model.paths.iter().enumerate().filter(|(_, path)| is_in(path.program)) {
        search.split(number, path);
    }
    search.cells
}

/// Whether T2, transaction 1, leaves a version of the row that an operation of T1 has read.
fn overwritten_by_second(rows: &Unifier<'_>, read: At) -> bool {
    let var = rows.paths[read.0].ops[read.1].var;
    let writes = rows.paths[1].ops.iter().filter(|op| op.is_version());
    writes.into_iter().any(|op| rows.same_row((read.0, var), (1, op.var)))
}

/// Who touches a relation.
struct Touching {
    by_relation: Vec<Vec<(usize, usize)>>,
}

impl Touching {
    fn of(model: &Model, included: &BTreeSet<usize>) -> Self {
        let mut by_relation = vec![Vec::new(); model.relations.len()];
        for (number, path) in model.paths.iter().enumerate().filter(|(_, path)| included.contains(&path.program)) {
            for (at, op) in path.ops.iter().enumerate() {
                if model.relations[op.relation].is_anything {
                    for list in &mut by_relation {
                        list.push((number, at));
                    }
                } else {
                    by_relation[op.relation].push((number, at));
                }
            }
        }
        Self { by_relation }
    }

    /// Everything that can meet an operation.
    fn partners(&self, model: &Model, op: &Op) -> impl Iterator<Item = (usize, usize)> {
        let all = if model.relations[op.relation].is_anything {
            0..self.by_relation.len()
        } else {
            op.relation..op.relation + 1
        };
        all.flat_map(|relation| self.by_relation[relation].iter().copied())
    }
}

struct Search<'a, 'm> {
    model: &'m Model,
    presence: &'a Presence,
    touching: &'a Touching,
    reach: &'a Reach,
    cells: BTreeMap<CellKey, Cell>,
    work: &'a mut Work,
}

impl<'m> Search<'_, 'm> {
    /// All cycles in which a path is split.
    fn split(&mut self, number: usize, path: &'m Path) {
        let departures = self.departures(path);
        if departures.is_empty() {
            return;
        }
        let returns = self.returns(path);
        for is_long in [false, true] {
            for departure in &departures {
                for back in &returns {
                    self.work.combinations += 1;
                    self.close(number, departure, back, is_long);
                }
            }
        }
    }

    /// b1 → a2. Of operations that stand at the same moment and are about the same rows one is enough.
    fn departures(&mut self, path: &'m Path) -> Vec<Departure<'m>> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for (b1, read) in path.ops.iter().enumerate().filter(|(_, op)| op.reads != 0) {
            for (other, a2) in self.touching.partners(self.model, read) {
                let theirs = &self.model.paths[other];
                let write = &theirs.ops[a2];
                let kind = (read.var, read.first, read.access, other, write.var, write.access);
                if !dependencies(read, write).rw || !seen.insert(kind) {
                    continue;
                }
                self.work.unifications += 1;
                let mut rows = Unifier::new(self.model, &[path, theirs]);
                if !rows.meet((0, read), (1, write)) {
                    continue;
                }
                let levels = self.levels_between(&rows, b1, &[(0, b1), (1, a2)]);
                if levels & (T1_READ_COMMITTED | T1_REPEATABLE_READ) != 0 {
                    all.push(Departure { b1, path: other, a2, rows });
                }
            }
        }
        all
    }

    /// bm → a1.
    fn returns(&self, path: &Path) -> Vec<Return> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for (a1, mine) in path.ops.iter().enumerate() {
            for (other, bm) in self.touching.partners(self.model, mine) {
                let theirs = &self.model.paths[other].ops[bm];
                let Kinds { rw, .. } = dependencies(theirs, mine);
                if !dependencies(theirs, mine).any() {
                    continue;
                }
                let renews = theirs.action == Action::Delete && mine.action == Action::Insert;
                if seen.insert((mine.var, mine.last, mine.access, other, theirs.var, theirs.access, rw, renews)) {
                    all.push(Return { a1, path: other, bm, rw, renews });
                }
            }
        }
        all
    }

    /// Closes the cycle: with T2 alone, with T2 and Tm, or with others between them.
    fn close(&mut self, number: usize, departure: &Departure<'m>, back: &Return, is_long: bool) {
        let (path, second, last) = (number, departure.path, back.path);
        let key = (self.program(path), self.program(second), self.program(last));
        let wanted = self.missing(key);
        let wanted = wanted & self.order(path, departure, back);
        if wanted == 0 {
            return;
        }
        if is_long {
            self.long(key, path, departure, back, wanted);
            return;
        }
        if second == last {
            self.two(key, path, departure, back, wanted);
        }
        self.three(key, path, departure, back, wanted);
    }

    fn program(&self, path: usize) -> usize {
        self.model.paths[path].program
    }

    /// The levels for which a cell still takes candidates.
    fn missing(&self, key: CellKey) -> u8 {
        let all = [T1_READ_COMMITTED, T1_REPEATABLE_READ, T1_SERIALIZABLE, T1_T2_SERIALIZABLE, T1_TM_SERIALIZABLE];
        let Some(cell) = self.cells.get(&key) else { return all.into_iter().sum() };
        let is_full =
            |level: u8| cell.candidates.iter().filter(|candidate| candidate.levels & level != 0).count() >= KEPT;
        all.into_iter().filter(|level| !is_full(*level)).sum()
    }

    /// The levels at which b1 and a1 can stand as they do. Above read committed T1 reads nothing that is newer than its
    /// snapshot and writes over nothing that is, so only an anti-dependency leads back to it. At read committed any
    /// does, if it comes after b1.
    fn order(&self, number: usize, departure: &Departure<'_>, back: &Return) -> u8 {
        let path = &self.model.paths[number];
        let (b1, a1) = (&path.ops[departure.b1], &path.ops[back.a1]);
        // Who did not find the row by the snapshot does not lock it in the same access.
        let by_key = matches!(path.vars[b1.var].rows, RowSet::One { .. });
        let missed = b1.action == Action::Read { looks: true }
            && by_key
            && path.same_access(departure.b1, back.a1)
            && departure.b1 != back.a1;
        if missed {
            return 0;
        }
        let above = T1_REPEATABLE_READ | T1_SERIALIZABLE | T1_T2_SERIALIZABLE | T1_TM_SERIALIZABLE;
        let read_committed = if back.rw || b1.first < a1.last { T1_READ_COMMITTED } else { 0 };
        read_committed | if back.rw || back.renews { above } else { 0 }
    }

    /// The levels of T1 at which T2 is not kept out: T1 is transaction 0, T2 transaction 1.
    fn levels_between(&self, rows: &Unifier<'_>, b1: usize, ends: &[At]) -> u8 {
        let judge = Judge { rows, presence: self.presence, ends };
        let path = rows.paths[0];
        let split = &path.ops[b1];
        let is_before = |at: usize| path.ops[at].last < split.first || (at == b1 && split.locks());
        let before_snapshot = |at: usize| path.ops[at].place < path.snapshot;
        let mut levels = u8::MAX;
        for (one, two) in judge.pairs(0, 1) {
            // What T1 locked before b1 it holds until after T2 has committed.
            if levels & T1_READ_COMMITTED != 0 && is_before(one.1) && judge.blocks(one, two) {
                levels &= !T1_READ_COMMITTED;
            }
            // T2's versions are newer than T1's snapshot, whenever T1 comes to them.
            let fails = judge.fails_after(one, two) || (before_snapshot(one.1) && judge.blocks(one, two));
            if levels != T1_READ_COMMITTED & levels && fails {
                levels &= T1_READ_COMMITTED;
            }
            // T1 →rw T2 →rw T1 among serializable transactions, T2 committing first, is refused.
            if judge.notices((two.0, two.1), (one.0, one.1)) {
                levels &= !T1_T2_SERIALIZABLE;
            }
        }
        levels
    }

    /// The levels at which Tm, transaction `last`, does not depend on T1: then the cycle would not be a shortest one,
    /// and the shorter one is found by itself.
    fn levels_of_last(&self, rows: &Unifier<'_>, b1: usize, last: usize, ends: &[At]) -> u8 {
        let judge = Judge { rows, presence: self.presence, ends };
        let path = rows.paths[0];
        let split = &path.ops[b1];
        let mut levels = u8::MAX;
        for (one, two) in judge.pairs(0, last) {
            let (mine, theirs) = (&path.ops[one.1], &rows.paths[last].ops[two.1]);
            let forward = (mine.reads | mine.writes) & theirs.writes != 0 && judge.surely_depend(one, two);
            // Who has read a version is looked up by the version that is overwritten (`predicate.c`,
            // `CheckForSerializableConflictIn`), and T2, which is not serializable where this counts, may have put its own
            // in between: then T1 and Tm do not notice each other, neither here nor in a shorter cycle.
            let hidden = if overwritten_by_second(rows, one) { T1_TM_SERIALIZABLE } else { 0 };
            if forward {
                let is_before = mine.last < split.first || one.1 == b1;
                levels &= hidden | if is_before { 0 } else { T1_READ_COMMITTED };
            }
            // T1 →rw Tm →rw T1 among serializable transactions is refused, whoever commits first.
            if judge.notices(one, two) {
                levels &= hidden | !T1_TM_SERIALIZABLE;
            }
        }
        levels
    }

    /// T1 and T2 alone.
    fn two(&mut self, key: CellKey, path: usize, departure: &Departure<'m>, back: &Return, wanted: u8) {
        let mut rows = departure.rows.clone();
        let (first, second) = (rows.paths[0], rows.paths[1]);
        self.work.unifications += 1;
        if !rows.meet((1, &second.ops[back.bm]), (0, &first.ops[back.a1])) {
            return;
        }
        let ends = [(0, departure.b1), (1, departure.a2), (1, back.bm), (0, back.a1)];
        let levels =
            wanted & self.levels_between(&rows, departure.b1, &ends) & !(T1_T2_SERIALIZABLE | T1_TM_SERIALIZABLE);
        let links = vec![(ends[0], ends[1]), (ends[2], ends[3])];
        self.keep(key, Candidate { levels, paths: vec![path, departure.path], links, is_long: false });
    }

    /// T1, T2 and Tm, which meets T2 directly.
    fn three(&mut self, key: CellKey, path: usize, departure: &Departure<'m>, back: &Return, wanted: u8) {
        let Some((rows, ends, levels)) = self.ends(departure, back, wanted) else { return };
        let (second, last) = (rows.paths[1], rows.paths[2]);
        for (b2, one) in second.ops.iter().enumerate() {
            for (am, two) in last.ops.iter().enumerate() {
                if !dependencies(one, two).any() {
                    continue;
                }
                self.work.unifications += 1;
                let mut rows = rows.clone();
                if !rows.meet((1, one), (2, two)) {
                    continue;
                }
                let ends = [ends[0], ends[1], (1, b2), (2, am), ends[2], ends[3]];
                let levels =
                    levels & self.levels_between(&rows, departure.b1, &ends) & self.last(&rows, departure, &ends);
                if levels != 0 {
                    let links = vec![(ends[0], ends[1]), (ends[2], ends[3]), (ends[4], ends[5])];
                    let paths = vec![path, departure.path, back.path];
                    self.keep(key, Candidate { levels, paths, links, is_long: false });
                    return;
                }
            }
        }
    }

    fn last(&self, rows: &Unifier<'_>, departure: &Departure<'_>, ends: &[At]) -> u8 {
        // A row that T2 brought into being may be changed by others before it closes the cycle: T1, which did not find
        // it, depends on them, too, and the cycle is none the less the one to look at.
        let is_new = rows.paths[1].ops[departure.a2].action == Action::Insert;
        if is_new { u8::MAX } else { self.levels_of_last(rows, departure.b1, 2, ends) }
    }

    /// T1, T2 and Tm with both ends of the cycle at T1, not yet joined to each other.
    fn ends(&mut self, departure: &Departure<'m>, back: &Return, wanted: u8) -> Option<(Unifier<'m>, [At; 4], u8)> {
        let mut rows = departure.rows.clone();
        let first = rows.paths[0];
        let last = &self.model.paths[back.path];
        rows.add(last);
        self.work.unifications += 1;
        if !rows.meet((2, &last.ops[back.bm]), (0, &first.ops[back.a1])) {
            return None;
        }
        let ends = [(0, departure.b1), (1, departure.a2), (2, back.bm), (0, back.a1)];
        let levels = wanted & self.levels_between(&rows, departure.b1, &ends) & self.last(&rows, departure, &ends);
        (levels != 0).then_some((rows, ends, levels))
    }

    /// Others between T2 and Tm.
    fn long(&mut self, key: CellKey, path: usize, departure: &Departure<'m>, back: &Return, wanted: u8) {
        let is_new = self.model.paths[departure.path].ops[departure.a2].action == Action::Insert;
        if !self.reach.connects(path, departure.path, back.path, is_new) {
            return;
        }
        let Some((_, ends, levels)) = self.ends(departure, back, wanted) else { return };
        let links = vec![(ends[0], ends[1]), (ends[2], ends[3])];
        let paths = vec![path, departure.path, back.path];
        self.keep(key, Candidate { levels, paths, links, is_long: true });
    }

    fn keep(&mut self, key: CellKey, candidate: Candidate) {
        if candidate.levels != 0 {
            let cell = self.cells.entry(key).or_default();
            cell.levels |= candidate.levels;
            cell.candidates.push(candidate);
        }
    }
}
