//! Where programs meet: the edges of the graph that people look at.

use std::collections::BTreeSet;

use super::conflict::dependencies;
use super::model::{Action, Model, Op};
use super::unify::Unifier;
use crate::advisor::report::{Edge, EdgeEnd};
use crate::advisor::witness::DependencyKind;

/// All dependencies that pairs of programs can have, each once.
pub(super) fn edges(model: &Model) -> Vec<Edge> {
    let mut all = BTreeSet::new();
    for one in &model.paths {
        for two in &model.paths {
            for (a, from) in one.ops.iter().enumerate() {
                for to in &two.ops {
                    let kinds = dependencies(from, to);
                    let is_known = from.action != Action::Anything && to.action != Action::Anything;
                    if !kinds.any() || !is_known || !Unifier::new(model, &[one, two]).meet((0, &one.ops[a]), (1, to)) {
                        continue;
                    }
                    let end = |program: usize, statement: usize| EdgeEnd {
                        program: model.programs[program].clone(),
                        statement,
                    };
                    for kind in kinds.list() {
                        all.insert(Edge {
                            from: end(one.program, one.statements[from.place]),
                            to: end(two.program, two.statements[to.place]),
                            kind,
                            relation: model.relations[from.relation].name.clone(),
                            columns: model.columns(from.relation, met(kind, from, to)),
                            can_be_counterflow: kind == DependencyKind::Rw && !from.locks(),
                        });
                    }
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
