//! The decision over registers against brute force: all orders of a few transactions, replayed one by one.

mod brute_force;

use std::collections::HashMap;

use pgstrata_history::register::decide::{Argument, Decision, DecisionLimits, Undecided, decide};
use pgstrata_history::register::{RegisterOptions, check_rw_register};
use pgstrata_history::{Anomaly, History, HistoryBuilder, Key, Model, Operation, Read, Status, TransactionId};
use proptest::prelude::*;

use brute_force::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_verdict_is_that_of_brute_force(transactions in tiny()) {
        let history = history(&transactions);
        for model in MODELS {
            let expected = holds(&transactions, model);
            let checked = check_rw_register(&history, model, RegisterOptions::default());
            prop_assert_eq!(checked.verdict.holds, expected, "{} {:?}", model, checked);
            prop_assert!(!checked.verdict.bounded);
        }
    }

    #[test]
    fn a_refutation_is_minimal_and_its_cases_end_in_cycles(transactions in tiny()) {
        let history = history(&transactions);
        for model in [Model::Serializable, Model::SnapshotIsolation] {
            let Some(Decision::Violated(refutation)) = decide(&history, model, DecisionLimits::default()) else { continue };
            prop_assert!(refutation.minimal);
            let part = |without: Option<usize>| {
                let kept: Vec<usize> = refutation.transactions.iter().map(|id| id.0 as usize).filter(|place| Some(*place) != without).collect();
                forget(&transactions, &kept)
            };
            prop_assert!(!holds(&part(None), model), "{:?}", refutation);
            for id in &refutation.transactions {
                prop_assert!(holds(&part(Some(id.0 as usize)), model), "without {id}: {refutation:?}");
            }
            let argument = refutation.argument.expect("few cases");
            check_argument(&argument, model)?;
        }
    }
}

/// Only some transactions; what they read from the others is forgotten.
fn forget(transactions: &[Transaction], kept: &[usize]) -> Vec<Transaction> {
    let written: Vec<i64> = kept
        .iter()
        .flat_map(|place| &transactions[*place].2)
        .filter_map(|operation| match operation {
            Op::W(_, value) => Some(*value),
            Op::R(..) => None,
        })
        .collect();
    kept.iter()
        .map(|place| {
            let (process, times, operations) = &transactions[*place];
            let known = |operation: &&Op| match operation {
                Op::R(_, Some(value)) => written.contains(value),
                Op::R(_, None) | Op::W(..) => true,
            };
            (*process, *times, operations.iter().filter(known).copied().collect())
        })
        .collect()
}

fn check_argument(argument: &Argument, model: Model) -> Result<(), TestCaseError> {
    match argument {
        Argument::Cycle(edges) => {
            for (place, edge) in edges.iter().enumerate() {
                prop_assert_eq!(edge.to, edges[(place + 1) % edges.len()].from, "a closed cycle");
            }
            let anti = |place: usize| edges[place % edges.len()].dependency.is_anti();
            if model == Model::SnapshotIsolation {
                prop_assert!(!(0..edges.len()).any(|place| anti(place) && anti(place + 1)), "{:?}", edges);
            }
        }
        Argument::Cases { if_first, if_second, .. } => {
            check_argument(if_first, model)?;
            check_argument(if_second, model)?;
        }
    }
    Ok(())
}

fn verdict(transactions: &[Transaction], model: Model) -> (bool, Vec<String>) {
    let checked = check_rw_register(&history(transactions), model, RegisterOptions::default());
    (checked.verdict.holds, checked.verdict.counts.keys().map(Anomaly::to_string).collect())
}

#[test]
fn write_skew_is_a_g2_item_that_snapshot_isolation_permits() {
    let skew = concurrent(vec![
        vec![Op::R(0, None), Op::R(1, None), Op::W(0, 1)],
        vec![Op::R(0, None), Op::R(1, None), Op::W(1, 2)],
    ]);
    assert_eq!(verdict(&skew, Model::Serializable), (false, vec!["G2-item".into()]));
    assert!(verdict(&skew, Model::SnapshotIsolation).0);
}

#[test]
fn a_lost_update_and_a_long_fork_are_named() {
    let lost = concurrent(vec![vec![Op::R(0, None), Op::W(0, 1)], vec![Op::R(0, None), Op::W(0, 2)]]);
    let (holds, anomalies) = verdict(&lost, Model::SnapshotIsolation);
    assert!(!holds && anomalies.contains(&"lost-update".to_owned()), "{anomalies:?}");
    let fork = concurrent(vec![
        vec![Op::W(0, 1)],
        vec![Op::W(1, 2)],
        vec![Op::R(0, Some(1)), Op::R(1, None)],
        vec![Op::R(0, None), Op::R(1, Some(2))],
    ]);
    assert_eq!(verdict(&fork, Model::SnapshotIsolation), (false, vec!["G-nonadjacent".into()]));
}

