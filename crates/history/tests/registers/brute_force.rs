//! Registers by brute force: every order of a few transactions, replayed one by one, and small random histories.

use std::collections::HashMap;

use pgstrata_history::{History, HistoryBuilder, Key, Model, Operation, Read, Scope, Status};
use proptest::collection::vec;
use proptest::prelude::*;

/// One operation of a test: a key, and a value to write or what was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    W(u32, i64),
    R(u32, Option<i64>),
}

/// A transaction: client, times, what it did.
pub(crate) type Transaction = (u32, (u64, u64), Vec<Op>);

pub(crate) fn history(transactions: &[Transaction]) -> History {
    let mut builder = HistoryBuilder::new();
    let keys: Vec<Key> = ["x", "y", "z"].iter().map(|name| builder.key(name)).collect();
    for (process, times, operations) in transactions {
        let operations: Vec<Operation<'_>> = operations
            .iter()
            .map(|operation| match *operation {
                Op::W(key, value) => Operation::Write { key: keys[key as usize], value },
                Op::R(key, seen) => {
                    Operation::Read { key: keys[key as usize], seen: seen.map_or(Read::Initial, Read::Value) }
                }
            })
            .collect();
        builder.push(*process, Status::Committed, *times, &operations);
    }
    builder.finish()
}

/// Transactions at the same time, each of a client of its own.
pub(crate) fn concurrent(transactions: Vec<Vec<Op>>) -> Vec<Transaction> {
    (0..).zip(transactions).map(|(process, operations)| (process, (0, 1_000), operations)).collect()
}

pub(crate) type State = HashMap<u32, i64>;

/// Runs a transaction on a state; what it leaves, if all that it read is so.
pub(crate) fn run(operations: &[Op], state: &State) -> Option<State> {
    let mut own = state.clone();
    for operation in operations {
        match *operation {
            Op::W(key, value) => {
                own.insert(key, value);
            }
            Op::R(key, seen) if own.get(&key).copied() != seen => return None,
            Op::R(..) => {}
        }
    }
    Some(own)
}

/// Whether `earlier` must come before `later` by the clients or by real time.
pub(crate) fn ordered(transactions: &[Transaction], scope: Scope, earlier: usize, later: usize) -> bool {
    let (a, b) = (&transactions[earlier], &transactions[later]);
    (scope >= Scope::Process && a.0 == b.0 && earlier < later) || (scope >= Scope::RealTime && a.1.1 < b.1.0)
}

/// Whether some order of whole transactions explains all reads.
pub(crate) fn serializable(transactions: &[Transaction], scope: Scope) -> bool {
    fn go(transactions: &[Transaction], scope: Scope, done: u32, state: &State) -> bool {
        (0..transactions.len()).all(|next| done >> next & 1 == 1)
            || (0..transactions.len()).any(|next| {
                let is_free = done >> next & 1 == 0
                    && (0..transactions.len())
                        .all(|earlier| done >> earlier & 1 == 1 || !ordered(transactions, scope, earlier, next));
                is_free
                    && run(&transactions[next].2, state)
                        .is_some_and(|state| go(transactions, scope, done | 1 << next, &state))
            })
    }
    go(transactions, scope, 0, &State::new())
}

/// Whether some order of snapshots and commits explains all reads, with no two concurrent writers of a key.
pub(crate) fn snapshot_isolated(transactions: &[Transaction], scope: Scope) -> bool {
    fn written(operations: &[Op]) -> Vec<u32> {
        operations
            .iter()
            .filter_map(|operation| match operation {
                Op::W(key, _) => Some(*key),
                Op::R(..) => None,
            })
            .collect()
    }
    fn go(
        transactions: &[Transaction],
        scope: Scope,
        running: &mut Vec<Option<State>>,
        done: u32,
        state: &State,
    ) -> bool {
        let count = transactions.len();
        if (0..count).all(|next| done >> next & 1 == 1) {
            return true;
        }
        (0..count).filter(|next| done >> next & 1 == 0).any(|next| {
            let operations = &transactions[next].2;
            if let Some(snapshot) = running[next].clone() {
                let keys = written(operations);
                if keys.iter().any(|key| snapshot.get(key) != state.get(key)) {
                    return false;
                }
                let Some(own) = run(operations, &snapshot) else { return false };
                let mut after = state.clone();
                after.extend(keys.iter().map(|key| (*key, own[key])));
                go(transactions, scope, running, done | 1 << next, &after)
            } else {
                if (0..count).any(|earlier| {
                    done >> earlier & 1 == 0 && earlier != next && ordered(transactions, scope, earlier, next)
                }) {
                    return false;
                }
                running[next] = Some(state.clone());
                let found = go(transactions, scope, running, done, state);
                running[next] = None;
                found
            }
        })
    }
    go(transactions, scope, &mut vec![None; transactions.len()], 0, &State::new())
}

