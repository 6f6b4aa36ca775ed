//! Whether the conditions of a schedule's statements can hold of its rows: `update … where id = :k and g = :g` comes to no row
//! whose `g` is another one, and neither does `select … where g = :g`.
//!
//! For what may go wrong, a statement that looks by more than a key may find its row or not. A witness has one row, whose
//! columns hold what its transactions say of them. A column that any of them updates may hold anything.

use super::machine::Made;
use super::model::{Action, RowSet};
use super::stage::Cast;

/// Whether each dependency of a cycle that a statement makes by finding its row is one that it can make.
pub(super) fn conditions_hold(cast: &Cast<'_>, cycle: &[Made]) -> bool {
    let ends = cycle.iter().flat_map(|made| [(made.from, made.row), (made.to, made.row)]);
    ends.into_iter().all(|(end, row)| finds(cast, end, row))
}

fn finds(cast: &Cast<'_>, (actor, op): (usize, usize), row: usize) -> bool {
    let path = cast.rows.paths[actor];
    let op = &path.ops[op];
    let wanted = match &path.vars[op.var].rows {
        RowSet::Some { equal, .. } => equal,
        RowSet::One { .. } => &op.wants,
    };
    let is_updated = |column: u8| {
        let mut others = cast.rows.paths.iter().flat_map(|path| &path.ops);
        others.any(|other| {
            matches!(other.action, Action::Update(_))
                && other.relation == op.relation
                && other.writes & (1 << column) != 0
        })
    };
    wanted.iter().all(|(column, wanted)| match cast.names[row].columns.get(column) {
        Some((of, known)) if !is_updated(*column) => {
            cast.rows.same_value(cast.rows.root(*of, *known), cast.rows.root(actor, *wanted))
        }
        _ => true,
    })
}
