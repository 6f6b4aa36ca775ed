//! Random small programs: two or three transactions over two tables of a few keys, and the order in which their statements
//! are sent.
//!
//! The statements are those that PostgreSQL's serializable level must remember in different ways: reads of a row, of a
//! range and of a whole table that may be empty; inserts that meet a row (`on conflict`), updates and deletes. Their text is
//! put together from numbers alone.

use std::fmt;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// How many keys a table has; few, so that transactions meet.
pub(super) const KEYS: i64 = 3;

/// The tables.
pub(super) const TABLES: [&str; 2] = ["t", "u"];

/// The most statements of a transaction.
const STATEMENTS_MAX: usize = 3;

/// One statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Reads a row.
    Read { table: usize, key: i64 },
    /// Reads the rows of a range of keys.
    Range { table: usize, from: i64, to: i64 },
    /// Counts all rows.
    Count { table: usize },
    /// Inserts a row unless there is one, and says whether it did.
    InsertOrNothing { table: usize, key: i64, value: i64 },
    /// Inserts a row or writes over the one that is there.
    Upsert { table: usize, key: i64, value: i64 },
    /// Writes over a row.
    Update { table: usize, key: i64, value: i64 },
    /// Deletes a row.
    Delete { table: usize, key: i64 },
}

/// A program with the order in which its statements are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The rows of each table at the beginning: keys, whose values are 0.
    pub(super) rows: [Vec<i64>; 2],
    /// Each transaction's statements.
    pub(super) transactions: Vec<Vec<Statement>>,
    /// Whose turn it is, for each statement and each commit.
    pub(super) turns: Vec<usize>,
}

impl Program {
    /// Draws a program: every other one of any shape, the others of the shape that all anomalies have which snapshots leave.
    pub(super) fn draw(chance: &mut ChaCha8Rng) -> Self {
        if chance.random() { Self::draw_any(chance) } else { Self::draw_crossing(chance) }
    }

    /// Each of two transactions looks at a row, or for one, and then writes where the other one looks.
    fn draw_crossing(chance: &mut ChaCha8Rng) -> Self {
        let rows = [(); 2].map(|()| (1..=KEYS).filter(|_| chance.random_ratio(1, 2)).collect());
        let places = [0, 1].map(|_| (chance.random_range(0..TABLES.len()), chance.random_range(1..=KEYS)));
        let mut of = |looks: (usize, i64), writes: (usize, i64), value| {
            vec![look(chance, looks, value), write(chance, writes, value)]
        };
        let transactions = vec![of(places[0], places[1], 1), of(places[1], places[0], 2)];
        let turns = turns(&transactions, chance);
        Self { rows, transactions, turns }
    }

    fn draw_any(chance: &mut ChaCha8Rng) -> Self {
        let transactions = if chance.random_ratio(1, 4) { 3 } else { 2 };
        let rows = [(); 2].map(|()| (1..=KEYS).filter(|_| chance.random_ratio(1, 2)).collect());
        let mut value = 0;
        let transactions: Vec<Vec<Statement>> = (0..transactions)
            .map(|_| {
                let statements = chance.random_range(1..=STATEMENTS_MAX);
                (0..statements)
                    .map(|_| {
                        value += 1;
                        statement(chance, value)
                    })
                    .collect()
            })
            .collect();
        let turns = turns(&transactions, chance);
        Self { rows, transactions, turns }
    }
}

/// A statement whose answer depends on whether this row is there.
fn look(chance: &mut ChaCha8Rng, (table, key): (usize, i64), value: i64) -> Statement {
    match chance.random_range(0..4) {
        0 => Statement::Read { table, key },
        1 => Statement::Range { table, from: chance.random_range(1..=key), to: chance.random_range(key..=KEYS) },
        2 => Statement::Count { table },
        _ => Statement::InsertOrNothing { table, key, value },
    }
}

/// A statement that makes this row, changes it or takes it away.
fn write(chance: &mut ChaCha8Rng, (table, key): (usize, i64), value: i64) -> Statement {
    match chance.random_range(0..4) {
        0 => Statement::InsertOrNothing { table, key, value },
        1 => Statement::Upsert { table, key, value },
        2 => Statement::Update { table, key, value },
        _ => Statement::Delete { table, key },
    }
}

fn statement(chance: &mut ChaCha8Rng, value: i64) -> Statement {
    let table = chance.random_range(0..TABLES.len());
    let key = chance.random_range(1..=KEYS);
    match chance.random_range(0..8) {
        0 | 1 => Statement::Read { table, key },
        2 => Statement::Range { table, from: key, to: chance.random_range(key..=KEYS) },
        3 => Statement::Count { table },
        4 => Statement::InsertOrNothing { table, key, value },
        5 => Statement::Upsert { table, key, value },
        6 => Statement::Update { table, key, value },
        _ => Statement::Delete { table, key },
    }
}

/// An order in which all transactions overlap as likely as not; a turn for each statement and one for the commit.
fn turns(transactions: &[Vec<Statement>], chance: &mut ChaCha8Rng) -> Vec<usize> {
    let mut left: Vec<usize> = transactions.iter().map(|statements| statements.len() + 1).collect();
    let mut turns = Vec::new();
    loop {
        let total: usize = left.iter().sum();
        if total == 0 {
            return turns;
        }
        let mut lot = chance.random_range(0..total);
        let mut turn = 0;
        while lot >= left[turn] {
            lot -= left[turn];
            turn += 1;
        }
        left[turn] -= 1;
        turns.push(turn);
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |table: &usize| TABLES[*table];
        match self {
            Self::Read { table, key } => write!(f, "select value from {} where id = {key}", name(table)),
            Self::Range { table, from, to } => {
                write!(f, "select id, value from {} where id between {from} and {to}", name(table))
            }
            Self::Count { table } => write!(f, "select count(*) from {}", name(table)),
            Self::InsertOrNothing { table, key, value } => {
                write!(f, "insert into {} values ({key}, {value}) on conflict do nothing returning id", name(table))
            }
            Self::Upsert { table, key, value } => write!(
                f,
                "insert into {} values ({key}, {value}) on conflict (id) do update set value = excluded.value",
                name(table)
            ),
            Self::Update { table, key, value } => {
                write!(f, "update {} set value = {value} where id = {key}", name(table))
            }
            Self::Delete { table, key } => write!(f, "delete from {} where id = {key}", name(table)),
        }
    }
}
