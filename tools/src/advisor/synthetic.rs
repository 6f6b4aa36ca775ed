//! Small sets of transaction programs by lot, as SQL: what the verdicts are tested against a real server with.
//!
//! The statements are made so that order shows: updates multiply and add, and everything that is read is returned, so
//! that two orders that differ in a dependency leave different rows or results. The same seed gives the same set.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Rows of each table before a schedule: keys 1 to this.
pub const ROWS: u32 = 3;
/// Values of the column that predicates look at: 1 to this.
pub const GROUPS: u32 = 2;

/// What sets are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Most programs, at least 1.
    pub programs: u32,
    /// Most statements of a program, at least 1.
    pub statements: u32,
    /// Tables, at least 1.
    pub tables: u32,
    /// Most parameters of a program, at least 1. All of them are keys of rows.
    pub parameters: u32,
    /// The weights of the kinds of statements.
    pub weights: Vec<(StatementKind, u32)>,
}

/// A kind of statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// `select` of one column by key.
    Read,
    /// `select … for update`, `for no key update`, `for share` or `for key share` by key.
    Lock,
    /// An update of one column by key that depends on the column, or on the other one.
    Update,
    /// An update of one column by key to a constant.
    Set,
    /// An update by key with a condition on another column.
    UpdateIf,
    /// `select` of the rows of a group.
    ReadGroup,
    /// An update of the rows of a group.
    UpdateGroup,
    /// `insert` of a row by key.
    Insert,
    /// `insert … on conflict do update`.
    Upsert,
    /// `delete` by key.
    Delete,
    /// A transaction's advisory lock.
    Advisory,
    /// `select` of all rows but one.
    ReadOthers,
    /// `select` of the rows with smaller keys, or of those with larger ones.
    ReadRange,
    /// An update of the rows with smaller keys, or of those with larger ones, or of all but one.
    UpdateRange,
    /// `delete` of the rows of a group.
    DeleteGroup,
}

/// A set of programs with what they need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSet {
    /// The number that it was drawn with.
    pub seed: u64,
    /// The tables, in SQL.
    pub schema: String,
    /// Their rows, in SQL.
    pub rows: String,
    /// The programs, in pgstrata's conventions for SQL files.
    pub programs: String,
}

impl Shape {
    /// Reads, locks and updates by key alone: the templates of the theory.
    #[must_use]
    pub fn by_key() -> Self {
        use StatementKind::{Lock, Read, Set, Update};
        Self {
            programs: 3,
            statements: 3,
            tables: 2,
            parameters: 2,
            weights: vec![(Read, 5), (Update, 4), (Set, 2), (Lock, 2)],
        }
    }

    /// Everything that PostgreSQL does besides: predicates, rows that come and go, conditions, advisory locks.
    #[must_use]
    pub fn everything() -> Self {
        use StatementKind::{
            Advisory, Delete, Insert, Lock, Read, ReadGroup, Set, Update, UpdateGroup, UpdateIf, Upsert,
        };
        let weights = vec![
            (Read, 6),
            (Update, 5),
            (Set, 2),
            (Lock, 2),
            (UpdateIf, 2),
            (ReadGroup, 2),
            (UpdateGroup, 1),
            (Insert, 1),
            (Upsert, 1),
            (Delete, 1),
            (Advisory, 1),
        ];
        Self { programs: 3, statements: 3, tables: 2, parameters: 2, weights }
    }

    /// Predicates above all: equalities of a group, and what compares keys.
    #[must_use]
    pub fn predicates() -> Self {
        use StatementKind::{
            Delete, DeleteGroup, Insert, Lock, Read, ReadGroup, ReadOthers, ReadRange, Update, UpdateGroup, UpdateRange,
        };
        let weights = vec![
            (Read, 2),
            (Update, 5),
            (Lock, 1),
            (ReadGroup, 1),
            (UpdateGroup, 1),
            (ReadOthers, 4),
            (ReadRange, 4),
            (UpdateRange, 3),
            (Insert, 2),
            (Delete, 1),
            (DeleteGroup, 1),
        ];
        Self { programs: 3, statements: 3, tables: 2, parameters: 2, weights }
    }
}

