//! The kinds of cycles, and the search for one of each in a knot.

use super::knot::{Inner, Knot, Labels, only};
use super::search::{Rule, Search, Way};
use crate::anomaly::{Anomaly, Scope};
use crate::graph::{Dependency, Edge, Graph};
use crate::verdict::{Bound, Finding, Findings};

/// A kind of cycle: how to look for it.
struct Kind {
    of: fn(Scope) -> Anomaly,
    /// A cycle of this kind has at least one of these.
    closed: Labels,
    /// What else may be in it.
    others: Labels,
    rule: Rule,
}

const WRITES: Labels = only(Dependency::WriteWrite);
const READS: Labels = only(Dependency::WriteRead);
const ITEMS: Labels = only(Dependency::ReadWrite);
const PREDICATES: Labels = only(Dependency::PredicateReadWrite);
const KNOWN: Labels = WRITES | READS;

/// In the order of the levels that forbid them.
const KINDS: [Kind; 8] = [
    Kind { of: Anomaly::G0, closed: WRITES, others: WRITES, rule: Rule::Any },
    Kind { of: Anomaly::G1c, closed: READS, others: KNOWN, rule: Rule::Any },
    Kind { of: Anomaly::GSingle, closed: ITEMS, others: KNOWN, rule: Rule::Any },
    Kind { of: Anomaly::GSinglePredicate, closed: PREDICATES, others: KNOWN, rule: Rule::Any },
    Kind { of: Anomaly::GNonadjacent, closed: ITEMS, others: KNOWN | ITEMS, rule: Rule::Nonadjacent },
    Kind {
        of: Anomaly::GNonadjacentPredicate,
        closed: PREDICATES,
        others: KNOWN | ITEMS | PREDICATES,
        rule: Rule::Nonadjacent,
    },
    Kind { of: Anomaly::G2Item, closed: ITEMS, others: KNOWN | ITEMS, rule: Rule::Adjacent },
    Kind { of: Anomaly::G2, closed: PREDICATES, others: KNOWN | ITEMS | PREDICATES, rule: Rule::Adjacent },
];

/// The labels of the orders that a scope adds.
const fn orders(scope: Scope) -> Labels {
    match scope {
        Scope::Plain => 0,
        Scope::Process => only(Dependency::Process),
        Scope::RealTime => only(Dependency::Process) | only(Dependency::RealTime),
    }
}

/// Adds a shortest cycle of each kind. A kind that was found with fewer orders is not looked for with more.
pub(super) fn look_for_each(graph: &Graph, knot: &Knot, steps: u64, remaining: &mut u64, findings: &mut Findings) {
    let mut search = Search::new(knot);
    let mut found: Vec<Anomaly> = Vec::new();
    for scope in Scope::ALL {
        let added = orders(scope);
        if scope != Scope::Plain && knot.labels() & added == 0 {
            continue;
        }
        for kind in &KINDS {
            let is_known = found.iter().any(|anomaly| (kind.of)(anomaly.scope()) == *anomaly);
            if is_known || knot.labels() & kind.closed == 0 {
                continue;
            }
            let mut budget = steps.min(*remaining);
            let given = budget;
            let (cycle, stopped) = shortest(knot, &mut search, kind, added, &mut budget);
            *remaining -= given - budget;
            if stopped {
                findings.hit(Bound::Steps);
            }
            let Some((start, walk)) = cycle else { continue };
            let cycle = simple(knot.edges(graph, start, &walk));
            let anomaly = classify(&cycle);
            // Under a bound, the cycle that was come by may be of another kind than the one that was looked for.
            if !found.iter().any(|other| other.with_scope_of(anomaly) == anomaly && other.scope() <= anomaly.scope()) {
                found.push(anomaly);
                let transactions = cycle.iter().map(|edge| edge.from).collect();
                findings.add(Finding { anomaly, transactions, cycle, observation: None });
            }
        }
    }
}

