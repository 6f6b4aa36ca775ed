//! What the statements of a program answer when transactions run one after the other: a model small enough to be checked by
//! eye, which tells in a microsecond whether an outcome can be serial.
//!
//! It only chooses what is looked at more closely: a suspicion is played again and judged by the server itself.

use std::collections::BTreeMap;

use super::program::Statement;
use crate::language::Cell;
use crate::play::Answer;

/// The rows of each table.
pub(super) type State = [BTreeMap<i64, i64>; 2];

/// What a statement answers, and does to the tables.
pub(super) fn run(state: &mut State, statement: Statement) -> Answer {
    let cell = |number: i64| Cell::Text(number.to_string());
    let rows = |rows: Vec<Vec<Cell>>| {
        let count = u64::try_from(rows.len()).ok();
        Answer { rows: Some(rows), count, ..Answer::default() }
    };
    let changed = |count: u64| Answer { count: Some(count), ..Answer::default() };
    match statement {
        Statement::Read { table, key } => {
            rows(state[table].get(&key).map(|value| vec![cell(*value)]).into_iter().collect())
        }
        Statement::Range { table, from, to } => {
            rows(state[table].range(from..=to).map(|(key, value)| vec![cell(*key), cell(*value)]).collect())
        }
        Statement::Count { table } => rows(vec![vec![Cell::Text(state[table].len().to_string())]]),
        Statement::InsertOrNothing { table, key, value } => {
            let is_new = !state[table].contains_key(&key);
            if is_new {
                state[table].insert(key, value);
            }
            rows(if is_new { vec![vec![cell(key)]] } else { Vec::new() })
        }
        Statement::Upsert { table, key, value } => {
            state[table].insert(key, value);
            changed(1)
        }
        Statement::Update { table, key, value } => {
            let row = state[table].get_mut(&key);
            changed(row.map_or(0, |row| {
                *row = value;
                1
            }))
        }
        Statement::Delete { table, key } => changed(u64::from(state[table].remove(&key).is_some())),
    }
}

/// Whether some order of the transactions, each with what it was told, gives these answers and this end.
pub(super) fn is_serial(start: &State, transactions: &[Vec<(Statement, Answer)>], end: &State) -> bool {
    fn fits(state: &State, left: &[&Vec<(Statement, Answer)>], end: &State) -> bool {
        if left.is_empty() {
            return state == end;
        }
        (0..left.len()).any(|first| {
            let mut state = state.clone();
            let tells = left[first].iter().all(|(statement, told)| run(&mut state, *statement).says_the_same_as(told));
            let mut rest = left.to_vec();
            rest.remove(first);
            tells && fits(&state, &rest, end)
        })
    }
    fits(start, &transactions.iter().collect::<Vec<_>>(), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both transactions are told when neither sees the other.
    fn told_alone(start: &State, statements: &[Statement]) -> Vec<(Statement, Answer)> {
        let mut state = start.clone();
        statements.iter().map(|statement| (*statement, run(&mut state, *statement))).collect()
    }

    #[test]
    fn a_write_skew_is_not_serial_and_a_disjoint_pair_is() {
        let start: State = [BTreeMap::from([(1, 0)]), BTreeMap::new()];
        let first = [
            Statement::InsertOrNothing { table: 0, key: 1, value: 1 },
            Statement::Upsert { table: 1, key: 1, value: 2 },
        ];
        let second = [Statement::Read { table: 1, key: 1 }, Statement::Delete { table: 0, key: 1 }];
        let both = [told_alone(&start, &first), told_alone(&start, &second)];
        let end: State = [BTreeMap::new(), BTreeMap::from([(1, 2)])];
        assert!(!is_serial(&start, &both, &end));
        let other = [Statement::Read { table: 1, key: 2 }, Statement::Delete { table: 0, key: 1 }];
        let both = [told_alone(&start, &first), told_alone(&start, &other)];
        assert!(is_serial(&start, &both, &end));
    }
}
