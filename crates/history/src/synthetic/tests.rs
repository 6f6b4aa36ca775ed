//! What the simulated database promises, its histories keep; what it does not, they break; what is planted is found,
//! and nothing else.

use std::collections::BTreeSet;

use super::*;
use crate::{Model, Options, Scope, check_list_append};

fn workload(isolation: Simulated, seed: u64) -> Workload {
    Workload {
        seed,
        clients: 8,
        active_keys: 6,
        aborted_permille: 30,
        unknown_permille: 30,
        isolation,
        ..Workload::of_the_elle_paper(1_000, 12)
    }
}

fn holds(workload: &Workload, model: Model) -> bool {
    let verdict = check_list_append(&workload.history(), model, &Options::default());
    assert!(verdict.took_effect > 200, "most transactions must count");
    verdict.holds
}

#[test]
fn no_history_is_convicted_of_what_its_database_forbids() {
    for seed in 0..20 {
        for (isolation, model) in [
            (Simulated::Strict, Model::StrictSerializable),
            (Simulated::Snapshot, Model::StrongSnapshotIsolation),
            (Simulated::ReadCommitted, Model::StrongReadCommitted),
        ] {
            assert!(holds(&workload(isolation, seed), model), "{isolation:?}, seed {seed}");
        }
    }
}

#[test]
fn a_weaker_database_passed_off_as_a_stronger_one_is_convicted() {
    for seed in 0..5 {
        assert!(!holds(&workload(Simulated::Snapshot, seed), Model::Serializable), "seed {seed}");
        assert!(!holds(&workload(Simulated::ReadCommitted, seed), Model::SnapshotIsolation), "seed {seed}");
        assert!(
            !holds(&workload(Simulated::Stale, seed), Model::ReadCommitted) || {
                !holds(&workload(Simulated::Stale, seed), Model::SnapshotIsolation)
            }
        );
    }
}

#[test]
fn each_planted_anomaly_is_found_and_nothing_else() {
    for anomaly in plantable() {
        let planted = Workload { plants: vec![anomaly], ..workload(Simulated::Strict, 7) };
        let options = Options { scope: Some(Scope::RealTime), ..Options::default() };
        let verdict = check_list_append(&planted.history(), Model::StrictSerializable, &options);
        let found: BTreeSet<Anomaly> = verdict.counts.keys().copied().collect();
        // These cannot be had alone: a cycle of dependencies comes with them.
        let companion = match anomaly {
            Anomaly::G1b => Some(Anomaly::GSingle(Scope::Plain)),
            Anomaly::LostUpdate => Some(Anomaly::G2Item(Scope::Plain)),
            Anomaly::DirtyUpdate => Some(Anomaly::G1a),
            _ => None,
        };
        let expected: BTreeSet<Anomaly> = companion.into_iter().chain([anomaly]).collect();
        assert_eq!(found, expected, "{anomaly}");
    }
}

#[test]
fn one_seed_gives_one_history() {
    let bytes = workload(Simulated::Snapshot, 3).record();
    assert_eq!(bytes, workload(Simulated::Snapshot, 3).record());
    assert_ne!(bytes, workload(Simulated::Snapshot, 4).record());
}

#[test]
fn a_history_that_is_one_knot_gets_a_verdict() {
    let ring = crate::binary::read(&ring(2_000)).expect("it was just written");
    let verdict = check_list_append(&ring, Model::Serializable, &Options::default());
    assert_eq!((verdict.largest_component, verdict.findings[0].cycle.len()), (2_000, 2_000));
    let stale = Workload { appends_per_key: 200, ..workload(Simulated::Stale, 1) }.history();
    let verdict = check_list_append(&stale, Model::SnapshotIsolation, &Options::default());
    assert!(!verdict.holds && verdict.largest_component > 500, "{}", verdict.largest_component);
}
