//! A line of a scenario, read word by word, knowing its place for errors.

use pgstrata_units::Isolation;

use super::error::{ParseError, ParseErrorKind};

/// How much of what was found an error shows, in characters.
const FOUND_MAX: usize = 30;

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// The whole line.
    text: &'a str,
    /// What is left of it.
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        Self { text, rest: text, line }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// What is left, without the space around it.
    pub(super) fn rest(&self) -> &'a str {
        self.rest.trim()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn error(&self, kind: ParseErrorKind) -> ParseError {
        let left = self.rest.trim().len();
        let before = &self.text[..self.text.trim_end().len() - left];
        ParseError { line: self.line, column: before.chars().count() + 1, kind }
    }

    pub(super) fn expected(&self, expected: &'static str) -> ParseError {
        let rest = self.rest();
        let found = match rest.chars().count() {
            0 => "the end of the line".to_owned(),
            length if length > FOUND_MAX => format!("`{}…`", rest.chars().take(FOUND_MAX).collect::<String>()),
            _ => format!("`{rest}`"),
        };
        self.error(ParseErrorKind::Expected { expected, found })
    }

    /// Takes this if it comes next: a word up to its end, or a sign.
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(wanted) else { return false };
        let is_word = wanted.ends_with(|last: char| last.is_alphanumeric());
        if is_word && rest.starts_with(|next: char| next.is_alphanumeric() || next == '_') {
            return false;
        }
        self.rest = rest;
        true
    }

    pub(super) fn require(&mut self, wanted: &str, expected: &'static str) -> Result<(), ParseError> {
        if self.take(wanted) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Letters, digits and whatever `more` admits.
    pub(super) fn word(&mut self, more: &str) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let length = rest.find(|c: char| !(c.is_alphanumeric() || more.contains(c))).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(length);
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self) -> Option<N> {
        let mut ahead = *self;
        let number = ahead.word("")?.parse().ok()?;
        *self = ahead;
        Some(number)
    }

    /// A text in double quotes.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        self.between('"', "a text in double quotes")
    }

    pub(super) fn between(&mut self, quote: char, expected: &'static str) -> Result<String, ParseError> {
        let start = *self;
        let Some(inside) = self.rest.trim_start().strip_prefix(quote) else { return Err(self.expected(expected)) };
        let mut text = String::new();
        let mut characters = inside.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            if character != quote {
                text.push(character);
            } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
                // Twice stands for once, as in SQL.
                characters.next();
                text.push(quote);
            } else {
                self.rest = &inside[index + quote.len_utf8()..];
                return Ok(text);
            }
        }
        Err(start.error(ParseErrorKind::Unclosed { what: "a text" }))
    }

    /// Isolation levels parted by commas.
    pub(super) fn levels(&mut self) -> Result<Vec<Isolation>, ParseError> {
        let mut levels = Vec::new();
        loop {
            levels.push(self.level()?);
            if !self.take(",") {
                return Ok(levels);
            }
        }
    }

    fn level(&mut self) -> Result<Isolation, ParseError> {
        for level in Isolation::ALL {
            if self.take(level.sql())
                || self.take(&level.sql().replace(' ', "_"))
                || self.take(&level.sql().replace(' ', "-"))
            {
                return Ok(level);
            }
        }
        let here = *self;
        let word = self.word("_- ").unwrap_or_default().trim().to_owned();
        Err(here.error(ParseErrorKind::UnknownLevel(word)))
    }

    pub(super) fn sqlstate(&mut self) -> Result<String, ParseError> {
        let here = *self;
        let word = self.word("").unwrap_or_default();
        let is_one = word.len() == 5 && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if is_one { Ok(word.to_owned()) } else { Err(here.error(ParseErrorKind::BadSqlstate(word.to_owned()))) }
    }

    /// Goes on so many bytes behind where [`Self::rest`] begins.
    pub(super) fn skip_to_rest(&mut self, bytes: usize) {
        self.rest = &self.rest.trim()[bytes..];
    }

    pub(super) fn end(&self) -> Result<(), ParseError> {
        if self.is_at_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }
}
