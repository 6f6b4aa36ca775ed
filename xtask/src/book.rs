//! The book: `VitePress` under `book/`, built by npm from its lock file. A dead link fails the build.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::ValueEnum;

use crate::report::Outcome;
use crate::{cargo, toolbox};

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
    let npm = match toolbox::npm() {
        Ok(npm) => npm,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    run(root, &npm, Action::Build)
}

/// `cargo xtask book`.
pub fn perform(root: &Path, action: Action) -> Result<ExitCode> {
    match run(root, &toolbox::npm()?, action)? {
        Outcome::Failed(why) => anyhow::bail!("{why}"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn run(root: &Path, npm: &Path, action: Action) -> Result<Outcome> {
    let book = root.join("book");
    if !book.join("package.json").is_file() {
        return Ok(Outcome::Failed("book/package.json is missing".to_owned()));
    }
    let npm = |arguments: &[&str]| {
        let mut command = Command::new(npm);
        command.args(arguments).current_dir(&book);
        cargo::status(command)
    };
    if !is_installed(&book) && !npm(&["ci", "--no-audit", "--no-fund"])?.success() {
        return Ok(Outcome::Failed("npm ci failed in book/".to_owned()));
    }
    let script = match action {
        Action::Build => "build",
        Action::Dev => "dev",
    };
    if npm(&["run", script])?.success() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Failed(format!("npm run {script} failed in book/")))
}

/// Whether npm's own copy of the lock file is at least as new as ours.
fn is_installed(book: &Path) -> bool {
    let modified = |name: &str| std::fs::metadata(book.join(name)).and_then(|metadata| metadata.modified()).ok();
    let (ours, theirs) = (modified("package-lock.json"), modified("node_modules/.package-lock.json"));
    theirs.is_some() && theirs >= ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_installed_again_only_when_the_lock_file_is_newer() {
        let book = tempfile::tempdir().expect("temporary directory");
        let write = |name: &str, seconds: u64| {
            let path = book.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            let file = std::fs::File::create(path).expect("file");
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).expect("time is set");
        };
        write("package-lock.json", 100);
        assert!(!is_installed(book.path()), "nothing is installed yet");
        write("node_modules/.package-lock.json", 200);
        assert!(is_installed(book.path()));
        write("package-lock.json", 300);
        assert!(!is_installed(book.path()), "the lock file is newer");
    }
}
