//! A specification's text as words. The rules are those of `src/test/isolation/specscanner.l`.

use super::error::{SpecError, SpecErrorKind};

/// A word of a specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `notices`, `permutation`, `session`, `setup`, `step`, `teardown`, when they are not quoted.
    Keyword(&'static str),
    /// A name, quoted or not.
    Name(String),
    /// What stands between braces, without the blanks at both ends that are on the braces' own lines.
    Statements(String),
    Number(u32),
    /// `,`, `(`, `)` or `*`.
    Mark(char),
    End,
}

/// A word and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub word: Word,
    pub line: usize,
    pub column: usize,
}

const KEYWORDS: [&str; 6] = ["notices", "permutation", "session", "setup", "step", "teardown"];

/// The blanks that are no line ends.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\u{c}'];

pub(super) fn scan(text: &str) -> Result<Vec<Located>, SpecError> {
    let mut scanner = Scanner { rest: text, line: 1, column: 1 };
    let mut words = Vec::new();
    loop {
        scanner.skip_nothing();
        let (line, column) = (scanner.line, scanner.column);
        let word = scanner.word().map_err(|kind| SpecError { line, column, kind })?;
        let is_last = word == Word::End;
        words.push(Located { word, line, column });
        if is_last {
            return Ok(words);
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        if character == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(character)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.rest.chars().next().filter(|character| belongs(*character)) {
            taken.push(character);
            self.next();
        }
        taken
    }

    /// Blanks, line ends and comments.
    fn skip_nothing(&mut self) {
        loop {
            self.take_while(|character| character == '\n' || BLANKS.contains(&character));
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_while(|character| character != '\n' && character != '\r');
        }
    }

    fn word(&mut self) -> Result<Word, SpecErrorKind> {
        let Some(first) = self.rest.chars().next() else { return Ok(Word::End) };
        match first {
            '"' => self.quoted_name(),
            '{' => self.statements(),
            ',' | '(' | ')' | '*' => {
                self.next();
                Ok(Word::Mark(first))
            }
            '0'..='9' => {
                let digits = self.take_while(|character| character.is_ascii_digit());
                digits.parse().map(Word::Number).map_err(|_| SpecErrorKind::Number(digits))
            }
            _ if begins_name(first) => {
                let name = self
                    .take_while(|character| begins_name(character) || character.is_ascii_digit() || character == '$');
                let keyword = KEYWORDS.into_iter().find(|keyword| *keyword == name);
                Ok(keyword.map_or(Word::Name(name), Word::Keyword))
            }
            _ => Err(SpecErrorKind::Character(first)),
        }
    }

    /// Two quotes inside stand for one.
    fn quoted_name(&mut self) -> Result<Word, SpecErrorKind> {
        self.next();
        let mut name = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err(SpecErrorKind::OpenName),
                Some('"') if self.rest.starts_with('"') => {
                    self.next();
                    name.push('"');
                }
                Some('"') => return Ok(Word::Name(name)),
                Some(character) => name.push(character),
            }
        }
    }

    /// There is no way to write a closing brace inside: not in a string, not in a comment.
    fn statements(&mut self) -> Result<Word, SpecErrorKind> {
        self.next();
        let text = self.take_while(|character| character != '}');
        if self.next().is_none() {
            return Err(SpecErrorKind::OpenStatements);
        }
        Ok(Word::Statements(text.trim_matches(BLANKS).to_owned()))
    }
}

fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}
