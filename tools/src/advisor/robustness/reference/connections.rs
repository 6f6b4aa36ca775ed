//! Chains of transactions that have nothing to do with T1, looked for path by path.

use std::collections::BTreeSet;

use crate::advisor::robustness::conflict::{Judge, Presence, dependencies};
use crate::advisor::robustness::model::Model;
use crate::advisor::robustness::numbers::Numbers;
use crate::advisor::robustness::reach::spread;
use crate::advisor::robustness::unify::Unifier;

/// Chains through all paths that take part.
pub(super) struct Connections {
    /// By path: those that it can meet.
    meets: Vec<Numbers>,
    /// By split path, then by where a chain begins: where it can be, going through free paths only.
    chains: Vec<Vec<Numbers>>,
    all: Vec<Numbers>,
}

impl Connections {
    /// Looks at every pair of paths once.
    pub(super) fn of(model: &Model, included: &BTreeSet<usize>) -> Self {
        let count = model.paths.len();
        let is_in = |path: usize| included.contains(&model.paths[path].program);
        let presence = Presence::of(model, &|program| included.contains(&program));
        let mut meets = vec![Numbers::none(count); count];
        let mut free = meets.clone();
        for one in (0..count).filter(|path| is_in(*path)) {
            for two in (one..count).filter(|path| is_in(*path)) {
                let (can, must) = relation_of(model, &presence, one, two);
                for (this, that) in [(one, two), (two, one)] {
                    if can {
                        meets[this].add(that);
                    }
                    if !must {
                        free[this].add(that);
                    }
                }
            }
        }
        let every = (0..count).filter(|path| is_in(*path)).fold(Numbers::none(count), |mut all, path| {
            all.add(path);
            all
        });
        let chains = free.iter().map(|free| spread(&meets, free)).collect();
        let all = spread(&meets, &every);
        Self { meets, chains, all }
    }

    /// Whether at least one transaction can stand between two others, none of them tied to the split one; with `any`,
    /// whoever they are.
    pub(super) fn connects(&self, split: usize, from: usize, to: usize, any: bool) -> bool {
        let chains = if any { &self.all } else { &self.chains[split] };
        chains[from].meets(&self.meets[to])
    }
}

/// Whether two paths can meet at all, and whether they depend on each other whatever their arguments.
fn relation_of(model: &Model, presence: &Presence, one: usize, two: usize) -> (bool, bool) {
    let (mine, theirs) = (&model.paths[one], &model.paths[two]);
    let rows = Unifier::new(model, &[mine, theirs]);
    let judge = Judge { rows: &rows, presence, ends: &[] };
    let meet = |a: usize, b: usize| {
        let (a, b) = (&mine.ops[a], &theirs.ops[b]);
        (dependencies(a, b).any() || dependencies(b, a).any()) && rows.clone().meet((0, a), (1, b))
    };
    let can = judge.pairs(0, 1).any(|(a, b)| meet(a.1, b.1));
    let must = can && judge.pairs(0, 1).any(|(a, b)| judge.surely_depend(a, b));
    (can, must)
}
