//! What is analysed, as texts: tables, programs, and how both become the values that the analysis takes. No file is
//! opened here.

use pgstrata_sqltext::{Schema, SqlError, Workload, read_sources};

use super::log::definitions;

/// A named text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// What places in it are told by: a file's path.
    pub name: String,
    /// The text.
    pub text: String,
}

impl SourceText {
    /// A named text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// The texts of a question.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Tables, in the order in which a server would be told.
    pub schema: Vec<SourceText>,
    /// Programs; definitions among them add to the tables.
    pub programs: Vec<SourceText>,
    /// Tables that a server was asked for instead.
    pub catalogue: Option<Schema>,
}

/// What the analysis takes.
#[derive(Clone, Debug)]
pub struct Read {
    /// The tables.
    pub schema: Schema,
    /// The programs.
    pub workload: Workload,
    /// Definitions of the tables as SQL, for a server of our own; empty when they came from a server.
    pub definitions: String,
}

impl Input {
    /// Reads all texts; all mistakes of all texts are reported.
    pub fn read(&self) -> Result<Read, Vec<SqlError>> {
        let mut errors = Vec::new();
        let of_files = match Schema::from_sources(&pairs(&self.schema)) {
            Ok(schema) => schema,
            Err(more) => {
                errors.extend(more);
                Schema::default()
            }
        };
        let base = self.catalogue.clone().unwrap_or(of_files);
        let workload = match read_sources(&pairs(&self.programs), &base) {
            Ok(workload) => workload,
            Err(more) => {
                errors.extend(more);
                Workload::default()
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let all: Vec<SourceText> = self.schema.iter().chain(&self.programs).cloned().collect();
        let schema = match &self.catalogue {
            Some(catalogue) => catalogue.clone(),
            None => Schema::from_sources(&pairs(&all))?,
        };
        let definitions =
            if self.catalogue.is_some() { String::new() } else { all.iter().map(|of| definitions(&of.text)).collect() };
        Ok(Read { schema, workload, definitions })
    }
}

fn pairs(sources: &[SourceText]) -> Vec<(&str, &str)> {
    sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect()
}
