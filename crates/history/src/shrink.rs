//! Makes a witness small: drops transactions and operations as long as the finding stays.
//!
//! Delta debugging (Zeller and Hildebrandt, IEEE TSE 28(2), 2002) over transactions, then over single operations. When
//! an append is dropped, its element leaves every list: what remains is what the same database would have shown without
//! it, so that no contradiction comes in that was not there.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::anomaly::Anomaly;
use crate::model::{History, HistoryBuilder, Key, Operation, TransactionId, Value};
use crate::verdict::{Finding, Verdict};

/// How far the shrinking goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkLimits {
    /// How often a smaller history may be checked.
    pub checks: u32,
    /// Operations that all these checks together may look at.
    pub operations: u64,
}

impl Default for ShrinkLimits {
    fn default() -> Self {
        Self { checks: 5_000, operations: 20_000_000 }
    }
}

/// A small history that still shows a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The history. Its transactions are numbered anew.
    pub history: History,
    /// What each of its transactions was in the whole history.
    pub original: Vec<TransactionId>,
    /// What the checker says of it.
    pub verdict: Verdict,
    /// Whether a limit was hit, so that less might do.
    pub bounded: bool,
}

/// Which operations are kept: their transaction and their place in it, ascending.
type Kept = Vec<(TransactionId, u32)>;

struct Shrinking<'h, C> {
    /// What is being made smaller.
    history: Cow<'h, History>,
    /// What its transactions were in the whole history.
    original: Vec<TransactionId>,
    check: C,
    anomaly: Anomaly,
    /// Anomalies that may be in what is kept; a smaller history must not show new ones.
    known: HashSet<Anomaly>,
    limits: ShrinkLimits,
    bounded: bool,
}

/// Shrinks a history to what is needed for a finding; `check` is the checker that made it. None if the checker does not
/// find the anomaly in the history.
pub fn shrink(
    history: &History,
    finding: &Finding,
    limits: ShrinkLimits,
    check: impl Fn(&History) -> Verdict,
) -> Option<Shrunk> {
    let whole = check(history);
    if !whole.counts.contains_key(&finding.anomaly) {
        return None;
    }
    let mut shrinking = Shrinking {
        history: Cow::Borrowed(history),
        original: history.transactions().map(|transaction| transaction.id).collect(),
        check,
        anomaly: finding.anomaly,
        known: whole.counts.into_keys().collect(),
        limits,
        bounded: false,
    };
    // The witness alone is often enough; if not, what touches its keys is.
    let few: Kept = all_operations(history).filter(|(id, _)| finding.transactions.contains(id)).collect();
    if let Some(kept) = [few, operations_near(history, finding)].into_iter().find(|kept| shrinking.is_enough(kept)) {
        shrinking.keep(&kept);
    }
    shrinking.drop_transactions();
    shrinking.drop_operations();
    let verdict = (shrinking.check)(&shrinking.history);
    let Shrinking { history, original, bounded, .. } = shrinking;
    Some(Shrunk { history: history.into_owned(), original, verdict, bounded })
}

fn all_operations(history: &History) -> impl Iterator<Item = (TransactionId, u32)> {
    history
        .transactions()
        .flat_map(|transaction| (0..).zip(history.operations(transaction)).map(|(place, _)| (transaction.id, place)))
}

/// The operations on the keys of a finding, and all of its transactions.
fn operations_near(history: &History, finding: &Finding) -> Kept {
    let seen = finding.observation.iter().map(|observation| observation.key);
    let keys: HashSet<Key> = finding.cycle.iter().filter_map(|edge| edge.key).chain(seen).collect();
    let mut kept = Kept::new();
    for transaction in history.transactions() {
        let is_witness = finding.transactions.contains(&transaction.id);
        let operations = (0..).zip(history.operations(transaction));
        let near = operations.filter(|(_, operation)| is_witness || keys.contains(&operation.key()));
        kept.extend(near.map(|(place, _)| (transaction.id, place)));
    }
    kept
}

