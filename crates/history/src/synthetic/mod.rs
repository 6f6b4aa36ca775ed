//! Histories of a database that is not there: clients run against a simulated one, so that what its histories obey is
//! known. The checker's benches and tests use them; nothing that is said of PostgreSQL comes from here.
//!
//! All from one seed: the same workload gives the same bytes.

#[cfg(test)]
pub(crate) mod notation;
mod plant;
mod random;
mod simulation;

use crate::anomaly::Anomaly;
use crate::binary;
use crate::model::History;

pub use plant::plantable;

/// How the simulated database isolates transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// Each transaction happens at one moment between its beginning and its end: strict serializability.
    Strict,
    /// Reads are of one snapshot, taken after the beginning; of two concurrent writers of a key the second is rolled
    /// back: strong snapshot isolation, which is PostgreSQL's `repeatable read`.
    Snapshot,
    /// Reads are of what is committed at that moment; writers of a key wait for each other, here by giving up:
    /// PostgreSQL's `read committed`.
    ReadCommitted,
    /// As strict, but each read may miss the latest few appends. Nothing holds, and with some contention everything
    /// depends on everything: the history is one knot.
    Stale,
}

/// A workload of list transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Transactions that are begun.
    pub transactions: u32,
    /// Clients, each with one transaction at a time.
    pub clients: u32,
    /// Keys in use at a time.
    pub active_keys: u32,
    /// Appends after which a key is given up for a new one.
    pub appends_per_key: u32,
    /// Operations of a transaction are from one to this many.
    pub operations_most: u32,
    /// Of a thousand transactions, how many are rolled back for no reason.
    pub aborted_permille: u32,
    /// Of a thousand transactions, the outcome of how many nobody hears.
    pub unknown_permille: u32,
    /// The database.
    pub isolation: Simulated,
    /// Faults that are put in, each on keys and by clients of its own.
    pub plants: Vec<Anomaly>,
}

impl Workload {
    /// What the Elle paper measured: 1 to 5 operations, 100 active keys; here without failures.
    #[must_use]
    pub const fn of_the_elle_paper(transactions: u32, appends_per_key: u32) -> Self {
        Self {
            seed: 1,
            transactions,
            clients: 20,
            active_keys: 100,
            appends_per_key,
            operations_most: 5,
            aborted_permille: 0,
            unknown_permille: 0,
            isolation: Simulated::Strict,
            plants: Vec::new(),
        }
    }

    /// The history as bytes, see [`crate::binary`].
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        simulation::run(self)
    }

    /// The history.
    ///
    /// # Panics
    /// Never: what was recorded can be read.
    #[must_use]
    pub fn history(&self) -> History {
        binary::read(&self.record()).expect("what was recorded can be read")
    }
}

/// A history in which each transaction must come before the next and the last before the first, and in no other way:
/// one knot whose only cycle passes all of them.
#[must_use]
pub fn ring(transactions: u32) -> Vec<u8> {
    use crate::model::{Key, Operation, Status};
    let mut recorder = binary::Recorder::new();
    let keys: Vec<Key> = (0..transactions).map(|number| recorder.key(&number.to_string())).collect();
    let mut draft = binary::Draft::new();
    for number in 0..transactions {
        let next = keys[((number + 1) % transactions) as usize];
        draft.add(Operation::ReadList { key: next, list: Some(&[]) });
        draft.add(Operation::Append { key: keys[number as usize], value: 1 });
        recorder.end(&mut draft, number, Status::Committed, (u64::from(number), u64::MAX - 1));
    }
    recorder.finish()
}

#[cfg(test)]
mod tests;
