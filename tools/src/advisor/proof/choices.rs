//! Words of a script that leave nothing open, although they might: which rows `limit` takes when their order has no ties,
//! and locks of a transaction's own, which it waits for and which nobody is told of.
//!
//! `pgstrata_scenario::serial` says nothing of an outcome that no serial order gives when the script's words could be the
//! reason. It knows words, and no tables; here the keys of the tables are known.
//!
//! Limits. Only a `limit` of a query of one table is looked at, in an order of plain columns.

use std::collections::BTreeSet;

use pgstrata_sqltext::schema::Key;
use pgstrata_sqltext::{Access, Rows, Schema, Statement, Term};

use super::scan;

/// Advisory locks that last as long as their transaction, answer nothing, and are waited for.
const LOCKS: [&str; 2] = ["pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"];

/// Words that take some rows out of several.
const CUTS: [&str; 2] = ["limit", "fetch"];

/// Words behind which an `order by` is over.
const ENDS: [&str; 5] = ["limit", "fetch", "offset", "for", ")"];

/// Words that say in which direction a column is ordered.
const DIRECTIONS: [&str; 5] = ["asc", "desc", "nulls", "first", "last"];

/// The words that leave nothing open in these statements.
pub(super) fn settled<'a>(statements: impl Iterator<Item = &'a Statement>, schema: &Schema) -> Vec<&'static str> {
    let mut settled = LOCKS.to_vec();
    if statements.into_iter().all(|statement| !cuts(&said(statement)) || is_decided(statement, schema)) {
        settled.extend(CUTS);
    }
    settled
}

/// The words of a statement in lower case, without white space and comments.
fn said(statement: &Statement) -> Vec<String> {
    scan::said(&statement.text).map(|word| word.name().unwrap_or_else(|| word.text().to_owned())).collect()
}

fn cuts(said: &[String]) -> bool {
    said.iter().any(|word| CUTS.contains(&word.as_str()))
}

/// Whether the rows that a query takes are the first ones in an order in which no two rows are equal: what it orders by,
/// and what all of them have equal, hold a key.
fn is_decided(statement: &Statement, schema: &Schema) -> bool {
    let said = said(statement);
    let once = |word: &str| said.iter().filter(|other| *other == word).count() == 1;
    let [Access { relation, rows, .. }] = statement.accesses.as_slice() else { return false };
    let Some(relation) = schema.relations.get(relation) else { return false };
    if relation.query.is_some() || !once("order") || !once("select") {
        return false;
    }
    let Some(ordered) = ordered(&said) else { return false };
    // A name of the result comes before a column's.
    if said.windows(2).any(|pair| pair[0] == "as" && ordered.contains(pair[1].as_str())) {
        return false;
    }
    let is_known = |term: &Term| *term != Term::Unknown;
    let equal: BTreeSet<&str> = match rows {
        Rows::One { .. } => return true,
        Rows::Where { equal, .. } => {
            equal.iter().filter(|(_, term)| is_known(term)).map(|(column, _)| column.as_str()).collect()
        }
        Rows::All => BTreeSet::new(),
    };
    let is_told = |column: &String| equal.contains(column.as_str()) || ordered.contains(column.as_str());
    let is_never_null = |name: &String| relation.column(name).is_some_and(|column| column.not_null);
    let tells = |key: &&Key| {
        key.predicate.is_none()
            && !key.columns.is_empty()
            && key.columns.iter().all(|column| is_told(column) && (key.primary || is_never_null(column)))
    };
    relation.keys.iter().any(|key| tells(&key))
}

/// The columns of `order by`; none when it orders by something else.
fn ordered(said: &[String]) -> Option<BTreeSet<&str>> {
    let order = said.windows(2).position(|pair| pair[0] == "order" && pair[1] == "by")?;
    let list = said[order + 2..].iter().map(String::as_str).take_while(|word| !ENDS.contains(word));
    let list: Vec<&str> = list.filter(|word| !DIRECTIONS.contains(word)).collect();
    let column = |item: &[&'_ str]| -> Option<usize> {
        match item {
            [_] => Some(0),
            [_, ".", _] => Some(2),
            _ => None,
        }
    };
    let items = list.split(|word| *word == ",");
    items.map(|item| column(item).map(|place| item[place])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "create table new_order (w int, d int, o int, at date, primary key (w, d, o));
        create table pairs (a int unique, b int not null unique);";

    fn check(text: &str) -> bool {
        let schema = Schema::from_ddl(TABLES).expect("tables");
        let source = format!("-- pgstrata: program p\nbegin;\n{text};\ncommit;");
        let workload = pgstrata_sqltext::read_sources(&[("p.sql", &source)], &schema).expect("a program");
        let statements = workload.programs.iter().flat_map(|program| &program.statements);
        settled(statements, &schema).contains(&"limit")
    }

    #[test]
    fn the_first_rows_are_decided_where_what_is_ordered_by_and_what_is_equal_hold_a_key() {
        let check_all = [
            ("select o from new_order where w = :w and d = :d order by o limit 1", true),
            ("select o from new_order n where w = :w and d = 3 order by n.o desc nulls last limit 1 for update", true),
            ("select o from new_order order by w, d, o fetch first 2 rows only", true),
            ("select b from pairs order by b limit 1", true),
            // Nulls are equal in an order.
            ("select a from pairs order by a limit 1", false),
            ("select o from new_order where w = :w order by o limit 1", false),
            ("select o from new_order where w = :w and d = :d limit 1", false),
            ("select at as o from new_order where w = :w and d = :d order by o limit 1", false),
            ("select o from new_order where w = :w and d = :d order by -o limit 1", false),
            ("select o from new_order where w = :w and d < :d order by o limit 1", false),
            ("select n.o from new_order n, pairs where w = :w and d = :d order by n.o limit 1", false),
            ("select o from new_order where w = :w", true),
        ];
        for (text, expect) in check_all {
            assert_eq!(check(text), expect, "{text}");
        }
    }
}
