//! The workbench's page under `ui/`: built into `ui/dist`, which the program takes in; its unit tests; its tests in a
//! real browser against the real program.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

use crate::node::Package;
use crate::report::{Counts, Failure, Outcome, Report};
use crate::{cargo, toolbox};

/// What to do with the page.
#[derive(Clone, Copy, ValueEnum)]
pub enum Action {
    /// Check its types and its style, and build it.
    Build,
    /// Build it, and run its unit tests and those in a browser.
    Test,
    /// Serve it, and reload what is edited; `PGSTRATA_SERVER` is the workbench that answers it.
    Dev,
    /// Make the types of the server's interface anew from `crates/server/openapi.json`.
    Client,
    /// Take pictures of every page, into `ui/test-results/screenshots` or `PGSTRATA_SCREENSHOTS`.
    Screenshots,
}

/// What vitest's `json` reporter writes, as far as it is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ran {
    success: bool,
    num_passed_tests: u64,
    num_failed_tests: u64,
    num_pending_tests: u64,
    num_todo_tests: u64,
    test_results: Vec<File>,
}

/// One file of tests.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: String,
    status: String,
    /// Why it could not be loaded.
    #[serde(default)]
    message: String,
    #[serde(default)]
    assertion_results: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    full_name: String,
    status: String,
    #[serde(default)]
    failure_messages: Vec<String>,
}

impl Ran {
    /// A runner that failed without a failed test (a file that does not load) adds a failure of its own.
    fn counts(&self) -> Counts {
        let failed = if self.success { self.num_failed_tests } else { self.num_failed_tests.max(1) };
        Counts { passed: self.num_passed_tests, failed, skipped: self.num_pending_tests + self.num_todo_tests }
    }

    /// The tests that failed, and the files that did not load.
    fn failures(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        for file in self.test_results.iter().filter(|file| file.status == "failed") {
            let path = Path::new(&file.name);
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let failed = file.assertion_results.iter().filter(|test| test.status == "failed");
            failures.extend(failed.map(|test| Failure {
                name: format!("{name}: {}", test.full_name),
                said: test.failure_messages.join("\n"),
                again: None,
            }));
            if file.assertion_results.is_empty() || !file.message.is_empty() {
                failures.push(Failure { name: name.into_owned(), said: file.message.clone(), again: None });
            }
        }
        failures
    }
}

/// Builds the page as a check: types, style, bundle.
pub fn check_build(root: &Path) -> Result<Outcome> {
    with_package(root, |page| page.script("build"))
}

/// Runs the unit tests, each counted.
pub fn check_units(root: &Path) -> Result<Outcome> {
    with_package(root, |page| vitest(root, page, "test", |_| ()))
}

/// Runs the tests in a browser against `program` (its path and its variables), each counted; skipped where there is no
/// Chromium.
pub fn check_browser(root: &Path, program: impl FnOnce() -> Result<Command>) -> Result<Outcome> {
    let chromium = match toolbox::chromium() {
        Ok(chromium) => chromium,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    with_package(root, |page| {
        let program = program()?;
        vitest(root, page, "browser", |npm| {
            npm.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
            npm.env("PGSTRATA_BIN", program.get_program()).env("PGSTRATA_CHROMIUM", &chromium);
        })
    })
}

/// `cargo xtask ui`.
pub fn perform(root: &Path, action: Action) -> Result<ExitCode> {
    let script = match action {
        Action::Test => return Ok(test(root)),
        Action::Build => "build",
        Action::Dev => "dev",
        Action::Client => "client",
        Action::Screenshots => "screenshots",
    };
    let package = match Package::install(root.join("ui"), toolbox::npm()?)? {
        Ok(package) => package,
        Err(Outcome::Failed(why)) => bail!("{why}"),
        Err(_) => bail!("the page could not be installed"),
    };
    let program = debug_program(root);
    let status = package.npm(&["run", script], |npm| {
        if program.is_file() {
            npm.env("PGSTRATA_BIN", &program);
        }
    })?;
    if matches!(action, Action::Build) && status.success() {
        crate::node::take_in(root)?;
    }
    Ok(cargo::exit_code(status))
}

/// The page's part of `cargo xtask test`, with the program as it was built last.
fn test(root: &Path) -> ExitCode {
    let mut report = Report::new(3);
    report.step("page", || check_build(root));
    report.step("tests of the page", || check_units(root));
    report.step("tests in a browser", || {
        check_browser(root, || {
            let program = debug_program(root);
            anyhow::ensure!(program.is_file(), "{} is missing; `cargo build` makes it", program.display());
            Ok(Command::new(program))
        })
    });
    report.close()
}

fn debug_program(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("debug/pgstrata")
}

fn with_package(root: &Path, work: impl FnOnce(&Package) -> Result<Outcome>) -> Result<Outcome> {
    let npm = match toolbox::npm() {
        Ok(npm) => npm,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    match Package::install(root.join("ui"), npm)? {
        Ok(page) => work(&page),
        Err(outcome) => Ok(outcome),
    }
}

/// Runs a script that is vitest, and counts what it says of itself in a file.
fn vitest(root: &Path, page: &Package, script: &str, prepare: impl FnOnce(&mut Command)) -> Result<Outcome> {
    let path = root.join(format!("ui/test-results/{script}.json"));
    // What an earlier run said must not be taken for this one's.
    let _ = std::fs::remove_file(&path);
    let file = format!("--outputFile.json={}", path.display());
    let arguments = ["run", script, "--", "--reporter=default", "--reporter=json", &file];
    let status = page.npm(&arguments, prepare)?;
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(Outcome::Failed(format!("npm run {script} did not come as far as counting its tests")));
    };
    let mut ran: Ran = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    ran.success &= status.success();
    Ok(Outcome::Counted(ran.counts(), ran.failures()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(failed: u64, success: bool) -> Counts {
        let text = format!(
            r#"{{"success":{success},"numPassedTests":7,"numFailedTests":{failed},"numPendingTests":1,"numTodoTests":2,"testResults":[]}}"#
        );
        serde_json::from_str::<Ran>(&text).expect("JSON").counts()
    }

    #[test]
    fn each_test_of_the_page_counts() {
        assert_eq!(ran(0, true), Counts { passed: 7, failed: 0, skipped: 3 });
        assert_eq!(ran(2, false), Counts { passed: 7, failed: 2, skipped: 3 });
    }

    #[test]
    fn a_file_of_tests_that_does_not_load_is_a_failure() {
        assert_eq!(ran(0, false), Counts { passed: 7, failed: 1, skipped: 3 });
    }

    #[test]
    fn a_failed_test_is_named_with_its_file_and_its_words() {
        let text = r#"{"success":false,"numPassedTests":1,"numFailedTests":1,"numPendingTests":0,"numTodoTests":0,"testResults":[
            {"name":"/tree/ui/test/fold.test.ts","status":"failed","message":"","assertionResults":[
                {"fullName":"fold keeps order","status":"failed","failureMessages":["expected 1 to be 2"]},
                {"fullName":"fold drops","status":"passed","failureMessages":[]}]},
            {"name":"/tree/ui/test/broken.test.ts","status":"failed","message":"no such module","assertionResults":[]}]}"#;
        let failures = serde_json::from_str::<Ran>(text).expect("JSON").failures();
        let said: Vec<(&str, &str)> =
            failures.iter().map(|failure| (failure.name.as_str(), failure.said.as_str())).collect();
        let expected = [("fold.test.ts: fold keeps order", "expected 1 to be 2"), ("broken.test.ts", "no such module")];
        assert_eq!(said, expected);
    }
}
