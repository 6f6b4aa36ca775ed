//! A report beside the workload that it is about: looks statements up by program and number.

use pgstrata_sqltext::{Program, Span, Statement, Workload};

use crate::advisor::report::Report;
use crate::advisor::witness::{DependencyEnd, Instance, Witness};

/// What there is to show.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What was analysed.
    pub workload: &'a Workload,
    /// What was found.
    pub report: &'a Report,
}

impl<'a> Scene<'a> {
    /// A program by name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<&'a Program> {
        self.workload.programs.iter().find(|program| program.name == name)
    }

    /// A statement of a program.
    #[must_use]
    pub fn statement(&self, program: &str, number: usize) -> Option<&'a Statement> {
        self.program(program)?.statements.get(number)
    }

    /// The statement at one end of a dependency.
    #[must_use]
    pub fn at(&self, witness: &Witness, end: DependencyEnd) -> Option<&'a Statement> {
        self.statement(&witness.instances.get(end.instance)?.program, end.statement)
    }

    /// A statement's text in one line.
    #[must_use]
    pub fn line(&self, program: &str, number: usize) -> String {
        self.statement(program, number).map_or_else(|| format!("#{}", number + 1), |found| one_line(&found.text))
    }

    /// Where a statement stands.
    #[must_use]
    pub fn place(&self, program: &str, number: usize) -> Option<&'a Span> {
        self.statement(program, number).map(|statement| &statement.span)
    }
}

/// `T1 write_check`.
#[must_use]
pub fn label(instance: &Instance) -> String {
    format!("{} {}", instance.name, instance.program)
}

/// Text with every run of white space as one space.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A statement's text in one line with an instance's arguments in place of parameters.
#[must_use]
pub fn with_arguments(text: &str, instance: &Instance) -> String {
    let mut line = one_line(text);
    // Longest names first, so that `:id_2` is not taken for `:id`.
    let mut arguments: Vec<(&String, &String)> = instance.arguments.iter().collect();
    arguments.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, value) in arguments {
        for sigil in [':', '$', '@'] {
            line = replace_word(&line, &format!("{sigil}{name}"), value);
        }
    }
    line
}

/// Replaces a word where no letter, digit or `_` follows it, and no second colon stands before it.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let after = &rest[at + word.len()..];
        let is_longer = after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_cast = rest[..at].ends_with(':');
        out.push_str(&rest[..at]);
        out.push_str(if is_longer || is_cast { word } else { by });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_like_another_is_not_replaced() {
        assert_eq!(replace_word("a = :id and b = :id_2 and c::id", ":id", "7"), "a = 7 and b = :id_2 and c::id");
    }
}
