//! Two bugs of PostgreSQL's serializable level: convicted on releases that have them, cleared on those that do not.

use std::collections::BTreeMap;

use pgstrata_history::{Anomaly, Scope};
use pgstrata_pg::{Dirs, Install, PgVersion, install, packages};
use pgstrata_scenario::builtin;
use pgstrata_scenario::run::Verdict;
use pgstrata_units::Isolation;

use crate::{complaints, run, server_of, written};

const BUGS: [&str; 2] = ["on-conflict-write-skew", "empty-btree-endpoint"];

/// How often each must come out the same.
const TIMES: usize = 10;

/// Exactly this release of PostgreSQL 15; one of them is on no machine by chance.
fn release(minor: u32) -> Install {
    let version = PgVersion { major: 15, minor };
    packages::ensure(&Dirs::resolve().binaries(), version).unwrap_or_else(|error| {
        panic!(
            "NOT TESTED: PostgreSQL {version} is not to be had here, so nothing is known about it: {error}: {}. {}",
            error.kind(),
            error.hint().unwrap_or_default()
        )
    })
}

async fn ten_times(minor: u32, expected: Verdict) {
    let cluster = server_of(release(minor)).await;
    for name in BUGS {
        let scenario = builtin::find(name)[0].scenario();
        for time in 1..=TIMES {
            let outcome = run(&cluster, &scenario).await;
            assert_eq!(outcome.verdict(), expected, "{name}, time {time}: {:?}", complaints(&outcome));
            let judged = written(&outcome, Isolation::Serializable);
            if expected == Verdict::Held {
                assert!(judged.checked.serial_order.is_some(), "{name}: {:?}", judged.checked);
                continue;
            }
            assert_eq!(judged.checked.anomaly, Some(Anomaly::G2(Scope::Plain)), "{name}");
            let sentences: Vec<String> =
                judged.checked.cycle_reasons().map(|reason| reason.english(&scenario, &judged.played)).collect();
            assert_eq!(sentences.len(), 2, "two transactions, each before the other: {sentences:?}");
            assert!(sentences[0].starts_with("T1 came before T2") && sentences[1].starts_with("T2 came before T1"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_bugs_are_convicted_on_15_18_ten_times_out_of_ten() {
    ten_times(18, Verdict::Convicted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_bugs_are_cleared_on_15_20_ten_times_out_of_ten() {
    ten_times(20, Verdict::Held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_on_this_machine_gets_the_verdict_that_its_release_deserves() {
    let by_version: BTreeMap<PgVersion, Install> =
        install::discover(None).into_iter().map(|install| (install.version, install)).collect();
    assert!(!by_version.is_empty(), "install PostgreSQL 14 to 18 to run these tests");
    for (version, install) in by_version {
        let cluster = server_of(install).await;
        for name in BUGS {
            let scenario = builtin::find(name)[0].scenario();
            let is_affected =
                scenario.is_affected(version).expect("the scenario names the repair in every major version");
            let expected = if is_affected { Verdict::Convicted } else { Verdict::Held };
            let outcome = run(&cluster, &scenario).await;
            assert_eq!(outcome.verdict(), expected, "{name} on {version}: {:?}", complaints(&outcome));
        }
    }
}
