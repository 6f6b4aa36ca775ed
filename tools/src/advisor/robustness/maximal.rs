//! The largest sets of programs that are safe when all of them run at one level.
//!
//! Dangers are sets of programs, and every set that contains one is dangerous. So the largest safe sets are what remains
//! when from each danger one program is taken away. Fewer programs are never more dangerous, but they can be less: where
//! nobody deletes rows, an update is sure to find its row, and blocks. A danger is therefore its programs together with
//! one for each relation whose rows it needs to come and go.

use std::collections::BTreeSet;

use pgstrata_units::Isolation;

use super::conflict::Presence;
use super::decide::{Dangers, Found};
use super::model::{Action, EXISTS, Model};
use super::numbers::Numbers;
use super::reach::Reach;
use super::splits::{Asked, Candidate, T1_READ_COMMITTED, T1_REPEATABLE_READ};
use crate::advisor::report::{MaximalSafeSets, Work};

/// Most subsets that are judged in the search for the largest safe ones of a level.
const MOST_SUBSETS: usize = 4_000;
/// Most of them that are searched for cycles anew, as what is known of all programs does not tell.
const MOST_SEARCHED: usize = 48;
/// Most combinations that are looked at in those searches.
const MOST_COMBINATIONS: u64 = 400_000;
/// Most sets that are listed for a level.
const MOST_SETS: usize = 64;

/// The largest safe sets of a level, out of all dangers of the model.
pub(super) fn maximal_safe(model: &Model, dangers: &Dangers, level: Isolation, work: &mut Work) -> MaximalSafeSets {
    let mut search = Subsets::of(model, dangers, level);
    let mut open = vec![Numbers::below(model.programs.len())];
    let mut seen: BTreeSet<Numbers> = BTreeSet::new();
    let mut safe: Vec<Numbers> = Vec::new();
    let mut complete = true;
    let limit = work.combinations + MOST_COMBINATIONS;
    while let Some(set) = open.pop() {
        if safe.iter().any(|known| set.is_within(known)) || !seen.insert(set.clone()) {
            continue;
        }
        let is_enough = seen.len() > MOST_SUBSETS || safe.len() >= MOST_SETS;
        if is_enough || search.searched > MOST_SEARCHED || work.combinations > limit {
            complete = false;
            break;
        }
        let Some(danger) = search.danger_in(&set, work) else {
            safe.retain(|known| !known.is_within(&set));
            safe.push(set);
            continue;
        };
        for program in danger.iter() {
            let mut smaller = set.clone();
            smaller.remove(program);
            open.push(smaller);
        }
    }
    let names = |set: &Numbers| {
        let mut names: Vec<String> = set.iter().map(|program| model.programs[program].clone()).collect();
        names.sort();
        names
    };
    let mut sets: Vec<Vec<String>> = safe.iter().filter(|set| set.count() > 0).map(names).collect();
    sets.sort();
    MaximalSafeSets { sets, complete }
}

/// The search among subsets of the programs.
struct Subsets<'a> {
    model: &'a Model,
    all: &'a Dangers,
    /// What T1 is at the level; nothing where all are serializable.
    role: u8,
    /// By relation: programs that make its rows come and go.
    changers: Vec<Numbers>,
    /// By relation: programs that end its rows.
    enders: Vec<Numbers>,
    /// Known dangers, the smallest first.
    dangers: Vec<Numbers>,
    searched: usize,
}

impl<'a> Subsets<'a> {
    fn of(model: &'a Model, all: &'a Dangers, level: Isolation) -> Self {
        let role = match level {
            Isolation::ReadCommitted => T1_READ_COMMITTED,
            Isolation::RepeatableRead => T1_REPEATABLE_READ,
            Isolation::Serializable => 0,
        };
        let mut changers = vec![Numbers::none(model.programs.len()); model.relations.len()];
        let mut enders = changers.clone();
        for path in &model.paths {
            for op in &path.ops {
                if op.action == Action::Anything {
                    for set in changers.iter_mut().chain(&mut enders) {
                        set.add(path.program);
                    }
                    continue;
                }
                if op.writes & EXISTS != 0 {
                    changers[op.relation].add(path.program);
                }
                if op.ends_row() {
                    enders[op.relation].add(path.program);
                }
            }
        }
        let mut subsets = Self { model, all, role, changers, enders, dangers: Vec::new(), searched: 0 };
        let every = Numbers::below(model.programs.len());
        let found = all.candidates.iter().map(|(_, candidate)| candidate);
        subsets.learn(&every, found, &all.found_with.reach, &all.found_with.presence);
        subsets
    }

