//! Verdicts on random sets of programs, each tried on a real server; and deciders that are wrong, which must be convicted.
//!
//! `PGSTRATA_FUZZ_SETS` and `PGSTRATA_FUZZ_SEED` make the run longer or another one, `PGSTRATA_FUZZ_SCHEDULES` its trials,
//! `PGSTRATA_FUZZ_RECORD` names a file for what was found.

use pgstrata_pg::testing;
use pgstrata_tools::advisor::proof::fuzz::{Broken, FuzzProgress, FuzzSpec, Fuzzed, convict, fuzz};

/// Sets of a run in which nothing else is said: seconds on a quiet machine.
const SETS: u64 = 12;

/// Sets in which a mistake must be found.
const MISTAKE_SETS: u64 = 200;

/// The least share of witnesses that have to happen. What is said of a long run cannot be asked of a few witnesses, of which
/// one more or less is a tenth.
const fn least_share(sets: u64) -> f64 {
    if sets < 500 { 0.8 } else { 0.99 }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the fuzz to the end.
async fn run(spec: &FuzzSpec) -> Fuzzed {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut on = |progress: FuzzProgress| {
        if let Ok(path) = std::env::var("PGSTRATA_FUZZ_RECORD") {
            std::fs::write(path + ".progress", format!("{progress:?}")).expect("a file");
        }
    };
    fuzz(&server.endpoint(), spec, &mut on).await.expect("a run of the fuzz")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verdict_on_random_programs_is_contradicted_by_the_server() {
    let sets = asked("PGSTRATA_FUZZ_SETS").unwrap_or(SETS);
    let mut spec = FuzzSpec::new(sets, asked("PGSTRATA_FUZZ_SEED").unwrap_or(1));
    spec.schedules = asked("PGSTRATA_FUZZ_SCHEDULES").unwrap_or(60);
    let found = run(&spec).await;
    if let Ok(path) = std::env::var("PGSTRATA_FUZZ_RECORD") {
        let json = serde_json::to_string_pretty(&found).expect("it can be written");
        std::fs::write(&path, json).expect("a file");
    }
    assert_eq!(found.sets, sets);
    assert!(found.unreadable.is_empty(), "{:#?}", found.unreadable);
    assert!(found.wrong.is_empty(), "{:#?}", found.wrong.first());
    assert!(found.schedules > 0 && found.concurrent > 0, "{found:?}");
    assert!(
        found.reproduced_share() >= least_share(sets),
        "{} of {} witnesses: {:#?}",
        found.reproduced,
        found.witnesses,
        found.not_reproduced.first()
    );
}

/// Sets whose witnesses show only if arguments and rows agree in several places at once, and one in which a foreign key is
/// in the way of some schedules.
const DIFFICULT: [u64; 3] = [40_263, 40_366, 45_291];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn witnesses_that_need_several_values_at_once_happen() {
    for set in DIFFICULT {
        let spec = FuzzSpec { schedules: 1, ..FuzzSpec::new(1, set) };
        let found = run(&spec).await;
        assert!(found.witnesses > 0, "set {set}: {found:?}");
        assert_eq!(found.reproduced, found.witnesses, "set {set}: {:#?}", found.not_reproduced.first());
        let reasons: u64 = found.unknown_because.values().sum();
        assert_eq!((reasons, found.unknown_sets > 0), (found.unknown, found.unknown > 0), "set {set}: {found:?}");
    }
}

/// A decider with a mistake must be found wrong on sets that are drawn for it, from the first number on; the run ends when it
/// is.
async fn is_convicted(mistake: Broken, first: u64) {
    let mut spec = FuzzSpec::new(
        asked("PGSTRATA_FUZZ_SETS").unwrap_or(MISTAKE_SETS),
        asked("PGSTRATA_FUZZ_SEED").unwrap_or(first),
    );
    spec.schedules = asked("PGSTRATA_FUZZ_SCHEDULES").unwrap_or(150);
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let found = convict(&server.endpoint(), mistake, &spec).await.expect("a run of the fuzz");
    if let Ok(path) = std::env::var("PGSTRATA_FUZZ_RECORD") {
        std::fs::write(path, format!("{found:?}")).expect("a file");
    }
    assert!(found.convicted_by.is_some(), "the server does not contradict it: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_takes_row_locks_for_writes_is_convicted() {
    is_convicted(Broken::LocksAreWrites, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_takes_shared_locks_for_exclusive_ones_is_convicted() {
    is_convicted(Broken::LocksAreExclusive, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_looks_past_predicates_is_convicted() {
    is_convicted(Broken::PredicatesAreNotRead, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_takes_read_committed_for_one_snapshot_is_convicted() {
    is_convicted(Broken::OneSnapshot, 1).await;
}
