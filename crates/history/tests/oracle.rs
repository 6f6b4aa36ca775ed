//! The list checker beside a search through everything: tiny histories, each judged by trying every order.
//!
//! Small programs run on databases of several kinds, some of which obey nothing; the checker must convict no history
//! that an order explains, and every one that none explains, as far as all lists were read in the end.

use pgstrata_history::{
    History, HistoryBuilder, Key, Model, Operation, Options, Status, TransactionId, Value, check_list_append,
};
use proptest::prelude::*;

/// Keys of a tiny history.
const KEYS: usize = 3;

/// What a transaction wants to do: an append or a read of a key.
type Program = Vec<(bool, usize)>;

/// What it did, with what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Did {
    Append(usize, Value),
    Read(usize, Vec<Value>),
}

type Run = Vec<Vec<Did>>;

type State = [Vec<Value>; KEYS];

/// Whether the transactions, run one after another in some order that keeps `before`, would have seen what they saw.
fn some_order_explains(run: &Run, before: &dyn Fn(usize, usize) -> bool) -> bool {
    fn go(run: &Run, before: &dyn Fn(usize, usize) -> bool, done: &mut Vec<usize>, state: &State) -> bool {
        if done.len() == run.len() {
            return true;
        }
        (0..run.len()).any(|next| {
            let is_next = !done.contains(&next)
                && (0..run.len()).all(|other| done.contains(&other) || other == next || !before(other, next));
            let Some(after) = is_next.then(|| apply(&run[next], state)).flatten() else { return false };
            done.push(next);
            let explained = go(run, before, done, &after);
            done.pop();
            explained
        })
    }
    go(run, before, &mut Vec::new(), &State::default())
}

/// The state after a transaction; none if it would have seen something else.
fn apply(transaction: &[Did], state: &State) -> Option<State> {
    let mut state = state.clone();
    for did in transaction {
        match did {
            Did::Append(key, value) => state[*key].push(*value),
            Did::Read(key, seen) if state[*key] == *seen => {}
            Did::Read(..) => return None,
        }
    }
    Some(state)
}

/// Whether snapshots and commits could have come in an order that explains what was seen: each transaction reads what
/// had been committed at its snapshot and its own appends, and of two that append to one key, one committed before the
/// other took its snapshot (Berenson et al., SIGMOD 1995, with snapshots at any time before the commit).
fn some_snapshots_explain(run: &Run) -> bool {
    /// The states after each commit so far, and for each transaction the number of its snapshot once it has one.
    fn go(
        run: &Run,
        states: &mut Vec<(State, Option<usize>)>,
        snapshots: &mut Vec<Option<usize>>,
        left: usize,
    ) -> bool {
        if left == 0 {
            return true;
        }
        let committed = |states: &[(State, Option<usize>)], id| states.iter().any(|(_, by)| *by == Some(id));
        (0..run.len()).any(|id| match snapshots[id] {
            None => {
                snapshots[id] = Some(states.len() - 1);
                let sees = sees(&run[id], &states[states.len() - 1].0);
                let explained = sees && go(run, states, snapshots, left - 1);
                snapshots[id] = None;
                explained
            }
            Some(snapshot) if !committed(states, id) => {
                let overtaken =
                    states[snapshot + 1..].iter().any(|(_, by)| by.is_some_and(|by| share(&run[by], &run[id])));
                if overtaken {
                    return false;
                }
                let mut state = states[states.len() - 1].0.clone();
                for did in &run[id] {
                    if let Did::Append(key, value) = did {
                        state[*key].push(*value);
                    }
                }
                states.push((state, Some(id)));
                let explained = go(run, states, snapshots, left - 1);
                states.pop();
                explained
            }
            Some(_) => false,
        })
    }
    /// Whether a transaction sees what it saw, if this is its snapshot.
    fn sees(transaction: &[Did], snapshot: &State) -> bool {
        apply(transaction, snapshot).is_some()
    }
    fn share(one: &[Did], other: &[Did]) -> bool {
        one.iter().any(|did| {
            matches!(did, Did::Append(key, _)
                if other.iter().any(|did| matches!(did, Did::Append(same, _) if same == key)))
        })
    }
    go(run, &mut vec![(State::default(), None)], &mut vec![None; run.len()], 2 * run.len())
}

/// Runs programs on a database that executes single operations in the given order and hides some of what was appended
/// last, so that anything can come out. The last transaction reads everything.
fn chaos(programs: &[Program], schedule: &[usize], hidden: &[usize]) -> Run {
    let mut state = State::default();
    let mut run: Run = vec![Vec::new(); programs.len()];
    let mut next_value = [1; KEYS];
    let mut hidden = hidden.iter().copied().cycle();
    let mut next = vec![0; programs.len()];
    for turn in schedule.iter().copied().chain((0..programs.len()).flat_map(|id| std::iter::repeat_n(id, 9))) {
        let id = turn % programs.len();
        let Some((is_append, key)) = programs[id].get(next[id]).copied() else { continue };
        next[id] += 1;
        if is_append {
            run[id].push(Did::Append(key, next_value[key]));
            state[key].push(next_value[key]);
            next_value[key] += 1;
        } else {
            let seen = state[key].len().saturating_sub(hidden.next().unwrap_or(0));
            run[id].push(Did::Read(key, state[key][..seen].to_vec()));
        }
    }
    run.push(state.into_iter().enumerate().map(|(key, list)| Did::Read(key, list)).collect());
    run
}

