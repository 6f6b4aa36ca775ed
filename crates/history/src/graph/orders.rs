//! The orders that hold beside the data: each client's own, and that of real time.
//!
//! Real time orders up to n² pairs; they are said with one relay for each moment at which something ended and
//! something begins after it, and two arcs a transaction. Only what was acknowledged comes before anything: a
//! transaction whose outcome nobody heard of may take effect at any later time.

use std::collections::HashMap;

use super::{Dependency, ONWARD, Sink};
use crate::anomaly::Scope;
use crate::model::{History, Status, TransactionId};

const NONE: u32 = u32::MAX;

/// The orders of a history, ready to be given out as arcs.
pub(crate) struct Orders {
    /// The transaction that the same client did before this one.
    process: Vec<u32>,
    /// The relay whose transactions have all ended before this one began.
    after: Vec<u32>,
    /// The first relay that comes after this one's end.
    before: Vec<u32>,
    relays: u32,
}

impl Orders {
    pub(crate) fn new(history: &History, scope: Scope, took_effect: impl Fn(TransactionId) -> bool) -> Self {
        let mut orders = Self { process: Vec::new(), after: Vec::new(), before: Vec::new(), relays: 0 };
        if scope >= Scope::Process {
            orders.process = processes(history, &took_effect);
        }
        if scope >= Scope::RealTime {
            orders.keep_real_time(history, &took_effect);
        }
        orders
    }

    /// How many relays the orders need.
    pub(crate) const fn relays(&self) -> u32 {
        self.relays
    }

    fn keep_real_time(&mut self, history: &History, took_effect: &impl Fn(TransactionId) -> bool) {
        let mut ends: Vec<(u64, u32)> = Vec::with_capacity(history.len());
        let mut begins: Vec<(u64, u32)> = Vec::with_capacity(history.len());
        for transaction in history.transactions().filter(|transaction| took_effect(transaction.id)) {
            begins.push((transaction.invoked_ns, transaction.id.0));
            let is_acknowledged = transaction.status == Status::Committed && transaction.completed_ns != u64::MAX;
            if is_acknowledged && transaction.completed_ns >= transaction.invoked_ns {
                ends.push((transaction.completed_ns, transaction.id.0));
            }
        }
        ends.sort_unstable();
        begins.sort_unstable();
        self.after = vec![NONE; history.len()];
        self.before = vec![NONE; history.len()];
        // Relay r stands between the ends that precede a beginning and that beginning; ends that no beginning
        // separates share one.
        let mut ended = 0;
        let mut joined = 0;
        for (begun_ns, transaction) in begins {
            while ends.get(ended).is_some_and(|(ended_ns, _)| *ended_ns < begun_ns) {
                ended += 1;
            }
            if ended > joined {
                for (_, earlier) in &ends[joined..ended] {
                    self.before[*earlier as usize] = self.relays;
                }
                joined = ended;
                self.relays += 1;
            }
            if self.relays > 0 {
                self.after[transaction as usize] = self.relays - 1;
            }
        }
    }
}

fn processes(history: &History, took_effect: &impl Fn(TransactionId) -> bool) -> Vec<u32> {
    let mut last: HashMap<u32, u32> = HashMap::new();
    let mut previous = vec![NONE; history.len()];
    for transaction in history.transactions().filter(|transaction| took_effect(transaction.id)) {
        let id = transaction.id.0;
        previous[id as usize] = last.get(&transaction.process).copied().unwrap_or(NONE);
        if transaction.status == Status::Committed {
            last.insert(transaction.process, id);
        }
    }
    previous
}

/// Gives out the arcs of the orders; relays are numbered from `first_relay`.
pub(crate) fn add_orders(history: &History, orders: &Orders, first_relay: u32, sink: &mut impl Sink) {
    for id in 0..u32::try_from(history.len()).unwrap_or(u32::MAX) {
        let of = |list: &[u32]| list.get(id as usize).copied().filter(|other| *other != NONE);
        if let Some(previous) = of(&orders.process) {
            sink.arc(previous, id, Dependency::Process.label());
        }
        if let Some(relay) = of(&orders.before) {
            sink.arc(id, first_relay + relay, Dependency::RealTime.label());
        }
        if let Some(relay) = of(&orders.after) {
            sink.arc(first_relay + relay, id, ONWARD);
        }
    }
    for relay in 1..orders.relays {
        sink.arc(first_relay + relay - 1, first_relay + relay, ONWARD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, GraphBuilder};
    use crate::model::HistoryBuilder;

    /// Whether a way leads from one transaction to the other.
    fn leads(graph: &Graph, from: u32, to: u32) -> bool {
        let mut seen = vec![false; graph.nodes() as usize];
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            for arc in graph.arcs(node).1 {
                if !std::mem::replace(&mut seen[arc.to() as usize], true) {
                    stack.push(arc.to());
                }
            }
        }
        seen[to as usize]
    }

    #[test]
    fn real_time_leads_from_what_ended_to_what_began_later_and_nowhere_else() {
        let spans = [(0, 10), (5, 8), (9, 20), (10, 11), (12, u64::MAX), (21, 25), (8, 9)];
        let mut builder = HistoryBuilder::new();
        for (process, span) in spans.into_iter().enumerate() {
            builder.push(u32::try_from(process).expect("small"), Status::Committed, span, &[]);
        }
        let history = builder.finish();
        let mut builder = GraphBuilder::new(7);
        builder.add_orders(&history, Scope::RealTime, |_| true);
        let graph = builder.finish();
        for (from, (_, ended)) in (0..).zip(spans) {
            for (to, (begun, _)) in (0..).zip(spans) {
                assert_eq!(leads(&graph, from, to), ended < begun, "{from} to {to}");
            }
        }
        assert!(graph.arc_count() < 3 * spans.len());
    }

    #[test]
    fn nothing_comes_after_a_transaction_whose_outcome_nobody_heard_of() {
        let mut builder = HistoryBuilder::new();
        for (status, span) in [(Status::Committed, (0, 1)), (Status::Unknown, (2, 3)), (Status::Committed, (4, 5))] {
            builder.push(7, status, span, &[]);
        }
        let history = builder.finish();
        for scope in [Scope::Process, Scope::RealTime] {
            let mut builder = GraphBuilder::new(3);
            builder.add_orders(&history, scope, |_| true);
            let graph = builder.finish();
            assert!(leads(&graph, 0, 1) && leads(&graph, 0, 2) && !leads(&graph, 1, 2), "{scope:?}");
        }
    }
}
