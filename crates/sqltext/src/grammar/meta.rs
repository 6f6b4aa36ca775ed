//! What psql and pgbench put between statements: backslash commands, which the grammar does not know.
//!
//! They are replaced by spaces of the same length, so that offsets stay right; `\gset` and its like end a statement.

/// A backslash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaCommand {
    /// Where its backslash stands, in bytes.
    pub offset: usize,
    /// Its name without the backslash.
    pub name: String,
    /// The rest of the line.
    pub arguments: String,
}

/// Commands that send the statement before them, as a semicolon would.
const SENDING: [&str; 8] = ["g", "gx", "gset", "gdesc", "gexec", "crosstabview", "aset", "watch"];

/// The text without its backslash commands, and the commands.
#[must_use]
pub fn blank_meta_commands(text: &str) -> (String, Vec<MetaCommand>) {
    let mut commands = Vec::new();
    let mut blanked = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at] != b'\\' {
            at = after_token(text, at);
            continue;
        }
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let line = text[at + 1..end].trim_end();
        let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        commands.push(MetaCommand { offset: at, name: name.to_owned(), arguments: arguments.trim().to_owned() });
        blanked[at..end].fill(b' ');
        if SENDING.contains(&name) {
            blanked[at] = b';';
        }
        at = end;
    }
    (String::from_utf8(blanked).unwrap_or_else(|_| text.to_owned()), commands)
}

/// The offset after the string, quoted name, comment or character at `at`, as psql's scanner sees them
/// (`src/fe_utils/psqlscan.l`). What is not closed reaches to the end.
fn after_token(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let bytes = rest.as_bytes();
    let length = match bytes[0] {
        b'\'' => quoted(rest, b'\'', opens_escape_string(text, at)),
        b'"' => quoted(rest, b'"', false),
        b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => comment(bytes),
        b'$' => dollar_quoted(text, at),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    };
    at + length
}

fn quoted(rest: &str, quote: u8, escapes: bool) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    let mut end = at.min(rest.len());
    while !rest.is_char_boundary(end) {
        end += 1;
    }
    end
}

/// Whether the quote at `at` belongs to `e'…'`.
fn opens_escape_string(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at];
    matches!(before.last(), Some(b'e' | b'E')) && !before.get(..at - 1).is_some_and(ends_in_name)
}

fn ends_in_name(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || *byte >= 0x80)
}

fn comment(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn dollar_quoted(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let is_tag = |c: char| c.is_alphanumeric() || c == '_';
    let tag_length = rest[1..].find(|c| !is_tag(c)).map_or(rest.len(), |length| length + 1);
    let is_quote = rest[tag_length..].starts_with('$')
        && !rest[1..].starts_with(|c: char| c.is_ascii_digit())
        && !ends_in_name(&text.as_bytes()[..at]);
    if !is_quote {
        return 1;
    }
    let tag = &rest[..=tag_length];
    rest[tag.len()..].find(tag).map_or(rest.len(), |length| length + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslash_commands_become_spaces_and_sending_ones_a_semicolon() {
        let text = "\\set id random(1, 10)\nselect 1 as a \\gset p_\nselect 2;\n";
        let (blanked, commands) = blank_meta_commands(text);
        assert_eq!(blanked.len(), text.len());
        assert_eq!(blanked.split_whitespace().collect::<Vec<_>>(), ["select", "1", "as", "a", ";", "select", "2;"]);
        let names: Vec<_> = commands.iter().map(|each| (each.name.as_str(), each.arguments.as_str())).collect();
        assert_eq!(names, [("set", "id random(1, 10)"), ("gset", "p_")]);
    }

    #[test]
    fn backslashes_inside_strings_names_comments_and_bodies_stay() {
        for text in [
            "select 'a\\b'",
            "select e'\\'\\x'",
            "select \"a\\b\"",
            "-- \\x\nselect 1",
            "/* /* \\x */ \\y */ select 1",
            "select $a$ \\x $$ \\y $a$",
            "select '\\",
            "select e'\\选",
        ] {
            assert_eq!(blank_meta_commands(text), (text.to_owned(), Vec::new()), "{text}");
        }
        assert_eq!(blank_meta_commands("select 'a' \\g").1.len(), 1);
        assert_eq!(blank_meta_commands("select $1\\g").1.len(), 1);
    }
}