#[test]
fn dirty_intermediate_future_strange_and_contradictory_reads_are_named() {
    let check = |transactions: Vec<Vec<Op>>, anomalies: &str| {
        let (holds, found) = verdict(&concurrent(transactions), Model::Serializable);
        assert_eq!((holds, found.join(" ").as_str()), (false, anomalies));
    };
    check(vec![vec![Op::W(0, 1), Op::W(0, 2)], vec![Op::R(0, Some(1))]], "G1b");
    check(vec![vec![Op::R(0, Some(1)), Op::W(0, 1)]], "future-read");
    check(vec![vec![Op::R(0, Some(9))]], "garbage-read");
    check(vec![vec![Op::W(0, 1), Op::R(0, None)]], "internal");
    check(vec![vec![Op::W(0, 1)], vec![Op::R(0, None), Op::R(0, Some(1))]], "internal G-single");
    check(vec![vec![Op::W(0, 1)], vec![Op::W(0, 1)]], "duplicate-writes");
    let mut builder = HistoryBuilder::new();
    let x = builder.key("x");
    builder.push(0, Status::Aborted, (0, 1), &[Operation::Write { key: x, value: 1 }]);
    builder.push(1, Status::Committed, (0, 1), &[Operation::Read { key: x, seen: Read::Value(1) }]);
    let checked = check_rw_register(&builder.finish(), Model::ReadCommitted, RegisterOptions::default());
    assert_eq!(checked.verdict.counts.keys().collect::<Vec<_>>(), [&Anomaly::G1a]);
}

#[test]
fn an_unknown_transaction_counts_if_it_was_seen_and_not_otherwise() {
    let check = |seen: Read, expected: bool| {
        let mut builder = HistoryBuilder::new();
        let (x, y) = (builder.key("x"), builder.key("y"));
        let skew = |mine, other| {
            [Operation::Read { key: other, seen: Read::Initial }, Operation::Write { key: mine, value: 1 }]
        };
        builder.push(0, Status::Committed, (0, 9), &skew(x, y));
        builder.push(1, Status::Unknown, (0, u64::MAX), &skew(y, x));
        builder.push(2, Status::Committed, (10, 11), &[Operation::Read { key: y, seen }]);
        let checked = check_rw_register(&builder.finish(), Model::Serializable, RegisterOptions::default());
        assert_eq!(checked.verdict.holds, expected, "{:?}", checked.verdict);
    };
    check(Read::Value(1), false);
    check(Read::Initial, true);
    check(Read::Unknown, true);
}

#[test]
fn real_time_counts_for_strict_serializability_only() {
    let mut stale = concurrent(vec![vec![Op::W(0, 1)], vec![Op::R(0, None)]]);
    stale[0].1 = (0, 1);
    stale[1].1 = (2, 3);
    assert!(verdict(&stale, Model::Serializable).0);
    assert_eq!(verdict(&stale, Model::StrictSerializable), (false, vec!["G-single-realtime".into()]));
}

#[test]
fn a_bound_that_is_hit_is_said_and_nothing_is_claimed() {
    let blind = concurrent((0..20).map(|place| vec![Op::W(0, place)]).collect());
    let limits = DecisionLimits { transactions: 19, ..DecisionLimits::default() };
    let decision = decide(&history(&blind), Model::Serializable, limits);
    assert_eq!(decision, Some(Decision::Undecided { why: Undecided::Transactions(20) }));
    let options = RegisterOptions { decision: limits, ..RegisterOptions::default() };
    let verdict = check_rw_register(&history(&blind), Model::Serializable, options).verdict;
    assert!(verdict.bounded);
}

/// Random numbers of a test: small, the same everywhere (D. Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }
}

/// A run of a store with snapshot isolation: blind writes, reads of snapshots, the first committer wins.
fn snapshot_run(seed: u64, transactions: usize, keys: usize) -> History {
    let mut dice = Dice(seed);
    let mut builder = HistoryBuilder::new();
    let keys: Vec<Key> = (0..keys).map(|key| builder.key(&key.to_string())).collect();
    let mut committed: Vec<HashMap<Key, i64>> = vec![HashMap::new()];
    let mut value = 0;
    while committed.len() <= transactions {
        // The snapshot is up to eight commits old.
        let age = dice.roll(9).min(committed.len() - 1);
        let snapshot = committed[committed.len() - 1 - age].clone();
        let latest = committed[committed.len() - 1].clone();
        let mut operations = Vec::new();
        let mut writes: HashMap<Key, i64> = HashMap::new();
        for _ in 0..=dice.roll(3) {
            let key = keys[dice.roll(keys.len())];
            if writes.contains_key(&key) {
                continue;
            }
            if dice.roll(2) == 0 && snapshot.get(&key) == latest.get(&key) {
                value += 1;
                writes.insert(key, value);
                operations.push(Operation::Write { key, value });
            } else {
                let shown = snapshot.get(&key).map_or(Read::Initial, |value| Read::Value(*value));
                operations.push(Operation::Read { key, seen: shown });
            }
        }
        let mut after = latest;
        after.extend(writes);
        let process = u32::try_from(committed.len()).unwrap_or(0);
        builder.push(process, Status::Committed, (0, u64::MAX), &operations);
        committed.push(after);
    }
    builder.finish()
}

