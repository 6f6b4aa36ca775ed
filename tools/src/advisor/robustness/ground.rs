//! What can be said of each two paths before any row is known to be the same: where one can depend on the other, and
//! where one can stand in the other's way.
//!
//! The search for cycles asks the same of the same two paths again and again, for every third one beside them. Nothing
//! here depends on which programs take part, nor on a third path, so a changed program leaves all pairs of the others
//! as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::conflict::{Kinds, can_notice, dependencies, excludes, is_refused_after, touches};
use super::model::{Action, Model, Op, Path, RowSet, Value};
use super::unify::Unifier;
use crate::advisor::report::Work;

/// All pairs of paths of a model.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    count: usize,
    pairs: Vec<Arc<Pair>>,
}

/// Two paths, the first one before the second.
#[derive(Debug, Default)]
pub(super) struct Pair {
    /// Operations of the first and of the second that can depend on each other, in this order, and can meet.
    pub links: Vec<(usize, usize)>,
    /// Where the first, if it is split, can read what the second overwrites. Of operations that stand at the same moment
    /// and are about the same rows one is enough.
    pub departures: Vec<(usize, usize)>,
    /// Where the second can come back to the first.
    pub returns: Vec<Back>,
    /// Where the first can keep the second out, or be noticed by it.
    pub ties: Vec<Tie>,
    /// Where the second certainly depends on the first, or is noticed by it, if rows are the same.
    pub follows: Vec<Tie>,
    /// Operations on what is certainly the same row, one of them writing what the other touches: constants are the keys.
    pub always: Vec<(usize, usize)>,
}

/// Operations through which a cycle comes back to its split path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    /// Of the split path.
    pub a1: usize,
    /// Of the other.
    pub bm: usize,
    /// It can be an anti-dependency.
    pub rw: bool,
    /// The other ends a row, and the split one inserts it anew: what first-updater-wins does not see.
    pub renews: bool,
}

/// Two operations of which one may stand in the other's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tie {
    pub one: usize,
    pub two: usize,
    pub what: u8,
}

impl Tie {
    /// While the first goes on the second waits.
    pub const BLOCKS: u8 = 1;
    /// After the second the first fails, above read committed.
    pub const FAILS: u8 = 2;
    /// The second reads a row that the first writes.
    pub const IS_READ: u8 = 4;
    /// The second depends on the first.
    pub const FORWARD: u8 = 8;
    /// The first reads a row that the second writes.
    pub const READS: u8 = 16;
    /// Locks on the whole relation: whatever the rows.
    pub const ANY_ROW: u8 = 32;
    /// What is locked need not exist.
    pub const ANY_STATE: u8 = 64;

    pub const fn is(self, what: u8) -> bool {
        self.what & what != 0
    }
}

impl Ground {
    /// Looks at every pair of paths.
    pub fn of(model: &Model, work: &mut Work) -> Self {
        Self::changed(model, None, &|_| true, work)
    }

    /// Looks at the pairs with a changed path only; of the others everything is known from before. Paths have the same
    /// numbers in both models.
    pub fn changed(model: &Model, before: Option<&Self>, is_new: &dyn Fn(usize) -> bool, work: &mut Work) -> Self {
        let count = model.paths.len();
        let nothing = Arc::new(Pair::default());
        let touched: Vec<Touched> = model.paths.iter().map(|path| Touched::of(model, path)).collect();
        let mut pairs = Vec::with_capacity(count * count);
        for (one, mine) in touched.iter().enumerate() {
            for (two, theirs) in touched.iter().enumerate() {
                let known = before.filter(|_| !is_new(one) && !is_new(two));
                pairs.push(match known {
                    Some(known) => Arc::clone(&known.pairs[one * count + two]),
                    None if !mine.meets(theirs) => Arc::clone(&nothing),
                    None => Arc::new(pair(model, (one, mine), (two, theirs), work)),
                });
            }
        }
        Self { count, pairs }
    }

    /// What is known of two paths.
    pub fn pair(&self, one: usize, two: usize) -> &Pair {
        &self.pairs[one * self.count + two]
    }
}

/// The relations of a path.
struct Touched {
    by_relation: Vec<Vec<usize>>,
    anything: Vec<usize>,
    relations: Vec<u64>,
}

impl Touched {
    fn of(model: &Model, path: &Path) -> Self {
        let mut touched = Self {
            by_relation: vec![Vec::new(); model.relations.len()],
            anything: Vec::new(),
            relations: vec![0; model.relations.len().div_ceil(64)],
        };
        for (at, op) in path.ops.iter().enumerate() {
            if model.relations[op.relation].is_anything {
                touched.anything.push(at);
            } else {
                touched.by_relation[op.relation].push(at);
                touched.relations[op.relation / 64] |= 1 << (op.relation % 64);
            }
        }
        touched
    }

