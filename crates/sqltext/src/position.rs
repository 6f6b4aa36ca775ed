//! Places in sources: lines and columns as an editor shows them, and byte offsets turned into them.
//!
//! Nothing here knows SQL.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a text, as editors count: from 1, columns in characters (Unicode scalar values), not bytes. The default
/// is no place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1. One past the last character is the line's end.
    pub column: u32,
}

/// A stretch of a source; `to` is one past its last character. The default is of no source.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// What the caller called the source: a file's path, or `input`.
    pub source: String,
    /// Where it begins.
    pub from: Position,
    /// One past where it ends.
    pub to: Position,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Span {
    /// `file.sql:3:7`, the form that terminals and editors make a link of.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.source, self.from)
    }
}

/// A named text with the beginnings of its lines, so that a byte offset becomes a [`Position`] without reading the
/// whole text again.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    name: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Looks at every byte of `text` once.
    #[must_use]
    pub fn new(name: &'a str, text: &'a str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { name, text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// What the caller called it.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The whole text.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The place of a byte offset. Offsets past the end, or inside a character, mean the nearest place before.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line_starts.partition_point(|start| *start <= offset) - 1;
        let column = self.text[self.line_starts[line]..offset].chars().count() + 1;
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: small(line + 1), column: small(column) }
    }

    /// The span of the bytes `from..to`.
    #[must_use]
    pub fn span(&self, from: usize, to: usize) -> Span {
        Span { source: self.name.to_owned(), from: self.position(from), to: self.position(to.max(from)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_lines_begin_after_newlines() {
        let source = Source::new("input", "选 a\r\nb\n");
        let at = |offset| source.position(offset).to_string();
        assert_eq!([at(0), at(3), at(4), at(7), at(8), at(9)], ["1:1", "1:2", "1:3", "2:1", "2:2", "3:1"]);
        assert_eq!(at(1), "1:1", "inside the first character");
        assert_eq!(at(1000), "3:1", "past the end");
        assert_eq!(source.span(7, 8).to_string(), "input:2:1");
    }
}
