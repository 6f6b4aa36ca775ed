//! Conditions of reads, evaluated on the rows that the log holds.
//!
//! Three-valued as SQL's own: a condition that the log cannot decide (the value was not logged) is neither. Values are
//! compared as text, so `=` is right for types whose equal values have one text form, which numbers of type `numeric`
//! (1.0 and 1.00) and nondeterministic collations do not; for everything else there is [`Predicate::of`].

use std::fmt;
use std::sync::Arc;

use super::record::{Field, Values};

type Matches = dyn Fn(&Values) -> Option<bool> + Send + Sync;

/// A condition over the rows of one table.
#[derive(Clone)]
pub struct Predicate {
    description: String,
    matches: Arc<Matches>,
}

impl Predicate {
    /// Every row: a read without a condition.
    #[must_use]
    pub fn all() -> Self {
        Self::of("true", |_| Some(true))
    }

    /// Rows whose column has this text form. A null has none, and matches nothing.
    #[must_use]
    pub fn equals(column: &str, text: &str) -> Self {
        let (name, wanted) = (column.to_owned(), text.to_owned());
        Self::of(format!("{column} = '{text}'"), move |row| match row.get(&name) {
            Field::Text(found) => Some(*found == wanted),
            Field::Null => Some(false),
            Field::Unknown => None,
        })
    }

    /// Rows whose column is a whole number in this range, for example `..10`. A null matches nothing.
    #[must_use]
    pub fn within(column: &str, range: impl std::ops::RangeBounds<i64> + fmt::Debug + Send + Sync + 'static) -> Self {
        let name = column.to_owned();
        Self::of(format!("{column} in {range:?}"), move |row| match row.get(&name) {
            Field::Text(found) => found.parse().ok().map(|number: i64| range.contains(&number)),
            Field::Null => Some(false),
            Field::Unknown => None,
        })
    }

    /// Rows that satisfy both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (left, right) = (self.matches, other.matches);
        Self::of(format!("{} and {}", self.description, other.description), move |row| match (left(row), right(row)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })
    }

    /// Rows for which a function says so; it says none where the row does not hold enough to tell.
    #[must_use]
    pub fn of(
        description: impl Into<String>,
        matches: impl Fn(&Values) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        Self { description: description.into(), matches: Arc::new(matches) }
    }

    /// Whether a row satisfies it; none where that cannot be told.
    #[must_use]
    pub fn matches(&self, row: &Values) -> Option<bool> {
        (self.matches)(row)
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Predicate({})", self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_true_false_or_cannot_be_told() {
        let columns: Arc<[String]> = ["on_call", "ward", "age", "note"].map(str::to_owned).into();
        let text = |text: &str| Field::Text(text.to_owned());
        let row = Values { columns, fields: vec![text("t"), text("7"), Field::Null, Field::Unknown] };
        let check = [
            (Predicate::all(), Some(true)),
            (Predicate::equals("on_call", "t"), Some(true)),
            (Predicate::equals("on_call", "f"), Some(false)),
            (Predicate::equals("age", "3"), Some(false)),
            (Predicate::equals("note", "x"), None),
            (Predicate::equals("no_such_column", "x"), None),
            (Predicate::within("ward", 5..8), Some(true)),
            (Predicate::within("ward", ..7), Some(false)),
            (Predicate::within("on_call", ..7), None),
            (Predicate::equals("on_call", "f").and(Predicate::equals("note", "x")), Some(false)),
            (Predicate::equals("on_call", "t").and(Predicate::equals("note", "x")), None),
            (Predicate::equals("on_call", "t").and(Predicate::within("ward", 7..)), Some(true)),
        ];
        for (predicate, expect) in check {
            assert_eq!(predicate.matches(&row), expect, "{predicate}");
        }
    }
}
