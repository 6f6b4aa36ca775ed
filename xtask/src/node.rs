//! What Node builds: a folder with a lock file, installed once for each state of that file, and its scripts.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::Result;

use crate::cargo;
use crate::report::Outcome;

/// A folder with `package.json` and `package-lock.json`.
pub struct Package {
    folder: PathBuf,
    npm: PathBuf,
}

impl Package {
    /// The package in `folder`, with its dependencies installed; an outcome that says why not, else.
    pub fn install(folder: PathBuf, npm: PathBuf) -> Result<Result<Self, Outcome>> {
        if !folder.join("package.json").is_file() {
            return Ok(Err(Outcome::Failed(format!("{} is missing", folder.join("package.json").display()))));
        }
        let package = Self { folder, npm };
        if !is_installed(&package.folder) && !package.npm(&["ci", "--no-audit", "--no-fund"], |_| ())?.success() {
            return Ok(Err(Outcome::Failed(format!("npm ci failed in {}", package.folder.display()))));
        }
        Ok(Ok(package))
    }

    /// Runs one of its scripts as a check.
    pub fn script(&self, name: &str) -> Result<Outcome> {
        if self.npm(&["run", name], |_| ())?.success() {
            return Ok(Outcome::Passed);
        }
        Ok(Outcome::Failed(format!("npm run {name} failed in {}", self.folder.display())))
    }

    /// Runs npm in the folder; `prepare` may set variables.
    pub fn npm(&self, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Result<ExitStatus> {
        let mut command = Command::new(&self.npm);
        command.args(arguments).current_dir(&self.folder);
        prepare(&mut command);
        cargo::status(command)
    }
}

/// Has the next build of the program take in what Node has built. Where it had found nothing it watches nothing, so the
/// script that tells cargo what to watch counts as changed.
pub fn take_in(root: &Path) -> Result<()> {
    let script = root.join("crates/server/build.rs");
    std::fs::File::open(&script).and_then(|file| file.set_modified(std::time::SystemTime::now()))?;
    Ok(())
}

/// Whether npm's own copy of the lock file is at least as new as ours.
fn is_installed(folder: &Path) -> bool {
    let modified = |name: &str| std::fs::metadata(folder.join(name)).and_then(|metadata| metadata.modified()).ok();
    let (ours, theirs) = (modified("package-lock.json"), modified("node_modules/.package-lock.json"));
    theirs.is_some() && theirs >= ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_installed_again_only_when_the_lock_file_is_newer() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let write = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            let file = std::fs::File::create(path).expect("file");
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).expect("time is set");
        };
        write("package-lock.json", 100);
        assert!(!is_installed(folder.path()), "nothing is installed yet");
        write("node_modules/.package-lock.json", 200);
        assert!(is_installed(folder.path()));
        write("package-lock.json", 300);
        assert!(!is_installed(folder.path()), "the lock file is newer");
    }
}
