//! Decides linearizability of a register where every value was written once.
//!
//! The write of a value and its reads form a cluster, and clusters follow each other as a whole. One must come before
//! another if an operation of the first ended before one of the second began; an order exists exactly if no two clusters
//! must each come before the other, and no read ended before its write began. Source: P. Gibbons and E. Korach, "Testing
//! shared memories", SIAM J. Comput. 26(4), 1997, section 4.
//!
//! A cluster is said by two moments: the earliest end and the latest beginning of its operations. Two contradict each other if
//! each one's earliest end is before the other's latest beginning.

use std::collections::HashMap;

use super::{Judged, Single, prefix_at_fault};
use crate::model::Value;

/// A value's write and reads. Moments are shifted by one, so that the initial state can be before all.
struct Cluster {
    write: Option<Single>,
    earliest_end: (u128, Option<Single>),
    latest_begin: (u128, Option<Single>),
}

/// Decides about one key; a contradiction is one that the shortest prefix shows.
pub(super) fn judge(operations: &[Single]) -> Judged {
    if contradiction(operations).is_none() {
        return Judged::Linearizable;
    }
    let prefix = prefix_at_fault(operations, |operations| contradiction(operations).is_some());
    Judged::Contradiction(contradiction(&prefix).unwrap_or(prefix))
}

/// Operations that contradict each other; nothing if there are none.
pub(super) fn contradiction(operations: &[Single]) -> Option<Vec<Single>> {
    let clusters = clusters(operations);
    let unreadable = operations
        .iter()
        .filter(|operation| !operation.is_write && operation.value.is_some())
        .filter_map(|read| match clusters[&read.value].write {
            None => Some(vec![*read]),
            Some(write) if read.completed_ns < write.invoked_ns => Some(vec![write, *read]),
            Some(_) => None,
        })
        .min_by_key(|operations| super::last_answer(operations));
    unreadable.or_else(|| {
        let pairs = pairs(&clusters.into_values().collect::<Vec<_>>());
        pairs.into_iter().min_by_key(|operations| super::last_answer(operations))
    })
}

fn clusters(operations: &[Single]) -> HashMap<Option<Value>, Cluster> {
    let mut clusters: HashMap<Option<Value>, Cluster> = HashMap::new();
    for operation in operations {
        let cluster = clusters.entry(operation.value).or_insert_with(|| Cluster {
            write: None,
            // The initial state was written before everything.
            earliest_end: (if operation.value.is_none() { 0 } else { u128::MAX }, None),
            latest_begin: (0, None),
        });
        if operation.is_write {
            cluster.write = Some(*operation);
        }
        let (begin, end) = (u128::from(operation.invoked_ns) + 1, u128::from(operation.completed_ns) + 1);
        if end < cluster.earliest_end.0 {
            cluster.earliest_end = (end, Some(*operation));
        }
        if begin > cluster.latest_begin.0 {
            cluster.latest_begin = (begin, Some(*operation));
        }
    }
    clusters
}

/// One pair of clusters that contradict each other for each cluster that contradicts any.
fn pairs(clusters: &[Cluster]) -> Vec<Vec<Single>> {
    // Of two that contradict each other, one at least has its earliest end before its own latest beginning. Such intervals
    // must not overlap; and no other cluster may lie within one.
    let is_forward = |cluster: &&Cluster| cluster.earliest_end.0 < cluster.latest_begin.0;
    let mut forward: Vec<&Cluster> = clusters.iter().filter(is_forward).collect();
    forward.sort_by_key(|cluster| cluster.earliest_end.0);
    let mut found = Vec::new();
    let mut furthest: Option<&Cluster> = None;
    for cluster in &forward {
        found.extend(furthest.and_then(|other| conflict(other, cluster)));
        if furthest.is_none_or(|other| other.latest_begin.0 < cluster.latest_begin.0) {
            furthest = Some(cluster);
        }
    }
    if !found.is_empty() {
        return found;
    }
    // The forward ones are apart now, so the one that may hold another is the last to begin before it.
    for cluster in clusters.iter().filter(|cluster| !is_forward(cluster)) {
        let place = forward.partition_point(|other| other.earliest_end.0 < cluster.latest_begin.0);
        found.extend(place.checked_sub(1).and_then(|place| conflict(forward[place], cluster)));
    }
    found
}

fn conflict(one: &Cluster, other: &Cluster) -> Option<Vec<Single>> {
    let precedes = |a: &Cluster, b: &Cluster| a.earliest_end.0 < b.latest_begin.0;
    if !precedes(one, other) || !precedes(other, one) {
        return None;
    }
    let members = [one, other].map(|cluster| [cluster.write, cluster.earliest_end.1, cluster.latest_begin.1]);
    let mut operations: Vec<Single> = members.into_iter().flatten().flatten().collect();
    operations.sort_by_key(|operation| operation.id);
    operations.dedup();
    Some(operations)
}
