//! Reads JSON (RFC 8259), one value after the other: a file of lines, or one array, is never held as data as a whole.
//!
//! Written here beside the EDN reader, with which it shares its data and its errors: an operation that makes no sense must be
//! named by line and column, which a value from a general parser no longer knows.

use std::borrow::Cow;

use super::cursor::{Cursor, ImportError};
use super::form::{DEPTH_LIMIT, Data, Form, number};

/// The next value of a text, or nothing at its end.
pub fn next_form<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Form<'a>>, ImportError> {
    skip(cursor);
    if cursor.peek().is_none() { Ok(None) } else { form(cursor, 0).map(Some) }
}

/// Steps over white space.
pub fn skip(cursor: &mut Cursor<'_>) {
    cursor.take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
}

fn form<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Form<'a>, ImportError> {
    if depth > DEPTH_LIMIT {
        return Err(cursor.error(format!("data nested at most {DEPTH_LIMIT} deep")));
    }
    let at = cursor.at();
    let data = match cursor.peek() {
        Some(b'{') => object(cursor, depth)?,
        Some(b'[') => array(cursor, depth)?,
        Some(b'"') => Data::Name(string(cursor)?),
        Some(b'-' | b'0'..=b'9') => {
            number(cursor.take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')))
        }
        _ => match cursor.take_while(|byte| byte.is_ascii_alphabetic()) {
            "null" => Data::Nil,
            "true" => Data::Bool(true),
            "false" => Data::Bool(false),
            word => {
                let mut there = *cursor;
                there.rewind(word.len());
                return Err(there.error("a JSON value"));
            }
        },
    };
    Ok(Form { at, data })
}

fn object<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Data<'a>, ImportError> {
    cursor.bump();
    let mut entries = Vec::with_capacity(8);
    skip(cursor);
    if cursor.eat(b'}') {
        return Ok(Data::Map(entries));
    }
    loop {
        skip(cursor);
        let at = cursor.at();
        if cursor.peek() != Some(b'"') {
            return Err(cursor.error("a name in quotes"));
        }
        let key = Form { at, data: Data::Name(string(cursor)?) };
        skip(cursor);
        cursor.expect(b':', "`:` after the name")?;
        skip(cursor);
        entries.push((key, form(cursor, depth + 1)?));
        skip(cursor);
        if !cursor.eat(b',') {
            cursor.expect(b'}', "`,` or `}`")?;
            return Ok(Data::Map(entries));
        }
    }
}

fn array<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Data<'a>, ImportError> {
    cursor.bump();
    let mut forms = Vec::new();
    skip(cursor);
    if cursor.eat(b']') {
        return Ok(Data::Sequence(forms));
    }
    loop {
        skip(cursor);
        forms.push(form(cursor, depth + 1)?);
        skip(cursor);
        if !cursor.eat(b',') {
            cursor.expect(b']', "`,` or `]`")?;
            return Ok(Data::Sequence(forms));
        }
    }
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, ImportError> {
    let is_plain = |byte: u8| byte != b'"' && byte != b'\\' && byte >= b' ';
    cursor.bump();
    let from = cursor.at();
    cursor.take_while(is_plain);
    let mut text = Cow::Borrowed(cursor.since(from));
    while cursor.eat(b'\\') {
        let escape = cursor.peek();
        cursor.bump();
        text.to_mut().push(match escape {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(quoted @ (b'"' | b'\\' | b'/')) => char::from(quoted),
            Some(b'u') => unicode(cursor)?,
            _ => {
                let mut there = *cursor;
                there.rewind(1);
                return Err(there.error("one of the escapes \\n \\t \\r \\b \\f \\/ \\\" \\\\ \\uXXXX"));
            }
        });
        text.to_mut().push_str(cursor.take_while(is_plain));
    }
    cursor.expect(b'"', "`\"` at the end of the string")?;
    Ok(text)
}

/// The character of `XXXX` after `\u`, or of the two escapes of a surrogate pair.
pub fn unicode(cursor: &mut Cursor<'_>) -> Result<char, ImportError> {
    let first = hexadecimal(cursor)?;
    let code = if (0xd800..0xdc00).contains(&first) {
        cursor.expect(b'\\', "the second half of a surrogate pair")?;
        cursor.expect(b'u', "the second half of a surrogate pair")?;
        let second = hexadecimal(cursor)?;
        0x1_0000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
    } else {
        first
    };
    char::from_u32(code).ok_or_else(|| cursor.error("the code of a character"))
}

fn hexadecimal(cursor: &mut Cursor<'_>) -> Result<u32, ImportError> {
    let mut code = 0;
    for _ in 0..4 {
        let digit = cursor.peek().and_then(|byte| char::from(byte).to_digit(16));
        code = code * 16 + digit.ok_or_else(|| cursor.error("a hexadecimal digit"))?;
        cursor.bump();
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_each_other_with_white_space_between() {
        let mut cursor = Cursor::new("{\"a\":[1,-2.5,null,true]}\n\"\\u00e9\\ud83d\\ude00\\n\"");
        let object = next_form(&mut cursor).expect("JSON").expect("a value");
        let kinds: Vec<_> =
            object.get("a").and_then(Form::sequence).expect("an array").iter().map(|form| form.data.clone()).collect();
        assert_eq!(kinds, [Data::Integer(1), Data::Number("-2.5"), Data::Nil, Data::Bool(true)]);
        assert_eq!(next_form(&mut cursor).expect("JSON").expect("a value").name(), Some("é😀\n"));
        assert_eq!(next_form(&mut cursor).expect("JSON"), None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |text: &str, expected: &str| {
            assert_eq!(next_form(&mut Cursor::new(text)).expect_err("an error").to_string(), expected);
        };
        check("{\"a\" 1}", "line 1, column 6: expected `:` after the name, found `1}`");
        check("[1\n2]", "line 2, column 1: expected `,` or `]`, found `2]`");
        check("[nul]", "line 1, column 2: expected a JSON value, found `nul]`");
        check("\"a\n", "line 1, column 3: expected `\"` at the end of the string, found the end of the line");
    }
}
