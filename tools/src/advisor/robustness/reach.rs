//! Whether a chain of transactions that have nothing to do with T1 can lead from one program to another.
//!
//! The arguments of the chain are not looked at, so it may say yes where no arguments fit; never no where some do.

use std::collections::BTreeSet;

use super::conflict::{Judge, Presence, dependencies};
use super::model::Model;
use super::unify::Unifier;

/// A set of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths(Vec<u64>);

impl Paths {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn add(&mut self, path: usize) {
        self.0[path / 64] |= 1 << (path % 64);
    }

    pub fn has(&self, path: usize) -> bool {
        self.0[path / 64] & (1 << (path % 64)) != 0
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| one & two != 0)
    }

    fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, two)| one & two).collect())
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, two)| *one |= two);
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|path| self.has(*path))
    }
}

/// Chains through all paths that take part.
pub(super) struct Reach {
    /// By path: those that it can meet.
    pub meets: Vec<Paths>,
    /// By split path: those that need not depend on it.
    free: Vec<Paths>,
    /// By split path, then by where a chain begins: where it can be, going through free paths only.
    chains: Vec<Vec<Paths>>,
    all: Vec<Paths>,
}

impl Reach {
    /// Looks at every pair of paths once.
    pub fn of(model: &Model, included: &BTreeSet<usize>) -> Self {
        let count = model.paths.len();
        let is_in = |path: usize| included.contains(&model.paths[path].program);
        let presence = Presence::of(model, &|program| included.contains(&program));
        let mut meets = vec![Paths::none(count); count];
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
        let every = (0..count).filter(|path| is_in(*path)).fold(Paths::none(count), |mut all, path| {
            all.add(path);
            all
        });
        let chains = free.iter().map(|free| spread(&meets, free)).collect();
        let all = spread(&meets, &every);
        Self { meets, free, chains, all }
    }

    /// Whether at least one transaction can stand between two others, none of them tied to the split one; with `any`,
    /// whoever they are.
    pub fn connects(&self, split: usize, from: usize, to: usize, any: bool) -> bool {
        let chains = if any { &self.all } else { &self.chains[split] };
        chains[from].meets(&self.meets[to])
    }

    /// A shortest chain between two paths, both ends excluded.
    pub fn chain(&self, split: usize, from: usize, to: usize, any: bool) -> Option<Vec<usize>> {
        let usable = |path: usize| any || self.free[split].has(path);
        let mut before = vec![None; self.meets.len()];
        let mut queue: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
        for path in self.meets[from].iter().filter(|path| usable(*path)) {
            before[path] = Some(path);
            queue.push_back(path);
        }
        while let Some(path) = queue.pop_front() {
            if self.meets[path].has(to) {
                return Some(walk_back(&before, path));
            }
            for next in self.meets[path].iter().filter(|next| usable(*next)) {
                if before[next].is_none() {
                    before[next] = Some(path);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

fn walk_back(before: &[Option<usize>], end: usize) -> Vec<usize> {
    let mut chain = vec![end];
    let mut at = end;
    while let Some(previous) = before[at].filter(|previous| *previous != at) {
        chain.push(previous);
        at = previous;
    }
    chain.reverse();
    chain
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

/// From each path, what a chain through the given ones can come to, its first step included.
fn spread(meets: &[Paths], through: &Paths) -> Vec<Paths> {
    let count = meets.len();
    let mut components: Vec<Option<usize>> = vec![None; count];
    let mut sets: Vec<Paths> = Vec::new();
    for start in through.iter().filter(|path| *path < count) {
        if components[start].is_some() {
            continue;
        }
        let mut set = Paths::none(count);
        let mut stack = vec![start];
        set.add(start);
        while let Some(path) = stack.pop() {
            components[path] = Some(sets.len());
            for next in meets[path].and(through).iter() {
                if !set.has(next) {
                    set.add(next);
                    stack.push(next);
                }
            }
        }
        sets.push(set);
    }
    let from = |path: usize| {
        meets[path].and(through).iter().filter_map(|next| components[next]).fold(Paths::none(count), |mut all, set| {
            all.join(&sets[set]);
            all
        })
    };
    (0..count).map(from).collect()
}
