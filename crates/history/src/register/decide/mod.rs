//! Whether some order of versions explains a history of registers: decided, not guessed.
//!
//! Which version of a register follows which is unknown, so each pair of transactions that wrote the same key may stand in
//! either order, and each order brings anti-dependencies with it. The history satisfies a model if the pairs can be
//! ordered so that the graph has no cycle. That is the polygraph of C. Papadimitriou ("The serializability of concurrent
//! database updates", JACM 1979), searched as by Cobra (Tan et al., OSDI 2020) and `PolySI` (Huang et al., VLDB 2023): what the known
//! edges decide is decided first, the rest is left to a SAT solver that is told of each cycle it runs into.
//!
//! The answer is proof either way: an order that was replayed read by read, or a set of transactions from which none can be
//! taken away, with an argument that goes through the cases. The problem is NP-complete, so the search has bounds, and
//! [`Decision::Undecided`] says which was hit.

mod argue;
mod closure;
mod ordered;
mod polygraph;
mod replay;
mod shrink;
mod solve;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::anomaly::{Anomaly, Scope};
use crate::consistency::Model;
use crate::graph::Edge;
use crate::model::{History, Key, TransactionId};
use crate::verdict::Finding;
use polygraph::{Polygraph, Shape};
use solve::Answer;

/// How far the decision goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionLimits {
    /// Transactions that took effect.
    pub transactions: usize,
    /// Edges that the orders of pairs may bring, over all pairs.
    pub edges: usize,
    /// Contradictions that the solver may learn from, in all its runs.
    pub conflicts: u64,
    /// Runs of the solver that make a refutation smaller.
    pub shrinking: usize,
    /// Cases that an argument may go through.
    pub cases: usize,
}

impl Default for DecisionLimits {
    fn default() -> Self {
        Self { transactions: 1_000, edges: 1_000_000, conflicts: 100_000, shrinking: 5_000, cases: 1_000 }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The history satisfies the model: this order explains every read.
    Holds {
        /// Transactions one after the other, or their beginnings and commits for snapshot isolation.
        order: Vec<Point>,
    },
    /// No order does.
    Violated(Refutation),
    /// A bound was hit.
    Undecided {
        /// Which.
        why: Undecided,
    },
}

/// A moment in an order that explains a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// The whole transaction.
    Whole(TransactionId),
    /// Its snapshot is taken.
    Begin(TransactionId),
    /// What it wrote becomes visible.
    Commit(TransactionId),
}

/// Why a decision was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undecided {
    /// More transactions than [`DecisionLimits::transactions`]: so many.
    Transactions(usize),
    /// More edges than [`DecisionLimits::edges`]: at least so many.
    Edges(usize),
    /// [`DecisionLimits::conflicts`] were used up.
    Conflicts(u64),
}

/// Proof that no order explains a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refutation {
    /// Transactions that contradict each other already.
    pub transactions: Vec<TransactionId>,
    /// Whether any of them is needed; false where the bound on shrinking was hit first.
    pub minimal: bool,
    /// Why they do; nothing where the argument has more cases than its bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<Argument>,
}

/// Why no order of some transactions is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// Each comes before the next, and the last before the first.
    Cycle(Vec<Edge>),
    /// Two transactions wrote the same key, in one order or in the other.
    Cases {
        /// A key that both wrote.
        key: Key,
        /// One of them.
        first: TransactionId,
        /// The other.
        second: TransactionId,
        /// Why `first` cannot have come first.
        if_first: Box<Argument>,
        /// Why `second` cannot have come first either.
        if_second: Box<Argument>,
    },
}

/// Decides whether a history satisfies a model. Nothing where the model permits every order, or where reads are at fault that no
/// order can explain, so that there is nothing to decide.
#[must_use]
pub fn decide(history: &History, model: Model, limits: DecisionLimits) -> Option<Decision> {
    of_facts(history, &Facts::of(history), model, limits)
}

