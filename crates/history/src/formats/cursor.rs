//! A place in a text and what may be wrong there. Counting lines is left to the moment when something is wrong.

/// A text that could not be read as a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}, found {found}")]
pub struct ImportError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What would have been right there.
    pub expected: String,
    /// What is there, shortened.
    pub found: String,
}

impl ImportError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        if self.expected.contains("UTF-8") {
            "histories are text in UTF-8, or pgstrata's own binary format"
        } else {
            "a history is Elle's operation maps as EDN or JSON, or lines like `w(x,1,0,0)`; the book's page on formats \
             shows each with an example"
        }
    }
}

/// What an error shows of the text, characters.
const SHOWN: usize = 24;

/// Walks over a text byte by byte. All that has a meaning in the formats is ASCII.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        // Some editors mark UTF-8 files.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at }
    }

    /// Bytes before this place.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The byte after the next.
    pub fn peek_second(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at + 1).copied()
    }

    /// Steps over one byte, which must be ASCII.
    pub fn bump(&mut self) {
        self.at += 1;
    }

    /// Steps back over ASCII.
    pub fn rewind(&mut self, bytes: usize) {
        self.at -= bytes;
    }

    /// Steps over the next byte if it is this one.
    pub fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        if is_there {
            self.at += 1;
        }
        is_there
    }

    /// Steps over this byte, or says that it was expected.
    pub fn expect(&mut self, byte: u8, expected: &str) -> Result<(), ImportError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Steps over bytes as long as they are of a kind, and gives them. The kind must take all of a character or nothing.
    pub fn take_while(&mut self, is_of_kind: impl Fn(u8) -> bool) -> &'a str {
        let from = self.at;
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() && is_of_kind(bytes[self.at]) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The text from `from` to here.
    pub fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    /// Something else was expected here.
    pub fn error(&self, expected: impl Into<String>) -> ImportError {
        error_at(self.text, self.at, expected)
    }
}

/// Something else was expected at this byte of the text.
pub fn error_at(text: &str, at: usize, expected: impl Into<String>) -> ImportError {
    let at = at.min(text.len());
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ImportError {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        expected: expected.into(),
        found: found(&text[at..]),
    }
}

fn found(rest: &str) -> String {
    let line = rest.lines().next().unwrap_or_default();
    if rest.is_empty() {
        "the end of the file".to_owned()
    } else if line.trim().is_empty() {
        "the end of the line".to_owned()
    } else {
        let shown: String = line.chars().take(SHOWN).collect();
        let more = if line.chars().nth(SHOWN).is_some() { "…" } else { "" };
        format!("`{}{more}`", shown.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_line_column_and_what_is_there() {
        let text = "a\n库存 x";
        let error = error_at(text, text.len() - 1, "a number");
        assert_eq!(error.to_string(), "line 2, column 4: expected a number, found `x`");
        assert_eq!(error_at(text, text.len(), "more").found, "the end of the file");
        assert_eq!(error_at(text, 1, "more").found, "the end of the line");
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(Cursor::new("\u{feff}x").peek(), Some(b'x'));
    }
}
