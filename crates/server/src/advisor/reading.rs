//! A question's SQL read and decided. Pure: nothing is run on any server.

use pgstrata_sqltext::{Schema, SqlError, Workload, read_sources};
use pgstrata_tools::advisor::{Allocation, Options, Report, analyse};
use pgstrata_units::Isolation;

use crate::routes::advisor::question::Question;

/// What the source of the tables is called.
pub const SCHEMA: &str = "schema";

/// Programs with what was decided of them.
pub struct Read {
    /// The tables.
    pub schema: Schema,
    /// The programs.
    pub workload: Workload,
    /// The decision.
    pub report: Report,
}

/// Reads a question's SQL and decides it; what is wrong with the SQL otherwise.
pub fn read(question: &Question) -> Result<Read, Vec<SqlError>> {
    let schema = Schema::from_sources(&[(SCHEMA, question.schema.as_str())])?;
    let sources: Vec<(&str, &str)> =
        question.sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
    let workload = read_sources(&sources, &schema)?;
    let asked = question.levels.iter().map(|(program, level)| (program.clone(), Isolation::from(*level)));
    let allocation = Some(Allocation(asked.collect())).filter(|allocation| !allocation.0.is_empty());
    let options = Options { allocation, may_promote: question.requirement.may_change_sql };
    let report = analyse(&workload, &schema, &options);
    Ok(Read { schema, workload, report })
}
