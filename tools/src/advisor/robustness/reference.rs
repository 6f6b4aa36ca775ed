//! The search for cycles as it is defined: every departure with every return, every time from the beginning. Too slow for
//! many programs; the fast one of `super::splits` must find what this one finds.

mod connections;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_sqltext::{Schema, Workload, read_sources};

use super::build::{Seen, build};
use super::conflict::{At, Judge, Kinds, Presence, dependencies};
use super::decide::Found;
use super::ground::Ground;
use super::model::{Action, Model, Op, Path, RowSet};
use super::splits::{
    ALL_LEVELS, Asked, Candidate, Cell, CellKey, T1_READ_COMMITTED, T1_REPEATABLE_READ, T1_SERIALIZABLE,
    T1_T2_SERIALIZABLE, T1_TM_SERIALIZABLE, is_overwritten_by_second,
};
use super::templates::{small_bank, tpc_c, with_rows_that_exist, workload};
use super::unify::Unifier;
use crate::advisor::report::Work;
use crate::advisor::synthetic::{Shape, template_set};
use connections::Connections;

/// Most candidates that are kept for a cell and a level.
const KEPT: usize = 6;

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
fn cells(model: &Model, included: &BTreeSet<usize>, work: &mut Work) -> BTreeMap<CellKey, Cell> {
    let is_in = |program: usize| included.contains(&program);
    let presence = Presence::of(model, &is_in);
    let touching = Touching::of(model, included);
    let reach = Connections::of(model, included);
    let mut search =
        Search { model, presence: &presence, touching: &touching, reach: &reach, cells: BTreeMap::new(), work };
    for (number, path) in model.paths.iter().enumerate().filter(|(_, path)| is_in(path.program)) {
        search.split(number, path);
    }
    search.cells
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
    reach: &'a Connections,
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
        let all = ALL_LEVELS;
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
            if levels & T1_READ_COMMITTED != 0 && is_before(one.1) && judge.keeps_out(one, two) {
                levels &= !T1_READ_COMMITTED;
            }
            // T2's versions are newer than T1's snapshot, whenever T1 comes to them.
            let fails = judge.fails_after(one, two) || (before_snapshot(one.1) && judge.keeps_out(one, two));
            if levels != T1_READ_COMMITTED & levels && fails {
                levels &= T1_READ_COMMITTED;
            }
            // A second row of the key is refused, too, unless somebody takes the first one away in between.
            let op = &path.ops[one.1];
            if op.action == Action::Insert && !self.presence.ends(op.relation) && judge.fails_after(one, two) {
                levels = 0;
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
            let hidden = if is_overwritten_by_second(rows, one) { T1_TM_SERIALIZABLE } else { 0 };
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

fn drawn(seed: u64, shape: &Shape) -> (Schema, Workload) {
    let set = template_set(seed, shape);
    let schema = Schema::from_ddl(&set.schema).expect("drawn tables can be read");
    let workload = read_sources(&[("drawn.sql", &set.programs)], &schema).expect("drawn programs can be read");
    (schema, workload)
}

fn fast(model: &Model, included: &BTreeSet<usize>) -> BTreeMap<CellKey, Cell> {
    let ground = Ground::of(model, &mut Work::default());
    let found_with = Found::of(model, &ground, &|program| included.contains(&program));
    let asked = Asked { levels: &|_| u8::MAX, kept: 6, is_long: true };
    found_with.search(model).cells(asked, &mut Work::default())
}

/// Compares the searches on all programs of a workload, and on all but each one of them.
fn compare(name: &str, schema: &Schema, workload: &Workload) -> usize {
    let model = build(workload, schema, Seen::AsTheyRun);
    let all: BTreeSet<usize> = (0..model.programs.len()).collect();
    let without = all.iter().map(|left_out| all.iter().copied().filter(|program| program != left_out).collect());
    let mut found = 0;
    for included in without.chain([all.clone()]) {
        let included: BTreeSet<usize> = included;
        let (expected, got) = (cells(&model, &included, &mut Work::default()), fast(&model, &included));
        let levels = |cells: &BTreeMap<CellKey, Cell>| -> BTreeMap<CellKey, u8> {
            cells.iter().map(|(key, cell)| (*key, cell.levels)).collect()
        };
        assert_eq!(levels(&got), levels(&expected), "{name}, {included:?}");
        assert_eq!(got, expected, "{name}, {included:?}");
        found += got.len();
    }
    found
}

#[test]
fn the_fast_search_finds_what_the_slow_one_finds_in_the_published_workloads() {
    let none = Schema::default();
    assert!(compare("smallbank", &none, &workload(small_bank())) > 0);
    assert!(compare("tpc-c", &none, &workload(tpc_c())) > 0);
    assert!(compare("tpc-c of existing rows", &none, &workload(with_rows_that_exist(tpc_c()))) > 0);
    let examples = [
        ("smallbank.sql", include_str!("../examples/smallbank.sql")),
        ("tpcc.sql", include_str!("../examples/tpcc.sql")),
        ("doctors-on-call.sql", include_str!("../examples/doctors-on-call.sql")),
        ("bank-transfer.sql", include_str!("../examples/bank-transfer.sql")),
        ("flash-sale.sql", include_str!("../examples/flash-sale.sql")),
    ];
    for (name, text) in examples {
        let schema = Schema::from_ddl(text).expect("the example's tables can be read");
        let workload = read_sources(&[(name, text)], &schema).expect("the example's programs can be read");
        assert!(compare(name, &schema, &workload) > 0, "{name}");
    }
}

#[test]
fn the_fast_search_finds_what_the_slow_one_finds_in_sets_by_lot() {
    let mut found = 0;
    for seed in 0..120 {
        for shape in [Shape::by_key(), Shape::everything(), Shape::predicates()] {
            let (schema, workload) = drawn(seed, &Shape { programs: 5, statements: 4, ..shape });
            found += compare(&format!("seed {seed}"), &schema, &workload);
        }
    }
    assert!(found > 1_000, "{found} cells with something dangerous");
}
