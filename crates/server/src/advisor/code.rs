//! Code for solutions and programs, from the engine's templates.

use pgstrata_tools::advisor::templates::{self, OWN_PROGRAMS};

use super::{Advisor, reading, value_of};
use crate::problem::{Code, Problem};
use crate::routes::advisor::{CodeAnswer, CodeRequest, CodeSubject};

impl Advisor {
    /// The code that is wanted.
    pub async fn code(&self, wanted: CodeRequest) -> Result<CodeAnswer, Problem> {
        let (language, file) = (wanted.language, wanted.language.file().to_owned());
        match wanted.of {
            CodeSubject::Solution { solution } => {
                Ok(CodeAnswer { file, code: templates::code(solution, language), note: None })
            }
            CodeSubject::Program { question, program } => {
                value_of(&question)?;
                let code = self.work(move || {
                    let read = reading::read(&question).map_err(|errors| {
                        let first = errors.first().map(ToString::to_string).unwrap_or_default();
                        Problem::new(Code::BadRequest, format!("the SQL cannot be read: {first}"))
                    })?;
                    let found = read.input.workload.programs.iter().find(|known| known.name == program);
                    let found = found.ok_or_else(|| Problem::missing("there is no such program in the question"))?;
                    let level = read.report.optimal.level(&found.name);
                    Ok::<_, Problem>(templates::code_of(&read.input.schema, found, level, language))
                });
                Ok(CodeAnswer { file, code: code.await??, note: Some(OWN_PROGRAMS.into()) })
            }
        }
    }
}
