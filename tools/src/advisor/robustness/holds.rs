//! Whether the conditions of a schedule's statements can hold of its rows: `update … where id = :k and g = :g` comes to no row
//! whose `g` is another one, and neither does `select … where g = :g`.
//!
//! For what may go wrong, a statement that looks by more than a key may find its row or not. A witness has one row, whose
//! columns hold what its transactions say of them. A column that any of them updates may hold anything.

use super::model::{Action, RowSet};
use super::search::Shown;
use super::stage::Cast;

/// Whether each dependency of a cycle that a statement makes by finding its row is one that it can make.
pub(super) fn conditions_hold(cast: &Cast<'_>, shown: &Shown) -> bool {
    let ends = shown.cycle.iter().flat_map(|made| [(made.from, made.row), (made.to, made.row)]);
    ends.into_iter().all(|(end, row)| finds(cast, shown, end, row))
}

fn finds(cast: &Cast<'_>, shown: &Shown, (actor, op): (usize, usize), row: usize) -> bool {
    let path = cast.rows.paths[actor];
    let op = &path.ops[op];
    let equal = match &path.vars[op.var].rows {
        RowSet::Some { equal, .. } => equal.as_slice(),
        RowSet::One { .. } => &[],
    };
    let mut wanted = equal.iter().map(|(column, value)| (*column, None, *value)).chain(op.wants.iter().copied());
    wanted.all(|(column, order, value)| match cast.names[row].columns.get(&column) {
        Some(known) if !is_updated(cast, shown, row, column) => match order {
            None => cast.rows.same_value(cast.rows.root(known.0, known.1), cast.rows.root(actor, value)),
            Some(order) => cast.rows.can_hold(*known, order, (actor, value)),
        },
        _ => true,
    })
}

/// Whether a transaction may change a column of a row, and not just make the row.
fn is_updated(cast: &Cast<'_>, shown: &Shown, row: usize, column: u8) -> bool {
    let relation = cast.names[row].relation;
    let may_meet = |actor: usize| {
        let mut others = (0..cast.rows.paths.len()).filter(|other| *other != actor && shown.has(*other));
        cast.stage.rows[row].1 || others.any(|other| inserts(cast, other, row))
    };
    cast.rows.paths.iter().enumerate().filter(|(actor, _)| shown.has(*actor)).any(|(actor, path)| {
        path.ops.iter().any(|op| {
            matches!(op.action, Action::Update(_))
                && op.relation == relation
                && op.writes & (1 << column) != 0
                && (!op.on_conflict || may_meet(actor))
        })
    })
}

/// Whether a transaction makes a row.
fn inserts(cast: &Cast<'_>, actor: usize, row: usize) -> bool {
    let rows = &cast.stage.actors[actor].rows;
    cast.rows.paths[actor].ops.iter().any(|op| op.action == Action::Insert && rows[op.var].contains(&row))
}
