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
//! Each condition only gets harder to meet the more rows are known to be the same. So what is forbidden to a departure
//! by itself, or to a return by itself, is forbidden to both together, and need not be tried: that is what makes the
//! search fast. Nothing else is left out; `super::reference` tries everything, and the tests compare.
//!
//! What is found may happen; whether it can be made to happen is shown by a run of the model (`super::machine`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conflict::{At, Judge, Presence};
use super::filling::{Filling, Row};
use super::ground::{Back, Ground, Tie};
use super::model::{Action, Model, Op, RowSet};
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

/// All that T1, T2 and Tm can be.
pub(super) const ALL_LEVELS: [u8; 5] =
    [T1_READ_COMMITTED, T1_REPEATABLE_READ, T1_SERIALIZABLE, T1_T2_SERIALIZABLE, T1_TM_SERIALIZABLE];
const EVERY_LEVEL: u8 = 31;
const ABOVE_READ_COMMITTED: u8 = EVERY_LEVEL & !T1_READ_COMMITTED;

/// Which programs split, come second and come last.
pub(super) type CellKey = (usize, usize, usize);

/// What is known of three programs as T1, T2 and Tm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// The levels at which some candidate exists.
    pub levels: u8,
    /// Candidates, the shortest first.
    pub candidates: Vec<Candidate>,
}

/// A cycle that may be possible.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy)]
pub(super) struct Departure {
    b1: usize,
    path: usize,
    a2: usize,
    /// The levels at which T2 is not kept out, whoever Tm is.
    levels: u8,
}

/// Tm comes back to T1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return {
    back: Back,
    path: usize,
    /// Operations of T1 on which Tm certainly depends: the first of their last moments, and each of the first 128.
    follows_from: u16,
    follows: u128,
    /// Tm certainly depends on T1 somewhere.
    is_tied: bool,
}

impl Return {
    /// The levels at which Tm does not depend on T1, or may be hidden from it by T2.
    const fn levels(&self, b1: usize, split: &Op) -> u8 {
        let mut levels = EVERY_LEVEL;
        if self.is_tied {
            let before = self.follows_from < split.first || (b1 < 128 && self.follows & (1 << b1) != 0);
            levels &= T1_TM_SERIALIZABLE | if before { 0 } else { T1_READ_COMMITTED };
        }
        levels
    }
}

/// What is asked of a search.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The levels that matter of some programs.
    pub levels: &'a dyn Fn(CellKey) -> u8,
    /// Most candidates that are kept for a cell and a level.
    pub kept: u8,
    /// Whether cycles with a middle are looked for.
    pub is_long: bool,
}

/// Where paths leave for, and are come back to from, other programs: with the programs that take part, all there is to a
/// search.
#[derive(Debug, Clone)]
pub(super) struct Crossings {
    programs: usize,
    /// By path and program.
    departures: Vec<Arc<[Departure]>>,
    returns: Vec<Arc<[Return]>>,
}

/// A search for cycles among the programs that take part.
pub(super) struct Search<'a> {
    pub model: &'a Model,
    pub ground: &'a Ground,
    pub presence: &'a Presence,
    pub reach: &'a Reach,
    pub crossings: &'a Crossings,
}

impl Crossings {
    /// All of them; those between programs of which neither is new are taken over from before.
    pub fn of(
        model: &Model,
        ground: &Ground,
        presence: &Presence,
        included: &dyn Fn(usize) -> bool,
        before: Option<(&Self, &dyn Fn(usize) -> bool)>,
    ) -> Self {
        let programs = model.programs.len();
        let mut by_program = vec![Vec::new(); programs];
        for (number, path) in model.paths.iter().enumerate() {
            by_program[path.program].push(number);
        }
        let mut all = Self { programs, departures: Vec::new(), returns: Vec::new() };
        for (number, path) in model.paths.iter().enumerate() {
            for (program, paths) in by_program.iter().enumerate() {
                let known = before.filter(|(_, is_new)| !is_new(path.program) && !is_new(program));
                if let Some((known, _)) = known {
                    all.departures.push(Arc::clone(&known.departures[number * programs + program]));
                    all.returns.push(Arc::clone(&known.returns[number * programs + program]));
                    continue;
                }
                let paths: &[usize] = if included(path.program) && included(program) { paths } else { &[] };
                all.departures.push(departures(model, ground, presence, number, paths));
                all.returns.push(returns(model, ground, presence, number, paths));
            }
        }
        all
    }