pub(super) fn of_facts(history: &History, facts: &Facts, model: Model, limits: DecisionLimits) -> Option<Decision> {
    let shape = Shape::of(model)?;
    if facts.faults.iter().any(|fault| model.forbids(fault.anomaly)) {
        return None;
    }
    let polygraph = match Polygraph::new(history, facts, shape, model.scope(), limits) {
        Ok(polygraph) => polygraph,
        Err(why) => return Some(Decision::Undecided { why }),
    };
    let mut conflicts = limits.conflicts;
    Some(match solve::solve(&polygraph, &mut conflicts) {
        Answer::Order(nodes) => {
            let order = polygraph.points(&nodes);
            // Below snapshot isolation a transaction may see several states, so there is nothing to replay.
            if shape != Shape::Committed {
                replay::assert_explains(&order, history, facts);
            }
            Decision::Holds { order }
        }
        Answer::Undecided => Decision::Undecided { why: Undecided::Conflicts(limits.conflicts) },
        Answer::None => {
            let (core, minimal) = shrink::shrink(polygraph, limits.shrinking, &mut conflicts);
            let argument = argue::argue(&core, limits.cases);
            Decision::Violated(Refutation { transactions: core.members().to_vec(), minimal, argument })
        }
    })
}

impl Refutation {
    /// The refutation as a finding: the anomaly is one that every case has, or a milder one, so that nothing is claimed too much.
    pub(super) fn finding(&self, model: Model) -> Finding {
        let mildest = self.argument.as_ref().map(Argument::mildest).filter(|anomaly| model.forbids(*anomaly));
        let anomaly = mildest.unwrap_or_else(|| undistinguished(model));
        // A cycle within one case stands on an assumption, so it is not what was found.
        let (transactions, cycle) = match &self.argument {
            Some(Argument::Cycle(edges)) => (edges.iter().map(|edge| edge.from).collect(), edges.clone()),
            _ => (self.transactions.clone(), Vec::new()),
        };
        Finding { anomaly, transactions, cycle, observation: None }
    }
}

/// What can be said of a history that breaks a model when nobody knows which cycles it has.
fn undistinguished(model: Model) -> Anomaly {
    let scope = model.scope();
    match Shape::of(model) {
        Some(Shape::Committed) | None => Anomaly::G1c(scope),
        Some(Shape::Snapshot) => Anomaly::GNonadjacent(scope),
        Some(Shape::Serial) => Anomaly::G2Item(scope),
    }
}

impl Argument {
    /// The mildest anomaly among the cases: whichever order was the real one, it was this or worse.
    #[must_use]
    pub fn mildest(&self) -> Anomaly {
        match self {
            Self::Cycle(edges) => class(edges),
            Self::Cases { if_first, if_second, .. } => if_first.mildest().max(if_second.mildest()),
        }
    }

    /// How many cases there are.
    #[must_use]
    pub fn cases(&self) -> usize {
        match self {
            Self::Cycle(_) => 1,
            Self::Cases { if_first, if_second, .. } => if_first.cases() + if_second.cases(),
        }
    }
}

/// The anomaly that a cycle is, by its anti-dependencies and orders.
fn class(edges: &[Edge]) -> Anomaly {
    use crate::graph::Dependency::{Process, RealTime, WriteRead};
    let has = |wanted| edges.iter().any(|edge| edge.dependency == wanted);
    let scope = match (has(RealTime), has(Process)) {
        (true, _) => Scope::RealTime,
        (false, true) => Scope::Process,
        (false, false) => Scope::Plain,
    };
    let anti: Vec<bool> = edges.iter().map(|edge| edge.dependency.is_anti()).collect();
    let count = anti.iter().filter(|is_anti| **is_anti).count();
    let adjacent = (0..anti.len()).any(|place| anti[place] && anti[(place + 1) % anti.len()]);
    match (count, adjacent) {
        (0, _) if has(WriteRead) => Anomaly::G1c(scope),
        (0, _) => Anomaly::G0(scope),
        (1, _) => Anomaly::GSingle(scope),
        (_, false) => Anomaly::GNonadjacent(scope),
        (_, true) => Anomaly::G2Item(scope),
    }
}
