//! The checker of list histories: transactions that append unique elements to lists and read whole lists.
//!
//! A list that was read tells the order in which its elements were appended, so that the dependencies of a history
//! follow from what clients saw, without a look into the database. Everything is linear in the size of the history but
//! for the bounded search for shortest cycles.
//!
//! Sound: every fault that is reported is one, whatever the database did. Not complete: versions that nobody read are
//! in no known order among themselves.
//!
//! Source: K. Kingsbury and P. Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations",
//! PVLDB 14(3), 2020 (arXiv 2003.10554).

mod edges;
mod evidence;
mod reads;
mod versions;
mod writers;

use crate::anomaly::Scope;
use crate::consistency::Model;
use crate::cycles::{Limits, check_cycles};
use crate::graph::{Graph, Orders};
use crate::model::History;
use crate::verdict::{Findings, Verdict};

use edges::Edges;
use versions::Versions;

/// How to check a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How far to search.
    pub limits: Limits,
    /// Whose orders to look at; those of the model if none are given. More than the model's show what stronger models
    /// the history breaks.
    pub scope: Option<Scope>,
}

/// Judges a history of lists by a model.
#[must_use]
pub fn check_list_append(history: &History, model: Model, options: &Options) -> Verdict {
    let mut findings = Findings::keeping(options.limits.witnesses);
    let versions = Versions::new(history, &mut findings);
    reads::judge(&versions, &mut findings);
    let graph = graph(&versions, options.scope.unwrap_or(model.scope()));
    let mut cycles = check_cycles(&graph, &options.limits);
    for edge in cycles.findings.iter_mut().flat_map(|finding| &mut finding.cycle) {
        evidence::complete(&versions, edge);
    }
    findings.append(cycles.findings);
    let took_effect = history.transactions().filter(|transaction| versions.took_effect(transaction.id)).count();
    Verdict {
        transactions: history.len() as u64,
        took_effect: took_effect as u64,
        arcs: graph.arc_count() as u64,
        components: cycles.components,
        largest_component: cycles.largest_component,
        ..findings.judge(model)
    }
}

fn graph(versions: &Versions<'_>, scope: Scope) -> Graph {
    let history = versions.history();
    let orders = Orders::new(history, scope, |transaction| versions.took_effect(transaction));
    let edges = Edges::new(versions, &orders);
    let transactions = u32::try_from(history.len()).expect("a history has fewer than 2^32 transactions");
    Graph::of_source(transactions, edges.nodes(), &edges)
}

#[cfg(test)]
mod tests;
