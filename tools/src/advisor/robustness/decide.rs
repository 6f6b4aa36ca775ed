//! Verdicts on allocations of levels, and the best allocation.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_units::Isolation;

use super::conflict::Presence;
use super::ground::Ground;
use super::model::{Action, Columns, EXISTS, Model, Op};
use super::reach::Reach;
use super::splits::{
    Asked, Candidate, Cell, CellKey, Crossings, Search, T1_READ_COMMITTED, T1_REPEATABLE_READ, T1_SERIALIZABLE,
    T1_T2_SERIALIZABLE, T1_TM_SERIALIZABLE,
};
use crate::advisor::report::Work;

/// Most candidates that are kept for a cell and a level: if the first cannot be run, another may.
const KEPT: u8 = 6;
/// The same where there are so many programs that other cells have candidates enough.
const KEPT_OF_MANY: u8 = 1;
/// How many programs are many.
const MANY_PROGRAMS: usize = 24;
/// Most candidates that are told of one allocation.
const MOST_CANDIDATES: usize = 400;

/// A level for each program of the model, by number.
pub(super) type Levels = Vec<Isolation>;

/// Everything dangerous about some programs.
pub(super) struct Dangers {
    /// The levels at which each three programs are dangerous, in the order of the programs.
    pub levels: Vec<(CellKey, u8)>,
    /// The candidates: short ones first, then those of few statements.
    pub candidates: Vec<(CellKey, Candidate)>,
    pub found_with: Found,
    /// By program: those whose reads it can hide from the server, see [`hides`].
    hides: Vec<BTreeSet<usize>>,
}

/// What the search went by.
pub(super) struct Found {
    pub ground: Ground,
    pub presence: Presence,
    pub reach: Reach,
    pub crossings: Crossings,
}

impl Found {
    /// Of the programs that take part.
    pub fn of(model: &Model, ground: &Ground, included: &dyn Fn(usize) -> bool) -> Self {
        let presence = Presence::of(model, included);
        let reach = Reach::between(model, ground, &presence, included);
        let crossings = Crossings::of(model, ground, &presence, included, None);
        Self { ground: ground.clone(), presence, reach, crossings }
    }

    /// The search with it.
    pub const fn search<'a>(&'a self, model: &'a Model) -> Search<'a> {
        let Self { ground, presence, reach, crossings } = self;
        Search { model, ground, presence, reach, crossings }
    }
}

impl Dangers {
    /// Of all programs of the model.
    pub fn of(model: &Model, work: &mut Work) -> Self {
        let ground = Ground::of(model, work);
        let found_with = Found::of(model, &ground, &|_| true);
        let kept = if model.programs.len() > MANY_PROGRAMS { KEPT_OF_MANY } else { KEPT };
        let asked = Asked { levels: &|_| u8::MAX, kept, is_long: true };
        let cells = found_with.search(model).cells(asked, work);
        Self::out_of(model, cells, found_with)
    }

    /// Of the same programs, some of which have changed: what they have nothing to do with is as it was. Says at which
    /// levels, and keeps one candidate for each.
    pub fn changed(&self, model: &Model, changed: &BTreeSet<usize>, work: &mut Work) -> Self {
        let before = &self.found_with;
        let of_changed: Vec<bool> = (0..model.programs.len()).map(|program| changed.contains(&program)).collect();
        let is_new = |program: usize| of_changed[program];
        let is_new_path = |path: usize| is_new(model.paths[path].program);
        let ground = Ground::changed(model, Some(&before.ground), &is_new_path, work);
        let presence = Presence::of(model, &|_| true);
        let is_known = before.presence.is_same(&presence);
        let known: Option<(&Crossings, &dyn Fn(usize) -> bool)> = is_known.then_some((&before.crossings, &is_new));
        let crossings = Crossings::of(model, &ground, &presence, &|_| true, known);
        let reach = Reach::between(model, &ground, &presence, &|_| true);
        let rerouted = Rerouted::between(model, &before.reach, &reach);
        let found_with = Found { ground, presence, reach, crossings };
        let is_asked = |(first, second, last): CellKey| {
            !is_known || [first, second, last].into_iter().any(is_new) || rerouted.concerns(first, second, last)
        };
        let asked = Asked { levels: &|key| if is_asked(key) { u8::MAX } else { 0 }, kept: 1, is_long: true };
        let cells = found_with.search(model).cells(asked, work);
        let mut all = Self::out_of(model, cells, found_with);
        all.levels.extend(self.levels.iter().filter(|(key, _)| !is_asked(*key)));
        all.levels.sort_unstable();
        all
    }

    fn out_of(model: &Model, cells: BTreeMap<CellKey, Cell>, found_with: Found) -> Self {
        let levels = cells.iter().map(|(key, cell)| (*key, cell.levels)).collect();
        let all = cells.into_iter().flat_map(|(key, cell)| cell.candidates.into_iter().map(move |each| (key, each)));
        let mut candidates: Vec<(CellKey, Candidate)> = all.collect();
        let length = |candidate: &Candidate| {
            candidate.paths.iter().map(|path| model.paths[*path].statements.len()).sum::<usize>()
        };
        candidates.sort_by_key(|(_, candidate)| (candidate.is_long, candidate.paths.len(), length(candidate)));
        Self { levels, candidates, found_with, hides: hides(model) }
    }

