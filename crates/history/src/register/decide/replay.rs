//! Replays an order that is said to explain a history: every read must see what the order says, or the decision was wrong.
//!
//! Knows nothing of graphs, so that an error there does not hide here.

use std::collections::HashMap;

use super::Point;
use crate::model::{History, Key, TransactionId, Value};
use crate::register::facts::{ExternalRead, ExternalWrite, Facts};

/// The registers as they are at a moment.
type State = HashMap<Key, Value>;

/// Checks an order.
///
/// # Panics
/// If the order does not explain the reads, because that would be an error of ours.
pub(super) fn assert_explains(order: &[Point], history: &History, facts: &Facts) {
    let mut reads: HashMap<TransactionId, Vec<&ExternalRead>> = HashMap::new();
    facts.reads.iter().for_each(|read| reads.entry(read.reader).or_default().push(read));
    let mut writes: HashMap<TransactionId, Vec<&ExternalWrite>> = HashMap::new();
    facts.writes.iter().for_each(|write| writes.entry(write.writer).or_default().push(write));
    let mut state = State::new();
    let mut snapshots: HashMap<TransactionId, State> = HashMap::new();
    for point in order {
        match *point {
            Point::Begin(id) => {
                snapshots.insert(id, state.clone());
            }
            Point::Commit(id) => {
                let snapshot = snapshots.remove(&id).expect("a transaction begins before it commits");
                let written = writes.get(&id).map(Vec::as_slice).unwrap_or_default();
                for write in written {
                    assert_eq!(snapshot.get(&write.key), state.get(&write.key), "{id} overwrote a concurrent write");
                }
                see(history, id, &reads, &snapshot);
                apply(written, &mut state);
            }
            Point::Whole(id) => {
                see(history, id, &reads, &state);
                apply(writes.get(&id).map(Vec::as_slice).unwrap_or_default(), &mut state);
            }
        }
    }
    assert!(snapshots.is_empty(), "every transaction that begins commits");
}

fn see(history: &History, id: TransactionId, reads: &HashMap<TransactionId, Vec<&ExternalRead>>, state: &State) {
    for read in reads.get(&id).into_iter().flatten() {
        let name = history.key_name(read.key);
        assert_eq!(state.get(&read.key).copied(), read.value, "{id} reads {name} in the order that was found");
    }
}

fn apply(writes: &[&ExternalWrite], state: &mut State) {
    for write in writes {
        state.insert(write.key, write.value);
    }
}
