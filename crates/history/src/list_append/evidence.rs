//! Finds again which key and which values make one transaction of a cycle come before the next.
//!
//! The graph of a large history keeps no evidence; it is needed for the few edges that are shown.

use super::edges::{is_unread, reads};
use super::versions::Versions;
use crate::graph::{Dependency, Edge, Evidence};
use crate::model::{Key, Operation, Transaction, Value};

/// Fills in why an edge is there.
pub(super) fn complete(versions: &Versions<'_>, edge: &mut Edge) {
    let from = versions.history().transaction(edge.from);
    let to = versions.history().transaction(edge.to);
    let evidence = match edge.dependency {
        Dependency::WriteWrite => writes(versions, from, to),
        Dependency::WriteRead => reads(versions, to).find_map(|read| {
            let (writer, value) = read.from?;
            (writer == from.id).then(|| evidence(read.key, Some(value), Some(value)))
        }),
        Dependency::ReadWrite => reads(versions, from).find_map(|read| {
            let next = match read.next {
                Some((writer, value)) => (writer == to.id).then_some(value),
                None if read.is_last => unread(versions, to, read.key),
                None => None,
            }?;
            Some(evidence(read.key, read.list.last().copied(), Some(next)))
        }),
        Dependency::PredicateReadWrite | Dependency::Process | Dependency::RealTime => None,
    };
    let Evidence { key, from_value, to_value } = evidence.unwrap_or_default();
    (edge.key, edge.from_value, edge.to_value) = (key, from_value, to_value);
}

fn evidence(key: Key, from_value: Option<Value>, to_value: Option<Value>) -> Evidence {
    Evidence { key: Some(key), from_value, to_value }
}

/// Which append of one transaction follows one of the other.
fn writes(versions: &Versions<'_>, from: &Transaction, to: &Transaction) -> Option<Evidence> {
    versions.history().operations(to).find_map(|operation| {
        let Operation::Append { key, value } = operation else { return None };
        if !versions.is_ordered(key) {
            return None;
        }
        let before = match versions.writers.position(key, value) {
            Some(position) => position as usize,
            None if is_unread(versions, to, key, value) => versions.longest(key).len(),
            None => return None,
        };
        let (writer, earlier) = versions.last_writer(key, before)?;
        (writer == from.id).then(|| evidence(key, Some(earlier), Some(value)))
    })
}

/// The first element that a transaction appended to a key and that nobody read.
fn unread(versions: &Versions<'_>, transaction: &Transaction, key: Key) -> Option<Value> {
    versions.history().operations(transaction).find_map(|operation| match operation {
        Operation::Append { key: other, value } if other == key && is_unread(versions, transaction, key, value) => {
            Some(value)
        }
        _ => None,
    })
}
