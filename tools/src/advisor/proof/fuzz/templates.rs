//! Random sets of transaction programs over small tables, as SQL.
//!
//! What `synthetic` draws is the theory's; this draws what PostgreSQL has besides: rows that refer to others, rows that move
//! in and out of predicates, whole-table reads, values that one statement reads and a later one writes. What is written
//! tells who wrote it (each session has arguments of its own) and what was there, and what is read is returned, so that
//! orders that differ leave different traces.

use std::fmt::Write as _;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::advisor::synthetic::TemplateSet;

/// The most programs of a set; at least 2.
const PROGRAMS_MAX: u32 = 4;
/// The most statements of a program.
const STATEMENTS_MAX: usize = 3;

/// A table of a set.
struct Table {
    name: &'static str,
    /// The table that its column `parent` refers to.
    parent: Option<&'static str>,
}

/// Draws a set.
#[must_use]
pub fn draw(seed: u64) -> TemplateSet {
    let mut lot = ChaCha8Rng::seed_from_u64(seed);
    let mut tables = vec![Table { name: "r", parent: None }];
    if lot.random_bool(0.6) {
        tables.push(Table { name: "s", parent: None });
    }
    if lot.random_bool(0.3) {
        tables.push(Table { name: "c", parent: Some("r") });
    }
    let mut schema = String::new();
    for table in &tables {
        let parent =
            table.parent.map(|parent| format!("parent int not null references {parent}, ")).unwrap_or_default();
        let _ = writeln!(
            schema,
            "create table {} (id int primary key, {parent}g int not null, a int not null, b int not null);",
            table.name
        );
    }
    // Some sets are of the theory's statements alone, so that verdicts are not all alike.
    let is_plain = lot.random_bool(0.4);
    let mut programs = String::new();
    for number in 1..=lot.random_range(2..=PROGRAMS_MAX) {
        let _ = writeln!(programs, "-- pgstrata: program p{number}\nbegin;");
        let mut statements = Vec::new();
        let most = if lot.random_bool(0.15) { 1 } else { STATEMENTS_MAX };
        for _ in 0..lot.random_range(1..=most) {
            let table = &tables[lot.random_range(0..tables.len())];
            statements.push(if is_plain { plain(&mut lot, table) } else { any(&mut lot, table) });
        }
        if lot.random_ratio(1, 6) {
            statements.extend(copy(&mut lot, &tables));
        }
        for statement in statements {
            let end = if statement.contains("\\gset") { "" } else { ";" };
            let _ = writeln!(programs, "{statement}{end}");
        }
        programs.push_str("commit;\n\n");
    }
    TemplateSet { seed, schema, rows: String::new(), programs }
}

fn one_of<'a>(lot: &mut ChaCha8Rng, choices: &[&'a str]) -> &'a str {
    choices[lot.random_range(0..choices.len())]
}

/// A key of a row: most programs are about one row, some about two.
fn key(lot: &mut ChaCha8Rng) -> &'static str {
    if lot.random_ratio(3, 4) { ":k" } else { ":j" }
}

/// Reads, locks and updates by key.
fn plain(lot: &mut ChaCha8Rng, table: &Table) -> String {
    let (name, key) = (table.name, key(lot));
    let column = one_of(lot, &["a", "b"]);
    let other = one_of(lot, &["a", "b"]);
    match lot.random_range(0..12) {
        0..=4 => format!("select {column} from {name} where id = {key}"),
        5 => format!("select a, b from {name} where id = {key}"),
        6 => {
            let strength = one_of(lot, &["update", "update", "no key update", "share", "key share"]);
            format!("select {column} from {name} where id = {key} for {strength}")
        }
        7..=9 => format!("update {name} set {column} = {other} * 3 + :v where id = {key} returning {column}"),
        10 => format!("update {name} set {column} = :v where id = {key}"),
        _ => format!("update {name} set {column} = {column} where id = {key} returning {column}"),
    }
}

/// Anything.
fn any(lot: &mut ChaCha8Rng, table: &Table) -> String {
    let (name, key) = (table.name, key(lot));
    let column = one_of(lot, &["a", "b"]);
    let (parent, of_parent) = if table.parent.is_some() { (", parent", ", :k") } else { ("", "") };
    match lot.random_range(0..20) {
        0..=6 => plain(lot, table),
        7 | 8 => format!("select id, {column} from {name} where g = :g"),
        9 => {
            let strength = one_of(lot, &["update", "share"]);
            format!("select id, {column} from {name} where g = :g for {strength}")
        }
        10 => format!("select count(*), sum({column}) from {name}"),
        11 => format!("update {name} set {column} = {column} * 2 + :v where g = :g"),
        12 => format!("update {name} set g = :g where id = {key}"),
        13 => format!("update {name} set {column} = :v where id = {key} and g = :g"),
        14 | 15 => format!("insert into {name} (id{parent}, g, a, b) values (:n{of_parent}, :g, :v, 0)"),
        16 => {
            let action = one_of(lot, &["nothing", "update set a = excluded.a", "update set b = x.b * 2 + excluded.a"]);
            format!(
                "insert into {name} as x (id{parent}, g, a, b) values (:n{of_parent}, :g, :v, 0) on conflict (id) do {action} returning a, b"
            )
        }
        17 => format!("delete from {name} where id = {key} returning a, b"),
        18 => format!("delete from {name} where g = :g"),
        _ => format!("select exists (select from {name} where g = :g)"),
    }
}

/// What one row holds is written into another one.
fn copy(lot: &mut ChaCha8Rng, tables: &[Table]) -> [String; 2] {
    let from = tables[lot.random_range(0..tables.len())].name;
    let to = tables[lot.random_range(0..tables.len())].name;
    let (read, write) = (key(lot), key(lot));
    let lock = one_of(lot, &["", "", " for update", " for share"]);
    [
        format!("select a as seen from {from} where id = {read}{lock} \\gset"),
        format!("update {to} set b = :seen * 2 + 1 where id = {write}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_set_and_many_seeds_draw_every_kind() {
        assert_eq!(draw(7), draw(7));
        let all: String = (0..300).map(|seed| draw(seed).schema + &draw(seed).programs).collect();
        for words in
            ["references r", "for update", "for share", "where g = :g", "on conflict", "delete", "\\gset", "count(*)"]
        {
            assert!(all.contains(words), "{words}");
        }
    }
}
