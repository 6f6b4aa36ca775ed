//! The dependency graph of a history: who must come before whom, and why.
//!
//! Adya's direct serialization graph, with the orders of clients and of real time beside it. Stored as compressed
//! sparse rows, four bytes an edge, because a history of ten million transactions has eighty million of them. What a
//! cycle in it means is for [`crate::cycles`].

mod orders;

use serde::{Deserialize, Serialize};

use crate::model::{Key, TransactionId, Value};

pub(crate) use orders::{Orders, add_orders};

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// The second wrote the version that follows one of the first.
    WriteWrite,
    /// The second read a version of the first.
    WriteRead,
    /// The second wrote the version that follows one which the first read: an anti-dependency.
    ReadWrite,
    /// The second wrote something that a predicate of the first would have matched, but did not see.
    PredicateReadWrite,
    /// One client did both, in this order.
    Process,
    /// The first was acknowledged before the second was begun.
    RealTime,
}

/// One step of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Comes first.
    pub from: TransactionId,
    /// Comes second.
    pub to: TransactionId,
    /// Why.
    pub dependency: Dependency,
    /// The key that makes it so, for dependencies of data.
    pub key: Option<Key>,
    /// What the first wrote, or read last; none if it read the initial state.
    pub from_value: Option<Value>,
    /// What the second wrote or read.
    pub to_value: Option<Value>,
}

/// What makes a dependency of data so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The key.
    pub key: Option<Key>,
    /// See [`Edge::from_value`].
    pub from_value: Option<Value>,
    /// See [`Edge::to_value`].
    pub to_value: Option<Value>,
}

/// The label of an arc: a dependency, or the way onward from a relay.
///
/// A relay stands for "whatever follows": many transactions point to it and it points to many, so that `a × b` edges
/// take `a + b` arcs. The arc into a relay says why; the arc out of it is [`ONWARD`] and adds nothing.
pub(crate) type Label = u8;

/// The arc from a relay to a transaction or to another relay.
pub(crate) const ONWARD: Label = 6;

const LABEL_BITS: u32 = 3;

/// Nodes that a graph can have: what is left of 32 bits beside a label.
pub const NODES_MOST: u32 = 1 << (32 - LABEL_BITS);

impl Dependency {
    const ALL: [Self; 6] =
        [Self::WriteWrite, Self::WriteRead, Self::ReadWrite, Self::PredicateReadWrite, Self::Process, Self::RealTime];

    pub(crate) const fn label(self) -> Label {
        self as Label
    }

    /// The dependency of a label; none for [`ONWARD`].
    pub(crate) fn of_label(label: Label) -> Option<Self> {
        Self::ALL.get(usize::from(label)).copied()
    }

    /// The short name that the literature uses: `ww`, `wr`, `rw`.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::WriteWrite => "ww",
            Self::WriteRead => "wr",
            Self::ReadWrite => "rw",
            Self::PredicateReadWrite => "rw (predicate)",
            Self::Process => "process",
            Self::RealTime => "realtime",
        }
    }

    /// Whether it is an anti-dependency.
    #[must_use]
    pub const fn is_anti(self) -> bool {
        matches!(self, Self::ReadWrite | Self::PredicateReadWrite)
    }
}

/// The end of an arc: a node and a label in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arc(u32);

impl Arc {
    pub(crate) fn new(to: u32, label: Label) -> Self {
        Self(to << LABEL_BITS | u32::from(label))
    }

    pub(crate) const fn to(self) -> u32 {
        self.0 >> LABEL_BITS
    }

    pub(crate) const fn label(self) -> Label {
        (self.0 & ((1 << LABEL_BITS) - 1)) as Label
    }
}

/// A graph whose first nodes are the transactions of a history and whose other nodes are relays.
#[derive(Clone, Debug)]
pub struct Graph {
    transactions: u32,
    /// Where the arcs of each node begin; one more at the end.
    starts: Vec<u32>,
    arcs: Vec<Arc>,
    /// As long as `arcs`, or empty where evidence is found again from the history.
    evidence: Vec<Evidence>,
}

/// Takes the arcs of a graph, one after another.
pub(crate) trait Sink {
    fn arc(&mut self, from: u32, to: u32, label: Label);
}

/// Gives the arcs of a graph; the same ones each time.
pub(crate) trait Source {
    fn emit<S: Sink>(&self, sink: &mut S);
}

impl Graph {
    /// A graph without evidence, made in two passes over its source: one counts, one fills. No list of edges is ever
    /// held.
    pub(crate) fn of_source(transactions: u32, nodes: u32, source: &impl Source) -> Self {
        assert!(nodes < NODES_MOST, "a graph has fewer than 2^29 nodes, transactions and relays");
        let mut count = Count { starts: vec![0; nodes as usize + 1], arcs: 0 };
        source.emit(&mut count);
        assert!(count.arcs < u64::from(u32::MAX), "a graph has fewer than 2^32 arcs");
        let starts = begins(count.starts);
        let mut fill = Fill { arcs: vec![Arc(0); starts[nodes as usize] as usize], cursors: starts };
        source.emit(&mut fill);
        let Fill { cursors, arcs } = fill;
        Self { transactions, starts: rewound(cursors), arcs, evidence: Vec::new() }
    }

