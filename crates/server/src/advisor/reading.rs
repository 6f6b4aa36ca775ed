//! A question's SQL read and decided. Pure: nothing is run on any server.

use pgstrata_sqltext::SqlError;
use pgstrata_tools::advisor::input::{self, Input, SourceText};
use pgstrata_tools::advisor::{Allocation, Options, Report, analyse};
use pgstrata_units::Isolation;

use crate::routes::advisor::question::Question;

/// What the source of the tables is called.
pub const SCHEMA: &str = "schema";

/// Programs with what was decided of them.
pub struct Read {
    /// What was read.
    pub input: input::Read,
    /// The decision.
    pub report: Report,
}

/// The texts of a question with a word in them.
pub fn texts(question: &Question) -> Vec<SourceText> {
    let schema = std::iter::once((SCHEMA, question.schema.as_str()));
    let sources = question.sources.iter().map(|source| (source.name.as_str(), source.text.as_str()));
    let said = schema.chain(sources).filter(|(_, text)| !text.trim().is_empty());
    said.map(|(name, text)| SourceText::new(name, text)).collect()
}

/// Reads a question's SQL and decides it; what is wrong with the SQL otherwise.
pub fn read(question: &Question) -> Result<Read, Vec<SqlError>> {
    // Of a text without a word the grammar's scanner gives back a null pointer.
    let (schema, programs) = texts(question).into_iter().partition(|source| source.name == SCHEMA);
    let input = Input { schema, programs }.read()?;
    let asked = question.levels.iter().map(|(program, level)| (program.clone(), Isolation::from(*level)));
    let allocation = Some(Allocation(asked.collect())).filter(|allocation| !allocation.0.is_empty());
    let options = Options { allocation, may_promote: question.requirement.may_change_sql };
    let report = analyse(&input.workload, &input.schema, &options);
    Ok(Read { input, report })
}
