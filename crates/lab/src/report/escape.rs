//! Makes any text safe to stand in HTML, XML or a terminal. A record may hold text from a hostile server.

/// Text for an element or a quoted attribute of HTML or XML 1.0.
///
/// Control characters that XML 1.0 forbids (§2.2) become U+FFFD.
#[must_use]
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// Text for a terminal: one line, without control characters, so that no escape sequence gets through.
#[must_use]
pub fn terminal(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' | '\n' | '\r' => ' ',
            other if other.is_control() || is_direction_control(other) => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// Text for a cell of a Markdown table.
#[must_use]
pub fn markdown_cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in terminal(text).chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => {
                out.push('\\');
                out.push(character);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            other => out.push(other),
        }
    }
    out
}

/// The explicit directional formatting characters of Unicode Annex 9, which can make a line read as what it is not.
fn is_direction_control(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_cannot_open_an_element_or_leave_an_attribute() {
        assert_eq!(markup("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
        assert_eq!(markup("a\u{0}b\u{1b}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn a_terminal_gets_no_escape_sequence_and_no_reversed_text() {
        assert_eq!(terminal("a\u{1b}[31mb\nc\u{202e}d"), "a\u{fffd}[31mb c\u{fffd}d");
    }

    #[test]
    fn a_markdown_cell_stays_one_cell() {
        assert_eq!(markdown_cell("a|b\n<i>"), "a\\|b &lt;i&gt;");
    }
}
