//! A requirement as a file that people write: TOML, one line for each answer, with the questions as comments. Every mistake
//! is told with its line, its field and what may be said there.

use std::fmt::{self, Write as _};
use std::ops::Range;

use pgstrata_lab::error::nearest;
use pgstrata_units::{Language, Text};
use serde_json::{Map, Value as Json, json};
use toml_edit::{Document, Item, Value};

use super::questions::{Group, Question};
use super::{Answer, QUESTIONS, Requirement, RequirementError};

/// What is wrong at one place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong, with the field.
    pub what: String,
    /// What may be said there.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} ({})", self.line, self.column, self.what, self.hint)
    }
}

/// Why a file is no requirement: all of its mistakes, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct FileError(pub Vec<Mistake>);

fn listed(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads answers; a field that is left out has its default.
///
/// # Errors
/// All mistakes: what is no TOML, unknown fields, values of another kind or out of bounds, answers that contradict each other.
pub fn read(text: &str) -> Result<Requirement, FileError> {
    let document = Document::parse(text).map_err(|error| {
        let hint = "a line is `field = value`; `pgstrata advise --requirement-template` prints all of them";
        FileError(vec![mistake(text, error.span(), error.message().trim(), hint)])
    })?;
    let mut answers = Map::new();
    let mut mistakes = Vec::new();
    for (field, item) in document.iter() {
        let span = document.key(field).and_then(toml_edit::Key::span);
        match answer(text, field, item) {
            Ok(value) => {
                answers.insert(field.to_owned(), value);
            }
            Err((what, hint)) => mistakes.push(mistake(text, span, &what, &hint)),
        }
    }
    if !mistakes.is_empty() {
        return Err(FileError(mistakes));
    }
    let whole = |error: &RequirementError| {
        let field = match error {
            RequirementError::OutOfRange { field, .. } | RequirementError::Contradiction { one: field, .. } => field,
            RequirementError::Unreadable { .. } => "",
        };
        let span = document.key(field).and_then(toml_edit::Key::span);
        FileError(vec![mistake(text, span, &error.to_string(), error.hint())])
    };
    let read = serde_json::from_value::<Requirement>(Json::Object(answers))
        .map_err(|error| whole(&RequirementError::Unreadable { reason: error.to_string() }))?;
    read.validate().map_err(|error| whole(&error))?;
    Ok(read)
}

/// The answer to a field as JSON; else what is wrong, and what may be said.
fn answer(text: &str, field: &str, item: &Item) -> Result<Json, (String, String)> {
    let Some(question) = QUESTIONS.iter().find(|question| question.field == field) else {
        let fields: Vec<&str> = QUESTIONS.iter().map(|question| question.field).collect();
        let near = nearest(field, fields.iter().copied());
        let hint = near
            .map_or_else(|| format!("the fields are {}", fields.join(", ")), |near| format!("did you mean `{near}`?"));
        return Err((format!("there is no field `{field}`"), hint));
    };
    let written = item.as_value().and_then(Value::span).and_then(|span| text.get(span));
    let said = written.map_or_else(|| item.type_name(), str::trim);
    let wrong = || (format!("`{field}` is {said}"), format!("it must be {}", allowed(question)));
    let value = item.as_value().ok_or_else(wrong)?;
    let number = || value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    match question.answer {
        Answer::Flag { .. } => value.as_bool().map(Json::from).ok_or_else(wrong),
        Answer::Number { whole: true, least, most, .. } => {
            let count = value.as_integer().filter(|count| (least..=most).contains(&(*count as f64)));
            count.map(Json::from).ok_or_else(wrong)
        }
        Answer::Number { least, most, .. } => {
            number().filter(|number| (least..=most).contains(number)).map(Json::from).ok_or_else(wrong)
        }
        Answer::One { options } => {
            chosen(value, options).map(Json::from).ok_or_else(|| with_near(value, options, wrong()))
        }
        Answer::Many { options } => {
            let list = value.as_array().ok_or_else(wrong)?;
            let all = list.iter().map(|one| chosen(one, options).ok_or_else(|| with_near(one, options, wrong())));
            all.collect::<Result<Vec<_>, _>>().map(|all| json!(all))
        }
    }
}

fn chosen(value: &Value, options: &'static [(&'static str, Text)]) -> Option<&'static str> {
    let said = value.as_str()?;
    options.iter().map(|(key, _)| *key).find(|key| *key == said)
}

/// Puts the option that was probably meant before all of them.
fn with_near(value: &Value, options: &[(&str, Text)], (what, hint): (String, String)) -> (String, String) {
    let near = value.as_str().and_then(|said| nearest(said, options.iter().map(|(key, _)| *key)));
    let hint = near.map_or_else(|| hint.clone(), |near| format!("did you mean \"{near}\"? {hint}"));
    (what, hint)
}

