//! Every kind of cycle is found, named, and shortest; a graph without cycles gives none.

use proptest::prelude::*;

use super::*;
use crate::anomaly::{Anomaly, Scope};
use crate::graph::{Dependency, Evidence, GraphBuilder};
use crate::model::TransactionId;

const WW: Dependency = Dependency::WriteWrite;
const WR: Dependency = Dependency::WriteRead;
const RW: Dependency = Dependency::ReadWrite;
const PRW: Dependency = Dependency::PredicateReadWrite;
const PROCESS: Dependency = Dependency::Process;
const REAL_TIME: Dependency = Dependency::RealTime;

fn graph(transactions: u32, edges: &[(u32, Dependency, u32)]) -> Graph {
    let mut builder = GraphBuilder::new(transactions);
    for (from, dependency, to) in edges {
        builder.add_edge(TransactionId(*from), TransactionId(*to), *dependency, Evidence::default());
    }
    builder.finish()
}

/// The anomalies of a graph with the lengths of their witnesses.
fn found(transactions: u32, edges: &[(u32, Dependency, u32)]) -> Vec<(Anomaly, usize)> {
    let cycles = check_cycles(&graph(transactions, edges), &Limits::default());
    cycles.findings.iter().map(|finding| (finding.anomaly, finding.cycle.len())).collect()
}

#[test]
fn each_kind_of_cycle_is_named() {
    let check = |edges: &[(u32, Dependency, u32)], expected: fn(Scope) -> Anomaly, scope| {
        assert_eq!(found(9, edges), [(expected(scope), edges.len())], "{edges:?}");
    };
    check(&[(0, WW, 1), (1, WW, 0)], Anomaly::G0, Scope::Plain);
    check(&[(0, WW, 1), (1, WR, 0)], Anomaly::G1c, Scope::Plain);
    check(&[(0, RW, 1), (1, WR, 0)], Anomaly::GSingle, Scope::Plain);
    check(&[(0, PRW, 1), (1, WR, 0)], Anomaly::GSinglePredicate, Scope::Plain);
    check(&[(0, RW, 1), (1, WR, 2), (2, RW, 3), (3, WR, 0)], Anomaly::GNonadjacent, Scope::Plain);
    check(&[(0, RW, 1), (1, WR, 2), (2, PRW, 3), (3, WR, 0)], Anomaly::GNonadjacentPredicate, Scope::Plain);
    check(&[(0, RW, 1), (1, RW, 0)], Anomaly::G2Item, Scope::Plain);
    check(&[(0, RW, 1), (1, PRW, 0)], Anomaly::G2, Scope::Plain);
    check(&[(0, WW, 1), (1, PROCESS, 0)], Anomaly::G0, Scope::Process);
    check(&[(0, RW, 1), (1, REAL_TIME, 0)], Anomaly::GSingle, Scope::RealTime);
    check(&[(0, RW, 1), (1, REAL_TIME, 2), (2, RW, 3), (3, PROCESS, 0)], Anomaly::GNonadjacent, Scope::RealTime);
    check(&[(0, RW, 1), (1, RW, 2), (2, PROCESS, 0)], Anomaly::G2Item, Scope::Process);
}

#[test]
fn the_shortest_cycle_of_a_kind_is_the_witness() {
    let edges = [(0, RW, 1), (1, WR, 2), (2, WR, 0), (3, RW, 1), (1, WR, 3), (2, WR, 3), (3, WW, 0)];
    assert_eq!(found(4, &edges), [(Anomaly::G1c(Scope::Plain), 0), (Anomaly::GSingle(Scope::Plain), 2)][1..]);
}

