//! Programs from SQL: files with pragmas, blocks between `begin` and `commit`, functions.

mod assemble;
mod blocks;
mod functions;
mod parameters;
mod plpgsql;
mod pragmas;

use crate::analyse::root;
use crate::error::SqlError;
use crate::grammar::{deep, read};
use crate::schema::Schema;
use crate::workload::{Program, Workload};

pub use functions::{Row, function_statements, trigger_statements};

/// The most programs that are read.
pub const PROGRAMS_MAX: usize = 10_000;

/// Reads the programs of several files. `create table` and the like among them add to the schema.
///
/// All errors of all files are reported. What is right but cannot be analysed is no error; see
/// [`crate::Statement::unanalysed`].
pub fn read_sources(sources: &[(&str, &str)], schema: &Schema) -> Result<Workload, Vec<SqlError>> {
    deep(|| {
        let (mut reads, mut errors) = (Vec::new(), Vec::new());
        for (name, text) in sources {
            match read::read(name, text) {
                Ok(read) => reads.push(read),
                Err(more) => errors.extend(more),
            }
        }
        let mut schema = schema.clone();
        for read in &reads {
            schema.take(read);
        }
        schema.finish();
        let unread = schema.unanalysed.iter().map(|unread| unread.what.clone());
        let mut workload = Workload { unanalysed: unread.collect(), ..Workload::default() };
        let called = functions::called(&reads);
        for read in &reads {
            match blocks::programs(read, &schema, &called) {
                Ok(found) => {
                    workload.programs.extend(found.programs);
                    workload.unanalysed.extend(found.unanalysed);
                }
                Err(more) => errors.extend(more),
            }
        }
        if workload.programs.len() > PROGRAMS_MAX {
            let last = &workload.programs[PROGRAMS_MAX];
            errors.push(SqlError {
                span: last.span.clone(),
                message: format!("more than {PROGRAMS_MAX} programs"),
                hint: Some("give each transaction once, with parameters for its values".to_owned()),
            });
        }
        unique_names(&mut workload);
        surround(&mut workload, &schema);
        if errors.is_empty() { Ok(workload) } else { Err(errors) }
    })
}

/// Tells programs what of the schema was not understood and may concern them: of a definition that changes no more than
/// what is done to one relation those that touch it, of others all.
fn surround(workload: &mut Workload, schema: &Schema) {
    for unread in &schema.unanalysed {
        let relation = unread.relation.as_ref().map(|name| root(schema, name));
        let touches = |program: &Program| {
            let mut accesses = program.statements.iter().flat_map(|statement| &statement.accesses);
            relation.as_ref().is_none_or(|relation| accesses.any(|access| access.relation == *relation))
        };
        for program in workload.programs.iter_mut().filter(|program| touches(program)) {
            program.around.push(unread.what.clone());
        }
    }
}

/// Two programs of one name: the later gets a number.
fn unique_names(workload: &mut Workload) {
    let mut taken = std::collections::BTreeSet::new();
    for program in &mut workload.programs {
        let name = program.name.clone();
        let mut number = 2;
        while !taken.insert(program.name.clone()) {
            program.name = format!("{name}-{number}");
            number += 1;
        }
    }
}
