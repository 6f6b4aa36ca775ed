//! A verdict on one allocation: safe, or a witness, or why neither can be said.

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::At;
use super::decide::{Dangers, Levels};
use super::evidence::{self, Meaning, Values};
use super::holds::conditions_hold;
use super::miss::Miss;
use super::model::{Action, Model, Path};
use super::reach::Reach;
use super::search::{self, Where};
use super::splits::Candidate;
use super::stage;
use super::telling::Rank;
use crate::advisor::report::{Verdict, Work};
use crate::advisor::witness::Witness;

/// Most candidates that are tried for one verdict.
pub(super) const MOST_CANDIDATES: usize = 48;

/// Candidates for which no schedule was found, each with the levels that it was tried at: other allocations that agree in
/// these need not try it again.
#[derive(Debug, Default)]
pub(super) struct Failed(BTreeMap<Attempt, Miss>);

/// Where, whether it is long, its paths, the dependencies between them, and the levels that matter to it.
type Attempt = (Where, bool, Vec<usize>, Vec<(At, At)>, Levels);

impl Failed {
    /// Tries a candidate unless it has failed before.
    fn or_try(
        &mut self,
        model: &Model,
        (candidate, place): (&Candidate, Where),
        levels: &Levels,
        show: impl FnOnce() -> Result<Witness, Miss>,
    ) -> Result<Witness, Miss> {
        // Who is in the middle of a long cycle is not known here.
        let of_paths = || candidate.paths.iter().map(|path| levels[model.paths[*path].program]).collect();
        let matters = if candidate.is_long { levels.clone() } else { of_paths() };
        let key = (place, candidate.is_long, candidate.paths.clone(), candidate.links.clone(), matters);
        if let Some(miss) = self.0.get(&key) {
            return Err(*miss);
        }
        show().inspect_err(|miss| {
            self.0.insert(key, *miss);
        })
    }
}

/// The verdict on an allocation.
pub(super) fn verdict(
    meaning: Meaning<'_>,
    dangers: &Dangers,
    levels: &Levels,
    failed: &mut Failed,
    work: &mut Work,
) -> Verdict {
    let candidates = candidates(meaning, dangers, levels);
    let Some((_, first)) = candidates.first() else { return Verdict::Safe };
    let reach = &dangers.found_with.reach;
    // Of those that show as well, one that a split schedule shows: it is found at once, and is the plainest.
    let alike = candidates[..candidates.len().min(MOST_CANDIDATES)].chunk_by(|one, two| one.0 == two.0);
    let attempts = alike.flat_map(|alike| {
        let each = move |place: Where| alike.iter().map(move |(_, candidate)| (candidate, place));
        each(Where::Split).chain(each(Where::Around))
    });
    let mut furthest = if candidates.len() > MOST_CANDIDATES { Miss::Cycles } else { Miss::Rows };
    for (candidate, place) in attempts {
        let show = || show(meaning, reach, (candidate, place), levels, work);
        match failed.or_try(meaning.model, (candidate, place), levels, show) {
            Ok(witness) => return Verdict::Unsafe(Box::new(witness)),
            Err(miss) => furthest = furthest.max(miss),
        }
    }
    unknown(meaning, (first, furthest), candidates.iter().map(|(_, candidate)| candidate))
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
        candidates.iter().map(|(_, candidate)| candidate).partition(|candidate| seen.insert(programs(candidate)));
    let mut found = Vec::new();
    for candidate in fresh.into_iter().chain(more).take(MOST_CANDIDATES) {
        if found.len() >= most {
            break;
        }
        let mut places = [Where::Split, Where::Around].into_iter();
        if let Some(witness) = places.find_map(|place| show(meaning, reach, (candidate, place), levels, &mut work).ok())
            && !found.contains(&witness)
        {
            found.push(witness);
        }
    }
    found
}

/// The candidates that are possible under these levels: those that show in values first, of them the short ones.
fn candidates(meaning: Meaning<'_>, dangers: &Dangers, levels: &Levels) -> Vec<(Rank, Candidate)> {
    let found = dangers.candidates(levels).into_iter();
    let ranked = found.map(|(candidate, _)| (meaning.telling.rank(meaning.model, &candidate), candidate));
    let mut candidates: Vec<(Rank, Candidate)> = ranked.collect();
    candidates.sort_by_key(|(rank, _)| *rank);
    candidates
}

/// A schedule that goes through a candidate, if one is found.
fn show(
    meaning: Meaning<'_>,
    reach: &Reach,
    (candidate, place): (&Candidate, Where),
    levels: &Levels,
    work: &mut Work,
) -> Result<Witness, Miss> {
    let cast = stage::cast(meaning.model, reach, candidate, levels).ok_or(Miss::Rows)?;
    let values = Values::choose(meaning, &cast).ok_or(Miss::Arguments)?;
    let found = search::search(&cast.stage, place, &mut work.model_steps)?;
    let fewer = found.without_others(&cast.stage, &mut work.model_steps);
    let fewer = fewer.filter(|fewer| cast.is_known_by(&|actor| fewer.has(actor)));
    let mut ways = fewer.into_iter().chain([found]);
    let shown = ways.find(|shown| conditions_hold(&cast, shown)).ok_or(Miss::Conditions)?;
    Ok(evidence::witness(meaning, &cast, &values, &shown))
}

fn unknown<'a>(
    meaning: Meaning<'_>,
    (first, furthest): (&Candidate, Miss),
    all: impl Iterator<Item = &'a Candidate>,
) -> Verdict {
    let model = meaning.model;
    let programs: BTreeSet<String> = all
        .flat_map(|candidate| &candidate.paths)
        .map(|path| model.programs[model.paths[*path].program].clone())
        .collect();
    let paths = || first.paths.iter().map(|path| &model.paths[*path]);
    let is_anything = |path: &&Path| path.ops.iter().any(|op| op.action == Action::Anything);
    let why = if let Some(path) = paths().find(is_anything) {
        not_analysed(meaning, path)
    } else if paths().any(|path| path.is_merged) {
        "a program has too many paths to look at each of them".to_owned()
    } else {
        furthest.why()
    };
    Verdict::Unknown { why, programs: programs.into_iter().collect() }
}

/// What of a path was not analysed, and what follows.
fn not_analysed(meaning: Meaning<'_>, path: &Path) -> String {
    let program = &meaning.workload.programs[path.program];
    let of_path = path.statements.iter().flat_map(|statement| &program.statements[*statement].unanalysed);
    match of_path.chain(&program.around).next() {
        Some(said) => format!("{}: {}, so {} may touch anything", said.span, said.why, program.name),
        None => format!("a statement could not be analysed, so {} may touch anything", program.name),
    }
}
