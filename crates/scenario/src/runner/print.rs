//! What a run prints, to the byte as PostgreSQL's own tester prints it.
//!
//! Results are laid out as libpq's `PQprint` lays them out with a header and alignment: widths in bytes, columns that
//! look like numbers to the right. Sources: `src/interfaces/libpq/fe-print.c`, `pqBuildErrorMessage3` in
//! `fe-protocol3.c`, and `src/test/isolation/isolationtester.c`.

use std::fmt::Write as _;

use pgstrata_pg::simple::{Reply, Rows, ServerMessage};

/// What libpq says when the server has hung up in the middle of an answer.
const HUNG_UP: &str = "server closed the connection unexpectedly
\tThis probably means the server terminated abnormally
\tbefore or while processing the request.
";

/// Adds one answer of a step. Notices come with the name of their session.
pub(super) fn reply(text: &mut String, session: &str, reply: &Reply, name_of: impl Fn(i32) -> Option<String>) {
    match reply {
        Reply::Complete { rows: Some(rows), .. } => table(text, rows),
        Reply::Complete { rows: None, .. } | Reply::Empty | Reply::Ready(_) => {}
        Reply::Error(error) => line(text, &format!("{}:  {}", error.severity, error.message)),
        Reply::Notice(message) => notice(text, session, message),
        Reply::Notification { backend_pid, channel, payload } => {
            let sender = name_of(*backend_pid).unwrap_or_else(|| format!("PID {backend_pid}"));
            line(text, &format!("{session}: NOTIFY \"{channel}\" with payload \"{payload}\" from {sender}"));
        }
        Reply::Closed => line(text, HUNG_UP),
    }
}

/// Adds a notice under the name of its session.
pub(super) fn notice(text: &mut String, session: &str, notice: &ServerMessage) {
    text.push_str(session);
    text.push_str(": ");
    text.push_str(&message(notice));
}

/// A message with its detail, hint and statement, each on its line.
pub(super) fn message(said: &ServerMessage) -> String {
    let mut text = format!("{}:  {}\n", said.severity, said.message);
    let more = [("DETAIL", &said.detail), ("HINT", &said.hint), ("QUERY", &said.internal_query)];
    for (label, part) in more {
        if let Some(part) = part {
            line(&mut text, &format!("{label}:  {part}"));
        }
    }
    text
}

/// Adds a result. A result without columns prints nothing.
pub(super) fn table(text: &mut String, rows: &Rows) {
    if rows.columns.is_empty() {
        return;
    }
    let layout: Vec<Layout> = (0..rows.columns.len()).map(|column| Layout::of(rows, column)).collect();
    let header = rows.columns.iter().zip(&layout).map(|(column, layout)| layout.pad(&column.name));
    line(text, &header.collect::<Vec<_>>().join("|"));
    let border = layout.iter().map(|layout| "-".repeat(layout.width));
    line(text, &border.collect::<Vec<_>>().join("+"));
    for row in &rows.rows {
        let cells = row.iter().zip(&layout).map(|(value, layout)| layout.pad(value.as_deref().unwrap_or_default()));
        line(text, &cells.collect::<Vec<_>>().join("|"));
    }
    let count = rows.rows.len();
    let _ = writeln!(text, "({count} row{})\n", if count == 1 { "" } else { "s" });
}

pub(super) fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// How a column is laid out.
struct Layout {
    /// In bytes.
    width: usize,
    right: bool,
}

impl Layout {
    fn of(rows: &Rows, column: usize) -> Self {
        let values = || rows.rows.iter().filter_map(|row| row[column].as_deref()).filter(|value| !value.is_empty());
        let widest = values().map(str::len).max().unwrap_or_default();
        Self { width: widest.max(rows.columns[column].name.len()), right: values().all(looks_like_a_number) }
    }

    fn pad(&self, value: &str) -> String {
        let blanks = " ".repeat(self.width.saturating_sub(value.len()));
        if self.right { blanks + value } else { value.to_owned() + &blanks }
    }
}

/// Digits, points, signs, exponents and blanks, not beginning with an exponent and ending with a digit.
fn looks_like_a_number(value: &str) -> bool {
    let belongs = |character| matches!(character, '0'..='9' | '.' | 'E' | 'e' | ' ' | '-');
    value.chars().all(belongs)
        && !value.starts_with(['E', 'e'])
        && value.chars().next_back().is_some_and(|last| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use pgstrata_pg::simple::Column;

    use super::*;

    fn rows(names: &[&str], rows: &[&[Option<&str>]]) -> Rows {
        let column = |name: &&str| Column { name: (*name).to_owned(), type_oid: 25 };
        let values = |row: &&[Option<&str>]| row.iter().map(|value| value.map(str::to_owned)).collect();
        Rows { columns: names.iter().map(column).collect(), rows: rows.iter().map(values).collect(), left_out: 0 }
    }

    fn check(names: &[&str], given: &[&[Option<&str>]], expect: &str) {
        let mut text = String::new();
        table(&mut text, &rows(names, given));
        assert_eq!(text, expect);
    }

    #[test]
    fn columns_that_look_like_numbers_stand_to_the_right() {
        check(
            &["id", "text", "when", "e"],
            &[&[Some("1"), Some("a"), Some("-1.5e9"), Some("e1")], &[Some("100"), None, Some(""), Some("1")]],
            " id|text|  when|e \n---+----+------+--\n  1|a   |-1.5e9|e1\n100|    |      |1 \n(2 rows)\n\n",
        );
    }

    #[test]
    fn a_column_without_values_and_a_result_without_columns_are_laid_out_as_libpq_does() {
        check(&["name"], &[], "name\n----\n(0 rows)\n\n");
        check(&["name"], &[&[None]], "name\n----\n    \n(1 row)\n\n");
        check(&[], &[&[]], "");
    }

    #[test]
    fn widths_are_in_bytes() {
        check(&["w"], &[&[Some("é")], &[Some("a")]], "w \n--\né\na \n(2 rows)\n\n");
    }

    #[test]
    fn notices_carry_their_session_detail_and_hint() {
        let said = ServerMessage {
            severity: "NOTICE".to_owned(),
            message: "drop cascades".to_owned(),
            detail: Some("to one\nto two".to_owned()),
            hint: Some("look".to_owned()),
            ..ServerMessage::default()
        };
        let mut text = String::new();
        notice(&mut text, "s1", &said);
        assert_eq!(text, "s1: NOTICE:  drop cascades\nDETAIL:  to one\nto two\nHINT:  look\n");
    }
}
