//! What a checker says: findings, what they break, and which bounds were hit on the way.
//!
//! Data only; sentences are made in [`crate::explanation`], pictures in [`crate::picture`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::anomaly::Anomaly;
use crate::consistency::Model;
use crate::graph::Edge;
use crate::model::{Key, TransactionId, Value};

/// One fault with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub anomaly: Anomaly,
    /// The transactions that it takes: those of the cycle in its order, or the one that saw the fault and then whom it
    /// saw.
    pub transactions: Vec<TransactionId>,
    /// The cycle, whose last edge ends where its first begins; empty for the other anomalies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<Edge>,
    /// What was seen, for anomalies without a cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
}

/// What a transaction saw that it should not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Where.
    pub key: Key,
    /// The value that is at fault, if it is one.
    pub value: Option<Value>,
    /// The list that was read.
    pub seen: Vec<Value>,
    /// The list that it contradicts.
    pub against: Vec<Value>,
}

/// A bound that a search hit: its answer is true, but there may be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The search for the shortest cycle of a kind stopped early: a witness may be longer than need be, or a cycle may
    /// be given the name of a weaker kind. Whether there is a cycle is not affected.
    Steps,
    /// More knots of transactions were found than are looked into.
    Components,
    /// More findings of an anomaly were made than are kept.
    Witnesses,
    /// Whether some order of a register's versions explains the history was not decided.
    Orders,
}

/// What a checker found, and what it means for a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The model that was asked for.
    pub model: Model,
    /// Whether nothing was found that the model forbids.
    pub holds: bool,
    /// What was found, that which breaks the weakest model first; what the asked model permits is there too.
    pub findings: Vec<Finding>,
    /// How often each anomaly was found; findings kept are at most as many.
    pub counts: BTreeMap<Anomaly, u64>,
    /// The first of `violated`.
    pub weakest_violated: Option<Model>,
    /// The weakest models that are broken: each broken model implies one of them.
    pub violated: Vec<Model>,
    /// Whether a bound was hit.
    pub bounded: bool,
    /// Which.
    pub bounds: Vec<Bound>,
    /// Transactions in the history, whatever their outcome.
    pub transactions: u64,
    /// Transactions that took effect, as far as can be known: acknowledged, or seen by others.
    pub took_effect: u64,
    /// Arcs in the dependency graph.
    pub arcs: u64,
    /// Sets of transactions each of which must come before each other.
    pub components: u64,
    /// The transactions in the largest of them.
    pub largest_component: u64,
}

/// Findings as they are made; keeps the best few of each anomaly and counts all.
#[derive(Debug, Default)]
pub struct Findings {
    kept: BTreeMap<Anomaly, Vec<Finding>>,
    counts: BTreeMap<Anomaly, u64>,
    bounds: Vec<Bound>,
    most: usize,
}

impl Findings {
    /// Keeps at most this many findings of each anomaly: those of fewest transactions, and of these the first found.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        *self.counts.entry(finding.anomaly).or_default() += 1;
        self.keep(finding);
    }

    fn keep(&mut self, finding: Finding) {
        let kept = self.kept.entry(finding.anomaly).or_default();
        let place = kept.partition_point(|other| other.transactions.len() <= finding.transactions.len());
        kept.insert(place, finding);
        if kept.len() > self.most {
            kept.pop();
            self.hit(Bound::Witnesses);
        }
    }

    /// Notes that a bound was hit.
    pub fn hit(&mut self, bound: Bound) {
        if let Err(place) = self.bounds.binary_search(&bound) {
            self.bounds.insert(place, bound);
        }
    }

    /// Adds the findings of another checker.
    pub fn append(&mut self, other: Self) {
        for finding in other.kept.into_values().flatten() {
            self.keep(finding);
        }
        for (anomaly, count) in other.counts {
            *self.counts.entry(anomaly).or_default() += count;
        }
        for bound in other.bounds {
            self.hit(bound);
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The findings that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.kept.values().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.kept.values_mut().flatten()
    }

    /// What they mean for a model. The figures of the history and its graph are for the caller to fill in.
    #[must_use]
    pub fn judge(self, model: Model) -> Verdict {
        let violated = Model::weakest_broken_by(self.counts.keys().copied());
        Verdict {
            model,
            holds: !self.counts.keys().any(|anomaly| model.forbids(*anomaly)),
            findings: self.kept.into_values().flatten().collect(),
            counts: self.counts,
            weakest_violated: violated.first().copied(),
            violated,
            bounded: !self.bounds.is_empty(),
            bounds: self.bounds,
            transactions: 0,
            took_effect: 0,
            arcs: 0,
            components: 0,
            largest_component: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Scope;

    fn finding(anomaly: Anomaly, transactions: u32) -> Finding {
        let transactions = (0..transactions).map(TransactionId).collect();
        Finding { anomaly, transactions, cycle: Vec::new(), observation: None }
    }

    #[test]
    fn the_shortest_findings_are_kept_and_all_are_counted() {
        let mut findings = Findings::keeping(2);
        for transactions in [4, 2, 3] {
            findings.add(finding(Anomaly::G2Item(Scope::Plain), transactions));
        }
        let mut more = Findings::keeping(2);
        more.add(finding(Anomaly::G2Item(Scope::Plain), 5));
        findings.append(more);
        let verdict = findings.judge(Model::Serializable);
        let lengths: Vec<usize> = verdict.findings.iter().map(|finding| finding.transactions.len()).collect();
        assert_eq!(lengths, [2, 3]);
        assert_eq!(verdict.counts[&Anomaly::G2Item(Scope::Plain)], 4);
        assert_eq!(verdict.bounds, [Bound::Witnesses]);
        assert!(!verdict.holds && verdict.bounded);
    }

    #[test]
    fn a_model_holds_if_all_that_was_found_is_permitted() {
        let judge = |model| {
            let mut findings = Findings::keeping(9);
            findings.add(finding(Anomaly::G2Item(Scope::Plain), 2));
            findings.judge(model)
        };
        assert!(judge(Model::SnapshotIsolation).holds);
        assert!(!judge(Model::Serializable).holds);
        assert_eq!(judge(Model::SnapshotIsolation).weakest_violated, Some(Model::RepeatableRead));
    }
}