    /// How many transactions there are, with and without edges.
    #[must_use]
    pub const fn transactions(&self) -> u32 {
        self.transactions
    }

    /// How many arcs there are, those of relays included.
    #[must_use]
    pub fn arc_count(&self) -> usize {
        self.arcs.len()
    }

    pub(crate) fn nodes(&self) -> u32 {
        u32::try_from(self.starts.len() - 1).unwrap_or(NODES_MOST)
    }

    /// The arcs of a node; the number of the first one counts from the beginning of the graph.
    pub(crate) fn arcs(&self, node: u32) -> (u32, &[Arc]) {
        let (from, until) = (self.starts[node as usize], self.starts[node as usize + 1]);
        (from, &self.arcs[from as usize..until as usize])
    }

    pub(crate) fn evidence(&self, arc: u32) -> Evidence {
        self.evidence.get(arc as usize).copied().unwrap_or_default()
    }
}

struct Count {
    starts: Vec<u32>,
    arcs: u64,
}

impl Sink for Count {
    fn arc(&mut self, from: u32, _: u32, _: Label) {
        self.starts[from as usize] += 1;
        self.arcs += 1;
    }
}

struct Fill {
    cursors: Vec<u32>,
    arcs: Vec<Arc>,
}

impl Sink for Fill {
    fn arc(&mut self, from: u32, to: u32, label: Label) {
        let cursor = &mut self.cursors[from as usize];
        self.arcs[*cursor as usize] = Arc::new(to, label);
        *cursor += 1;
    }
}

/// Turns the number of arcs of each node into the place of its first one.
fn begins(mut counts: Vec<u32>) -> Vec<u32> {
    let mut total = 0;
    for count in &mut counts {
        total += std::mem::replace(count, total);
    }
    counts
}

/// Turns places that were moved to each node's end back into its beginning.
fn rewound(mut cursors: Vec<u32>) -> Vec<u32> {
    cursors.pop();
    cursors.insert(0, 0);
    cursors
}

/// Makes a graph from single edges, each with its evidence.
#[derive(Debug)]
pub struct GraphBuilder {
    transactions: u32,
    nodes: u32,
    edges: Vec<(u32, u32, Label)>,
    evidence: Vec<Evidence>,
}

impl GraphBuilder {
    /// A graph of this many transactions without edges.
    #[must_use]
    pub const fn new(transactions: u32) -> Self {
        Self { transactions, nodes: transactions, edges: Vec::new(), evidence: Vec::new() }
    }

    /// Adds an edge. A transaction does not depend on itself: such an edge is left out.
    pub fn add_edge(&mut self, from: TransactionId, to: TransactionId, dependency: Dependency, evidence: Evidence) {
        if from != to {
            self.edges.push((from.0, to.0, dependency.label()));
            self.evidence.push(evidence);
        }
    }

    /// Adds the orders of clients and of real time that `scope` asks for, among the transactions that took effect.
    pub fn add_orders(
        &mut self,
        history: &crate::History,
        scope: crate::Scope,
        took_effect: impl Fn(TransactionId) -> bool,
    ) {
        let orders = Orders::new(history, scope, took_effect);
        let first_relay = self.nodes;
        self.nodes += orders.relays();
        add_orders(history, &orders, first_relay, self);
    }

    /// The graph.
    ///
    /// # Panics
    /// If it has 2^29 nodes or more, transactions and relays.
    #[must_use]
    pub fn finish(self) -> Graph {
        assert!(self.nodes < NODES_MOST, "a graph has fewer than 2^29 nodes, transactions and relays");
        let mut starts = vec![0; self.nodes as usize + 1];
        for (from, ..) in &self.edges {
            starts[*from as usize] += 1;
        }
        let mut cursors = begins(starts);
        let mut arcs = vec![Arc(0); self.edges.len()];
        let mut evidence = vec![Evidence::default(); self.edges.len()];
        for ((from, to, label), why) in self.edges.into_iter().zip(self.evidence) {
            let cursor = &mut cursors[from as usize];
            arcs[*cursor as usize] = Arc::new(to, label);
            evidence[*cursor as usize] = why;
            *cursor += 1;
        }
        Graph { transactions: self.transactions, starts: rewound(cursors), arcs, evidence }
    }
}

impl Sink for GraphBuilder {
    fn arc(&mut self, from: u32, to: u32, label: Label) {
        self.edges.push((from, to, label));
        self.evidence.push(Evidence::default());
    }
}