/// The shortest cycle of a kind that the steps allow, as where it begins and its arcs; and whether they ran out. The
/// first search is always finished.
fn shortest(
    knot: &Knot,
    search: &mut Search<'_>,
    kind: &Kind,
    added: Labels,
    budget: &mut u64,
) -> (Option<(u32, Vec<Inner>)>, bool) {
    let others = kind.others | added;
    let parts = Parts::new(knot, kind, others);
    let mut best: Option<(u32, Vec<Inner>)> = None;
    let mut below = usize::MAX;
    let mut is_first = true;
    for (from, arc) in knot.arcs_of_transactions() {
        if kind.closed >> arc.label & 1 == 0 || !parts.hold(from, arc) {
            continue;
        }
        let mut whole = knot.arc_count() * 4;
        let steps = if is_first { &mut whole } else { &mut *budget };
        is_first = false;
        match search.back((from, arc), others, kind.rule, below, steps) {
            Way::None => {}
            Way::Stopped => return (best, true),
            Way::Found(way) => {
                let relays =
                    way.iter().filter(|arc| knot.is_relay(arc.to)).count() + usize::from(knot.is_relay(arc.to));
                below = way.len() + 1 - relays;
                best = Some((from, std::iter::once(arc).chain(way).collect()));
                // No cycle has fewer than two transactions.
                if below <= 2 {
                    break;
                }
            }
        }
    }
    (best, false)
}

/// The parts of a knot in which alone a kind of cycle can be.
enum Parts {
    Nodes(Vec<u32>),
    States(Vec<u32>),
}

impl Parts {
    fn new(knot: &Knot, kind: &Kind, others: Labels) -> Self {
        let all = others | kind.closed;
        let has_one_anti = kind.closed & (ITEMS | PREDICATES) != 0 && kind.rule == Rule::Any;
        if has_one_anti || kind.rule == Rule::Nonadjacent {
            Self::States(knot.nonadjacent_parts(all))
        } else {
            Self::Nodes(knot.parts(all))
        }
    }

    /// Whether a cycle can close this arc.
    fn hold(&self, from: u32, arc: Inner) -> bool {
        match self {
            Self::Nodes(parts) => parts[from as usize] != 0 && parts[from as usize] == parts[arc.to as usize],
            Self::States(parts) => {
                let (before, after) = (parts[from as usize * 2], parts[arc.to as usize * 2 + 1]);
                before != 0 && before == after
            }
        }
    }
}

/// A cycle that passes no transaction twice, of one that may. The rule of nonadjacency, where it held, holds for what
/// is returned: of the two cycles that meet in a transaction, at most one brings two anti-dependencies together there.
fn simple(mut cycle: Vec<Edge>) -> Vec<Edge> {
    while let Some((from, until)) = twice(&cycle) {
        let inner: Vec<Edge> = cycle[from..until].to_vec();
        let outer: Vec<Edge> = cycle[..from].iter().chain(&cycle[until..]).copied().collect();
        let is_kept = rank(&inner) == rank(&cycle) || rank(&inner) < rank(&outer);
        cycle = if is_kept { inner } else { outer };
    }
    cycle
}

/// Two places at which the cycle is at the same transaction.
fn twice(cycle: &[Edge]) -> Option<(usize, usize)> {
    let mut places = std::collections::HashMap::new();
    cycle.iter().enumerate().find_map(|(place, edge)| places.insert(edge.from, place).map(|first| (first, place)))
}

/// How weak the level is that forbids a cycle, the weakest first.
fn rank(cycle: &[Edge]) -> usize {
    let anomaly = classify(cycle);
    KINDS.iter().position(|kind| (kind.of)(anomaly.scope()) == anomaly).unwrap_or(KINDS.len())
}

/// Which anomaly a cycle is.
pub(super) fn classify(cycle: &[Edge]) -> Anomaly {
    let has = |dependency| cycle.iter().any(|edge| edge.dependency == dependency);
    let scope = if has(Dependency::RealTime) {
        Scope::RealTime
    } else if has(Dependency::Process) {
        Scope::Process
    } else {
        Scope::Plain
    };
    let is_anti: Vec<bool> = cycle.iter().map(|edge| edge.dependency.is_anti()).collect();
    let count = is_anti.iter().filter(|is_anti| **is_anti).count();
    let adjacent = is_anti.iter().zip(is_anti.iter().cycle().skip(1)).any(|(one, next)| *one && *next);
    let of = match (count, has(Dependency::PredicateReadWrite)) {
        (0, _) if has(Dependency::WriteRead) => Anomaly::G1c,
        (0, _) => Anomaly::G0,
        (1, false) => Anomaly::GSingle,
        (1, true) => Anomaly::GSinglePredicate,
        (_, false) if adjacent => Anomaly::G2Item,
        (_, true) if adjacent => Anomaly::G2,
        (_, false) => Anomaly::GNonadjacent,
        (_, true) => Anomaly::GNonadjacentPredicate,
    };
    of(scope)
}
