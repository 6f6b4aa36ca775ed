//! Programs whose statements run separately although one relies on another (Warszawski & Bailis, SIGMOD 2017).
//!
//! Between two transactions nothing is locked and no snapshot is kept, so it is enough that somebody overwrites what the
//! first statement read, and depends on what the second one writes or is overwritten by it.

use std::collections::BTreeMap;

use pgstrata_sqltext::{Schema, Scope, Workload};

use super::build::{Seen, build};
use super::conflict::dependencies;
use super::decide::Dangers;
use super::model::{Model, Op, Path, Value};
use super::unify::Unifier;
use crate::advisor::report::{ScopeFinding, Work};

/// All findings, one for each pair of statements.
pub(super) fn findings(workload: &Workload, schema: &Schema, work: &mut Work) -> Vec<ScopeFinding> {
    let is_split = |program: usize| {
        let program = &workload.programs[program];
        program.scope == Scope::SeparateStatements && program.statements.len() > 1
    };
    if !(0..workload.programs.len()).any(is_split) {
        return Vec::new();
    }
    let model = build(workload, schema, Seen::AsOne);
    let levels = Dangers::of(&model, work).optimal(model.programs.len());
    let mut found: BTreeMap<(usize, usize, usize), ScopeFinding> = BTreeMap::new();
    for path in model.paths.iter().filter(|path| is_split(path.program)) {
        for (b1, a1) in pairs(path) {
            let (first, second) = (path.statements[path.ops[b1].place], path.statements[path.ops[a1].place]);
            let key = (path.program, first, second);
            if found.contains_key(&key) {
                continue;
            }
            if let Some((other, columns)) = between(&model, path, b1, a1) {
                found.insert(
                    key,
                    ScopeFinding {
                        program: model.programs[path.program].clone(),
                        first,
                        second,
                        relation: model.relations[path.ops[b1].relation].name.clone(),
                        columns,
                        other: model.programs[other].clone(),
                        level_as_one: levels[path.program],
                    },
                );
            }
        }
    }
    found.into_values().collect()
}

/// A read and a later write that has to do with it: of the same row or relation, or with a value that was found.
fn pairs(path: &Path) -> Vec<(usize, usize)> {
    let reads = |at: &usize| path.ops[*at].reads != 0 && path.ops[*at].writes == 0;
    let mut all = Vec::new();
    for b1 in (0..path.ops.len()).filter(reads) {
        for a1 in 0..path.ops.len() {
            let (read, write) = (&path.ops[b1], &path.ops[a1]);
            let is_related = read.relation == write.relation || uses(path, write, read.place);
            if write.writes != 0 && write.place > read.place && is_related {
                all.push((b1, a1));
            }
        }
    }
    all
}

/// Whether an operation's rows or values come out of an earlier statement.
fn uses(path: &Path, op: &Op, place: usize) -> bool {
    let is_found =
        |value: &usize| matches!(&path.values[*value], Value::Result { place: found, .. } if *found == place);
    let of_rows = match &path.vars[op.var].rows {
        super::model::RowSet::One { values, .. } => values.iter().any(is_found),
        super::model::RowSet::Some { equal, compared } => {
            equal.iter().any(|(_, value)| is_found(value)) || compared.iter().any(|(_, _, value)| is_found(value))
        }
    };
    of_rows || op.values.iter().any(|(_, value)| is_found(value))
}

/// A program that can come in between so that no order of the two explains it, and the columns that it changes.
fn between(model: &Model, path: &Path, b1: usize, a1: usize) -> Option<(usize, Vec<String>)> {
    let (read, write) = (&path.ops[b1], &path.ops[a1]);
    for other in &model.paths {
        for change in other.ops.iter().filter(|op| dependencies(read, op).rw) {
            let mut rows = Unifier::new(model, &[path, other]);
            if !rows.meet((0, read), (1, change)) {
                continue;
            }
            let back = |op: &Op| dependencies(op, write).any() && rows.clone().meet((1, op), (0, write));
            if other.ops.iter().any(back) {
                return Some((other.program, model.columns(read.relation, read.reads & change.writes)));
            }
        }
    }
    None
}