/// Draws a set.
#[must_use]
pub fn template_set(seed: u64, shape: &Shape) -> TemplateSet {
    let mut lot = ChaCha8Rng::seed_from_u64(seed);
    let mut schema = String::new();
    let mut rows = String::new();
    for table in 0..shape.tables.max(1) {
        let _ = writeln!(
            schema,
            "create table r{table} (id int primary key, g int not null, a int not null, b int not null);"
        );
        for id in 1..=ROWS {
            let _ = writeln!(
                rows,
                "insert into r{table} values ({id}, {}, {}, {});",
                id % GROUPS + 1,
                10 * id,
                100 * id + table
            );
        }
    }
    let mut programs = String::new();
    for number in 1..=lot.random_range(1..=shape.programs.max(1)) {
        let _ = writeln!(programs, "-- pgstrata: program p{number}\nbegin;");
        for _ in 0..lot.random_range(1..=shape.statements.max(1)) {
            let kind = draw(&mut lot, &shape.weights);
            let _ = writeln!(programs, "{};", statement(&mut lot, kind, shape));
        }
        programs.push_str("commit;\n\n");
    }
    TemplateSet { seed, schema, rows, programs }
}

fn draw(lot: &mut ChaCha8Rng, weights: &[(StatementKind, u32)]) -> StatementKind {
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut at = if total == 0 { 0 } else { lot.random_range(0..total) };
    for (kind, weight) in weights {
        if at < *weight {
            return *kind;
        }
        at -= weight;
    }
    StatementKind::Read
}

/// One statement. Columns are `a` and `b`; what is written depends on what was there, so that order shows.
fn statement(lot: &mut ChaCha8Rng, kind: StatementKind, shape: &Shape) -> String {
    let table = format!("r{}", lot.random_range(0..shape.tables.max(1)));
    let key = format!("${}", lot.random_range(1..=shape.parameters.max(1)));
    let (one, other) = if lot.random_bool(0.5) { ("a", "b") } else { ("b", "a") };
    let factor = lot.random_range(2..=5);
    let plus = lot.random_range(1..=9);
    let group = lot.random_range(1..=GROUPS);
    let strength = ["update", "no key update", "share", "key share"][lot.random_range(0..4)];
    let own = if lot.random_bool(0.7) { one } else { other };
    match kind {
        StatementKind::Read => format!("select {one} from {table} where id = {key}"),
        StatementKind::Lock => format!("select {one} from {table} where id = {key} for {strength}"),
        StatementKind::Update => {
            format!("update {table} set {one} = {own} * {factor} + {plus} where id = {key} returning {one}")
        }
        StatementKind::Set => format!("update {table} set {one} = {plus} where id = {key}"),
        StatementKind::UpdateIf => {
            format!(
                "update {table} set {one} = {one} * {factor} + {plus} where id = {key} and {other} > {plus} returning {one}"
            )
        }
        StatementKind::ReadGroup => format!("select id, {one} from {table} where g = {group} order by id"),
        StatementKind::UpdateGroup => format!("update {table} set {one} = {one} * {factor} + {plus} where g = {group}"),
        StatementKind::Insert => format!("insert into {table} (id, g, a, b) values ({key}, {group}, {factor}, {plus})"),
        StatementKind::Upsert => format!(
            "insert into {table} as t (id, g, a, b) values ({key}, {group}, {factor}, {plus}) on conflict (id) do update set {one} = t.{one} * {factor} + {plus} returning {one}"
        ),
        StatementKind::Delete => format!("delete from {table} where id = {key}"),
        StatementKind::Advisory => format!("select pg_advisory_xact_lock({group})"),
        StatementKind::ReadOthers => format!("select id, {one} from {table} where id <> {key} order by id"),
        StatementKind::ReadRange => {
            let operator = ["<", "<=", ">", ">="][lot.random_range(0..4)];
            format!("select id, {one} from {table} where id {operator} {key} order by id")
        }
        StatementKind::UpdateRange => {
            let operator = ["<", "<=", ">", ">=", "<>"][lot.random_range(0..5)];
            let number = if lot.random_bool(0.5) { key } else { lot.random_range(1..=ROWS).to_string() };
            format!("update {table} set {one} = {one} * {factor} + {plus} where id {operator} {number}")
        }
        StatementKind::DeleteGroup => format!("delete from {table} where g = {group}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_set() {
        assert_eq!(template_set(7, &Shape::everything()), template_set(7, &Shape::everything()));
        assert_ne!(template_set(7, &Shape::everything()).programs, template_set(8, &Shape::everything()).programs);
    }
}
