//! The words of SQL text, as far as a replay must tell them apart: what is quoted, what is a comment, where a parameter
//! stands, where a name is qualified. What the words mean is for `pgstrata_sqltext`.
//!
//! Lexical rules: PostgreSQL manual, 4.1 "Lexical Structure". `standard_conforming_strings` is taken to be on.

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A name or keyword without quotes.
    Plain(&'a str),
    /// A name in quotes, with them.
    Quoted(&'a str),
    /// A string or number constant.
    Constant(&'a str),
    /// White space or a comment.
    Space(&'a str),
    /// A parameter: its name without sigil, and how it is written. `quoted` is psql's `:'name'`.
    Parameter {
        /// Without sigil and quotes.
        name: &'a str,
        /// As it stands in the text.
        text: &'a str,
    },
    /// Any other sign.
    Sign(&'a str),
}

impl<'a> Word<'a> {
    /// As it stands in the text.
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Plain(text)
            | Self::Quoted(text)
            | Self::Constant(text)
            | Self::Space(text)
            | Self::Parameter { text, .. }
            | Self::Sign(text) => text,
        }
    }

    /// A name as the catalogue spells it.
    pub(super) fn name(self) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.to_lowercase()),
            Self::Quoted(text) => text.strip_prefix('"')?.strip_suffix('"').map(|name| name.replace("\"\"", "\"")),
            _ => None,
        }
    }
}

/// The pieces of a text that say something: all but white space and comments.
pub(super) fn said(text: &str) -> impl Iterator<Item = Word<'_>> {
    words(text).into_iter().filter(|word| !matches!(word, Word::Space(_)))
}

/// All pieces of a text; put together again they are the text.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = next(rest, first, words.last().copied());
        rest = &rest[word.text().len()..];
        words.push(word);
    }
    words
}

/// The statements of a text, each without its semicolon; those that are empty are left out.
pub(super) fn statements(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut depth = 0_usize;
    for word in words(text) {
        match word {
            Word::Sign("(") => depth += 1,
            Word::Sign(")") => depth = depth.saturating_sub(1),
            Word::Sign(";") if depth == 0 => {
                statements.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = statements.last_mut() {
            last.push_str(word.text());
        }
    }
    statements.retain(|statement| said(statement).next().is_some());
    statements.iter().map(|statement| statement.trim().to_owned()).collect()
}

fn next<'a>(rest: &'a str, first: char, before: Option<Word<'_>>) -> Word<'a> {
    let bytes = rest.as_bytes();
    let second = bytes.get(1).copied();
    match first {
        _ if first.is_whitespace() => Word::Space(taken(rest, char::is_whitespace)),
        '-' if second == Some(b'-') => Word::Space(&rest[..rest.find('\n').unwrap_or(rest.len())]),
        '/' if second == Some(b'*') => Word::Space(&rest[..comment(rest)]),
        '\'' => Word::Constant(&rest[..quoted(rest, 0, '\'', false)]),
        '"' => Word::Quoted(&rest[..quoted(rest, 0, '"', false)]),
        'e' | 'E' if second == Some(b'\'') => Word::Constant(&rest[..quoted(rest, 1, '\'', true)]),
        'b' | 'B' | 'x' | 'X' if second == Some(b'\'') => Word::Constant(&rest[..quoted(rest, 1, '\'', false)]),
        '$' if second.is_some_and(|byte| byte.is_ascii_digit()) => {
            let name = taken(&rest[1..], |c| c.is_ascii_digit());
            Word::Parameter { name, text: &rest[..=name.len()] }
        }
        '$' => dollar(rest).map_or(Word::Sign("$"), |length| Word::Constant(&rest[..length])),
        ':' if second == Some(b':') || second == Some(b'=') => Word::Sign(&rest[..2]),
        ':' | '@' if starts_name(&rest[1..]) && !ends_value(before) => {
            let name = taken(&rest[1..], is_of_name);
            Word::Parameter { name, text: &rest[..=name.len()] }
        }
        ':' if second == Some(b'\'') && starts_name(&rest[2..]) => {
            let name = taken(&rest[2..], is_of_name);
            let end = 2 + name.len();
            if rest[end..].starts_with('\'') {
                Word::Parameter { name, text: &rest[..=end] }
            } else {
                Word::Sign(&rest[..1])
            }
        }
        _ if first.is_ascii_digit() => Word::Constant(taken(rest, |c| c.is_ascii_alphanumeric() || c == '.')),
        _ if first.is_alphabetic() || first == '_' => Word::Plain(taken(rest, |c| is_of_name(c) || c == '$')),
        _ => Word::Sign(&rest[..first.len_utf8()]),
    }
}

/// Whether a value ends here, so that a colon behind it is the colon of a slice and `@` is an operator.
fn ends_value(before: Option<Word<'_>>) -> bool {
    matches!(before, Some(Word::Constant(_) | Word::Parameter { .. } | Word::Plain(_) | Word::Sign(")" | "]")))
}

fn starts_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn taken(text: &str, is_in: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !is_in(c)).unwrap_or(text.len())]
}

/// The length of a quoted text that begins at `from`; the end of the text ends it, too.
fn quoted(text: &str, from: usize, quote: char, has_backslashes: bool) -> usize {
    let mut characters = text.char_indices().skip_while(|(at, _)| *at <= from).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && has_backslashes {
            characters.next();
        } else if character == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

/// The length of a comment; comments nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string in dollar quotes.
fn dollar(text: &str) -> Option<usize> {
    let tag = taken(&text[1..], is_of_name);
    let fence = 2 + tag.len();
    if !text[1 + tag.len()..].starts_with('$') {
        return None;
    }
    let end = text[fence..].find(&text[..fence])?;
    Some(fence + end + fence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Vec<&str> {
        let found = words(text);
        assert_eq!(found.iter().map(|word| word.text()).collect::<String>(), text);
        found
            .iter()
            .filter_map(|word| if let Word::Parameter { name, .. } = word { Some(*name) } else { None })
            .collect()
    }

    #[test]
    fn parameters_are_found_where_they_stand_and_not_in_what_is_quoted() {
        assert_eq!(parameters("update t set v = v + $2 where id = $1"), ["2", "1"]);
        assert_eq!(parameters("select :a, :'b', @c from t where x = ':d' and y = $$ :e $$ -- :f"), ["a", "b", "c"]);
        assert_eq!(parameters("select '5'::int, a[1:n], /* :x /* :y */ :z */ \":q\", E'\\':r' from t"), [""; 0]);
        assert_eq!(parameters("values (:a::int,:b)"), ["a", "b"]);
        assert_eq!(parameters("select $tag$ $1 $tag$, 'it''s $2', $3"), ["3"]);
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_parentheses() {
        let text = "create table t (a text default ';'); -- a; b\n create function f() as $$ begin; end $$;;";
        assert_eq!(
            statements(text),
            ["create table t (a text default ';')", "-- a; b\n create function f() as $$ begin; end $$"]
        );
    }
}
