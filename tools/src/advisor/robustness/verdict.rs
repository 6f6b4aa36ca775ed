//! A verdict on one allocation: safe, or a witness, or why neither can be said.

use std::collections::BTreeSet;

use super::decide::{Dangers, Levels};
use super::evidence::{self, Meaning};
use super::model::Action;
use super::reach::Reach;
use super::search;
use super::splits::Candidate;
use super::stage;
use crate::advisor::report::{Verdict, Work};
use crate::advisor::witness::Witness;

/// Most candidates that are tried for one verdict.
const MOST_CANDIDATES: usize = 48;

/// The verdict on an allocation.
pub(super) fn verdict(
    meaning: Meaning<'_>,
    dangers: &Dangers,
    reach: &Reach,
    levels: &Levels,
    work: &mut Work,
) -> Verdict {
    let candidates = candidates(meaning, dangers, levels);
    let Some(first) = candidates.first() else { return Verdict::Safe };
    let tried = candidates.iter().take(MOST_CANDIDATES);
    let shown = tried.into_iter().find_map(|candidate| show(meaning, reach, candidate, levels, work));
    match shown {
        Some(witness) => Verdict::Unsafe(Box::new(witness)),
        None => unknown(meaning, first, candidates.iter()),
    }
}

/// Several witnesses against an allocation: of different programs first, as one that does not show in values is followed by
/// more of its kind.
pub(super) fn witnesses(
    meaning: Meaning<'_>,
    dangers: &Dangers,
    reach: &Reach,
    levels: &Levels,
    most: usize,
) -> Vec<Witness> {
    let mut work = Work::default();
    let candidates = candidates(meaning, dangers, levels);
    let programs = |candidate: &Candidate| -> Vec<usize> {
        candidate.paths.iter().map(|path| meaning.model.paths[*path].program).collect()
    };
    let mut seen = BTreeSet::new();
    let (fresh, more): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().partition(|candidate| seen.insert(programs(candidate)));
    let mut found = Vec::new();
    for candidate in fresh.into_iter().chain(more).take(MOST_CANDIDATES) {
        if found.len() >= most {
            break;
        }
        if let Some(witness) = show(meaning, reach, candidate, levels, &mut work)
            && !found.contains(&witness)
        {
            found.push(witness);
        }
    }
    found
}

/// The candidates that are possible under these levels: those that show in values first, of them the short ones.
fn candidates(meaning: Meaning<'_>, dangers: &Dangers, levels: &Levels) -> Vec<Candidate> {
    let found = dangers.candidates(levels);
    let mut candidates: Vec<Candidate> = found.into_iter().map(|(candidate, _)| candidate).collect();
    candidates.sort_by_cached_key(|candidate| meaning.telling.rank(meaning.model, candidate));
    candidates
}

/// A schedule that goes through a candidate, if one is found.
fn show(
    meaning: Meaning<'_>,
    reach: &Reach,
    candidate: &Candidate,
    levels: &Levels,
    work: &mut Work,
) -> Option<Witness> {
    let cast = stage::cast(meaning.model, reach, candidate, levels)?;
    let found = search::search(&cast.stage, &mut work.model_steps)?;
    evidence::witness(meaning, &cast, &found)
}

fn unknown<'a>(meaning: Meaning<'_>, first: &Candidate, all: impl Iterator<Item = &'a Candidate>) -> Verdict {
    let programs: BTreeSet<String> = all
        .flat_map(|candidate| &candidate.paths)
        .map(|path| meaning.model.programs[meaning.model.paths[*path].program].clone())
        .collect();
    let paths = || first.paths.iter().map(|path| &meaning.model.paths[*path]);
    let is_anything = paths().flat_map(|path| &path.ops).any(|op| op.action == Action::Anything);
    let why = if is_anything {
        "a statement could not be analysed, so it may touch anything"
    } else if paths().any(|path| path.is_merged) {
        "a program has too many paths to look at each of them"
    } else {
        "the conditions of a dangerous cycle hold, but no schedule was found that goes through it"
    };
    Verdict::Unknown { why: why.to_owned(), programs: programs.into_iter().collect() }
}