    fn departures(&self, path: usize, program: usize) -> &[Departure] {
        &self.departures[path * self.programs + program]
    }

    fn returns(&self, path: usize, program: usize) -> &[Return] {
        &self.returns[path * self.programs + program]
    }
}

/// b1 → a2, in the order of b1.
fn departures(model: &Model, ground: &Ground, presence: &Presence, first: usize, others: &[usize]) -> Arc<[Departure]> {
    let mut all = Vec::new();
    for path in others.iter().copied() {
        let pair = ground.pair(first, path);
        if pair.departures.is_empty() {
            continue;
        }
        let mut rows = Unifier::new(model, &[&model.paths[first], &model.paths[path]]);
        let fresh = rows.mark();
        for (b1, a2) in pair.departures.iter().copied() {
            let (read, write) = (&model.paths[first].ops[b1], &model.paths[path].ops[a2]);
            if rows.meet((0, read), (1, write)) {
                let judge = Judge { rows: &rows, presence, ends: &[(0, b1), (1, a2)] };
                let levels = levels_between(&judge, &pair.ties, b1, EVERY_LEVEL);
                if levels & (T1_READ_COMMITTED | T1_REPEATABLE_READ) != 0 {
                    all.push(Departure { b1, path, a2, levels });
                }
            }
            rows.back(fresh);
        }
    }
    all.sort_by_key(|departure| (departure.b1, departure.path, departure.a2));
    all.into()
}

/// bm → a1, in the order of a1.
fn returns(model: &Model, ground: &Ground, presence: &Presence, first: usize, others: &[usize]) -> Arc<[Return]> {
    let mut all = Vec::new();
    for path in others.iter().copied() {
        let pair = ground.pair(first, path);
        if pair.returns.is_empty() {
            continue;
        }
        let mut rows = Unifier::new(model, &[&model.paths[first], &model.paths[path]]);
        let fresh = rows.mark();
        for back in pair.returns.iter().copied() {
            let (mine, theirs) = (&model.paths[first].ops[back.a1], &model.paths[path].ops[back.bm]);
            if rows.meet((1, theirs), (0, mine)) {
                let judge = Judge { rows: &rows, presence, ends: &[(1, back.bm), (0, back.a1)] };
                all.push(of_return(&judge, &pair.follows, back, path));
            }
            rows.back(fresh);
        }
    }
    all.sort_by_key(|known| (known.back.a1, known.path, known.back.bm));
    all.into()
}

fn of_return(judge: &Judge<'_, '_>, follows: &[Tie], back: Back, path: usize) -> Return {
    let mut known = Return { back, path, follows_from: u16::MAX, follows: 0, is_tied: false };
    for tie in follows {
        let (one, two) = ((0, tie.one), (1, tie.two));
        if !judge.same_row(one, two) || !judge.holds(two) {
            continue;
        }
        if tie.is(Tie::FORWARD) && judge.holds(one) {
            known.is_tied = true;
            known.follows_from = known.follows_from.min(judge.op(one).last);
            known.follows |= if tie.one < 128 { 1 << tie.one } else { 0 };
        }
    }
    known
}

