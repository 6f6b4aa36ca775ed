//! The text format of research checkers: one operation a line, `r(key,value,session,transaction)` or `w(…)`.
//!
//! Used by `PolySI` (VLDB 2023), Plume (OOPSLA 2024) and their generators (`.hist.txt`, `hist-*.txt`). It has no times, no
//! invocations and no failures: everything in it committed. A read of 0 that nobody wrote is a read of the initial state, as
//! the loader of `PolySI` has it.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};

use super::cursor::{Cursor, ImportError};
use crate::model::{History, HistoryBuilder, Operation, Read, Status, Value};

/// What the format writes for a register that nobody has written.
const INITIAL: Value = 0;

/// One line.
#[derive(Clone, Copy)]
struct Line<'a> {
    is_write: bool,
    key: &'a str,
    value: Value,
    session: u32,
    transaction: i64,
}

/// Reads a text; `progress` is told how many bytes were read.
pub fn read(text: &str, progress: &mut dyn FnMut(usize)) -> Result<History, ImportError> {
    let mut cursor = Cursor::new(text);
    let mut transactions: Vec<(u32, Vec<Line<'_>>)> = Vec::new();
    let mut numbers: HashMap<i64, usize> = HashMap::new();
    let mut writes: HashSet<(&str, Value)> = HashSet::new();
    loop {
        cursor.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        if cursor.peek().is_none() {
            break;
        }
        let at = cursor;
        let line = line(&mut cursor)?;
        if line.is_write {
            writes.insert((line.key, line.value));
        }
        let number = *numbers.entry(line.transaction).or_insert(transactions.len());
        if number == transactions.len() {
            transactions.push((line.session, Vec::new()));
            progress(cursor.at());
        }
        let (session, lines) = &mut transactions[number];
        if *session != line.session {
            let expected = format!("transaction {} in session {session}, as in its first line", line.transaction);
            return Err(at.error(expected));
        }
        lines.push(line);
    }
    Ok(build(&transactions, &writes))
}

fn line<'a>(cursor: &mut Cursor<'a>) -> Result<Line<'a>, ImportError> {
    let expected = "`r(key,value,session,transaction)` or `w(key,value,session,transaction)`";
    let is_write = match cursor.peek() {
        Some(b'r' | b'R') => false,
        Some(b'w' | b'W') => true,
        _ => return Err(cursor.error(expected)),
    };
    cursor.bump();
    cursor.expect(b'(', expected)?;
    let key = field(cursor, "a key")?;
    cursor.expect(b',', "`,` after the key")?;
    let value = integer(cursor, "a whole number as value")?;
    cursor.expect(b',', "`,` after the value")?;
    let session = integer(cursor, "a session's number")?;
    cursor.expect(b',', "`,` after the session")?;
    let transaction = integer(cursor, "a transaction's number")?;
    cursor.expect(b')', "`)` after the transaction")?;
    Ok(Line { is_write, key, value, session, transaction })
}

fn field<'a>(cursor: &mut Cursor<'a>, expected: &str) -> Result<&'a str, ImportError> {
    cursor.take_while(|byte| byte == b' ');
    let field = cursor.take_while(|byte| !matches!(byte, b',' | b'(' | b')' | b'\n' | b'\r'));
    if field.trim().is_empty() { Err(cursor.error(expected)) } else { Ok(field.trim()) }
}

fn integer<Number: std::str::FromStr>(cursor: &mut Cursor<'_>, expected: &str) -> Result<Number, ImportError> {
    let at = *cursor;
    field(cursor, expected)?.parse().map_err(|_| at.error(expected))
}

