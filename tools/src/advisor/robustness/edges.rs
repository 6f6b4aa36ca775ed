//! Where programs meet: the edges of the graph that people look at.

use std::collections::BTreeSet;

use super::conflict::dependencies;
use super::ground::Ground;
use super::model::{Action, Model, Op};
use crate::advisor::report::{Edge, EdgeEnd};
use crate::advisor::witness::DependencyKind;

/// All dependencies that pairs of programs can have, each once.
pub(super) fn edges(model: &Model, ground: &Ground) -> Vec<Edge> {
    let mut all = BTreeSet::new();
    // Paths of a program share statements, so most edges come by several times.
    let mut seen = BTreeSet::new();
    for (first, one) in model.paths.iter().enumerate() {
        for (second, two) in model.paths.iter().enumerate() {
            for (a, b) in ground.pair(first, second).links.iter().copied() {
                let (from, to) = (&one.ops[a], &two.ops[b]);
                let ends = ((one.program, one.statements[from.place]), (two.program, two.statements[to.place]));
                let is_known = from.action != Action::Anything && to.action != Action::Anything;
                let kinds = dependencies(from, to);
                let by_kind =
                    kinds.list().fold((0, 0), |all, kind| (all.0 | 1 << kind as u8, all.1 | met(kind, from, to)));
                if !is_known || !seen.insert((ends, from.relation, by_kind, from.locks())) {
                    continue;
                }
                let end = |(program, statement): (usize, usize)| EdgeEnd {
                    program: model.programs[program].clone(),
                    statement,
                };
                for kind in kinds.list() {
                    all.insert(Edge {
                        from: end(ends.0),
                        to: end(ends.1),
                        kind,
                        relation: model.relations[from.relation].name.clone(),
                        columns: model.columns(from.relation, met(kind, from, to)),
                        can_be_counterflow: kind == DependencyKind::Rw && !from.locks(),
                    });
                }
            }
        }
    }
    all.into_iter().collect()
}

fn met(kind: DependencyKind, from: &Op, to: &Op) -> u128 {
    match kind {
        DependencyKind::Ww => from.writes & to.writes,
        DependencyKind::Wr => from.writes & to.reads,
        DependencyKind::Rw => from.reads & to.writes,
    }
}
