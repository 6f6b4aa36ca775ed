//! `--code`: the programs in a language, printed one after the other or written as files.

use std::fmt::Write as _;
use std::path::Path;

use pgstrata_lab::error::LabError;
use pgstrata_tools::advisor::present::{ProgramCode, code};
use pgstrata_tools::advisor::templates::{Language as CodeLanguage, REQUEST_TABLE};
use pgstrata_units::{Language, Text};

use super::Answer;
use super::output::write;
use crate::cli::advise::AdviseArgs;

/// The file with the table that all code needs.
const REQUEST_FILE: &str = "request.sql";

/// The code of all programs: with the best changes of the SQL, if it may be changed.
pub fn of(answer: &Answer<'_>, args: &AdviseArgs, language: CodeLanguage) -> Vec<ProgramCode> {
    let promoted = answer.report.with_promotion.first().filter(|_| args.may_change_sql);
    let read = &answer.question.read;
    code(&read.schema, &read.workload, answer.report, promoted, language)
}

/// All of it as one text, each part with its name above.
pub fn printed(answer: &Answer<'_>, args: &AdviseArgs, language: CodeLanguage, reader: Language) -> String {
    let sign = comment(language);
    // In another language the table is a comment, so that the whole stays what it is.
    let table: Vec<String> = match language {
        CodeLanguage::Sql => vec![REQUEST_TABLE.trim_end().to_owned()],
        _ => REQUEST_TABLE.trim_end().lines().map(|line| format!("{sign} {line}")).collect(),
    };
    let mut text = format!("{sign} == {REQUEST_FILE} ==\n\n{}\n", table.join("\n"));
    for one in of(answer, args, language) {
        let _ = writeln!(text, "\n{sign} == {}: {} ==", one.path, one.level);
        for note in &one.notes {
            let _ = writeln!(text, "{sign} {}", note.get(reader));
        }
        let _ = writeln!(text, "\n{}", one.code.trim_end());
    }
    text
}

/// Writes all of it; says what was written.
pub fn write_all(
    answer: &Answer<'_>,
    args: &AdviseArgs,
    language: CodeLanguage,
    directory: &Path,
    reader: Language,
) -> Result<String, LabError> {
    write(&directory.join(REQUEST_FILE), REQUEST_TABLE)?;
    let all = of(answer, args, language);
    let wrote = Text { en: "written:", zh: "已写入：" }.get(reader);
    let mut said = format!("{wrote} {}", directory.join(REQUEST_FILE).display());
    for one in &all {
        let path = directory.join(&one.path);
        write(&path, &one.code)?;
        let _ = write!(said, "\n{wrote} {} ({})", path.display(), one.level);
    }
    let mut notes: Vec<&str> = all.iter().flat_map(|one| &one.notes).map(|note| note.get(reader)).collect();
    notes.sort_unstable();
    notes.dedup();
    for note in notes {
        let _ = write!(said, "\n  {note}");
    }
    Ok(said)
}

/// What begins a comment.
const fn comment(language: CodeLanguage) -> &'static str {
    match language {
        CodeLanguage::Sql => "--",
        CodeLanguage::Python => "#",
        _ => "//",
    }
}