impl<C: Fn(&History) -> Verdict> Shrinking<'_, C> {
    /// Whether these operations still show the finding and nothing new. No once a limit is hit.
    fn is_enough(&mut self, kept: &[(TransactionId, u32)]) -> bool {
        let cost = kept.len() as u64 + 1;
        let (Some(checks), Some(operations)) =
            (self.limits.checks.checked_sub(1), self.limits.operations.checked_sub(cost))
        else {
            self.bounded = true;
            return false;
        };
        self.limits = ShrinkLimits { checks, operations };
        let verdict = (self.check)(&self.build(kept).0);
        verdict.counts.contains_key(&self.anomaly) && verdict.counts.keys().all(|found| self.known.contains(found))
    }

    /// Goes on with these operations alone.
    fn keep(&mut self, kept: &[(TransactionId, u32)]) {
        let (history, before) = self.build(kept);
        self.original = before.iter().map(|id| self.original[id.0 as usize]).collect();
        self.history = Cow::Owned(history);
    }

    /// Drops as many transactions at a time as it can: halves, then quarters, down to single ones.
    fn drop_transactions(&mut self) {
        let mut size = self.history.len().div_ceil(2);
        while size > 0 && !self.bounded {
            let all: Kept = all_operations(&self.history).collect();
            let chunk_of = |id: TransactionId| id.0 as usize / size;
            let smaller = (0..self.history.len().div_ceil(size)).find_map(|dropped| {
                let rest: Kept = all.iter().copied().filter(|(id, _)| chunk_of(*id) != dropped).collect();
                self.is_enough(&rest).then_some(rest)
            });
            match smaller {
                Some(rest) => self.keep(&rest),
                None => size /= 2,
            }
        }
    }

    /// Drops single operations until none can be dropped.
    fn drop_operations(&mut self) {
        let mut place = 0;
        let mut misses = 0;
        while !self.bounded && misses < self.history.operation_count() {
            let mut rest: Kept = all_operations(&self.history).collect();
            place %= rest.len();
            rest.remove(place);
            if self.is_enough(&rest) {
                self.keep(&rest);
                misses = 0;
            } else {
                misses += 1;
                place += 1;
            }
        }
    }

    /// The history of the operations that are kept, and what its transactions were.
    fn build(&self, kept: &[(TransactionId, u32)]) -> (History, Vec<TransactionId>) {
        let dropped = self.dropped_elements(kept);
        let mut builder = HistoryBuilder::new();
        let mut original = Vec::new();
        for of_one in kept.chunk_by(|one, other| one.0 == other.0) {
            let transaction = self.history.transaction(of_one[0].0);
            let mut wanted = of_one.iter().map(|(_, place)| *place).peekable();
            for (place, operation) in (0..).zip(self.history.operations(transaction)) {
                if wanted.next_if_eq(&place).is_none() {
                    continue;
                }
                let key = builder.key(self.history.key_name(operation.key()));
                let without: Vec<Value>;
                builder.operation(match operation {
                    Operation::ReadList { key: before, list: Some(list) } => {
                        without = list.iter().copied().filter(|value| !dropped.contains(&(before, *value))).collect();
                        Operation::ReadList { key, list: Some(&without) }
                    }
                    Operation::ReadList { list: None, .. } => Operation::ReadList { key, list: None },
                    Operation::Append { value, .. } => Operation::Append { key, value },
                    Operation::Write { value, .. } => Operation::Write { key, value },
                    Operation::Read { seen, .. } => Operation::Read { key, seen },
                });
            }
            builder.end(transaction.process, transaction.status, (transaction.invoked_ns, transaction.completed_ns));
            original.push(transaction.id);
        }
        (builder.finish(), original)
    }

    /// Elements all of whose appends are dropped, on the keys that matter. One that nobody appended stays: it is at
    /// fault.
    fn dropped_elements(&self, kept: &[(TransactionId, u32)]) -> HashSet<(Key, Value)> {
        let is_kept: HashSet<(TransactionId, u32)> = kept.iter().copied().collect();
        let mut dropped = HashSet::new();
        let mut remaining = HashSet::new();
        for transaction in self.history.transactions() {
            for (place, operation) in (0..).zip(self.history.operations(transaction)) {
                let Operation::Append { key, value } = operation else { continue };
                let set = if is_kept.contains(&(transaction.id, place)) { &mut remaining } else { &mut dropped };
                set.insert((key, value));
            }
        }
        dropped.retain(|element| !remaining.contains(element));
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Simulated, Workload, plantable};
    use crate::{Model, Options, Scope, check_list_append};

    fn judge(history: &History) -> Verdict {
        let options = Options { scope: Some(Scope::RealTime), ..Options::default() };
        check_list_append(history, Model::StrictSerializable, &options)
    }

    fn smallest(history: &History, anomaly: Anomaly, limits: ShrinkLimits) -> Shrunk {
        let verdict = judge(history);
        let finding = verdict.findings.iter().find(|finding| finding.anomaly == anomaly).expect("it was planted");
        shrink(history, finding, limits, judge).expect("it was found")
    }

    #[test]
    fn a_planted_fault_is_dug_out_of_a_long_history() {
        for anomaly in plantable() {
            let workload = Workload { plants: vec![anomaly], ..Workload::of_the_elle_paper(500, 20) };
            let history = workload.history();
            let shrunk = smallest(&history, anomaly, ShrinkLimits::default());
            assert!(!shrunk.bounded && shrunk.verdict.counts.contains_key(&anomaly), "{anomaly}");
            assert!(shrunk.history.len() <= 5, "{anomaly} takes {} transactions", shrunk.history.len());
            assert!(shrunk.history.operation_count() <= 6, "{anomaly}: {}", shrunk.history.operation_count());
            for (small, whole) in shrunk.history.transactions().zip(&shrunk.original) {
                assert_eq!(small.process, history.transaction(*whole).process);
            }
        }
    }

    #[test]
    fn write_skew_of_a_simulated_server_comes_down_to_two_transactions() {
        let workload = Workload { isolation: Simulated::Snapshot, ..Workload::of_the_elle_paper(2_000, 20) };
        let shrunk = smallest(&workload.history(), Anomaly::G2Item(Scope::Plain), ShrinkLimits::default());
        assert_eq!((shrunk.history.len(), shrunk.history.operation_count()), (2, 4));
    }

    #[test]
    fn shrinking_that_may_not_check_gives_the_whole_and_says_so() {
        let workload = Workload { plants: vec![Anomaly::G1a], ..Workload::of_the_elle_paper(50, 20) };
        let history = workload.history();
        let shrunk = smallest(&history, Anomaly::G1a, ShrinkLimits { checks: 0, operations: 0 });
        assert!(shrunk.bounded);
        assert_eq!(shrunk.history, history);
    }
}