pub(crate) fn holds(transactions: &[Transaction], model: Model) -> bool {
    match model {
        Model::SnapshotIsolation | Model::StrongSessionSnapshotIsolation | Model::StrongSnapshotIsolation => {
            snapshot_isolated(transactions, model.scope())
        }
        _ => serializable(transactions, model.scope()),
    }
}

pub(crate) const MODELS: [Model; 6] = [
    Model::Serializable,
    Model::StrongSessionSerializable,
    Model::StrictSerializable,
    Model::SnapshotIsolation,
    Model::StrongSessionSnapshotIsolation,
    Model::StrongSnapshotIsolation,
];

/// Up to four transactions of up to three operations on three registers. Every write has a value of its own; a read sees the initial
/// state or a value that somebody wrote to the key.
pub(crate) fn tiny() -> impl Strategy<Value = Vec<Transaction>> {
    let operation = (any::<bool>(), 0_u32..3, any::<prop::sample::Index>());
    let transaction = (0_u32..3, 0_u64..6, 1_u64..4, vec(operation, 1..4));
    vec(transaction, 1..5).prop_map(|drafts| {
        let mut values: HashMap<u32, Vec<i64>> = HashMap::new();
        let mut next = 0;
        for (is_write, key, _) in drafts.iter().flat_map(|draft| &draft.3) {
            if *is_write {
                next += 1;
                values.entry(*key).or_default().push(next);
            }
        }
        let mut next = 0;
        drafts
            .into_iter()
            .enumerate()
            .map(|(place, (process, begin, length, operations))| {
                let operations = operations
                    .into_iter()
                    .map(|(is_write, key, seen)| {
                        if is_write {
                            next += 1;
                            return Op::W(key, next);
                        }
                        let mut seeable: Vec<Option<i64>> = vec![None];
                        seeable.extend(values.get(&key).into_iter().flatten().copied().map(Some));
                        Op::R(key, *seen.get(&seeable))
                    })
                    .collect();
                // A client's transactions follow each other.
                let begin = begin + 10 * u64::from(process == 0) * place as u64;
                let process = if process == 0 { 0 } else { u32::try_from(place + 1).unwrap_or(0) };
                (process, (begin, begin + length), operations)
            })
            .collect()
    })
}

/// Whether read committed holds: some order of each key's versions leaves no cycle of writes and reads, and nobody saw what
/// its writer overwrote, or its own future.
pub(crate) fn read_committed(transactions: &[Transaction], scope: Scope) -> bool {
    let count = transactions.len();
    let mut edges = vec![vec![false; count]; count];
    for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
        edges[from][to] = from != to && ordered(transactions, scope, from, to);
    }
    let mut writers: HashMap<u32, Vec<usize>> = HashMap::new();
    for (place, (_, _, operations)) in transactions.iter().enumerate() {
        for (step, operation) in operations.iter().enumerate() {
            match *operation {
                Op::W(key, _) => writers.entry(key).or_default().push(place),
                Op::R(key, Some(value)) => {
                    let wrote = |operations: &[Op]| {
                        operations.iter().any(|other| matches!(other, Op::W(k, v) if (*k, *v) == (key, value)))
                    };
                    if wrote(operations) {
                        if !wrote(&operations[..step]) {
                            return false;
                        }
                        continue;
                    }
                    let writer = (0..count).find(|other| wrote(&transactions[*other].2)).expect("somebody wrote it");
                    let last = transactions[writer].2.iter().rev().find_map(|operation| match operation {
                        Op::W(other, last) if *other == key => Some(*last),
                        _ => None,
                    });
                    if last != Some(value) {
                        return false;
                    }
                    edges[writer][place] = true;
                }
                Op::R(_, None) => {}
            }
        }
    }
    let mut keys: Vec<Vec<usize>> = writers.into_values().collect();
    keys.iter_mut().for_each(Vec::dedup);
    any_order(&edges, &keys)
}

/// Whether the writers of each key can be put in an order that leaves no cycle.
pub(crate) fn any_order(edges: &[Vec<bool>], keys: &[Vec<usize>]) -> bool {
    let Some((writers, rest)) = keys.split_first() else { return is_acyclic(edges) };
    permutations(writers).into_iter().any(|order| {
        let mut edges = edges.to_vec();
        order.windows(2).for_each(|pair| edges[pair[0]][pair[1]] = true);
        any_order(&edges, rest)
    })
}

pub(crate) fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |place: usize| {
        let mut rest = items.to_vec();
        let first = rest.remove(place);
        permutations(&rest).into_iter().map(move |rest| [&[first], &rest[..]].concat())
    };
    (0..items.len()).flat_map(with_first).collect()
}

pub(crate) fn is_acyclic(edges: &[Vec<bool>]) -> bool {
    let mut left: Vec<usize> = (0..edges.len()).collect();
    while let Some(place) = left.iter().position(|node| left.iter().all(|other| !edges[*other][*node])) {
        left.remove(place);
    }
    left.is_empty()
}
