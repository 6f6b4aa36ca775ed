//! What is analysed, as texts: tables, programs, and how both become the values that the analysis takes. No file is
//! opened here.

use std::fmt::Write as _;

use pgstrata_lab::error::nearest;
use pgstrata_sqltext::{Schema, SqlError, Unanalysed, Workload, read_sources};

use sha2::{Digest as _, Sha256};

use super::log::definitions;
use super::report::Allocation;
use super::requirement::Requirement;

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
}

/// What the analysis takes.
#[derive(Clone, Debug)]
pub struct Read {
    /// The tables.
    pub schema: Schema,
    /// The programs.
    pub workload: Workload,
    /// Definitions of the tables as SQL, for a server of our own.
    pub definitions: String,
}

impl Input {
    /// Reads all texts; all mistakes of all texts are reported.
    pub fn read(&self) -> Result<Read, Vec<SqlError>> {
        let mut errors = Vec::new();
        let base = Schema::from_sources(&pairs(&self.schema)).unwrap_or_else(|more| {
            errors.extend(more);
            Schema::default()
        });
        let workload = read_sources(&pairs(&self.programs), &base).unwrap_or_else(|more| {
            errors.extend(more);
            Workload::default()
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let all: Vec<SourceText> = self.schema.iter().chain(&self.programs).cloned().collect();
        let schema = Schema::from_sources(&pairs(&all))?;
        let mut workload = workload;
        suggest_names(&mut workload, &schema);
        let definitions = all.iter().map(|source| definitions(&source.text)).collect();
        Ok(Read { schema, workload, definitions })
    }
}

/// Adds to what is said of an unknown relation or column the known name that was probably meant.
fn suggest_names(workload: &mut Workload, schema: &Schema) {
    let relations: Vec<&str> = schema.relations.keys().map(pgstrata_sqltext::RelationName::name).collect();
    let columns = schema.relations.values().flat_map(|relation| &relation.columns);
    let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
    let suggest = |said: &mut Unanalysed| {
        let named = |kind: &str| said.why.strip_prefix(kind)?.strip_prefix(" \"")?.strip_suffix("\" does not exist");
        let near = if let Some(name) = named("relation") {
            nearest(name, relations.iter().copied())
        } else if let Some(name) = named("column") {
            nearest(name.rsplit('.').next().unwrap_or(name), columns.iter().copied())
        } else {
            None
        };
        if let Some(near) = near {
            let otherwise = said.hint.as_ref().map(|hint| format!("; else {hint}")).unwrap_or_default();
            said.hint = Some(format!("did you mean \"{near}\"?{otherwise}"));
        }
    };
    let statements = workload.programs.iter_mut().flat_map(|program| &mut program.statements);
    statements.flat_map(|statement| &mut statement.unanalysed).chain(&mut workload.unanalysed).for_each(suggest);
}

/// Names and texts. Of a text without a word the grammar's scanner gives back a null pointer, so such a text is left out.
fn pairs(sources: &[SourceText]) -> Vec<(&str, &str)> {
    let said = sources.iter().filter(|source| !source.text.trim().is_empty());
    said.map(|source| (source.name.as_str(), source.text.as_str())).collect()
}

/// The hash of a question: what is analysed, what is required, and the levels that are judged. SHA-256, hexadecimal. The
/// same question gets the same answer from the same version of this program.
#[must_use]
pub fn question_hash(input: &Input, requirement: &Requirement, levels: &Allocation) -> String {
    let sources = |list: &[SourceText]| -> Vec<(String, String)> {
        list.iter().map(|source| (source.name.clone(), source.text.clone())).collect()
    };
    let whole = serde_json::json!({
        "schema": sources(&input.schema), "programs": sources(&input.programs), "requirement": requirement, "levels": levels,
    });
    Sha256::digest(whole.to_string()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_table_or_column_is_told_the_name_that_was_meant() {
        let hint = |programs: &str| {
            let input = Input {
                schema: vec![SourceText::new("s.sql", "create table account (id int primary key, balance int);")],
                programs: vec![SourceText::new("a.sql", programs)],
            };
            let read = input.read().expect("it is SQL");
            let said = read.workload.programs[0].unanalysed().next().expect("something is not known").clone();
            (said.span.to_string(), said.why, said.hint)
        };
        let (place, why, said) = hint("select balance\nfrom acount where id = $1;");
        assert_eq!((place.as_str(), why.as_str()), ("a.sql:2:6", "relation \"acount\" does not exist"));
        assert_eq!(said.as_deref(), Some("did you mean \"account\"?; else add its `create table` to the schema"));
        let (_, why, said) = hint("select balanse from account where id = $1;");
        assert!(why.contains("balanse") && said.is_some_and(|hint| hint.contains("\"balance\"")), "{why}");
        let (_, _, said) = hint("select 1 from warehouse;");
        assert_eq!(said.as_deref(), Some("add its `create table` to the schema"));
    }
}