/// The history of a run; transaction n lasts as `times` says.
fn history(run: &Run, times: impl Fn(usize) -> (u64, u64)) -> History {
    let mut builder = HistoryBuilder::new();
    let keys: Vec<Key> = (0..KEYS).map(|key| builder.key(&key.to_string())).collect();
    for (number, transaction) in run.iter().enumerate() {
        let operations: Vec<Operation<'_>> = transaction
            .iter()
            .map(|did| match did {
                Did::Append(key, value) => Operation::Append { key: keys[*key], value: *value },
                Did::Read(key, list) => Operation::ReadList { key: keys[*key], list: Some(list) },
            })
            .collect();
        let process = u32::try_from(number).expect("a tiny history");
        let id = builder.push(process, Status::Committed, times(number), &operations);
        assert_eq!(id, TransactionId(process));
    }
    builder.finish()
}

fn holds(run: &Run, model: Model, times: impl Fn(usize) -> (u64, u64)) -> bool {
    let verdict = check_list_append(&history(run, times), model, &Options::default());
    assert!(!verdict.bounded, "a tiny history hits no bound");
    verdict.holds
}

const fn concurrent(_: usize) -> (u64, u64) {
    (0, 1_000)
}

fn programs() -> impl Strategy<Value = Vec<Program>> {
    prop::collection::vec(prop::collection::vec((any::<bool>(), 0..KEYS), 1..4), 2..5)
}

fn runs() -> impl Strategy<Value = Run> {
    let hidden = prop::collection::vec(prop_oneof![4 => Just(0_usize), 1 => 1_usize..3], 1..6);
    (programs(), prop::collection::vec(0_usize..9, 0..12), hidden)
        .prop_map(|(programs, schedule, hidden)| chaos(&programs, &schedule, &hidden))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every list is read in the end, so the order of all versions is known, and with it the answer: the checker is
    /// sound and complete.
    #[test]
    fn a_history_is_convicted_of_not_being_serializable_if_and_only_if_no_order_explains_it(run in runs()) {
        prop_assert_eq!(holds(&run, Model::Serializable, concurrent), some_order_explains(&run, &|_, _| false));
    }

    /// Without the reads at the end, some orders are not known: what is convicted is guilty, but not all that is
    /// guilty is convicted.
    #[test]
    fn a_history_that_an_order_explains_is_never_convicted(mut run in runs(), dropped in 0_usize..=KEYS) {
        let last = run.len() - 1;
        run[last].truncate(KEYS - dropped);
        if some_order_explains(&run, &|_, _| false) {
            prop_assert!(holds(&run, Model::Serializable, concurrent));
        }
    }

    #[test]
    fn a_history_is_strictly_serializable_if_and_only_if_an_order_that_keeps_real_time_explains_it(
        run in runs(),
        spans in prop::collection::vec((0_u64..20, 1_u64..15), 6),
    ) {
        let last = run.len() - 1;
        let times = |number: usize| {
            let (begun, lasted) = spans[number % spans.len()];
            if number == last { (100, 200) } else { (begun, begun + lasted) }
        };
        let before = |one: usize, other: usize| times(one).1 < times(other).0;
        prop_assert_eq!(holds(&run, Model::StrictSerializable, times), some_order_explains(&run, &before));
    }

    /// Snapshot isolation by its definition, not by cycles.
    #[test]
    fn a_history_is_convicted_of_not_being_snapshot_isolated_if_and_only_if_no_snapshots_explain_it(run in runs()) {
        prop_assert_eq!(holds(&run, Model::SnapshotIsolation, concurrent), some_snapshots_explain(&run));
    }
}

#[test]
fn the_searches_themselves_can_tell() {
    use Did::{Append, Read};
    let skew = vec![vec![Read(0, vec![]), Append(1, 1)], vec![Read(1, vec![]), Append(0, 1)]];
    assert!(!some_order_explains(&skew, &|_, _| false));
    assert!(some_snapshots_explain(&skew));
    let fork = vec![
        vec![Append(0, 1)],
        vec![Append(1, 1)],
        vec![Read(0, vec![1]), Read(1, vec![])],
        vec![Read(0, vec![]), Read(1, vec![1])],
    ];
    assert!(!some_snapshots_explain(&fork));
    let chain = vec![vec![Append(0, 1)], vec![Read(0, vec![1])]];
    assert!(some_order_explains(&chain, &|_, _| false));
    assert!(!some_order_explains(&chain, &|one, other| (one, other) == (1, 0)));
}