    /// Programs that are dangerous together, out of a set.
    fn danger_in(&mut self, set: &Numbers, work: &mut Work) -> Option<Numbers> {
        if let Some(known) = self.dangers.iter().find(|danger| danger.is_within(set)) {
            return Some(known.clone());
        }
        let role = self.role;
        let is_in = |program: usize| set.has(program);
        // What is no danger among all programs is none among fewer.
        let may_be = |key: &(usize, usize, usize)| [key.0, key.1, key.2].into_iter().all(is_in);
        if !self.all.levels.iter().any(|(key, levels)| levels & role != 0 && may_be(key)) {
            return None;
        }
        self.searched += 1;
        let levels = |key| self.all.levels_of(key) & role;
        let found_with = Found::of(self.model, &self.all.found_with.ground, &is_in);
        let asked = Asked { levels: &levels, kept: 1, is_long: true };
        let cells = found_with.search(self.model).cells(asked, work);
        let found: Vec<Candidate> = cells.into_values().flat_map(|cell| cell.candidates).collect();
        self.learn(set, found.iter(), &found_with.reach, &found_with.presence);
        self.dangers.iter().find(|danger| danger.is_within(set)).cloned()
    }

    /// Takes note of the dangers that were found among the programs of a set.
    fn learn<'c>(
        &mut self,
        set: &Numbers,
        found: impl Iterator<Item = &'c Candidate>,
        reach: &Reach,
        presence: &Presence,
    ) {
        let of_level = found.filter(|candidate| candidate.levels & self.role != 0);
        let mut all: BTreeSet<Numbers> =
            of_level.map(|candidate| self.danger(set, candidate, reach, presence)).collect();
        all.extend(self.dangers.drain(..));
        let mut all: Vec<Numbers> = all.into_iter().collect();
        all.sort_by_key(Numbers::count);
        for danger in all {
            if !self.dangers.iter().any(|known| known.is_within(&danger)) {
                self.dangers.push(danger);
            }
        }
    }

    /// The programs that a candidate needs: its own, those of its middle, and who makes rows come and go that it is about.
    fn danger(&self, set: &Numbers, candidate: &Candidate, reach: &Reach, presence: &Presence) -> Numbers {
        let model = self.model;
        let mut paths = candidate.paths.clone();
        if let (true, [first, second, last]) = (candidate.is_long, candidate.paths.as_slice()) {
            let is_new = model.paths[*second].ops[candidate.links[0].1.1].action == Action::Insert;
            paths.extend(reach.chain(*first, *second, *last, is_new).unwrap_or_default());
        }
        let mut programs = Numbers::none(model.programs.len());
        for path in &paths {
            programs.add(model.paths[*path].program);
        }
        for op in paths.iter().flat_map(|path| &model.paths[*path].ops) {
            let needs = [
                (presence.ends(op.relation) && op.action == Action::Insert, &self.enders[op.relation]),
                (presence.changes(op.relation), &self.changers[op.relation]),
            ];
            for (_, those) in needs.into_iter().filter(|(is_needed, _)| *is_needed) {
                if !those.meets(&programs)
                    && let Some(one) = those.and(set).iter().next()
                {
                    programs.add(one);
                }
            }
        }
        programs
    }
}

#[cfg(test)]
mod tests {
    use pgstrata_sqltext::{Schema, read_sources};

    use super::*;
    use crate::advisor::robustness::build::{Seen, build};
    use crate::advisor::synthetic::{Shape, template_set};

    /// The largest safe ones of all subsets, each of them decided by itself.
    fn by_trying_all(model: &Model, dangers: &Dangers, role: u8) -> Vec<Vec<String>> {
        let count = model.programs.len();
        let is_safe = |set: usize| {
            let found_with = Found::of(model, &dangers.found_with.ground, &|program| set & (1 << program) != 0);
            let asked = Asked { levels: &|_| role, kept: 1, is_long: true };
            found_with.search(model).cells(asked, &mut Work::default()).is_empty()
        };
        let safe: Vec<usize> = (1..1_usize << count).filter(|set| is_safe(*set)).collect();
        let is_largest = |set: &&usize| !safe.iter().any(|other| other != *set && other & **set == **set);
        let names = |set: &usize| {
            let members = (0..count).filter(|program| set & (1 << program) != 0);
            members.map(|program| model.programs[program].clone()).collect::<Vec<_>>()
        };
        let mut sets: Vec<Vec<String>> = safe.iter().filter(is_largest).map(names).collect();
        sets.sort();
        sets
    }

    #[test]
    fn the_largest_safe_sets_are_those_that_trying_all_subsets_gives() {
        let mut several = 0;
        for seed in 0..60 {
            let set = template_set(seed, &Shape { programs: 6, statements: 3, tables: 3, ..Shape::everything() });
            let schema = Schema::from_ddl(&set.schema).expect("drawn tables can be read");
            let workload = read_sources(&[("drawn.sql", &set.programs)], &schema).expect("drawn programs can be read");
            let model = build(&workload, &schema, Seen::AsTheyRun);
            let dangers = Dangers::of(&model, &mut Work::default());
            for (level, role) in
                [(Isolation::ReadCommitted, T1_READ_COMMITTED), (Isolation::RepeatableRead, T1_REPEATABLE_READ)]
            {
                let found = maximal_safe(&model, &dangers, level, &mut Work::default());
                let expected = by_trying_all(&model, &dangers, role);
                assert!(found.complete, "seed {seed}, {level}");
                assert_eq!(found.sets, expected, "seed {seed}, {level}\n{}", set.programs);
                several += usize::from(expected.len() > 1);
            }
        }
        assert!(several > 20, "{several} have more than one");
    }
}
