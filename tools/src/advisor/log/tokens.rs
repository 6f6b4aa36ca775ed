//! SQL cut into tokens, enough to find literals, parameters and the ends of statements (PostgreSQL manual, 4.1 Lexical
//! Structure). The grammar is `sqltext`'s business; this runs for every line of a log, where parsing would take longer.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A literal: a number or a string in one of its forms.
    Literal,
    /// `$1`.
    Parameter,
    /// Anything else, one character at a time; `::` is one token.
    Sign,
}

/// A token and its place, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub at: Range<usize>,
}

/// The tokens of a text; comments and white space are between them.
pub fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if bytes[at].is_ascii_whitespace() {
            at += 1;
        } else if let Some(length) = comment(rest) {
            at += length;
        } else {
            let (kind, length) = token(rest);
            tokens.push(Token { kind, at: at..at + length });
            at += length;
        }
    }
    tokens
}

/// The length of a comment at the beginning; block comments nest.
fn comment(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"--") {
        return Some(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    }
    if !bytes.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(bytes.len())
}

/// The token at the beginning of what is neither white space nor a comment.
fn token(bytes: &[u8]) -> (Kind, usize) {
    match bytes[0] {
        b'\'' => (Kind::Literal, string(bytes, Escapes::Doubled)),
        b'"' => (Kind::Quoted, quoted(bytes, b'"', Escapes::Doubled)),
        b'e' | b'E' if bytes.get(1) == Some(&b'\'') => (Kind::Literal, 1 + string(&bytes[1..], Escapes::Backslash)),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if bytes.get(1) == Some(&b'\'') => {
            (Kind::Literal, 1 + string(&bytes[1..], Escapes::Doubled))
        }
        b'u' | b'U' if bytes[1..].starts_with(b"&'") => (Kind::Literal, 2 + string(&bytes[2..], Escapes::Doubled)),
        b'$' => dollar(bytes),
        b'0'..=b'9' => (Kind::Literal, number(bytes)),
        b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Literal, number(bytes)),
        b':' if bytes.starts_with(b"::") => (Kind::Sign, 2),
        byte if is_word(byte) => (Kind::Word, word(bytes)),
        _ => (Kind::Sign, 1),
    }
}

/// How a quote is written inside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Doubled,
    Backslash,
}

/// The length of a string, with its quotes.
fn string(bytes: &[u8], escapes: Escapes) -> usize {
    quoted(bytes, b'\'', escapes)
}

/// The length of what stands between quotes, with them; to the end if the second is missing.
fn quoted(bytes: &[u8], quote: u8, escapes: Escapes) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if escapes == Escapes::Backslash && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

/// `$1`, or a string between dollar quotes.
fn dollar(bytes: &[u8]) -> (Kind, usize) {
    let digits = bytes[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 {
        return (Kind::Parameter, 1 + digits);
    }
    let tag = bytes[1..].iter().take_while(|byte| is_word(**byte)).count();
    if bytes.get(1 + tag) != Some(&b'$') {
        return (Kind::Sign, 1);
    }
    let mark = &bytes[..tag + 2];
    let inside = &bytes[mark.len()..];
    let end = inside.windows(mark.len()).position(|window| window == mark);
    (Kind::Literal, end.map_or(bytes.len(), |at| at + 2 * mark.len()))
}

/// The length of a number: digits of any base, a point, an exponent.
fn number(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let is_exponent_sign =
            matches!(byte, b'+' | b'-') && at > 0 && matches!(bytes[at - 1], b'e' | b'E') && !bytes.starts_with(b"0x");
        // `1..10` is a number, two points and a number in PL/pgSQL.
        let is_point = byte == b'.' && bytes.get(at + 1) != Some(&b'.');
        if !(byte.is_ascii_alphanumeric() || byte == b'_' || is_point || is_exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte) || **byte == b'$').count()
}

/// The statements of a text, as ranges of its tokens, without the semicolons between them. The body of a function that
/// is not quoted (`begin atomic … end`) stays in one piece.
pub fn statements(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut from, mut depth, mut atomic) = (0, 0_usize, false);
    for (index, token) in tokens.iter().enumerate() {
        match &text[token.at.clone()] {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            word if word.eq_ignore_ascii_case("atomic") => atomic = true,
            word if atomic && word.eq_ignore_ascii_case("end") => atomic = false,
            ";" if depth == 0 && !atomic => {
                pieces.push(from..index);
                from = index + 1;
            }
            _ => {}
        }
    }
    pieces.push(from..tokens.len());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).into_iter().map(|token| (token.kind, &text[token.at])).collect()
    }

    #[test]
    fn literals_are_found_in_all_their_forms() {
        for literal in
            ["17", "1.5e-3", ".5", "0x1F", "1_000", "'it''s'", r"E'it\'s'", "$$a'b$$", "$t$a$$b$t$", "b'01'", "U&'d'"]
        {
            let text = format!("x={literal}");
            assert_eq!(cut(&text)[2..], [(Kind::Literal, literal)], "{literal}");
        }
    }

    #[test]
    fn names_and_parameters_are_no_literals() {
        use Kind::{Parameter, Quoted, Sign, Word};
        let text = "t1.\"a\"\"1\" = $12::int2 -- 7\n/* 8 /* 9 */ */";
        let expected = [
            (Word, "t1"),
            (Sign, "."),
            (Quoted, "\"a\"\"1\""),
            (Sign, "="),
            (Parameter, "$12"),
            (Sign, "::"),
            (Word, "int2"),
        ];
        assert_eq!(cut(text), expected);
    }

    #[test]
    fn text_that_ends_too_early_is_taken_to_its_end() {
        for text in ["'abc", "\"abc", "$$abc", "/* abc", "$", "e'\\"] {
            let last = tokens(text).last().map(|token| token.at.end);
            assert!(last.is_none() || last <= Some(text.len() + 1), "{text}");
        }
        assert_eq!(cut("库 = '存"), [(Kind::Word, "库"), (Kind::Sign, "="), (Kind::Literal, "'存")]);
    }

    #[test]
    fn statements_end_at_semicolons_outside_strings() {
        let count = |text: &str| statements(text, &tokens(text)).len();
        assert_eq!(count("begin; update t set a = ';' where b = 1; commit;"), 3);
        assert_eq!(count("create function f() begin atomic select 1; select 2; end"), 1);
        assert_eq!(count(" ; "), 0);
    }
}
