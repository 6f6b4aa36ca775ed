//! The text of a record: short enough to keep, and with lines that a diff can show.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::record::Record;

/// A record as JSON: one line for each field of an object, and one for each list of numbers.
///
/// # Errors
/// If the record holds what JSON cannot.
pub fn to_json(record: &Record) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    record.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Lines::default()))?;
    out.push(b'\n');
    Ok(out)
}

/// How deep objects lie whose fields still get a line each: the record, its arms, their trials.
const DEPTH_OF_LINES: usize = 3;

/// JSON with a line for each field of the outer objects; what lies deeper, and lists of numbers, take one line.
#[derive(Default)]
struct Lines {
    /// One entry for each open object or list.
    open: Vec<Open>,
}

/// What is open, and whether it has broken its line.
struct Open {
    is_list: bool,
    has_lines: bool,
}

impl Lines {
    /// Whether the innermost open object has a line for each field.
    fn is_outer(&self) -> bool {
        self.open.iter().filter(|open| !open.is_list).count() <= DEPTH_OF_LINES
    }

    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        let depth = self.open.iter().filter(|open| open.has_lines).count();
        (0..depth).try_for_each(|_| writer.write_all(b" "))
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.open.pop().is_some_and(|closed| closed.has_lines) {
            self.new_line(writer)?;
        }
        writer.write_all(bracket)
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(Open { is_list: true, has_lines: false });
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let in_outer_list = self.is_outer() && self.open.last().is_some_and(|open| open.is_list);
        if let Some(list) = self.open.last_mut().filter(|_| in_outer_list) {
            list.has_lines = true;
            self.new_line(writer)?;
        }
        self.open.push(Open { is_list: false, has_lines: false });
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if !self.is_outer() {
            return Ok(());
        }
        if let Some(object) = self.open.last_mut() {
            object.has_lines = true;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.is_outer() { b": " } else { b":" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_and_inner_objects_take_one_line_and_outer_objects_one_line_a_field() {
        let value = serde_json::json!({"a": [1, [2, 3]], "b": [{"c": {"d": {"e": 1, "f": [{}]}}}, {}], "d": []});
        let mut out = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Lines::default())).expect("json");
        let expected = "{\n \"a\": [1,[2,3]],\n \"b\": [\n  {\n   \"c\": {\n    \"d\": {\"e\":1,\"f\":[{}]}\n   }\n  },\n  {}\n ],\n \"d\": []\n}";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
