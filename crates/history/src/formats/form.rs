//! A piece of data as EDN and JSON have it, with its place in the text. What it means for a history is not known here.

use std::borrow::Cow;

use super::cursor::{ImportError, error_at};

/// How deep data may be nested. Histories need five levels; a reader that recurses must end somewhere.
pub const DEPTH_LIMIT: usize = 64;

/// A piece of data and the byte at which it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Form<'a> {
    /// Where.
    pub at: usize,
    /// What.
    pub data: Data<'a>,
}

/// What EDN and JSON can say, as far as histories care.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    /// `nil`, `null`.
    Nil,
    /// A truth.
    Bool(bool),
    /// A whole number within 64 bits.
    Integer(i64),
    /// A number that is none of these, as it was written.
    Number(&'a str),
    /// A keyword, a symbol, a character or a string: histories use them for the same things.
    Name(Cow<'a, str>),
    /// A vector, list, set or array.
    Sequence(Vec<Form<'a>>),
    /// A map or object.
    Map(Vec<(Form<'a>, Form<'a>)>),
}

impl<'a> Form<'a> {
    /// The value of this key of a map.
    pub fn get(&self, name: &str) -> Option<&Form<'a>> {
        let Data::Map(entries) = &self.data else { return None };
        entries.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    }

    /// The name, where it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.data {
            Data::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Whether there is nothing.
    pub fn is_nil(&self) -> bool {
        self.data == Data::Nil
    }

    /// The elements of a sequence.
    pub fn sequence(&self) -> Option<&[Form<'a>]> {
        match &self.data {
            Data::Sequence(forms) => Some(forms),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    pub fn integer(&self) -> Option<i64> {
        match self.data {
            Data::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Something else was expected here.
    pub fn error(&self, text: &str, expected: impl Into<String>) -> ImportError {
        error_at(text, self.at, expected)
    }
}

/// A number as data: whole where it fits, as written otherwise.
pub fn number(digits: &str) -> Data<'_> {
    digits.parse().map_or(Data::Number(digits), Data::Integer)
}
