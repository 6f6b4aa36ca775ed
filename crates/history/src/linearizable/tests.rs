//! Zones and search against brute force, and what is said of contradictions.

use proptest::prelude::*;

use super::*;
use crate::model::HistoryBuilder;

fn single(id: u32, invoked_ns: u64, completed_ns: u64, is_write: bool, value: Option<Value>) -> Single {
    Single { id: TransactionId(id), invoked_ns, completed_ns, is_write, value }
}

/// Whether some order explains the operations, by trying all.
fn brute_force(operations: &[Single], done: u32, state: Option<Value>) -> bool {
    let open = |place: usize| done >> place & 1 == 0;
    let places = 0..operations.len();
    // What was never answered need not happen.
    if places.clone().all(|place| !open(place) || operations[place].completed_ns == u64::MAX) {
        return true;
    }
    places.clone().filter(|place| open(*place)).any(|place| {
        let operation = operations[place];
        let is_next = places
            .clone()
            .all(|other| !open(other) || other == place || operations[other].completed_ns >= operation.invoked_ns);
        is_next
            && (operation.is_write || operation.value == state)
            && brute_force(operations, done | 1 << place, if operation.is_write { operation.value } else { state })
    })
}

fn operations(values: i64) -> impl Strategy<Value = Vec<Single>> {
    let operation = (0_u64..12, 0_u64..6, any::<bool>(), 0..values, 0_u8..8);
    prop::collection::vec(operation, 1..7).prop_map(|drafts| {
        (0..)
            .zip(drafts)
            .map(|(id, (begin, length, is_write, value, fate))| {
                let end = if is_write && fate == 0 { u64::MAX } else { begin + length };
                let value = if !is_write && fate == 1 { None } else { Some(value) };
                single(id, begin, end, is_write, value)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn zones_and_search_agree_with_brute_force(operations in prop_oneof![operations(3), operations(9)]) {
        let expected = brute_force(&operations, 0, None);
        let searched = search::contradiction(&operations, SearchLimits::default());
        prop_assert_eq!(matches!(searched, Judged::Linearizable), expected);
        if let Judged::Contradiction(core) = searched {
            prop_assert!(!brute_force(&core, 0, None));
        }
        if is_unique(&operations) {
            let zones = zones::contradiction(&operations);
            prop_assert_eq!(zones.is_none(), expected, "{:?}", zones);
            prop_assert!(zones.is_none_or(|core| !brute_force(&core, 0, None)));
        }
    }
}

#[test]
fn a_stale_read_is_convicted_with_the_writes_around_it() {
    let mut builder = HistoryBuilder::new();
    let (x, y) = (builder.key("x"), builder.key("y"));
    let mut push = |span, operation| builder.push(0, Status::Committed, span, &[operation]);
    push((0, 1), Operation::Write { key: x, value: 1 });
    push((0, 1), Operation::Write { key: y, value: 1 });
    push((2, 3), Operation::Write { key: x, value: 2 });
    push((4, 5), Operation::Read { key: y, seen: Read::Value(1) });
    push((4, 5), Operation::Read { key: x, seen: Read::Value(1) });
    push((6, 7), Operation::Read { key: x, seen: Read::Initial });
    let found = check_linearizable(&builder.finish(), SearchLimits::default()).expect("single operations");
    let operations = [0, 2, 4].map(TransactionId).to_vec();
    assert_eq!(found.violations, [NotLinearizable { key: x, operations, seen_by_ns: 5 }]);
    assert_eq!((found.keys, found.operations), (2, 6));
}

#[test]
fn a_search_that_runs_out_of_steps_says_so() {
    let mut operations: Vec<Single> = (0..40).map(|id| single(id, 0, 100, true, Some(i64::from(id % 5)))).collect();
    operations.push(single(40, 200, 201, false, Some(9)));
    let limits = SearchLimits { steps: 1_000, ..SearchLimits::default() };
    assert!(matches!(search::contradiction(&operations, limits), Judged::Undecided));
}

#[test]
fn transactions_of_several_operations_are_refused() {
    let mut builder = HistoryBuilder::new();
    let key = builder.key("x");
    let write = Operation::Write { key, value: 1 };
    builder.push(0, Status::Committed, (0, 1), &[write, write]);
    assert_eq!(check_linearizable(&builder.finish(), SearchLimits::default()), Err(NotSingle(TransactionId(0))));
}