/// What may be said to a question.
fn allowed(question: &Question) -> String {
    let keys = |options: &[(&str, Text)]| {
        let keys: Vec<String> = options.iter().map(|(key, _)| format!("\"{key}\"")).collect();
        keys.join(", ")
    };
    match question.answer {
        Answer::Flag { .. } => "true or false".to_owned(),
        Answer::Number { least, most, unit, whole, .. } => {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            if whole {
                format!("a whole number between {least} and {most}{unit}")
            } else {
                format!("a number between {least} and {most}{unit}")
            }
        }
        Answer::One { options } => format!("one of {}", keys(options)),
        Answer::Many { options } => format!("a list of any of {}", keys(options)),
    }
}

fn mistake(text: &str, span: Option<Range<usize>>, what: &str, hint: &str) -> Mistake {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Mistake { line, column, what: what.to_owned(), hint: hint.to_owned() }
}

/// A file with every question as a comment and its default as the answer, to be edited.
#[must_use]
pub fn template(language: Language) -> String {
    let defaults = serde_json::to_value(Requirement::default()).unwrap_or_default();
    let head = Text {
        en: "What an application needs of its transactions: pgstrata advise --requirement THIS_FILE\n\
             Every line may be left out: then its default counts, which is what stands here.",
        zh: "应用对事务的要求：pgstrata advise --requirement 此文件\n每一行都可以省略，省略时取默认值，即此处所写的值。",
    };
    let mut text = String::new();
    comment(&mut text, head.get(language));
    for group in Group::ALL {
        let _ = write!(text, "\n\n# == {} ==\n", group.text().get(language));
        for question in QUESTIONS.iter().filter(|question| question.group == group) {
            text.push('\n');
            comment(&mut text, question.ask.get(language));
            comment(&mut text, question.help.get(language));
            if let Answer::One { options } | Answer::Many { options } = question.answer {
                for (key, option) in options {
                    comment(&mut text, &format!("  \"{key}\": {}", option.get(language)));
                }
            } else {
                comment(&mut text, &format!("  {}", allowed(question)));
            }
            let _ = writeln!(text, "{} = {}", question.field, defaults[question.field]);
        }
    }
    text
}

fn comment(text: &mut String, said: &str) {
    for line in said.lines() {
        let _ = writeln!(text, "# {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::requirement::{Distribution, Invariant};

    #[test]
    fn the_template_is_a_requirement_with_the_defaults_in_both_languages() {
        for language in Language::ALL {
            let text = template(language);
            assert_eq!(read(&text).unwrap_or_else(|error| panic!("{error}\n{text}")), Requirement::default());
            assert!(QUESTIONS.iter().all(|question| text.contains(question.ask.get(language))));
        }
        assert_eq!(read("").expect("nothing is a requirement"), Requirement::default());
    }

    #[test]
    fn answers_are_read() {
        let read = read(
            "invariants = [\"sum_floor\"] # both accounts\nclients = 64\nread_share = 1\nmay_retry = false\n\
             distribution = \"read_replicas\"\n",
        )
        .expect("a requirement");
        assert!(read.invariants.contains(&Invariant::SumFloor) && read.clients == 64 && !read.may_retry);
        assert_eq!((read.read_share.to_bits(), read.distribution), (1.0_f64.to_bits(), Distribution::ReadReplicas));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_its_field_and_what_is_allowed() {
        let check = |text: &str, expected: &[(usize, &str, &str)]| {
            let FileError(mistakes) = read(text).expect_err(text);
            assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
            for (mistake, (line, what, hint)) in mistakes.iter().zip(expected) {
                assert_eq!(mistake.line, *line, "{mistake}");
                assert!(mistake.what.contains(what) && mistake.hint.contains(hint), "{mistake}");
            }
        };
        check(
            "# mine\nconflict_rat = 0.1\nclients = 0\nmay_retry = \"yes\"\n",
            &[
                (2, "`conflict_rat`", "did you mean `conflict_rate`?"),
                (3, "`clients` is 0", "a whole number between 1 and 100000"),
                (4, "`may_retry` is \"yes\"", "true or false"),
            ],
        );
        check("\nread_share = 20", &[(2, "`read_share` is 20", "between 0 and 1")]);
        check("clients = 2.5", &[(1, "`clients` is 2.5", "whole number")]);
        check("audit = \"histroy\"", &[(1, "histroy", "did you mean \"history\"?")]);
        check("invariants = [\"sum_flor\", 7]", &[(1, "sum_flor", "\"sum_floor\"")]);
        check("invariants = \"sum_floor\"", &[(1, "`invariants` is", "a list of any of")]);
        check("[clients]\nx = 1", &[(1, "`clients` is table", "whole number")]);
        check("clients = 1\nclients = 2", &[(2, "duplicate", "--requirement-template")]);
        check("clients =", &[(1, "", "--requirement-template")]);
        check("availability = \"always_writable\"", &[(1, "contradict", "one of the two")]);
        check("read_share = nan", &[(1, "`read_share` is nan", "between 0 and 1")]);
    }

    #[test]
    fn a_text_of_any_kind_gets_an_answer() {
        for text in ["\u{0}", "= = =", "a.b.c = [[[[", "[[x]]", "clients = { a = 1 }", "\u{feff}clients = 3"] {
            let _ = read(text).map_err(|error| assert!(!error.to_string().is_empty()));
        }
    }
}
