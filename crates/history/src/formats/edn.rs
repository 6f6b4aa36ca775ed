//! Reads EDN (the extensible data notation of Clojure), one form after the other, so that a file is never held as data
//! as a whole. Grammar: edn-format/edn on GitHub, "extensible data notation", 2014.
//!
//! Written here because histories are large: the crates that read EDN build a sorted tree of the whole file first,
//! and give no line and column of what is wrong. Tags (`#inst`, `#jepsen.history.Op`) are passed over; the tagged form counts.

use std::borrow::Cow;

use super::cursor::{Cursor, ImportError};
use super::form::{DEPTH_LIMIT, Data, Form, number};

/// The next form of a text, or nothing at its end.
pub fn next_form<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Form<'a>>, ImportError> {
    skip(cursor, 0)?;
    if cursor.peek().is_none() { Ok(None) } else { form(cursor, 0).map(Some) }
}

/// Steps over white space, commas, comments and discarded forms.
pub fn skip(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), ImportError> {
    if depth > DEPTH_LIMIT {
        return Err(cursor.error(format!("data nested at most {DEPTH_LIMIT} deep")));
    }
    loop {
        match cursor.peek() {
            Some(b' ' | b'\n' | b'\r' | b'\t' | b',') => cursor.bump(),
            Some(b';') => {
                cursor.take_while(|byte| byte != b'\n');
            }
            Some(b'#') if cursor.peek_second() == Some(b'_') => {
                cursor.bump();
                cursor.bump();
                skip(cursor, depth + 1)?;
                form(cursor, depth + 1)?;
            }
            _ => return Ok(()),
        }
    }
}

fn form<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Form<'a>, ImportError> {
    if depth > DEPTH_LIMIT {
        return Err(cursor.error(format!("data nested at most {DEPTH_LIMIT} deep")));
    }
    let at = cursor.at();
    let data = match cursor.peek() {
        Some(b'{') => map(cursor, depth)?,
        Some(b'[') => sequence(cursor, b']', "`]` or an element of the vector", depth)?,
        Some(b'(') => sequence(cursor, b')', "`)` or an element of the list", depth)?,
        Some(b'"') => Data::Name(string(cursor)?),
        Some(b'#') => return dispatch(cursor, depth),
        Some(b'\\') => {
            cursor.bump();
            Data::Name(Cow::Borrowed(token(cursor, "a character")?))
        }
        Some(b':') => {
            cursor.bump();
            Data::Name(Cow::Borrowed(token(cursor, "a keyword's name")?))
        }
        _ => atom(token(cursor, "EDN data")?),
    };
    Ok(Form { at, data })
}

/// `#{…}`, or a tag and the form that it tags.
fn dispatch<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Form<'a>, ImportError> {
    let at = cursor.at();
    cursor.bump();
    if cursor.peek() == Some(b'{') {
        let data = sequence(cursor, b'}', "`}` or an element of the set", depth)?;
        return Ok(Form { at, data });
    }
    // `#:namespace{…}` is Clojure's way of writing a map whose keys share a namespace.
    cursor.eat(b':');
    token(cursor, "a tag or a set after `#`")?;
    skip(cursor, depth)?;
    form(cursor, depth + 1)
}

fn map<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Data<'a>, ImportError> {
    cursor.bump();
    let mut entries = Vec::with_capacity(8);
    loop {
        skip(cursor, depth)?;
        match cursor.peek() {
            Some(b'}') => {
                cursor.bump();
                return Ok(Data::Map(entries));
            }
            None => return Err(cursor.error("`}` or a key of the map")),
            Some(_) => {
                let key = form(cursor, depth + 1)?;
                skip(cursor, depth)?;
                if matches!(cursor.peek(), None | Some(b'}')) {
                    return Err(cursor.error("a value for the key of the map"));
                }
                entries.push((key, form(cursor, depth + 1)?));
            }
        }
    }
}

fn sequence<'a>(cursor: &mut Cursor<'a>, end: u8, expected: &str, depth: usize) -> Result<Data<'a>, ImportError> {
    cursor.bump();
    let mut forms = Vec::new();
    loop {
        skip(cursor, depth)?;
        match cursor.peek() {
            Some(byte) if byte == end => {
                cursor.bump();
                return Ok(Data::Sequence(forms));
            }
            None => return Err(cursor.error(expected)),
            Some(_) => forms.push(form(cursor, depth + 1)?),
        }
    }
}

