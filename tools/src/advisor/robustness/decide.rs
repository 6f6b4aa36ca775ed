//! Verdicts on allocations of levels, the best allocation, and the largest safe sets.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_units::Isolation;

use super::model::{Action, EXISTS, Model, Op};
use super::splits::{
    self, Candidate, Cell, CellKey, T1_READ_COMMITTED, T1_REPEATABLE_READ, T1_SERIALIZABLE, T1_T2_SERIALIZABLE,
    T1_TM_SERIALIZABLE,
};
use crate::advisor::report::{MaximalSafeSets, Work};

/// Most subsets that are judged in the search for the largest safe ones of a level.
const MOST_SUBSETS: usize = 4_000;
/// Most combinations that are looked at in that search.
const MOST_COMBINATIONS: u64 = 400_000;
/// Most sets that are listed for a level.
const MOST_SETS: usize = 64;

/// A level for each program of the model, by number.
pub(super) type Levels = Vec<Isolation>;

/// Everything dangerous about some programs.
pub(super) struct Dangers {
    pub cells: BTreeMap<CellKey, Cell>,
    /// By program: the programs whose reads it can hide from the server, see [`hides`].
    hides: Vec<BTreeSet<usize>>,
}

impl Dangers {
    /// Of all programs of the model.
    pub fn of(model: &Model, work: &mut Work) -> Self {
        let all = 0..model.programs.len();
        let hides = all.clone().map(|hider| all.clone().filter(|reader| hides(model, hider, *reader)).collect());
        let hides = hides.collect();
        Self { cells: splits::cells(model, &all.collect(), work), hides }
    }

    /// Whether nothing dangerous is possible under these levels.
    pub fn is_safe(&self, levels: &[Isolation]) -> bool {
        self.live(levels).next().is_none()
    }

    /// The cells that are dangerous under these levels, each with what T1 is in it.
    pub fn live<'a>(&'a self, levels: &'a [Isolation]) -> impl Iterator<Item = (&'a CellKey, &'a Cell, u8)> {
        self.cells.iter().filter_map(move |(key, cell)| {
            let is_live = |wanted: &u8| cell.levels & wanted != 0;
            let wanted = role(key, levels).filter(is_live);
            // What the server does not notice is as at repeatable read.
            let unnoticed = || self.is_unnoticed(key, levels).then_some(T1_REPEATABLE_READ).filter(is_live);
            wanted.or_else(unnoticed).map(|wanted| (key, cell, wanted))
        })
    }

    /// Whether somebody who is not serializable can hide from the server what T1 or Tm has read.
    fn is_unnoticed(&self, (first, _, last): &CellKey, levels: &[Isolation]) -> bool {
        let is_hider = |hider: &usize| levels[*hider] != Isolation::Serializable;
        let reaches = |hider: usize| self.hides[hider].contains(first) || self.hides[hider].contains(last);
        levels[*first] == Isolation::Serializable && (0..self.hides.len()).filter(is_hider).any(reaches)
    }

    /// The candidates that are possible under these levels: short ones first, then those of few statements.
    pub fn candidates(&self, model: &Model, levels: &[Isolation]) -> Vec<(Candidate, u8)> {
        let mut all: Vec<(Candidate, u8)> = self
            .live(levels)
            .flat_map(|(_, cell, wanted)| {
                let fits = move |candidate: &&Candidate| candidate.levels & wanted != 0;
                cell.candidates.iter().filter(fits).map(move |candidate| (candidate.clone(), wanted))
            })
            .collect();
        let length = |candidate: &Candidate| {
            candidate.paths.iter().map(|path| model.paths[*path].statements.len()).sum::<usize>()
        };
        all.sort_by_key(|(candidate, _)| (candidate.is_long, candidate.paths.len(), length(candidate)));
        all
    }

    /// The weakest levels that are safe together: all serializable, then one program after the other as low as the
    /// others allow. The order does not matter for the result: there is one optimum (Vandevoort, Ketsman & Neven,
    /// PODS 2023).
    pub fn optimal(&self, programs: usize) -> Levels {
        let mut levels = vec![Isolation::Serializable; programs];
        for program in 0..programs {
            for lower in [Isolation::ReadCommitted, Isolation::RepeatableRead] {
                let before = std::mem::replace(&mut levels[program], lower);
                if self.is_safe(&levels) {
                    break;
                }
                levels[program] = before;
            }
        }
        levels
    }
}