#[test]
fn bugs_of_21_transactions_that_no_certain_edge_shows_are_decided_both_ways() {
    let (mut hidden, mut held, mut most_cases) = (0, 0, 0);
    for seed in 0..300 {
        let history = snapshot_run(seed, 21, 8);
        let snapshots = decide(&history, Model::SnapshotIsolation, DecisionLimits::default());
        assert!(matches!(snapshots, Some(Decision::Holds { .. })), "seed {seed}: {snapshots:?}");
        match check_rw_register(&history, Model::Serializable, RegisterOptions::default()).decision {
            Some(Decision::Holds { .. }) => held += 1,
            Some(Decision::Violated(refutation)) => {
                hidden += 1;
                assert!(refutation.minimal, "seed {seed}");
                most_cases = most_cases.max(refutation.argument.expect("an argument").cases());
            }
            Some(Decision::Undecided { why }) => panic!("seed {seed}: {why:?}"),
            // Inference was enough.
            None => {}
        }
    }
    assert!(hidden > 20 && held > 20 && most_cases > 2, "{hidden} hidden, {held} held, at most {most_cases} cases");
}

#[test]
fn hundreds_of_transactions_are_decided() {
    let history = snapshot_run(7, 400, 16);
    assert!(matches!(
        decide(&history, Model::SnapshotIsolation, DecisionLimits::default()),
        Some(Decision::Holds { .. })
    ));
    let Some(Decision::Violated(refutation)) = decide(&history, Model::Serializable, DecisionLimits::default()) else {
        panic!("snapshots of such age are not serializable");
    };
    assert!(refutation.minimal && refutation.transactions.len() < 64, "{refutation:?}");
    assert!(refutation.transactions.iter().all(|id| *id < TransactionId(400)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn read_committed_is_that_of_brute_force(transactions in tiny()) {
        let history = history(&transactions);
        for model in [Model::ReadCommitted, Model::StrongSessionReadCommitted, Model::StrongReadCommitted] {
            let expected = read_committed(&transactions, model.scope());
            let checked = check_rw_register(&history, model, RegisterOptions::default());
            prop_assert_eq!(checked.verdict.holds, expected, "{} {:?}", model, checked);
        }
    }
}

#[test]
fn what_is_assumed_of_keys_orders_their_versions_and_is_not_assumed_otherwise() {
    // The second write overtakes the first only if nobody says that versions come in their order in time.
    let mut transactions =
        concurrent(vec![vec![Op::W(0, 1)], vec![Op::W(0, 2), Op::W(1, 9)], vec![Op::R(1, Some(9)), Op::R(0, Some(1))]]);
    transactions[0] = (7, (0, 1), transactions[0].2.clone());
    transactions[1] = (7, (2, 3), transactions[1].2.clone());
    transactions[2].1 = (0, 9);
    let holds = |options| check_rw_register(&history(&transactions), Model::Serializable, options).verdict.holds;
    assert!(holds(RegisterOptions::default()));
    assert!(!holds(RegisterOptions { sequential_keys: true, ..RegisterOptions::default() }));
    assert!(!holds(RegisterOptions { linearizable_keys: true, ..RegisterOptions::default() }));
}

/// Write skew between the first and the last of many transactions that have nothing to do with each other.
fn far_skew(count: i64) -> Vec<Transaction> {
    let mut transactions = vec![vec![Op::R(1, None), Op::W(0, -1)]];
    transactions.extend((0..count).map(|value| vec![Op::W(2, value)]));
    transactions.push(vec![Op::R(0, None), Op::W(1, -2)]);
    concurrent(transactions)
}

#[test]
fn transactions_that_contradict_each_other_are_found_far_apart() {
    let Some(Decision::Violated(refutation)) =
        decide(&history(&far_skew(60)), Model::Serializable, DecisionLimits::default())
    else {
        panic!("write skew is not serializable");
    };
    assert_eq!(refutation.transactions, [TransactionId(0), TransactionId(61)]);
    assert!(refutation.minimal);
}

#[test]
fn a_refutation_that_may_not_be_shrunk_is_the_whole_and_says_so() {
    let limits = DecisionLimits { shrinking: 0, ..DecisionLimits::default() };
    let Some(Decision::Violated(refutation)) = decide(&history(&far_skew(20)), Model::Serializable, limits) else {
        panic!("write skew is not serializable");
    };
    assert_eq!(refutation.transactions.len(), 22);
    assert!(!refutation.minimal);
}
