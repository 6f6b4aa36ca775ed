//! Verdicts on random sets of programs, each tried on a real server; and deciders that are wrong, which must be convicted.
//!
//! `PGSTRATA_FUZZ_SETS` and `PGSTRATA_FUZZ_SEED` make the run longer or another one, `PGSTRATA_FUZZ_SCHEDULES` its trials,
//! `PGSTRATA_FUZZ_RECORD` names a file for what was found. `pgstrata advise fuzz` is the same as a command.

use pgstrata_pg::testing;
use pgstrata_tools::advisor::proof::fuzz::{FuzzSpec, Fuzzed, fuzz};

/// Sets of a run in which nothing else is said: seconds on a quiet machine.
const SETS: u64 = 12;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn run(spec: &FuzzSpec) -> Fuzzed {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    fuzz(&server.endpoint(), spec, &mut |_| {}).await.expect("a run of the fuzz")
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
        found.reproduced_share() >= 0.99,
        "{} of {} witnesses: {:#?}",
        found.reproduced,
        found.witnesses,
        found.not_reproduced.first()
    );
}
