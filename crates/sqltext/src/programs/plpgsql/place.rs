//! Where a statement of a PL/pgSQL body stands in the source: the parser gives lines, not columns.

use crate::position::{Source, Span};

/// A body in its source.
pub struct Place<'a> {
    source: &'a Source<'a>,
    at: Option<usize>,
    text: &'a str,
}

impl<'a> Place<'a> {
    pub fn new(source: &'a Source<'a>, at: Option<usize>, text: &'a str) -> Self {
        Self { source, at, text }
    }

    /// The whole body; of one that does not stand in the source as it is, the source's beginning.
    pub fn whole(&self) -> Span {
        match self.at {
            Some(at) => self.source.span(at, at + self.text.len()),
            None => self.source.span(0, 0),
        }
    }

    /// The statement on a line of the body (from 1), which contains a query.
    pub fn of(&self, line: Option<u64>, query: &str) -> Span {
        let (Some(at), Some(line)) = (self.at, line.and_then(|line| usize::try_from(line).ok())) else {
            return self.whole();
        };
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = &self.text[start.min(self.text.len())..];
        // The parser blanks `into …`, so only what stands before it is the body's own text.
        let beginning = query.split("  ").next().unwrap_or(query).trim();
        let found = rest.to_ascii_lowercase().find(&beginning.to_ascii_lowercase()).filter(|_| !beginning.is_empty());
        let from = found.unwrap_or_else(|| rest.len() - rest.trim_start().len());
        let length = if found.is_some() { query.trim_end().len() } else { rest[from..].find('\n').unwrap_or(0) };
        let mut end = (from + length).min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        self.source.span(at + start + from, at + start + end)
    }
}
