//! The wizard's questions, from the one table of the engine.

use pgstrata_tools::advisor::Requirement;
use pgstrata_tools::advisor::requirement::{Answer, QUESTIONS, Question};
use pgstrata_units::Text;
use serde_json::Value;

use crate::routes::advisor::{Form, FormAnswer, FormOption, FormQuestion};

/// All questions with what stands where nobody answers.
pub fn form() -> Form {
    let defaults = serde_json::to_value(Requirement::default()).unwrap_or_default();
    Form { questions: QUESTIONS.iter().map(|question| one(question, &defaults[question.field])).collect() }
}

fn one(question: &Question, default: &Value) -> FormQuestion {
    FormQuestion {
        field: question.field.to_owned(),
        group: question.group.text().into(),
        ask: question.ask.into(),
        help: question.help.into(),
        changes: question.changes.into(),
        answer: match question.answer {
            Answer::Flag { .. } => FormAnswer::Flag { default: default.as_bool().unwrap_or_default() },
            Answer::Number { least, most, unit, whole, .. } => FormAnswer::Number {
                default: default.as_f64().unwrap_or(least),
                least,
                most,
                unit: unit.to_owned(),
                whole,
            },
            Answer::One { options } => FormAnswer::One {
                default: default.as_str().unwrap_or_default().to_owned(),
                options: options.iter().map(option).collect(),
            },
            Answer::Many { options } => FormAnswer::Many { options: options.iter().map(option).collect() },
        },
    }
}

fn option((value, words): &(&'static str, Text)) -> FormOption {
    FormOption { value: (*value).to_owned(), words: (*words).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_of_the_engine_is_asked_with_its_default() {
        let form = form();
        assert_eq!(form.questions.len(), QUESTIONS.len());
        for question in &form.questions {
            if let FormAnswer::One { default, options } = &question.answer {
                assert!(options.iter().any(|option| option.value == *default), "{}", question.field);
            }
        }
    }
}