/// The levels of T1 at which T2 is not kept out: T1 is transaction 0, T2 transaction 1. Only `wanted` ones are looked at.
fn levels_between(judge: &Judge<'_, '_>, ties: &[Tie], b1: usize, wanted: u8) -> u8 {
    let path = judge.rows.paths[0];
    let split = &path.ops[b1];
    let mut levels = wanted;
    for tie in ties {
        if levels == 0 {
            return 0;
        }
        let (one, two) = ((0, tie.one), (1, tie.two));
        let op = &path.ops[tie.one];
        if judge.blocks(*tie, one, two) {
            // What T1 locked before b1 it holds until after T2 has committed.
            if op.last < split.first || (tie.one == b1 && split.locks()) {
                levels &= !T1_READ_COMMITTED;
            }
            // T2's versions are newer than T1's snapshot, whenever T1 comes to them.
            if tie.is(Tie::FAILS) || op.place < path.snapshot {
                levels &= T1_READ_COMMITTED;
            }
            // A second row of the key is refused, too, unless somebody takes the first one away in between.
            if tie.is(Tie::FAILS) && op.action == Action::Insert && !judge.presence.ends(op.relation) {
                return 0;
            }
        }
        // T1 →rw T2 →rw T1 among serializable transactions, T2 committing first, is refused.
        let can_be_read = levels & T1_T2_SERIALIZABLE != 0 && tie.is(Tie::IS_READ);
        if can_be_read && judge.same_row(one, two) && judge.holds(one) {
            levels &= !T1_T2_SERIALIZABLE;
        }
    }
    levels
}

/// The levels at which Tm, transaction `last`, does not depend on T1: then the cycle would not be a shortest one, and the
/// shorter one is found by itself.
fn levels_of_last(judge: &Judge<'_, '_>, follows: &[Tie], b1: usize, last: usize, wanted: u8) -> u8 {
    let path = judge.rows.paths[0];
    let split = &path.ops[b1];
    let mut levels = wanted;
    for tie in follows {
        if levels == 0 {
            return 0;
        }
        let (one, two) = ((0, tie.one), (last, tie.two));
        if !judge.same_row(one, two) || !judge.holds(two) {
            continue;
        }
        // Who has read a version is looked up by the version that is overwritten (`predicate.c`,
        // `CheckForSerializableConflictIn`), and T2, which is not serializable where this counts, may have put its own in
        // between: then T1 and Tm do not notice each other, neither here nor in a shorter cycle.
        let hidden = if is_overwritten_by_second(judge.rows, one) { T1_TM_SERIALIZABLE } else { 0 };
        if tie.is(Tie::FORWARD) && judge.holds(one) {
            let is_before = path.ops[tie.one].last < split.first || tie.one == b1;
            levels &= hidden | if is_before { 0 } else { T1_READ_COMMITTED };
        }
        // T1 →rw Tm →rw T1 among serializable transactions is refused, whoever commits first.
        if tie.is(Tie::READS) {
            levels &= hidden | !T1_TM_SERIALIZABLE;
        }
    }
    levels
}

/// Whether T2, transaction 1, leaves a version of the row that an operation of T1 has read.
pub(super) fn is_overwritten_by_second(rows: &Unifier<'_>, read: At) -> bool {
    let var = rows.paths[read.0].ops[read.1].var;
    let mut writes = rows.paths[1].ops.iter().filter(|op| op.is_version());
    writes.any(|op| rows.same_row((read.0, var), (1, op.var)))
}

/// One way to begin a cycle and one way to end it.
struct Ends<'a> {
    first: usize,
    departure: &'a Departure,
    back: &'a Return,
    wanted: u8,
    kept: u8,
}

impl<'a> Search<'a> {
    /// All cells that are asked for.
    pub fn cells(&self, asked: Asked<'_>, work: &mut Work) -> BTreeMap<CellKey, Cell> {
        let programs = self.model.programs.len();
        let mut all = BTreeMap::new();
        // Most cells stay empty, so one row serves all.
        let mut row = Row::of(programs);
        for first in 0..programs {
            for (number, _) in self.model.paths.iter().enumerate().filter(|(_, path)| path.program == first) {
                for is_long in [false, true].into_iter().filter(|long| asked.is_long || !long) {
                    self.split(number, is_long, asked, &mut row, work);
                }
            }
            for at in row.touched.drain(..) {
                let filled = std::mem::take(&mut row.cells[at]);
                if filled.cell.levels != 0 {
                    all.insert((first, at / programs, at % programs), filled.cell);
                }
            }
        }
        all
    }

