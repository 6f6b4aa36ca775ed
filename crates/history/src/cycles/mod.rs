//! Finds cycles in a dependency graph and says which anomaly each of them is.
//!
//! Tarjan's algorithm gives the sets of transactions each of which must come before each other; a graph without any is
//! done after one linear pass. In each set, the shortest cycle of every kind is looked for, the kind that the weakest
//! model forbids first.
//!
//! Whether a cycle of a kind that matters to a model exists is decided in linear time and without a bound, by the
//! same algorithm on a part of the graph. Only which cycle is shortest, and whether one with several anti-dependencies
//! could be had with one, takes a search; that search is bounded, and a bound that was hit is said.
//!
//! Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1(2), 1972.

mod kinds;
mod knot;
mod search;
mod strong;

use crate::graph::Graph;
use crate::verdict::{Bound, Findings};

pub(crate) use strong::components;

/// How far the search for cycles goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arcs that one search for a shortest cycle may look at; its first try is always finished.
    pub steps: u64,
    /// Arcs that all of them together may look at; beyond, only first tries are made.
    pub steps_in_all: u64,
    /// Sets of transactions that are looked into, smaller ones first.
    pub components: usize,
    /// Findings of each anomaly that are kept.
    pub witnesses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 2_000_000, steps_in_all: 100_000_000, components: 100_000, witnesses: 16 }
    }
}

/// The cycles of a graph.
#[derive(Debug)]
pub struct Cycles {
    /// A finding for each kind of cycle in each set of transactions that must come before each other.
    pub findings: Findings,
    /// How many such sets there are.
    pub components: u64,
    /// Transactions in the largest of them.
    pub largest_component: u64,
}

/// Finds the cycles of a graph.
#[must_use]
pub fn check_cycles(graph: &Graph, limits: &Limits) -> Cycles {
    let knots = components(graph.nodes(), |node, cursor| {
        let arc = graph.arcs(node).1.get(*cursor as usize)?;
        *cursor += 1;
        Some(arc.to())
    });
    let transactions = |knot: &Vec<u32>| knot.iter().filter(|node| **node < graph.transactions()).count();
    let mut cycles = Cycles {
        findings: Findings::keeping(limits.witnesses),
        components: knots.len() as u64,
        largest_component: knots.iter().map(transactions).max().unwrap_or(0) as u64,
    };
    if knots.len() > limits.components {
        cycles.findings.hit(Bound::Components);
    }
    let mut remaining = limits.steps_in_all;
    for nodes in knots.into_iter().take(limits.components) {
        let knot = knot::Knot::new(graph, nodes);
        kinds::look_for_each(graph, &knot, limits.steps, &mut remaining, &mut cycles.findings);
    }
    cycles
}

#[cfg(test)]
mod tests;