/// Whether a program can put a version over what another one has read without being in a cycle with it: it updates other
/// columns of the rows. Who has read a version is looked up by the version that is overwritten
/// (`src/backend/storage/lmgr/predicate.c`, `CheckForSerializableConflictIn`), so a serializable transaction that then
/// overwrites the new version is not seen to have been read by the other. If the columns meet, the one in between is in a
/// cycle of its own: see `splits`.
fn hides(model: &Model, hider: usize, reader: usize) -> bool {
    let ops =
        |program: usize| model.paths.iter().filter(move |path| path.program == program).flat_map(|path| &path.ops);
    let updates: Vec<&Op> = ops(hider).filter(|op| matches!(op.action, Action::Update(_))).collect();
    ops(reader).filter(|read| read.reads & !EXISTS != 0).any(|read| {
        updates.iter().any(|update| update.relation == read.relation && update.writes & read.reads & !EXISTS == 0)
    })
}

/// What the levels make of a cell.
fn role((first, second, last): &CellKey, levels: &[Isolation]) -> Option<u8> {
    let serializable = |program: &usize| levels[*program] == Isolation::Serializable;
    Some(match levels[*first] {
        Isolation::ReadCommitted => T1_READ_COMMITTED,
        Isolation::RepeatableRead => T1_REPEATABLE_READ,
        Isolation::Serializable => match (serializable(second), serializable(last)) {
            (false, false) => T1_SERIALIZABLE,
            (true, false) => T1_T2_SERIALIZABLE,
            (false, true) => T1_TM_SERIALIZABLE,
            (true, true) => return None,
        },
    })
}

/// The largest sets of programs that are safe when all run at one level. A danger among some programs is one in every
/// larger set, so the sets are what remains when from each danger one program is taken away.
pub(super) fn maximal_safe(model: &Model, level: Isolation, work: &mut Work) -> MaximalSafeSets {
    let all: BTreeSet<usize> = (0..model.programs.len()).collect();
    let mut open = vec![all];
    let mut seen: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    let mut safe: Vec<BTreeSet<usize>> = Vec::new();
    let mut complete = true;
    let limit = work.combinations + MOST_COMBINATIONS;
    let mut dangers: Vec<BTreeSet<usize>> = Vec::new();
    while let Some(set) = open.pop() {
        let is_covered = safe.iter().any(|known| known.is_superset(&set));
        if is_covered || !seen.insert(set.clone()) {
            continue;
        }
        if seen.len() > MOST_SUBSETS || safe.len() >= MOST_SETS || work.combinations > limit {
            complete = false;
            break;
        }
        let known = dangers.iter().find(|danger| danger.is_subset(&set)).cloned();
        let Some(danger) = known.or_else(|| danger_in(model, &set, level, work)) else {
            safe.retain(|known| !known.is_subset(&set));
            safe.push(set);
            continue;
        };
        if !dangers.contains(&danger) {
            dangers.push(danger.clone());
        }
        for program in danger {
            let mut smaller = set.clone();
            smaller.remove(&program);
            open.push(smaller);
        }
    }
    let name = |program: &usize| model.programs[*program].clone();
    let mut sets: Vec<Vec<String>> = safe
        .iter()
        .filter(|set| !set.is_empty())
        .map(|set| {
            let mut names: Vec<String> = set.iter().map(name).collect();
            names.sort();
            names
        })
        .collect();
    sets.sort();
    MaximalSafeSets { sets, complete }
}

/// Programs that are dangerous together, out of a set whose members all run at one level. Of a long cycle, the whole
/// set: who is in its middle is not known.
fn danger_in(model: &Model, set: &BTreeSet<usize>, level: Isolation, work: &mut Work) -> Option<BTreeSet<usize>> {
    if level == Isolation::Serializable {
        return None;
    }
    let levels = vec![level; model.programs.len()];
    let dangers = Dangers { cells: splits::cells(model, set, work), hides: Vec::new() };
    let (candidate, _) = dangers.candidates(model, &levels).into_iter().next()?;
    if candidate.is_long {
        return Some(set.clone());
    }
    Some(candidate.paths.iter().map(|path| model.paths[*path].program).collect())
}
