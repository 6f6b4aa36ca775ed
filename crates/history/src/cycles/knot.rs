//! A part of a graph of which every node can be reached from every other: copied out and numbered anew, so that what
//! is done to it costs what it is worth.

use crate::graph::Dependency;
use crate::graph::{Edge, Graph, Label, ONWARD};
use crate::model::TransactionId;

use super::components;

/// A set of labels, one bit each.
pub(super) type Labels = u8;

/// The set of one label.
pub(super) const fn only(dependency: Dependency) -> Labels {
    1 << dependency.label()
}

/// An arc inside a knot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner {
    /// Where it leads, numbered in the knot.
    pub(super) to: u32,
    pub(super) label: Label,
    /// Its number in the graph.
    pub(super) arc: u32,
}

impl Inner {
    /// Whether the arc may be followed; one out of a relay always may.
    pub(super) const fn is_in(self, labels: Labels) -> bool {
        (labels | 1 << ONWARD) >> self.label & 1 == 1
    }

    pub(super) fn is_anti(self) -> bool {
        Dependency::of_label(self.label).is_some_and(Dependency::is_anti)
    }
}

/// The part of the graph.
pub(super) struct Knot {
    /// The number in the graph of each node, ascending: transactions first, then relays.
    nodes: Vec<u32>,
    transactions: u32,
    starts: Vec<u32>,
    arcs: Vec<Inner>,
    labels: Labels,
}

impl Knot {
    /// Copies out the nodes, which must ascend.
    pub(super) fn new(graph: &Graph, nodes: Vec<u32>) -> Self {
        let transactions = nodes.partition_point(|node| *node < graph.transactions());
        let mut knot = Self {
            transactions: small(transactions),
            starts: Vec::with_capacity(nodes.len() + 1),
            arcs: Vec::new(),
            labels: 0,
            nodes,
        };
        for node in &knot.nodes {
            knot.starts.push(small(knot.arcs.len()));
            let (first, arcs) = graph.arcs(*node);
            for (number, arc) in (first..).zip(arcs) {
                if let Ok(place) = knot.nodes.binary_search(&arc.to()) {
                    knot.arcs.push(Inner { to: small(place), label: arc.label(), arc: number });
                    knot.labels |= 1 << arc.label();
                }
            }
        }
        knot.starts.push(small(knot.arcs.len()));
        knot
    }

    pub(super) fn len(&self) -> u32 {
        small(self.nodes.len())
    }

    /// The labels that occur.
    pub(super) const fn labels(&self) -> Labels {
        self.labels
    }

    pub(super) const fn is_relay(&self, node: u32) -> bool {
        node >= self.transactions
    }

    pub(super) fn arcs(&self, node: u32) -> &[Inner] {
        &self.arcs[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }

    pub(super) fn arc_count(&self) -> u64 {
        self.arcs.len() as u64
    }

    /// The arcs of the transactions with where they begin.
    pub(super) fn arcs_of_transactions(&self) -> impl Iterator<Item = (u32, Inner)> {
        (0..self.transactions).flat_map(|node| self.arcs(node).iter().map(move |arc| (node, *arc)))
    }

    /// For each node, which set it is in if only these labels are followed; 0 if it reaches no node that reaches it.
    pub(super) fn parts(&self, labels: Labels) -> Vec<u32> {
        numbered(self.len(), |node, cursor| self.next(node, cursor, |arc| arc.is_in(labels)).map(|arc| arc.to))
    }

    /// As before on a graph of two nodes for each: `2n` for having come to `n` otherwise than by an anti-dependency,
    /// `2n + 1` for having come by one, after which no other may follow.
    pub(super) fn nonadjacent_parts(&self, labels: Labels) -> Vec<u32> {
        numbered(self.len() * 2, |state, cursor| {
            let (node, came_by_anti) = (state / 2, state % 2);
            let arc = self.next(node, cursor, |arc| arc.is_in(labels) && !(came_by_anti == 1 && arc.is_anti()))?;
            let flag = if arc.label == ONWARD { came_by_anti } else { u32::from(arc.is_anti()) };
            Some(arc.to * 2 + flag)
        })
    }

    /// The next arc of a node that may be followed; moves the cursor behind it.
    fn next(&self, node: u32, cursor: &mut u32, may: impl Fn(Inner) -> bool) -> Option<Inner> {
        for arc in &self.arcs(node)[*cursor as usize..] {
            *cursor += 1;
            if may(*arc) {
                return Some(*arc);
            }
        }
        None
    }

    /// A cycle of the knot as edges between transactions, beginning with the transaction that began first. `walk` is
    /// where it begins and each arc from there; ways through relays become one edge.
    pub(super) fn edges(&self, graph: &Graph, start: u32, walk: &[Inner]) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::with_capacity(walk.len());
        let mut at = start;
        let mut left: Option<(u32, Inner)> = None;
        for arc in walk {
            let (from, first) = *left.get_or_insert((at, *arc));
            at = arc.to;
            if self.is_relay(at) {
                continue;
            }
            left = None;
            let dependency = Dependency::of_label(first.label).expect("a way begins at a transaction, not at a relay");
            let evidence = graph.evidence(first.arc);
            edges.push(Edge {
                from: TransactionId(self.nodes[from as usize]),
                to: TransactionId(self.nodes[at as usize]),
                dependency,
                key: evidence.key,
                from_value: evidence.from_value,
                to_value: evidence.to_value,
            });
        }
        let first = edges.iter().enumerate().min_by_key(|(_, edge)| edge.from).map_or(0, |(place, _)| place);
        edges.rotate_left(first);
        edges
    }
}

fn numbered(nodes: u32, successor: impl Fn(u32, &mut u32) -> Option<u32>) -> Vec<u32> {
    let mut parts = vec![0; nodes as usize];
    for (number, part) in (1..).zip(components(nodes, successor)) {
        for node in part {
            parts[node as usize] = number;
        }
    }
    parts
}

fn small(length: usize) -> u32 {
    u32::try_from(length).expect("a part of a graph is smaller than the graph")
}
