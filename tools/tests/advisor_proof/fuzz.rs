//! Verdicts on random sets of programs, each tried on a real server; and deciders that are wrong, which must be convicted.
//!
//! `PGSTRATA_FUZZ_SETS` and `PGSTRATA_FUZZ_SEED` make the run longer or another one, `PGSTRATA_FUZZ_SCHEDULES` its trials,
//! `PGSTRATA_FUZZ_RECORD` names a file for what was found.

use std::sync::Arc;

use pgstrata_pg::testing;
use pgstrata_tools::advisor::proof::fuzz::{Broken, FuzzProgress, FuzzSpec, Fuzzed, fuzz};
use pgstrata_tools::advisor::synthetic::{Shape, StatementKind, TemplateSet, template_set};

/// Sets of a run in which nothing else is said: seconds on a quiet machine.
const SETS: u64 = 12;

/// The least share of witnesses that have to happen. What is said of a long run cannot be asked of a few witnesses, of which
/// one more or less is a tenth.
const fn least_share(sets: u64) -> f64 {
    if sets < 500 { 0.8 } else { 0.99 }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the fuzz; to the end, or until a verdict is found wrong.
async fn run(spec: &FuzzSpec, stop_at_first: bool) -> Fuzzed {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut on = |progress: FuzzProgress| {
        if stop_at_first && progress.wrong > 0 {
            spec.stop.cancel();
        }
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
    let found = run(&spec, false).await;
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

/// One program looks at a row and changes another one; another program changes the first and locks the second. The lock is
/// free when the first one comes to it, and no version tells it that it is late.
fn with_locks(number: u64) -> TemplateSet {
    let columns = "(id int primary key, a int not null, b int not null)";
    let schema = format!("create table r {columns}; create table s {columns};");
    let (looked, changed) = if number.is_multiple_of(2) { ("a", "b") } else { ("b", "a") };
    let programs = format!(
        "-- pgstrata: program p1
begin;
select {looked} from r where id = :k;
update s set {changed} = {changed} * 3 + :v where id = :j;
commit;

-- pgstrata: program p2
begin;
update r set {looked} = {looked} * 5 + :v where id = :k;
select {changed} from s where id = :j for update;
commit;
"
    );
    TemplateSet { seed: number, schema, rows: String::new(), programs }
}

/// Reads of groups, and what changes them.
fn with_groups(number: u64) -> TemplateSet {
    use StatementKind::{Delete, Insert, ReadGroup, Update};
    let weights = vec![(ReadGroup, 4), (Update, 3), (Insert, 2), (Delete, 2)];
    template_set(number, &Shape { programs: 3, statements: 2, tables: 1, parameters: 1, weights })
}

/// Reads, locks and updates by key.
fn with_reads(number: u64) -> TemplateSet {
    use StatementKind::{Lock, Read, Update};
    let weights = vec![(Read, 3), (Lock, 4), (Update, 4)];
    template_set(number, &Shape { programs: 3, statements: 2, tables: 1, parameters: 2, weights })
}

/// A decider with a mistake must be found wrong on sets that are drawn for it, from the first number on; the run ends when it
/// is.
async fn convict(mistake: Broken, draw: fn(u64) -> TemplateSet, first: u64, sets: u64) {
    let mut spec =
        FuzzSpec::new(asked("PGSTRATA_FUZZ_SETS").unwrap_or(sets), asked("PGSTRATA_FUZZ_SEED").unwrap_or(first));
    spec.decider = Arc::new(mistake);
    spec.draw = draw;
    spec.schedules = 150;
    let found = run(&spec, true).await;
    let numbers: Vec<u64> = found.wrong.iter().map(|wrong| wrong.set.seed).collect();
    if let Ok(path) = std::env::var("PGSTRATA_FUZZ_RECORD") {
        std::fs::write(&path, format!("{mistake:?}: {numbers:?}")).expect("a file");
    }
    assert!(!numbers.is_empty(), "{mistake:?} is not found in {} schedules of {} sets", found.schedules, found.sets);
    let anomaly = &found.wrong[0].anomaly;
    assert!(anomaly.outcome.is_anomaly() && anomaly.sessions.len() > 1, "{anomaly:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_takes_row_locks_for_writes_is_convicted() {
    convict(Broken::LocksAreWrites, with_locks, 1, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_looks_past_predicates_is_convicted() {
    convict(Broken::PredicatesAreNotRead, with_groups, 1, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decider_that_takes_read_committed_for_one_snapshot_is_convicted() {
    convict(Broken::OneSnapshot, with_reads, 1, 200).await;
}
