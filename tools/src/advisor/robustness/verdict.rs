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
    let candidates = dangers.candidates(meaning.model, levels);
    let Some((first, _)) = candidates.first() else { return Verdict::Safe };
    let mut shown = None;
    for (candidate, _) in candidates.iter().take(MOST_CANDIDATES) {
        let Some(cast) = stage::cast(meaning.model, reach, candidate, levels) else { continue };
        let Some(found) = search::search(&cast.stage, &mut work.model_steps) else { continue };
        shown = evidence::witness(meaning, &cast, &found);
        if shown.is_some() {
            break;
        }
    }
    match shown {
        Some(witness) => Verdict::Unsafe(Box::new(witness)),
        None => unknown(meaning, first, candidates.iter().map(|(candidate, _)| candidate)),
    }
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
