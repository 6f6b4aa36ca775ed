//! Rules over SQL files: a header that says what the file shows, keywords in lower case.

use super::Finding;
use crate::tree::Tree;

/// Every file begins with a comment.
pub fn headers(tree: &Tree) -> Vec<Finding> {
    let without = tree.with_extension("sql").filter(|(_, text)| {
        text.strip_prefix("-- ").and_then(|rest| rest.lines().next()).is_none_or(|rest| rest.trim().is_empty())
    });
    without.map(|(name, _)| Finding::of_line(name, 1, "begin with `-- ` and what this statement shows")).collect()
}

/// No word is in capitals outside comments, strings and quoted names: keywords are lower case here, and unquoted
/// names fold to lower case anyway. The text between dollar quotes is code, and is looked at too.
pub fn keywords(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in tree.with_extension("sql") {
        for (index, line) in code(text).lines().enumerate() {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let capitals = |word: &&str| {
                word.chars().filter(char::is_ascii_uppercase).count() > 1
                    && !word.contains(|c: char| c.is_ascii_lowercase())
            };
            let found = words.filter(capitals).map(|word| {
                Finding::of_line(name, index + 1, format!("write `{}` in lower case", word.to_ascii_lowercase()))
            });
            findings.extend(found);
        }
    }
    findings
}

/// The text with comments, strings and quoted names blanked, line for line.
fn code(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Code,
        Line,
        Block,
        Quoted(char),
    }
    let mut state = In::Code;
    let mut kept = String::with_capacity(text.len());
    let mut previous = ' ';
    for (at, character) in text.char_indices() {
        let rest = &text[at..];
        state = match state {
            In::Code if rest.starts_with("--") => In::Line,
            In::Code if rest.starts_with("/*") => In::Block,
            In::Code if character == '\'' || character == '"' => {
                kept.push(' ');
                previous = character;
                state = In::Quoted(character);
                continue;
            }
            In::Line if character == '\n' => In::Code,
            In::Block if previous == '*' && character == '/' => {
                kept.push(' ');
                previous = ' ';
                state = In::Code;
                continue;
            }
            In::Quoted(quote) if character == quote => {
                kept.push(' ');
                previous = character;
                state = In::Code;
                continue;
            }
            same => same,
        };
        kept.push(if state == In::Code || character == '\n' { character } else { ' ' });
        previous = character;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&Tree) -> Vec<Finding>, text: &str) -> Vec<Option<usize>> {
        rule(&Tree::planted(&[("a.sql", text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn sql_without_a_header_is_convicted() {
        assert_eq!(lines(headers, "select 1;\n"), [Some(1)]);
        assert_eq!(lines(headers, "-- \nselect 1;\n"), [Some(1)]);
        assert_eq!(lines(headers, "-- Takes one unit of stock.\nselect 1;\n"), []);
    }

    #[test]
    fn keywords_in_capitals_are_convicted_in_code_only() {
        assert_eq!(lines(keywords, "-- THE\nSELECT 1\n  FROM t;\n"), [Some(2), Some(3)]);
        assert_eq!(lines(keywords, "select 'SOLD OUT', \"ID\" /* AS\nIT IS */ from t -- FOR UPDATE\n"), []);
        assert_eq!(lines(keywords, "select 'it''s OK', t.Name, $1;\n"), []);
        assert_eq!(lines(keywords, "do $$\nBEGIN\nend $$;\n"), [Some(2)]);
        assert_eq!(lines(keywords, "/* a\n*/ SELECT 1\n"), [Some(2)]);
    }
}