/// What ends a symbol, a keyword or a number.
fn is_token(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b'\\')
}

fn token<'a>(cursor: &mut Cursor<'a>, expected: &str) -> Result<&'a str, ImportError> {
    let token = cursor.take_while(is_token);
    if token.is_empty() { Err(cursor.error(expected)) } else { Ok(token) }
}

fn atom(token: &str) -> Data<'_> {
    match token {
        "nil" => Data::Nil,
        "true" => Data::Bool(true),
        "false" => Data::Bool(false),
        _ => {
            let digits = token.strip_prefix(['-', '+']).unwrap_or(token);
            if digits.starts_with(|first: char| first.is_ascii_digit()) {
                // `42N` is an integer of any size.
                number(token.strip_suffix('N').unwrap_or(token))
            } else {
                Data::Name(Cow::Borrowed(token))
            }
        }
    }
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, ImportError> {
    cursor.bump();
    let from = cursor.at();
    let plain = cursor.take_while(|byte| byte != b'"' && byte != b'\\');
    if cursor.eat(b'"') {
        return Ok(Cow::Borrowed(plain));
    }
    let mut text = cursor.since(from).to_owned();
    while cursor.eat(b'\\') {
        let escape = cursor.peek();
        let plain = match escape {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(quoted @ (b'"' | b'\\')) => char::from(quoted),
            Some(b'u') => {
                cursor.bump();
                text.push(super::json::unicode(cursor)?);
                text.push_str(cursor.take_while(|byte| byte != b'"' && byte != b'\\'));
                continue;
            }
            _ => return Err(cursor.error("one of the escapes \\n \\t \\r \\b \\f \\\" \\\\ \\uXXXX")),
        };
        cursor.bump();
        text.push(plain);
        text.push_str(cursor.take_while(|byte| byte != b'"' && byte != b'\\'));
    }
    cursor.expect(b'"', "`\"` at the end of the string")?;
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Form<'_> {
        next_form(&mut Cursor::new(text)).expect("EDN").expect("a form")
    }

    #[test]
    fn a_map_of_all_kinds_is_read() {
        let form =
            read("#my/Op{:a nil, :b [1 -2 3N] ; a remark\n :c #{x} #_#_:gone 1 :d \"q\\\"\\u00e9\" :e \\z :f 1.5}");
        assert_eq!(form.get("a").map(Form::is_nil), Some(true));
        let numbers: Vec<_> =
            form.get("b").and_then(Form::sequence).expect("a vector").iter().filter_map(Form::integer).collect();
        assert_eq!(numbers, [1, -2, 3]);
        assert_eq!(form.get("c").and_then(Form::sequence).and_then(|set| set[0].name()), Some("x"));
        assert_eq!(form.get("d").and_then(Form::name), Some("q\"é"));
        assert_eq!(form.get("e").and_then(Form::name), Some("z"));
        assert_eq!(form.get("f").map(|form| form.data.clone()), Some(Data::Number("1.5")));
    }

    #[test]
    fn what_is_cut_off_or_too_deep_is_refused_with_its_place() {
        let fail = |text: &str| next_form(&mut Cursor::new(text)).expect_err("an error").to_string();
        assert_eq!(fail("{:a 1"), "line 1, column 6: expected `}` or a key of the map, found the end of the file");
        assert_eq!(fail("{:a\n}"), "line 2, column 1: expected a value for the key of the map, found `}`");
        assert_eq!(
            fail("\"a\\q\""),
            "line 1, column 4: expected one of the escapes \\n \\t \\r \\b \\f \\\" \\\\ \\uXXXX, found `q\"`"
        );
        assert!(fail(&"[".repeat(1_000)).contains("nested at most 64 deep"));
        assert!(fail(&"#a ".repeat(100_000)).contains("nested at most 64 deep"));
        assert!(fail(&"#_ ".repeat(100_000)).contains("nested at most 64 deep"), "discards");
    }
}
