//! The book: `VitePress` under `book/`, built by npm from its lock file. A dead link fails the build.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::node::Package;
use crate::report::Outcome;
use crate::toolbox;

/// What to do with the book.
#[derive(Clone, Copy, ValueEnum)]
pub enum Action {
    /// Build the site once.
    Build,
    /// Serve it, and reload what is edited.
    Dev,
}

/// Builds the book as a check: skipped, with the reason, where there is no Node.
pub fn check(root: &Path) -> Result<Outcome> {
    match toolbox::npm() {
        Ok(npm) => run(root, npm, Action::Build),
        Err(missing) => Ok(Outcome::Skipped(format!("{missing:#}"))),
    }
}

/// `cargo xtask book`.
pub fn perform(root: &Path, action: Action) -> Result<ExitCode> {
    match run(root, toolbox::npm()?, action)? {
        Outcome::Failed(why) => anyhow::bail!("{why}"),
        _ => {
            crate::node::take_in(root)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn run(root: &Path, npm: PathBuf, action: Action) -> Result<Outcome> {
    let script = match action {
        Action::Build => "build",
        Action::Dev => "dev",
    };
    match Package::install(root.join("book"), npm)? {
        Ok(book) => book.script(script),
        Err(outcome) => Ok(outcome),
    }
}