fn build(transactions: &[(u32, Vec<Line<'_>>)], writes: &HashSet<(&str, Value)>) -> History {
    let mut builder = HistoryBuilder::new();
    let mut operations = Vec::new();
    for (session, lines) in transactions {
        operations.clear();
        for line in lines {
            let key = builder.key(line.key);
            let is_initial = line.value == INITIAL && !writes.contains(&(line.key, INITIAL));
            operations.push(match (line.is_write, is_initial) {
                (true, _) => Operation::Write { key, value: line.value },
                (false, true) => Operation::Read { key, seen: Read::Initial },
                (false, false) => Operation::Read { key, seen: Read::Value(line.value) },
            });
        }
        // Without times every transaction may have been concurrent with every other.
        builder.push(*session, Status::Committed, (0, u64::MAX), &operations);
    }
    builder.finish()
}

/// Why a history cannot be said in the text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextLimit {
    /// A list, a bank, a set or a counter.
    #[error("the text format has registers only; write EDN or JSON")]
    OtherKind,
    /// A transaction that did not commit.
    #[error("the text format has committed transactions only, and {0} is not; write EDN or JSON")]
    NotCommitted(crate::model::TransactionId),
    /// Zero stands for the initial state there.
    #[error("the text format takes 0 for the initial state, but {0} writes 0; write EDN or JSON")]
    WritesInitial(crate::model::TransactionId),
    /// An answer is missing, or there is nothing to write a line about.
    #[error("the text format cannot say what {0} read; write EDN or JSON")]
    Unsayable(crate::model::TransactionId),
    /// The text could not be taken.
    #[error("the text could not be written")]
    Write(#[from] fmt::Error),
}

/// Writes a history as text. Keys keep their names where all are numbers, as the format's other readers want, and are numbered otherwise.
pub fn write(history: &History, out: &mut impl Write) -> Result<(), TextLimit> {
    let is_number = |name: &str| name.parse::<u64>().is_ok_and(|number| number.to_string() == name);
    let keep_names = (0..history.key_count())
        .all(|key| is_number(history.key_name(crate::model::Key(u32::try_from(key).unwrap_or(u32::MAX)))));
    for transaction in history.transactions() {
        let id = transaction.id;
        if transaction.status != Status::Committed {
            return Err(TextLimit::NotCommitted(id));
        }
        if history.operations(transaction).len() == 0 {
            return Err(TextLimit::Unsayable(id));
        }
        for operation in history.operations(transaction) {
            let (letter, key, value) = match operation {
                Operation::Write { value: INITIAL, .. } => return Err(TextLimit::WritesInitial(id)),
                Operation::Write { key, value } => ('w', key, value),
                Operation::Read { key, seen: Read::Value(value) } => ('r', key, value),
                Operation::Read { key, seen: Read::Initial } => ('r', key, INITIAL),
                Operation::Read { seen: Read::Unknown, .. } => return Err(TextLimit::Unsayable(id)),
                Operation::Append { .. } | Operation::ReadList { .. } => return Err(TextLimit::OtherKind),
            };
            if keep_names {
                write!(out, "{letter}({}", history.key_name(key))?;
            } else {
                write!(out, "{letter}({}", key.0)?;
            }
            writeln!(out, ",{value},{},{})", transaction.process, id.0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_transaction_may_stand_apart_and_zero_is_the_initial_state() {
        let text = "w(1,1,0,0)\nr(2,0,1,7)\nr(1,1,1,7)\r\nw(2,5,0,0)\n";
        let history = read(text, &mut |_| ()).expect("a history");
        assert_eq!(history.len(), 2);
        let second = history.transaction(crate::model::TransactionId(1));
        assert_eq!(second.process, 1);
        let seen: Vec<_> = history.operations(second).collect();
        assert!(matches!(
            seen[..],
            [Operation::Read { seen: Read::Initial, .. }, Operation::Read { seen: Read::Value(1), .. }]
        ));
        let mut written = String::new();
        write(&history, &mut written).expect("text");
        assert_eq!(read(&written, &mut |_| ()).expect("a history"), history);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        let check = |text: &str, expected: &str| {
            assert_eq!(read(text, &mut |_| ()).expect_err("an error").to_string(), expected);
        };
        check(
            "w(1,1,0,0)\nx(1,1,0,0)",
            "line 2, column 1: expected `r(key,value,session,transaction)` or `w(key,value,session,transaction)`, found `x(1,1,0,0)`",
        );
        check("w(1,a,0,0)", "line 1, column 5: expected a whole number as value, found `a,0,0)`");
        check("w(1,1,0)", "line 1, column 8: expected `,` after the session, found `)`");
        check(
            "w(1,1,0,0)\nw(1,2,1,0)",
            "line 2, column 1: expected transaction 0 in session 0, as in its first line, found `w(1,2,1,0)`",
        );
    }

    #[test]
    fn what_the_format_cannot_say_is_refused() {
        let mut builder = HistoryBuilder::new();
        let x = builder.key("x");
        builder.push(0, Status::Committed, (0, 1), &[Operation::Write { key: x, value: 0 }]);
        let refused = write(&builder.finish(), &mut String::new()).expect_err("refused");
        assert_eq!(refused, TextLimit::WritesInitial(crate::model::TransactionId(0)));
    }
}