    fn meets(&self, other: &Self) -> bool {
        let mut shared = self.relations.iter().zip(&other.relations);
        !self.anything.is_empty() || !other.anything.is_empty() || shared.any(|(one, two)| one & two != 0)
    }

    /// The operations that can meet one operation, in their order.
    fn partners(&self, model: &Model, path: &Path, op: &Op) -> Vec<usize> {
        if model.relations[op.relation].is_anything {
            return (0..path.ops.len()).collect();
        }
        let mut all = self.by_relation[op.relation].clone();
        if !self.anything.is_empty() {
            all.extend(&self.anything);
            all.sort_unstable();
        }
        all
    }
}

fn pair(model: &Model, one: (usize, &Touched), two: (usize, &Touched), work: &mut Work) -> Pair {
    let (mine, theirs) = (&model.paths[one.0], &model.paths[two.0]);
    let mut rows = Unifier::new(model, &[mine, theirs]);
    let fresh = rows.mark();
    let mut meet = |a: &Op, b: &Op| {
        work.unifications += 1;
        let met = rows.meet((0, a), (1, b));
        rows.back(fresh);
        met
    };
    let mut all = Pair::default();
    let (mut left, mut came) = (BTreeSet::new(), BTreeSet::new());
    for (a, first) in mine.ops.iter().enumerate() {
        for b in two.1.partners(model, theirs, first) {
            let second = &theirs.ops[b];
            let (forward, back) = (dependencies(first, second), dependencies(second, first));
            let meets = (forward.any() || back.any()) && meet(first, second);
            if forward.any() && meets {
                all.links.push((a, b));
            }
            let leaves = first.reads != 0 && forward.rw;
            if leaves && left.insert((first.var, first.first, first.access, second.var, second.access)) && meets {
                all.departures.push((a, b));
            }
            let Kinds { rw, .. } = back;
            let renews = second.action == Action::Delete && first.action == Action::Insert;
            let kind = (first.var, first.last, first.access, second.var, second.access, rw, renews);
            if back.any() && came.insert(kind) && meets {
                all.returns.push(Back { a1: a, bm: b, rw, renews });
            }
            let what = ties(first, second);
            let is_known = what & Tie::ANY_ROW != 0 || can_be_same(mine, first, theirs, second);
            if what & (Tie::BLOCKS | Tie::IS_READ) != 0 && is_known {
                all.ties.push(Tie { one: a, two: b, what });
            }
            if what & (Tie::FORWARD | Tie::READS) != 0 && can_be_same(mine, first, theirs, second) {
                all.follows.push(Tie { one: a, two: b, what });
            }
            if touches(first, second) && is_always_same(mine, first, theirs, second) {
                all.always.push((a, b));
            }
        }
    }
    all
}

/// What two operations are to each other if they are about the same row, and both take place.
fn ties(one: &Op, two: &Op) -> u8 {
    let mut what = match excludes(one, two) {
        Some(rows) => Tie::BLOCKS | rows,
        None => 0,
    };
    if what & Tie::BLOCKS != 0 && is_refused_after(one, two) {
        what |= Tie::FAILS;
    }
    if can_notice(two, one) {
        what |= Tie::IS_READ;
    }
    if one.relation == two.relation && (one.reads | one.writes) & two.writes != 0 {
        what |= Tie::FORWARD;
    }
    if can_notice(one, two) {
        what |= Tie::READS;
    }
    what
}

/// Whether two operations can be about what is known to be one row: both name one.
fn can_be_same(mine: &Path, one: &Op, theirs: &Path, two: &Op) -> bool {
    let is_one = |path: &Path, op: &Op| matches!(path.vars[op.var].rows, RowSet::One { .. });
    one.relation == two.relation && is_one(mine, one) && is_one(theirs, two)
}

/// Whether two operations name the same row in whatever instances of their paths: by constants.
fn is_always_same(mine: &Path, one: &Op, theirs: &Path, two: &Op) -> bool {
    let (RowSet::One { key, values }, RowSet::One { key: other, values: others }) =
        (&mine.vars[one.var].rows, &theirs.vars[two.var].rows)
    else {
        return false;
    };
    let same = |(mine_at, their_at): (&usize, &usize)| match (&mine.values[*mine_at], &theirs.values[*their_at]) {
        (Value::Constant(one), Value::Constant(two)) => one == two,
        _ => false,
    };
    one.relation == two.relation && key == other && values.iter().zip(others).all(same)
}
