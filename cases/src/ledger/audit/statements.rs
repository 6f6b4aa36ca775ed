//! The file of signed statements: one JSON object a line, only ever added to, each line on the disk before it counts.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::trail::{Link, Statement};

/// A file of statements that is being written.
#[derive(Debug)]
pub struct StatementFile {
    path: PathBuf,
    file: File,
}

impl StatementFile {
    /// Makes the file; it must not be there.
    pub fn create(path: &Path) -> Result<Self, AuditError> {
        Self::open(path, OpenOptions::new().append(true).create_new(true))
    }

    /// Opens one to add to it.
    pub fn append_to(path: &Path) -> Result<Self, AuditError> {
        Self::open(path, OpenOptions::new().append(true))
    }

    fn open(path: &Path, options: &OpenOptions) -> Result<Self, AuditError> {
        let file = options.open(path).map_err(|source| AuditError::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a statement; returns when it is on the disk.
    pub fn add(&mut self, statement: &Statement) -> Result<(), AuditError> {
        let mut line = line_of(statement);
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| AuditError::File { path: self.path.clone(), source })
    }
}

/// One line, without its end.
pub fn line_of(statement: &Statement) -> String {
    serde_json::to_string(statement).expect("a statement is made of numbers and text, into memory")
}

/// The statements of a file, signed by whomever. A last line without its end was cut off by a crash, and left out.
pub fn read(path: &Path) -> Result<Vec<Statement>, AuditError> {
    let text = std::fs::read_to_string(path).map_err(|source| AuditError::File { path: path.to_owned(), source })?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    parse_lines(path, whole, "signed statement")
}

/// The links of a chain that was exported as one JSON object a line.
pub fn read_chain(path: &Path) -> Result<Vec<Link>, AuditError> {
    let text = std::fs::read_to_string(path).map_err(|source| AuditError::File { path: path.to_owned(), source })?;
    parse_lines(path, &text, "link of a chain")
}

fn parse_lines<T: serde::de::DeserializeOwned>(
    path: &Path,
    text: &str,
    what: &'static str,
) -> Result<Vec<T>, AuditError> {
    let parse = |(index, line)| {
        serde_json::from_str(line).map_err(|_| AuditError::Content { path: path.to_owned(), what, line: index + 1 })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}