    /// All cycles in which a path is split.
    fn split(&self, number: usize, is_long: bool, asked: Asked<'_>, row: &mut Row, work: &mut Work) {
        let (first, programs) = (self.model.paths[number].program, self.model.programs.len());
        let came = |last: &usize| !self.crossings.returns(number, *last).is_empty();
        let lasts: Vec<usize> = (0..programs).filter(came).collect();
        for second in 0..programs {
            let departures = self.crossings.departures(number, second);
            if departures.is_empty() {
                continue;
            }
            let wanted = |last: &usize| (*last, (asked.levels)((first, second, *last)));
            let lasts: Vec<(usize, u8)> = lasts.iter().map(wanted).filter(|(_, levels)| *levels != 0).collect();
            row.touched.extend(lasts.iter().map(|(last, _)| second * programs + last));
            for departure in departures {
                let mut rows: Option<Unifier<'a>> = None;
                for (last, wanted) in lasts.iter().copied() {
                    let returns = self.crossings.returns(number, last);
                    let filling = &mut row.cells[second * programs + last];
                    let open = !filling.full & departure.levels & wanted;
                    for back in returns.iter().filter(|_| open != 0) {
                        work.combinations += 1;
                        let wanted = open & !filling.full & self.order(number, departure, back);
                        if wanted != 0 {
                            let rows = rows.get_or_insert_with(|| self.departed(number, departure));
                            let ends = Ends { first: number, departure, back, wanted, kept: asked.kept };
                            self.close(&ends, is_long, rows, filling, work);
                        }
                    }
                }
            }
        }
    }

