//! The recommendation as code: every program at the level that was found for it, in a language, with the statements changed
//! where the recommendation changes them.

use std::fmt::Write as _;

use pgstrata_sqltext::{Node, Origin, Program, Schema, Workload, read_sources};
use pgstrata_units::{Isolation, Text};

use super::scene::one_line;
use crate::advisor::Words;
use crate::advisor::report::{PromotedAllocation, Report};
use crate::advisor::templates::{Language, OWN_PROGRAMS, code_of};

/// The code of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCode {
    /// The program.
    pub program: String,
    /// The level at which it runs.
    pub level: Isolation,
    /// Where it goes, relative to a directory for all of it: a directory of its own, as some languages have one frame for
    /// each.
    pub path: String,
    /// The code.
    pub code: String,
    /// What its reader must know beside it.
    pub notes: Vec<Words>,
}

/// What a function of the database needs beside its level.
const INSIDE: Text = Text {
    en: "This statement is inside of a function of the database; change it there:",
    zh: "该语句在数据库函数内部；请在函数中修改：",
};

/// The code of all programs. With `promoted`, statements are changed as it says, and run at its levels.
#[must_use]
pub fn code(
    schema: &Schema,
    workload: &Workload,
    report: &Report,
    promoted: Option<&PromotedAllocation>,
    language: Language,
) -> Vec<ProgramCode> {
    let levels = promoted.map_or(&report.optimal, |promoted| &promoted.allocation);
    let one = |program: &Program| {
        let as_one = report.scopes.iter().filter(|finding| finding.program == program.name);
        let level = as_one.map(|finding| finding.level_as_one).chain([levels.level(&program.name)]).max();
        let level = level.unwrap_or(Isolation::Serializable);
        let (written, notes) = changed(schema, program, promoted);
        let program = written.as_ref().unwrap_or(program);
        ProgramCode {
            program: program.name.clone(),
            level,
            path: format!("{}/{}", directory(&program.name), language.file()),
            code: code_of(schema, program, level, language),
            notes: if program.origin == Origin::Statements {
                [vec![OWN_PROGRAMS.into()], notes].concat()
            } else {
                notes
            },
        }
    };
    workload.programs.iter().map(one).collect()
}

/// The program with the statements as a promotion changes them, where they can be put in place; what is left to say.
fn changed(schema: &Schema, program: &Program, promoted: Option<&PromotedAllocation>) -> (Option<Program>, Vec<Words>) {
    let all = promoted.map(|promoted| promoted.changed.as_slice()).unwrap_or_default();
    let mine: Vec<_> = all.iter().filter(|changed| changed.program == program.name).collect();
    if mine.is_empty() {
        return (None, Vec::new());
    }
    let is_straight = program.body.iter().all(|node| matches!(node, Node::Statement(_)));
    let again = (program.origin == Origin::Statements && is_straight)
        .then(|| {
            let after = |number: usize| {
                mine.iter().find(|changed| changed.statement == number).map(|changed| changed.after.as_slice())
            };
            let text = text(program, &after);
            read_sources(&[(program.span.source.as_str(), text.as_str())], schema).ok()
        })
        .flatten();
    if let Some(written) = again.and_then(|workload| workload.programs.into_iter().next()) {
        return (Some(written), Vec::new());
    }
    let note = |changed: &&crate::advisor::ChangedStatement| {
        let after: Vec<String> = changed.after.iter().map(|sql| one_line(sql)).collect();
        let (before, after) = (one_line(&changed.before), after.join("; "));
        Words::new(format!("{} `{before}` → `{after}`", INSIDE.en), format!("{}`{before}` → `{after}`", INSIDE.zh))
    };
    (None, mine.iter().map(note).collect())
}

/// The program's text with other statements in it, as a file would have it.
fn text<'a>(program: &Program, after: &dyn Fn(usize) -> Option<&'a [String]>) -> String {
    let mut text = format!("-- pgstrata: program {}\n", program.name.replace(char::is_whitespace, "_"));
    for parameter in &program.parameters {
        let type_name = parameter.type_name.as_deref().unwrap_or_default();
        let _ = write!(text, "-- pgstrata: parameter {} {type_name}", parameter.name);
        let example = parameter.example.as_ref().map(|example| format!(" = {example}")).unwrap_or_default();
        let _ = writeln!(text, "{example}");
    }
    text.push_str("begin;\n");
    for (number, statement) in program.statements.iter().enumerate() {
        let own = [statement.text.clone()];
        let written = after(number).unwrap_or(&own);
        for (place, sql) in written.iter().enumerate() {
            let sql = sql.trim().trim_end_matches(';');
            let results = if place + 1 == written.len() { statement.results.first() } else { None };
            match results {
                Some(result) => {
                    let prefix = result.variable.strip_suffix(&result.column).unwrap_or_default();
                    let _ = writeln!(text, "{sql} \\gset {prefix}");
                }
                None => {
                    let _ = writeln!(text, "{sql};");
                }
            }
        }
    }
    text.push_str("commit;\n");
    text
}

/// A program's name as one of a directory.
fn directory(name: &str) -> String {
    let plain = |sign: char| if sign.is_alphanumeric() || matches!(sign, '-' | '_') { sign } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::examples::example;
    use crate::advisor::{Options, analyse};

    fn of(name: &str, language: Language) -> (Vec<ProgramCode>, Vec<ProgramCode>) {
        let read = example(name).expect("an example").input().read().expect("it is SQL");
        let options = Options { may_promote: true, ..Options::default() };
        let report = analyse(&read.workload, &read.schema, &options);
        let code = |promoted| code(&read.schema, &read.workload, &report, promoted, language);
        (code(None), code(report.with_promotion.first()))
    }

    #[test]
    fn each_program_has_its_level_and_its_statements() {
        let (plain, promoted) = of("smallbank", Language::Python);
        let one = |code: &[ProgramCode], name: &str| code.iter().find(|one| one.program == name).cloned().expect(name);
        let (before, after) = (one(&plain, "WriteCheck"), one(&promoted, "WriteCheck"));
        assert_eq!((before.level, before.path.as_str()), (Isolation::Serializable, "WriteCheck/transaction.py"));
        assert!(
            before.code.contains("IsolationLevel.SERIALIZABLE")
                && before.code.contains("def write_check(cursor, name, amount)")
        );
        assert_eq!(after.level, Isolation::ReadCommitted);
        assert!(
            !before.code.contains(" for ") || after.code.matches("for ").count() > before.code.matches("for ").count()
        );
        assert!(after.code.contains("for update") || after.code.contains("for share"), "{}", after.code);
    }

    #[test]
    fn a_function_is_called_and_its_changes_are_told() {
        let (plain, promoted) = of("bank-transfer", Language::Go);
        assert!(plain[0].code.contains("select transfer($1, $2, "), "{}", plain[0].code);
        assert!(
            promoted.iter().any(|one| one.notes.iter().any(|note| note.en.starts_with(INSIDE.en))),
            "{promoted:#?}"
        );
    }

    #[test]
    fn statements_that_were_apart_are_put_into_one_transaction() {
        let (plain, _) = of("booking", Language::Sql);
        let pieces = plain.iter().find(|one| one.program == "BookInPieces").expect("it is there");
        assert!(pieces.level > Isolation::ReadCommitted, "{:?}", pieces.level);
    }
}
