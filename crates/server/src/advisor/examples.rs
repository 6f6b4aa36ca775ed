//! The engine's examples as questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pgstrata_tools::advisor::Requirement;
use pgstrata_tools::advisor::examples::{self, EXAMPLES};

use crate::routes::advisor::Example;
use crate::routes::advisor::question::{Question, SourceText};

/// All examples.
pub fn all() -> &'static [Example] {
    static ALL: LazyLock<Vec<Example>> = LazyLock::new(|| EXAMPLES.iter().map(example).collect());
    &ALL
}

fn example(known: &examples::Example) -> Example {
    Example {
        name: known.name.to_owned(),
        title: known.title.into(),
        summary: known.summary.into(),
        question: Question {
            title: known.title.en.to_owned(),
            schema: known.schema().to_owned(),
            sources: vec![SourceText { name: format!("{}.sql", known.name), text: known.programs().to_owned() }],
            requirement: Requirement { invariants: BTreeSet::from([known.invariant]), ..Requirement::default() },
            levels: BTreeMap::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisor::reading::read;

    #[test]
    fn every_example_is_read_without_a_mistake_and_has_something_to_show() {
        for example in all() {
            let read = read(&example.question).unwrap_or_else(|errors| panic!("{}: {errors:?}", example.name));
            assert!(read.input.workload.programs.len() > 1, "{}", example.name);
            assert!(!example.question.requirement.invariants.is_empty(), "{}", example.name);
            let is_dangerous = !read.report.asked.is_safe() || !read.report.scopes.is_empty();
            assert!(is_dangerous, "{}: nothing is wrong at read committed", example.name);
        }
    }
}
