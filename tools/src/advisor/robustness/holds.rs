//! Whether the conditions of a schedule's statements can hold of its rows: `update … where id = :k and g = :g` comes to no row
//! whose `g` is another one, and neither does `select … where g = :g`.
//!
//! The model knows of a statement by key that other columns decide whether it finds its row, and not what they must be: the
//! text says so. Only equalities with parameters are looked at, in conditions that are joined by `and`; a column that any
//! of the transactions updates may hold anything.

use super::evidence::Meaning;
use super::machine::Made;
use super::model::{Action, RowSet, Value};
use super::stage::Cast;

/// Whether each dependency of a cycle that a statement makes by finding its row is one that it can make.
pub(super) fn conditions_hold(meaning: Meaning<'_>, cast: &Cast<'_>, cycle: &[Made]) -> bool {
    let ends = cycle.iter().flat_map(|made| [(made.from, made.row), (made.to, made.row)]);
    ends.into_iter().all(|((actor, op), row)| finds(meaning, cast, actor, op, row))
}

fn finds(meaning: Meaning<'_>, cast: &Cast<'_>, actor: usize, op: usize, row: usize) -> bool {
    let path = cast.rows.paths[actor];
    let op = &path.ops[op];
    if let RowSet::Some { equal } = &path.vars[op.var].rows {
        return equal.iter().all(|(bit, value)| agrees(cast, (actor, *value), op.relation, *bit, row));
    }
    let is_hit = matches!(op.action, Action::Lock(_) | Action::Update(_) | Action::Delete);
    if !is_hit {
        return true;
    }
    let relation = &meaning.model.relations[op.relation];
    let statement = &meaning.workload.programs[path.program].statements[path.statements[op.place]];
    equalities(&statement.text).into_iter().all(|(column, parameter)| {
        let Some(place) = relation.columns.iter().position(|known| *known == column) else { return true };
        let asked =
            path.values.iter().position(|value| matches!(value, Value::Parameter { name, .. } if *name == parameter));
        asked.is_none_or(|asked| agrees(cast, (actor, asked), op.relation, super::model::bit(place), row))
    })
}

/// Whether a column of a row can be a value: it is nothing else, or one of the transactions updates it.
fn agrees(cast: &Cast<'_>, asked: (usize, usize), relation: usize, column: u8, row: usize) -> bool {
    let is_updated = cast.rows.paths.iter().flat_map(|path| &path.ops).any(|other| {
        matches!(other.action, Action::Update(_)) && other.relation == relation && other.writes & (1 << column) != 0
    });
    let Some(known) = cast.names[row].columns.get(&column).filter(|_| !is_updated) else { return true };
    let [one, two] = [*known, asked].map(|(actor, value)| cast.rows.root(actor, value));
    one == two || cast.rows.constant(one).is_some() && cast.rows.constant(one) == cast.rows.constant(two)
}

/// Columns that the condition of a statement has equal to parameters; none when it has an `or`.
fn equalities(text: &str) -> Vec<(String, String)> {
    let spaced = text.to_ascii_lowercase().replace('=', " = ").replace(['(', ')', ';'], " ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    if words.contains(&"or") {
        return Vec::new();
    }
    let equality = |four: &[&str]| match four {
        ["where" | "and", column, "=", parameter] => {
            let name = parameter.strip_prefix([':', '$', '@'])?;
            let column = column.rsplit('.').next().unwrap_or(column);
            Some((column.to_owned(), name.split("::").next().unwrap_or(name).to_owned()))
        }
        _ => None,
    };
    words.windows(4).filter_map(equality).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equalities_with_parameters_are_read_out_of_conditions() {
        let check = [
            ("update r set b = :v where id = :k and r.g=$2::int", vec![("id", "k"), ("g", "2")]),
            ("update r set b = :v where id = :k and g > :g", vec![("id", "k")]),
            ("update r set b = :v where id = :k or g = :g", vec![]),
            ("delete from r where g = 5", vec![]),
        ];
        for (text, expect) in check {
            let found = equalities(text);
            let found: Vec<(&str, &str)> = found.iter().map(|(one, two)| (one.as_str(), two.as_str())).collect();
            assert_eq!(found, expect, "{text}");
        }
    }
}
