//! Whether a chain of transactions that have nothing to do with T1 can lead from one program to another.
//!
//! The arguments of the chain are not looked at, so it may say yes where no arguments fit; never no where some do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conflict::Presence;
use super::ground::Ground;
use super::model::Model;
use super::numbers::Numbers;

/// Chains through all paths that take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    /// By path: those that it can meet.
    meets: Vec<Numbers>,
    /// By split path: those that need not depend on it.
    free: Vec<Numbers>,
    /// By split path, then by where a chain begins: where it can be, going through free paths only. Most split paths have
    /// the same free ones.
    chains: Vec<Arc<Vec<Numbers>>>,
    all: Arc<Vec<Numbers>>,
}

impl Reach {
    /// Of the programs that take part, by what is known of their paths.
    pub fn between(model: &Model, ground: &Ground, presence: &Presence, included: &dyn Fn(usize) -> bool) -> Self {
        let count = model.paths.len();
        let every: Vec<usize> = (0..count).filter(|path| included(model.paths[*path].program)).collect();
        let mut meets = vec![Numbers::none(count); count];
        let mut free = meets.clone();
        for one in every.iter().copied() {
            for two in every.iter().copied() {
                let pair = ground.pair(one, two);
                let can = !pair.links.is_empty() || !ground.pair(two, one).links.is_empty();
                if can {
                    meets[one].add(two);
                }
                let is_sure = |(a, b): &(usize, usize)| {
                    presence.is_sure(&model.paths[one].ops[*a]) && presence.is_sure(&model.paths[two].ops[*b])
                };
                if !(can && pair.always.iter().any(is_sure)) {
                    free[one].add(two);
                }
            }
        }
        let mut known: BTreeMap<Numbers, Arc<Vec<Numbers>>> = BTreeMap::new();
        let mut spread_through = |through: &Numbers| {
            Arc::clone(known.entry(through.clone()).or_insert_with(|| Arc::new(spread(&meets, through))))
        };
        let chains = free.iter().map(&mut spread_through).collect();
        let all = every.into_iter().fold(Numbers::none(count), |mut all, path| {
            all.add(path);
            all
        });
        let all = spread_through(&all);
        Self { meets, free, chains, all }
    }

    /// Whether at least one transaction can stand between two others, none of them tied to the split one; with `any`,
    /// whoever they are.
    pub fn connects(&self, split: usize, from: usize, to: usize, any: bool) -> bool {
        let chains = if any { &self.all } else { &self.chains[split] };
        chains[from].meets(&self.meets[to])
    }

    /// Whether chains from some paths to others may differ.
    pub fn differs(&self, other: &Self, split: usize, from: usize) -> bool {
        self.chains[split][from] != other.chains[split][from] || self.all[from] != other.all[from]
    }

    /// Whether others may meet a path.
    pub fn differs_at_end(&self, other: &Self, to: usize) -> bool {
        self.meets[to] != other.meets[to]
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

/// From each path, what a chain through the given ones can come to, its first step included.
pub(super) fn spread(meets: &[Numbers], through: &Numbers) -> Vec<Numbers> {
    let count = meets.len();
    let mut components: Vec<Option<usize>> = vec![None; count];
    let mut sets: Vec<Numbers> = Vec::new();
    for start in through.iter().filter(|path| *path < count) {
        if components[start].is_some() {
            continue;
        }
        let mut set = Numbers::none(count);
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
        meets[path].and(through).iter().filter_map(|next| components[next]).fold(
            Numbers::none(count),
            |mut all, set| {
                all.join(&sets[set]);
                all
            },
        )
    };
    (0..count).map(from).collect()
}