    /// The levels at which three programs are dangerous.
    pub fn levels_of(&self, key: CellKey) -> u8 {
        self.levels.binary_search_by_key(&key, |(known, _)| *known).map_or(0, |at| self.levels[at].1)
    }

    /// Whether nothing dangerous is possible under these levels.
    pub fn is_safe(&self, levels: &[Isolation]) -> bool {
        let hidden = self.hidden(levels);
        !self.levels.iter().any(|(key, dangerous)| part(key, *dangerous, levels, &hidden).is_some())
    }

    /// By program: whether somebody who is not serializable can hide from the server what it has read.
    fn hidden(&self, levels: &[Isolation]) -> Vec<bool> {
        let mut hidden = vec![false; levels.len()];
        let hiders = self.hides.iter().zip(levels).filter(|(_, level)| **level != Isolation::Serializable);
        hiders.flat_map(|(readers, _)| readers).for_each(|reader| hidden[*reader] = true);
        hidden
    }

    /// The candidates that are possible under these levels, each with what T1 is in it: short ones first, then those of
    /// few statements.
    pub fn candidates(&self, levels: &[Isolation]) -> Vec<(Candidate, u8)> {
        let hidden = self.hidden(levels);
        let live = self.candidates.iter().filter_map(|(key, candidate)| {
            part(key, candidate.levels, levels, &hidden).map(|wanted| (candidate.clone(), wanted))
        });
        live.take(MOST_CANDIDATES).collect()
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

/// Where a change lets chains of transactions go elsewhere.
struct Rerouted {
    /// By the first and the second program.
    begins: Vec<Vec<bool>>,
    /// By the last program.
    ends: Vec<bool>,
}

impl Rerouted {
    fn between(model: &Model, before: &Reach, after: &Reach) -> Self {
        let programs = model.programs.len();
        let paths = || model.paths.iter().enumerate();
        let (mut begins, mut ends) = (vec![vec![false; programs]; programs], vec![false; programs]);
        if before == after {
            return Self { begins, ends };
        }
        for (number, path) in paths() {
            ends[path.program] |= before.differs_at_end(after, number);
            for (_, second) in paths().filter(|(other, _)| before.differs(after, number, *other)) {
                begins[path.program][second.program] = true;
            }
        }
        Self { begins, ends }
    }

    fn concerns(&self, first: usize, second: usize, last: usize) -> bool {
        self.ends[last] || self.begins[first][second]
    }
}

/// By program: those over whose reads it can put a version without being in a cycle with them: it updates other columns of
/// the rows. Who has read a version is looked up by the version that is overwritten
/// (`src/backend/storage/lmgr/predicate.c`, `CheckForSerializableConflictIn`), so a serializable transaction that then
/// overwrites the new version is not seen to have been read by the other. If the columns meet, the one in between is in a
/// cycle of its own: see `splits`.
fn hides(model: &Model) -> Vec<BTreeSet<usize>> {
    let of = |program: usize, columns: &dyn Fn(&Op) -> Columns| -> BTreeSet<(usize, Columns)> {
        let paths = model.paths.iter().filter(|path| path.program == program);
        paths.flat_map(|path| &path.ops).map(|op| (op.relation, columns(op) & !EXISTS)).filter(|of| of.1 != 0).collect()
    };
    let of_update = |op: &Op| if matches!(op.action, Action::Update(_)) { op.writes } else { 0 };
    let programs = 0..model.programs.len();
    let reads: Vec<_> = programs.clone().map(|program| of(program, &|op| op.reads)).collect();
    let updates = programs.map(|program| of(program, &of_update));
    let is_apart = |updates: &BTreeSet<(usize, Columns)>, reads: &BTreeSet<(usize, Columns)>| {
        reads
            .iter()
            .any(|(relation, read)| updates.iter().any(|(other, update)| other == relation && update & read == 0))
    };
    updates.map(|updates| (0..reads.len()).filter(|reader| is_apart(&updates, &reads[*reader])).collect()).collect()
}

/// What T1 is in a cell that is dangerous at some levels; nothing if it is not dangerous under these. `hidden` are the
/// programs whose reads the server may not notice: then it is as at repeatable read.
fn part(key: &CellKey, dangerous: u8, levels: &[Isolation], hidden: &[bool]) -> Option<u8> {
    let (first, _, last) = *key;
    let is_live = |wanted: &u8| dangerous & wanted != 0;
    let is_unnoticed = levels[first] == Isolation::Serializable && (hidden[first] || hidden[last]);
    let unnoticed = || is_unnoticed.then_some(T1_REPEATABLE_READ).filter(is_live);
    role(key, levels).filter(is_live).or_else(unnoticed)
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
