//! `cargo xtask tidy`: the project's conventions as checks. What was said twice in review is a rule here.
//!
//! A rule is a function from the tree (or cargo's view of it) to findings, listed once in [`TEXT_RULES`] or
//! [`CRATE_RULES`]; its test shows that it convicts a planted violation. What clippy and rustfmt can check is left to
//! them (function length: `too_many_lines`; `print_stdout`; `unwrap_used`).

mod arrows;
mod chinese;
mod metadata;
mod places;
mod rust;
mod sentences;
mod sql;
mod systems;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::report::Outcome;
use crate::tree::Tree;
use metadata::Metadata;

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder, from the root.
    place: String,
    /// The line, counted from 1, where it is one line.
    line: Option<usize>,
    /// What is wrong, and what to do instead.
    message: String,
}

impl Finding {
    fn of_file(place: &str, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: None, message: message.into() }
    }

    fn of_line(place: &str, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: Some(line), message: message.into() }
    }
}

/// A rule's name, and the function that convicts.
type Rule<Subject> = (&'static str, fn(&Subject) -> Vec<Finding>);

/// Rules over the text of the tree.
const TEXT_RULES: &[Rule<Tree>] = &[
    ("file header", rust::headers),
    ("printing", rust::prints),
    ("ignored test", rust::ignored_tests),
    ("unsafe without a reason", rust::unsafe_blocks),
    ("file length", rust::lengths),
    ("module name", rust::module_names),
    ("SQL header", sql::headers),
    ("SQL keywords", sql::keywords),
    ("machine path", places::machine_paths),
    ("registry host", places::registry_hosts),
    ("dead link", places::dead_links),
    ("Chinese punctuation", chinese::punctuation),
    ("told in Chinese", sentences::told_in_chinese),
    ("systems", systems::listed),
    ("headings", systems::headings),
];

/// Rules over what `cargo metadata` says.
const CRATE_RULES: &[Rule<Metadata>] =
    &[("dependency direction", arrows::directions), ("dependency owner", arrows::owners)];

/// Applies every rule to the repository, as one check.
pub fn check(root: &Path) -> Result<Outcome> {
    let tree = Tree::read(root)?;
    let mut findings = findings(&tree);
    findings.extend(apply(CRATE_RULES, &Metadata::read(root)?));
    for finding in &findings {
        println!("      {finding}");
    }
    println!("      {} rules over {} files", TEXT_RULES.len() + CRATE_RULES.len(), tree.files().count());
    match findings.len() {
        0 => Ok(Outcome::Passed),
        count => Ok(Outcome::Failed(format!("{count} findings; `cargo xtask tidy` shows them again"))),
    }
}

/// What the rules find in a text, as lines to be shown.
pub fn findings(tree: &Tree) -> Vec<String> {
    apply(TEXT_RULES, tree)
}

fn apply<Subject>(rules: &[Rule<Subject>], subject: &Subject) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, rule) in rules {
        for Finding { place, line, message } in rule(subject) {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            lines.push(format!("{place}{line}: {name}: {message}"));
        }
    }
    lines
}

/// `cargo xtask tidy`.
pub fn perform(root: &Path) -> Result<ExitCode> {
    Ok(match check(root)? {
        Outcome::Passed => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
