//! `jsonb` as text. Layout: `src/include/utils/jsonb.h`; text form: `JsonbToCString` in src/backend/utils/adt/jsonb.c.

use std::fmt::Write;

use super::numeric::numeric;
use crate::bytes::{align, u32_at};
use crate::row::{Varlena, varlena};

const COUNT_MASK: u32 = 0x0FFF_FFFF;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const IS_ARRAY: u32 = 0x4000_0000;

const ENTRY_LENGTH_MASK: u32 = 0x0FFF_FFFF;
const ENTRY_KIND_MASK: u32 = 0x7000_0000;
/// The number in the entry is where the value ends, and not its length.
const ENTRY_IS_END: u32 = 0x8000_0000;

/// Containers in containers that are read; the server's own limit is its stack.
const MAXIMUM_DEPTH: usize = 200;
/// Bytes of text that are printed: more cannot come of a value that fits a page, unless it is damaged.
const MAXIMUM_TEXT_BYTES: usize = 16 << 20;

/// A `jsonb` of its bytes.
pub(super) fn jsonb(bytes: &[u8]) -> Option<String> {
    let mut printer = Printer { text: String::new(), entries_left: bytes.len() / 4 };
    printer.container(bytes, 0)?;
    Some(printer.text)
}

struct Printer {
    text: String,
    /// No sound value has more entries than fit its bytes; a damaged one may name the same bytes again and again.
    entries_left: usize,
}

/// One entry: its kind, where its value begins and ends behind the entries.
#[derive(Clone, Copy)]
struct Entry {
    kind: u32,
    from: usize,
    to: usize,
}

impl Printer {
    fn container(&mut self, bytes: &[u8], depth: usize) -> Option<()> {
        let header = u32_at(bytes, 0)?;
        let count = usize::try_from(header & COUNT_MASK).ok()?;
        let is_object = header & IS_OBJECT != 0;
        if depth > MAXIMUM_DEPTH || (!is_object && header & IS_ARRAY == 0) {
            return None;
        }
        let entries_count = if is_object { count.checked_mul(2)? } else { count };
        self.entries_left = self.entries_left.checked_sub(entries_count)?;
        let entries = entries(bytes, entries_count)?;
        let data = bytes.get(4 + 4 * entries_count..)?;
        if header & IS_SCALAR != 0 && !is_object {
            return self.value(data, *entries.first()?, depth);
        }
        self.text.push(if is_object { '{' } else { '[' });
        for index in 0..count {
            if index > 0 {
                self.text.push_str(", ");
            }
            if is_object {
                self.value(data, *entries.get(index)?, depth)?;
                self.text.push_str(": ");
                self.value(data, *entries.get(count + index)?, depth)?;
            } else {
                self.value(data, *entries.get(index)?, depth)?;
            }
        }
        self.text.push(if is_object { '}' } else { ']' });
        (self.text.len() <= MAXIMUM_TEXT_BYTES).then_some(())
    }

    fn value(&mut self, data: &[u8], entry: Entry, depth: usize) -> Option<()> {
        // Numbers and containers are aligned; what is skipped for that belongs to their length.
        let aligned = || data.get(align(entry.from, 4)..entry.to);
        match entry.kind {
            0x0000_0000 => self.string(std::str::from_utf8(data.get(entry.from..entry.to)?).ok()?),
            0x1000_0000 => match varlena(aligned()?)? {
                (Varlena::Plain(bytes), _) => self.text.push_str(&numeric(bytes)?),
                _ => return None,
            },
            0x2000_0000 => self.text.push_str("false"),
            0x3000_0000 => self.text.push_str("true"),
            0x4000_0000 => self.text.push_str("null"),
            0x5000_0000 => self.container(aligned()?, depth + 1)?,
            _ => return None,
        }
        (self.text.len() <= MAXIMUM_TEXT_BYTES).then_some(())
    }

    /// As `escape_json` of src/backend/utils/adt/json.c does it.
    fn string(&mut self, string: &str) {
        self.text.push('"');
        for character in string.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                control if control < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(control));
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }
}

fn entries(bytes: &[u8], count: usize) -> Option<Vec<Entry>> {
    bytes.get(4..4 + count.checked_mul(4)?)?;
    let mut from = 0;
    (0..count)
        .map(|index| {
            let raw = u32_at(bytes, 4 + 4 * index)?;
            let number = usize::try_from(raw & ENTRY_LENGTH_MASK).ok()?;
            let to = if raw & ENTRY_IS_END != 0 { number } else { from + number };
            let entry = Entry { kind: raw & ENTRY_KIND_MASK, from, to };
            from = to;
            Some(entry)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(words: &[u32], data: &[u8]) -> Option<String> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(data);
        jsonb(&bytes)
    }

    #[test]
    fn containers_and_scalars_print_as_the_server_does() {
        let check = |printed: Option<String>, expected: &str| assert_eq!(printed.as_deref(), Some(expected));
        check(value(&[IS_ARRAY | IS_SCALAR | 1, 0x4000_0000], &[]), "null");
        check(value(&[IS_OBJECT], &[]), "{}");
        check(value(&[IS_OBJECT | 1, 0x8000_0001, 3], b"ab\n\""), r#"{"a": "b\n\""}"#);
        check(value(&[IS_ARRAY | 2, 0x3000_0000, 0x5000_0004], &IS_ARRAY.to_le_bytes()), "[true, []]");
    }

    #[test]
    fn a_value_that_holds_itself_ends() {
        // Each entry names the whole of the data again.
        let words = [IS_ARRAY | 2, 0xD000_0000 | 8, 0x5000_0000, IS_ARRAY | 1, 0x5000_0004];
        assert_eq!(value(&words, &[0; 4]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, kind in 0..4_usize) {
            let mut bytes = bytes;
            bytes.splice(0..0, [[2, 0, 0, 0x40], [1, 0, 0, 0x20], [1, 0, 0, 0x50], [0; 4]][kind]);
            let _ = jsonb(&bytes);
        }
    }
}