#[test]
fn a_way_through_relays_counts_as_one_edge() {
    use crate::model::{HistoryBuilder, Status};
    let mut history = HistoryBuilder::new();
    for at in 0..9 {
        history.push(at, Status::Committed, (u64::from(at) * 10, u64::from(at) * 10 + 5), &[]);
    }
    let history = history.finish();
    let mut builder = GraphBuilder::new(9);
    builder.add_orders(&history, Scope::RealTime, |_| true);
    builder.add_edge(TransactionId(8), TransactionId(0), RW, Evidence::default());
    let cycles = check_cycles(&builder.finish(), &Limits::default());
    let findings: Vec<_> = cycles.findings.iter().collect();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].anomaly, Anomaly::GSingle(Scope::RealTime));
    assert_eq!(findings[0].transactions, [TransactionId(0), TransactionId(8)]);
}

#[test]
fn a_search_without_steps_still_convicts_and_says_so() {
    // A ring of anti-dependencies, many of whose arcs lie on a short cycle, none of them the first.
    let mut edges: Vec<(u32, Dependency, u32)> = (0..200).map(|node| (node, RW, (node + 1) % 200)).collect();
    edges.push((150, RW, 149));
    let limits = Limits { steps: 0, steps_in_all: 0, ..Limits::default() };
    let bounded = check_cycles(&graph(200, &edges), &limits);
    let verdict = bounded.findings.judge(crate::Model::Serializable);
    assert!(!verdict.holds && verdict.bounded);
    assert_eq!(verdict.findings[0].cycle.len(), 200);
    assert_eq!(found(200, &edges), [(Anomaly::G2Item(Scope::Plain), 2)]);
}

/// Every simple cycle of a small graph, as its anomaly.
fn every_cycle(edges: &[(u32, Dependency, u32)]) -> Vec<(Anomaly, usize)> {
    fn extend(edges: &[(u32, Dependency, u32)], way: &mut Vec<usize>, all: &mut Vec<(Anomaly, usize)>) {
        let (start, at) = (edges[way[0]].0, edges[way[way.len() - 1]].2);
        if at == start {
            let cycle: Vec<crate::Edge> = way
                .iter()
                .map(|place| crate::Edge {
                    from: TransactionId(edges[*place].0),
                    to: TransactionId(edges[*place].2),
                    dependency: edges[*place].1,
                    key: None,
                    from_value: None,
                    to_value: None,
                })
                .collect();
            all.push((kinds::classify(&cycle), cycle.len()));
            return;
        }
        for (place, edge) in edges.iter().enumerate() {
            if edge.0 == at && edge.2 >= start && !way.iter().skip(1).any(|passed| edges[*passed].0 == edge.2) {
                way.push(place);
                extend(edges, way, all);
                way.pop();
            }
        }
    }
    let mut all = Vec::new();
    for (place, edge) in edges.iter().enumerate() {
        if edge.2 > edge.0 {
            extend(edges, &mut vec![place], &mut all);
        }
    }
    all
}

fn any_edges() -> impl Strategy<Value = Vec<(u32, Dependency, u32)>> {
    let dependency = prop::sample::select(vec![WW, WR, RW, RW, PRW, PROCESS, REAL_TIME]);
    let edge = (0_u32..6, dependency, 0_u32..6).prop_filter("no loops", |(from, _, to)| from != to);
    // Time does not go in circles: orders lead from what began earlier to what began later.
    let edge = edge.prop_map(|(from, dependency, to)| match dependency {
        PROCESS | REAL_TIME => (from.min(to), dependency, from.max(to)),
        _ => (from, dependency, to),
    });
    prop::collection::vec(edge, 1..11)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is found exists, and is shortest where it is the only knot; what breaks a model is never missed.
    #[test]
    fn cycles_agree_with_looking_at_every_cycle(edges in any_edges()) {
        let all = every_cycle(&edges);
        let found = found(6, &edges);
        for (anomaly, length) in &found {
            prop_assert!(all.contains(&(*anomaly, *length)), "{} of {} is not there", anomaly, length);
        }
        for model in crate::Model::ALL {
            let is_broken = all.iter().any(|(anomaly, _)| model.forbids(*anomaly));
            let is_convicted = found.iter().any(|(anomaly, _)| model.forbids(*anomaly));
            prop_assert_eq!(is_broken, is_convicted, "{}: {:?} but found {:?}", model, all, found);
        }
    }
}
