//! Histories as other tools write and read them: Elle's operation maps as EDN and as JSON, and a text format of one
//! operation a line. Bytes in, a [`Workload`] out, and back.
//!
//! Reading takes one operation at a time; writing hands its text on piece by piece. pgstrata's own binary format is not here.

mod cursor;
mod edn;
mod form;
mod gather;
mod json;
mod operations;
mod pairing;
mod text;
mod write;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use cursor::ImportError;
pub use text::TextLimit;
pub use write::export;

use crate::workload::{Kind, Workload};
use cursor::{Cursor, error_at};
use form::{Data, Form};
use gather::Gather;
use pairing::Pairing;

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Operation maps of Elle and Jepsen, one after the other or in one vector.
    Edn,
    /// The same maps as JSON, one a line or in one array.
    Json,
    /// `r(key,value,session,transaction)`, one operation a line.
    Text,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Edn, Self::Json, Self::Text];

    /// The name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Edn => "edn",
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// The format of a text, by what it begins with; nothing where that is none of them.
    #[must_use]
    pub fn detect(text: &str) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == b',';
        cursor.take_while(is_space);
        match (cursor.peek()?, cursor.peek_second()) {
            (b'r' | b'w' | b'R' | b'W', Some(b'(')) => Some(Self::Text),
            (b'{', _) => {
                cursor.bump();
                cursor.take_while(is_space);
                Some(if cursor.peek() == Some(b'"') { Self::Json } else { Self::Edn })
            }
            (b'[', _) => {
                cursor.bump();
                cursor.take_while(is_space);
                if cursor.peek() != Some(b'{') {
                    return Some(Self::Edn);
                }
                cursor.bump();
                cursor.take_while(is_space);
                Some(if cursor.peek() == Some(b'"') { Self::Json } else { Self::Edn })
            }
            (b'#' | b';' | b'(', _) => Some(Self::Edn),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}; the formats are edn, json and text")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// What is known beforehand of a history that is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Its format; what it begins with tells it otherwise.
    pub format: Option<Format>,
    /// Its kind; its operations tell it otherwise.
    pub kind: Option<Kind>,
}

/// Reads a history. `progress` is told now and then how many bytes were read.
pub fn import(
    bytes: &[u8],
    expectation: Expectation,
    progress: &mut dyn FnMut(usize),
) -> Result<(Format, Workload), ImportError> {
    let text = utf8(bytes)?;
    let format = expectation
        .format
        .or_else(|| Format::detect(text))
        .ok_or_else(|| error_at(text, 0, "a history: operation maps as EDN or JSON, or lines like `w(x,1,0,0)`"))?;
    let workload = match format {
        Format::Edn => maps(text, expectation.kind, Syntax::Edn, progress)?,
        Format::Json => maps(text, expectation.kind, Syntax::Json, progress)?,
        Format::Text => Workload::RwRegister(text::read(text, progress)?),
    };
    Ok((format, workload))
}

fn utf8(bytes: &[u8]) -> Result<&str, ImportError> {
    std::str::from_utf8(bytes).map_err(|error| {
        // All before it is text, by what the error says.
        let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        let found = format!("byte 0x{:02x}", bytes[error.valid_up_to()]);
        ImportError { found, ..error_at(valid, valid.len(), "text in UTF-8") }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Edn,
    Json,
}

impl Syntax {
    fn next<'a>(self, cursor: &mut Cursor<'a>) -> Result<Option<Form<'a>>, ImportError> {
        match self {
            Self::Edn => edn::next_form(cursor),
            Self::Json => json::next_form(cursor),
        }
    }

    fn skip(self, cursor: &mut Cursor<'_>) -> Result<(), ImportError> {
        match self {
            Self::Edn => edn::skip(cursor, 0),
            Self::Json => {
                json::skip(cursor);
                Ok(())
            }
        }
    }
}

/// Operation maps, one after the other or within one sequence, whose elements are taken one by one as well.
fn maps(
    text: &str,
    kind: Option<Kind>,
    syntax: Syntax,
    progress: &mut dyn FnMut(usize),
) -> Result<Workload, ImportError> {
    let mut cursor = Cursor::new(text);
    let mut pairing = Pairing::new(text, Gather::new(text, kind));
    syntax.skip(&mut cursor)?;
    let end = match cursor.peek() {
        Some(b'[') => Some(b']'),
        Some(b'(') if syntax == Syntax::Edn => Some(b')'),
        _ => None,
    };
    if end.is_some() {
        cursor.bump();
    }
    let mut is_first = true;
    loop {
        syntax.skip(&mut cursor)?;
        if let Some(end) = end {
            if cursor.eat(end) {
                syntax.skip(&mut cursor)?;
                if cursor.peek().is_some() {
                    return Err(cursor.error("nothing after the last operation"));
                }
                break;
            }
            if syntax == Syntax::Json && !is_first {
                cursor.expect(b',', "`,` or `]` after an operation")?;
            }
        }
        let Some(form) = syntax.next(&mut cursor)? else {
            if end.is_some() {
                return Err(cursor.error("an operation or the end of the sequence"));
            }
            break;
        };
        is_first = false;
        // Jepsen writes `nil` and such between operations nowhere; a file of something else is refused here.
        if form.data == Data::Nil {
            return Err(form.error(text, "an operation map with `type`, `f`, `value` and `process`"));
        }
        if let Some(entry) = operations::entry(text, &form)? {
            pairing.entry(&entry)?;
        }
        progress(cursor.at());
    }
    if is_first && end.is_some() {
        // A history in which nothing happened.
        return pairing.gather.finish();
    }
    pairing.finish()?.finish()
}
