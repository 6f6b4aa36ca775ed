//! What was judged, shared by all sessions of a proof.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

/// Wrong judgements that are kept in full.
const KEPT_WRONG: usize = 20;

/// One wrong judgement, with what is needed to look into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Who judged: `by-page`, `by-key` or `own-eyes`.
    pub way: &'static str,
    /// The snapshot.
    pub snapshot: String,
    /// The version's place.
    pub place: (i64, i32),
    /// Whether the reader saw it.
    pub is_seen: bool,
    /// What was said, and why.
    pub said: Option<bool>,
    /// The reason's code.
    pub reason: String,
}

/// Reasons that a proof has to meet before it ends.
const MET: [&str; 10] = [
    "frozen",
    "maker-committed-before",
    "maker-committed-after",
    "maker-aborted",
    "ender-committed-after",
    "replaced",
    "deleted",
    "own-change",
    "own-replaced",
    "own-deleted",
];

/// The result of a proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The server's version.
    pub version: String,
    /// What the load was drawn from.
    pub seed: u64,
    /// Versions judged, those of which nothing could be said too.
    pub judgements: u64,
    /// Snapshots that they were judged for.
    pub snapshots: u64,
    /// Judgements that the reader contradicts.
    pub wrong: u64,
    /// Judgements that said nothing.
    pub unknown: u64,
    /// How often the formula "no xmax, so alive" was wrong.
    pub wrong_by_xmax: u64,
    /// How often statuses and the snapshot were wrong without mapping subtransactions to their transactions.
    pub wrong_without_mapping: u64,
    /// Transactions committed, rolled back and prepared by the writers.
    pub committed: u64,
    /// Rolled back, by themselves or by the server.
    pub rolled_back: u64,
    /// Prepared, and ended later.
    pub prepared: u64,
    /// Transactions with more subtransactions than a session lists (64).
    pub overflowed: u64,
    /// Versions judged whose `xmax` is a multixact.
    pub multixacts: u64,
    /// Judgements by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first wrong ones.
    pub first_wrong: Vec<Wrong>,
}

/// A proof in the making.
#[derive(Debug)]
pub struct Tally {
    enough: u64,
    is_done: AtomicBool,
    proof: Mutex<Proof>,
}

impl Tally {
    /// One that is complete after so many judgements, if the load was a hard one by then.
    pub fn until(enough: u64) -> Self {
        Self { enough, is_done: AtomicBool::new(false), proof: Mutex::default() }
    }

    /// Whether there is no need to go on.
    pub fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    /// Ends all sessions at their next step.
    pub fn stop(&self) {
        self.is_done.store(true, Ordering::Relaxed);
    }

    /// Notes something.
    pub fn note(&self, change: impl FnOnce(&mut Proof)) {
        let mut proof = self.proof.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut proof);
        if proof.judgements >= self.enough && proof.was_hard() {
            self.stop();
        }
    }

    /// The result.
    pub fn proof(&self, version: String, seed: u64) -> Proof {
        let proof = self.proof.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Proof { version, seed, ..proof.clone() }
    }
}

impl Proof {
    /// Reasons that the load has not met, of those that every load of some length meets.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        MET.iter().copied().filter(|reason| !self.reasons.contains_key(*reason)).collect()
    }

    /// Whether the load met what is hard to judge, and would have convicted simpler formulas: without that, not being
    /// wrong would mean little.
    #[must_use]
    pub fn was_hard(&self) -> bool {
        let met = self.missing().is_empty() && self.prepared > 0 && self.multixacts > 0 && self.overflowed > 0;
        met && self.wrong_by_xmax > 0 && self.wrong_without_mapping > 0
    }

    /// Notes a judgement: what was said of a version, and whether the reader saw it.
    pub fn judge(&mut self, judgement: Wrong) {
        self.judgements += 1;
        *self.reasons.entry(judgement.reason.clone()).or_default() += 1;
        match judgement.said {
            None => self.unknown += 1,
            Some(said) if said == judgement.is_seen => return,
            Some(_) => self.wrong += 1,
        }
        if self.first_wrong.len() < KEPT_WRONG {
            self.first_wrong.push(judgement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(is_seen: bool, said: Option<bool>) -> Wrong {
        let reason = "replaced".to_owned();
        Wrong { way: "by-page", snapshot: "3:3:".to_owned(), place: (0, 1), is_seen, said, reason }
    }

    #[test]
    fn a_load_that_would_convict_nobody_is_not_enough() {
        let tally = Tally::until(1);
        tally.note(|proof| proof.judge(judgement(true, Some(true))));
        assert!(!tally.is_done());
        tally.note(|proof| proof.reasons = MET.map(|reason| (reason.to_owned(), 1)).into());
        tally.note(|proof| (proof.prepared, proof.multixacts, proof.overflowed) = (1, 1, 1));
        tally.note(|proof| (proof.wrong_by_xmax, proof.wrong_without_mapping) = (1, 0));
        assert!(!tally.is_done());
        tally.note(|proof| proof.wrong_without_mapping = 1);
        assert!(tally.is_done());
    }

    #[test]
    fn a_contradiction_is_wrong_and_silence_is_unknown() {
        let mut proof = Proof::default();
        for (is_seen, said) in [(true, Some(true)), (false, Some(false)), (true, Some(false)), (false, None)] {
            proof.judge(judgement(is_seen, said));
        }
        assert_eq!((proof.judgements, proof.wrong, proof.unknown), (4, 1, 1));
        assert_eq!(proof.first_wrong, [judgement(true, Some(false)), judgement(false, None)]);
        assert_eq!(proof.reasons.get("replaced"), Some(&4));
    }
}
