//! A mistake in SQL beside the line that it is in, with marks below the place, as compilers show it.

use pgstrata_lab::report::{escape, text_columns};
use pgstrata_sqltext::{Span, SqlError};

use crate::advisor::input::Input;

/// Characters of a line that are shown; of a longer one, those around the place.
const LINE_MOST: usize = 100;
/// Characters before the place in a line that is not shown from its beginning.
const BEFORE_MOST: usize = 40;
/// What stands for the rest of a line.
const REST: &str = "…";

/// The mistake, and below it the line and the marks. Nothing but the mistake where its text is not among the input's.
#[must_use]
pub fn mistake(error: &SqlError, input: &Input) -> String {
    match excerpt(&error.span, input) {
        Some(lines) => format!("{error}\n{lines}"),
        None => error.to_string(),
    }
}

/// The line of a place and the marks below it.
#[must_use]
pub fn excerpt(span: &Span, input: &Input) -> Option<String> {
    let source = input.schema.iter().chain(&input.programs).find(|source| source.name == span.source)?;
    let number = usize::try_from(span.from.line).ok()?.checked_sub(1)?;
    let line: Vec<char> = source.text.lines().nth(number)?.chars().map(shown).collect();
    let from = usize::try_from(span.from.column).ok()?.saturating_sub(1).min(line.len());
    let to = if span.to.line == span.from.line {
        usize::try_from(span.to.column).ok()?.saturating_sub(1)
    } else {
        line.len()
    };
    let begin = if line.len() <= LINE_MOST { 0 } else { from.saturating_sub(BEFORE_MOST) };
    let end = line.len().min(begin + LINE_MOST);
    let piece = |from: usize, to: usize| -> String { line[from.min(to)..to].iter().collect() };
    let (lead, rest) = (if begin > 0 { REST } else { "" }, if end < line.len() { REST } else { "" });
    let marked = piece(from, to.clamp(from, end.max(from)).min(line.len()));
    let gutter = span.from.line.to_string();
    let margin = " ".repeat(gutter.len());
    let indent = " ".repeat(text_columns(lead) + text_columns(&piece(begin, from)));
    let marks = "^".repeat(text_columns(&marked).max(1));
    Some(format!("  {gutter} | {lead}{}{rest}\n  {margin} | {indent}{marks}", piece(begin, end)))
}

/// A character, or a blank for one that a terminal would obey.
fn shown(character: char) -> char {
    let is_plain = escape::terminal(character.encode_utf8(&mut [0; 4])).chars().eq([character]);
    if is_plain { character } else { ' ' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::input::SourceText;

    fn of(text: &str) -> String {
        let input = Input { schema: Vec::new(), programs: vec![SourceText::new("a.sql", text)] };
        let errors = input.read().expect_err("it is no SQL");
        mistake(&errors[0], &input)
    }

    #[test]
    fn the_marks_stand_below_the_word() {
        let expected = "a.sql:2:12: syntax error at or near \"t\"\n  2 | select a form t;\n    |               ^";
        let shown = of("begin;\nselect a form t;\ncommit;\n");
        // PostgreSQL takes `form` for a name of the column: the word after it is one too many.
        assert!(shown == expected.replace(":12:", ":15:"), "{shown}");
    }

    #[test]
    fn a_tab_is_one_column_and_a_chinese_character_is_two() {
        assert!(
            of("select '选', 1 1;").ends_with("  1 | select '选', 1 1;\n    |                ^"),
            "{}",
            of("select '选', 1 1;")
        );
        assert!(of("\tselect 1 1;").ends_with("  1 |  select 1 1;\n    |           ^"), "{}", of("\tselect 1 1;"));
    }

    #[test]
    fn of_a_line_of_any_length_only_the_place_is_shown() {
        let shown = of(&format!("select {}, 1 1, {};", "a, ".repeat(5_000) + "a", "b, ".repeat(5_000) + "b"));
        assert!(shown.len() < 600, "{}", shown.len());
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].chars().position(|mark| mark == '^').expect("a mark");
        assert_eq!(lines[1].chars().nth(at), Some('1'), "{shown}");
    }
}