    /// T1 and T2 where the cycle begins.
    fn departed(&self, number: usize, departure: &Departure) -> Unifier<'a> {
        let (first, second) = (&self.model.paths[number], &self.model.paths[departure.path]);
        let mut rows = Unifier::new(self.model, &[first, second]);
        rows.meet((0, &first.ops[departure.b1]), (1, &second.ops[departure.a2]));
        rows
    }

    /// The levels at which b1 and a1 can stand as they do. Above read committed T1 reads nothing that is newer than its
    /// snapshot and writes over nothing that is, so only an anti-dependency leads back to it. At read committed any
    /// does, if it comes after b1.
    fn order(&self, number: usize, departure: &Departure, back: &Return) -> u8 {
        let path = &self.model.paths[number];
        let (b1, a1) = (&path.ops[departure.b1], &path.ops[back.back.a1]);
        // Who did not find the row by the snapshot does not lock it in the same access.
        let missed = path.same_access(departure.b1, back.back.a1)
            && departure.b1 != back.back.a1
            && b1.action == Action::Read { looks: true }
            && matches!(path.vars[b1.var].rows, RowSet::One { .. });
        if missed {
            return 0;
        }
        let read_committed = if back.back.rw || b1.first < a1.last { T1_READ_COMMITTED } else { 0 };
        read_committed | if back.back.rw || back.back.renews { ABOVE_READ_COMMITTED } else { 0 }
    }

    /// Closes the cycle: with T2 alone, with T2 and Tm, or with others between them.
    fn close(&self, ends: &Ends<'a>, is_long: bool, rows: &mut Unifier<'a>, filling: &mut Filling, work: &mut Work) {
        let (second, last) = (ends.departure.path, ends.back.path);
        let split = &self.model.paths[ends.first].ops[ends.departure.b1];
        let start = rows.mark();
        if second == last && !is_long {
            self.two(ends, rows, filling, work);
            rows.back(start);
        }
        let apart = if self.is_new(ends) { EVERY_LEVEL } else { ends.back.levels(ends.departure.b1, split) };
        let wanted = ends.wanted & apart;
        let connects = || self.reach.connects(ends.first, second, last, self.is_new(ends));
        let can = if is_long { connects() } else { !self.ground.pair(second, last).links.is_empty() };
        if wanted != 0 && can {
            self.three(&Ends { wanted, ..*ends }, is_long, rows, filling, work);
            rows.back(start);
        }
    }

    /// A row that T2 brought into being may be changed by others before it closes the cycle: T1, which did not find it,
    /// depends on them, too, and the cycle is none the less the one to look at.
    fn is_new(&self, ends: &Ends<'_>) -> bool {
        self.model.paths[ends.departure.path].ops[ends.departure.a2].action == Action::Insert
    }

    /// T1 and T2 alone.
    fn two(&self, ends: &Ends<'a>, rows: &mut Unifier<'a>, filling: &mut Filling, work: &mut Work) {
        let wanted = ends.wanted & !(T1_T2_SERIALIZABLE | T1_TM_SERIALIZABLE);
        let (b1, a2, Back { a1, bm, .. }) = (ends.departure.b1, ends.departure.a2, ends.back.back);
        let (first, second) = (rows.paths[0], rows.paths[1]);
        work.unifications += 1;
        if wanted == 0 || !rows.meet((1, &second.ops[bm]), (0, &first.ops[a1])) {
            return;
        }
        let cycle = [(0, b1), (1, a2), (1, bm), (0, a1)];
        let judge = Judge { rows, presence: self.presence, ends: &cycle };
        let ties = &self.ground.pair(ends.first, ends.departure.path).ties;
        let levels = levels_between(&judge, ties, b1, wanted);
        if levels != 0 {
            let paths = vec![ends.first, ends.departure.path];
            filling.keep(Candidate { levels, paths, links: links(&cycle), is_long: false }, ends.kept);
        }
    }

    /// T1, T2 and Tm, which meets T2 directly, or in a long cycle through others.
    fn three(&self, ends: &Ends<'a>, is_long: bool, rows: &mut Unifier<'a>, filling: &mut Filling, work: &mut Work) {
        let (first, second, last) = (ends.first, ends.departure.path, ends.back.path);
        let (b1, a2, Back { a1, bm, .. }) = (ends.departure.b1, ends.departure.a2, ends.back.back);
        let path = &self.model.paths[last];
        rows.add(path);
        work.unifications += 1;
        if !rows.meet((2, &path.ops[bm]), (0, &self.model.paths[first].ops[a1])) {
            return;
        }
        let outer = [(0, b1), (1, a2), (2, bm), (0, a1)];
        let levels = self.levels_of_three(ends, rows, &outer, ends.wanted);
        let paths = vec![first, second, last];
        if levels == 0 || is_long {
            if levels != 0 {
                filling.keep(Candidate { levels, paths, links: links(&outer), is_long }, ends.kept);
            }
            return;
        }
        let joined = rows.mark();
        for (b2, am) in self.ground.pair(second, last).links.iter().copied() {
            work.unifications += 1;
            let (one, two) = (&self.model.paths[second].ops[b2], &path.ops[am]);
            let cycle = [outer[0], outer[1], (1, b2), (2, am), outer[2], outer[3]];
            let met = rows.meet((1, one), (2, two));
            let levels = if met { self.levels_of_three(ends, rows, &cycle, levels) } else { 0 };
            rows.back(joined);
            if levels != 0 {
                filling.keep(Candidate { levels, paths, links: links(&cycle), is_long }, ends.kept);
                return;
            }
        }
    }

    fn levels_of_three(&self, ends: &Ends<'a>, rows: &Unifier<'a>, cycle: &[At], wanted: u8) -> u8 {
        let judge = Judge { rows, presence: self.presence, ends: cycle };
        let b1 = ends.departure.b1;
        let levels = levels_between(&judge, &self.ground.pair(ends.first, ends.departure.path).ties, b1, wanted);
        if self.is_new(ends) {
            return levels;
        }
        levels_of_last(&judge, &self.ground.pair(ends.first, ends.back.path).follows, b1, 2, levels)
    }
}

/// The ends of a cycle's dependencies, in pairs.
fn links(ends: &[At]) -> Vec<(At, At)> {
    ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
