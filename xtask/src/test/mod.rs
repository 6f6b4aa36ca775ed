//! `cargo xtask test`: every check there is, in an order that fails early on what is cheap, with one closing line.
//!
//! Works as root and as anybody, with and without nextest, llvm-cov and Node; what is missing is said and counted.

mod counts;
mod failures;
mod servers;
mod specifications;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Result, ensure};
use clap::Args;

use crate::coverage::Instrumented;
use crate::report::{Counts, Failure, Outcome, Report};
use crate::{book, cargo, ext, generate, new_study, templates, tidy, toolbox, ui};

/// What `cargo xtask test` can be asked.
#[derive(Args)]
pub struct Options {
    /// Run the tests on these major versions of `PostgreSQL` in turn, not on the one found first.
    #[arg(long, value_delimiter = ',', value_name = "MAJOR")]
    pg: Vec<u32>,
    /// Leave out coverage, doctests, the code templates, the book and the browser (they are counted as skipped).
    #[arg(long)]
    quick: bool,
    /// Also run all of PostgreSQL's own isolation specifications (minutes); without it a dozen are run.
    #[arg(long)]
    isolation_specs: bool,
}

/// How the tests are built and run.
struct Runner<'a> {
    root: &'a Path,
    nextest: bool,
    instrumented: Option<Instrumented>,
    /// Whether any test was run: without one, coverage would be a figure of nothing.
    ran: Cell<bool>,
    /// Whether the extension was built for the server that the next tests run on.
    has_extension: Cell<bool>,
    /// Whether pgstrata was built: nothing that it is made of changes while the checks run.
    has_pgstrata: Cell<bool>,
}

/// Runs everything.
pub fn run(root: &Path, options: &Options) -> ExitCode {
    let (runner, missing) = Runner::choose(root, options.quick);
    println!("tests run by {}", if runner.nextest { "cargo nextest" } else { "cargo test (nextest was not found)" });
    if let Some(why) = &missing {
        println!("coverage is not measured: {why}");
    }
    let mut report = Report::new(12 + options.pg.len().max(1) * (2 + usize::from(options.isolation_specs)));
    report.step("format", || Ok(judged(cargo::fmt(root, true)?, "`cargo xtask fmt` mends it")));
    report.step("clippy", || Ok(judged(cargo::clippy(root)?, "`cargo xtask lint` shows it again")));
    report.step("tidy", || tidy::check(root));
    report.step("a new study compiles", || if options.quick { Ok(quick()) } else { new_study::check(root) });
    report.step("the page, built", || ui::check_build(root));
    report.step("tests of the page", || ui::check_units(root));
    if options.pg.is_empty() {
        report.step("extension (the first time: some minutes)", || runner.extension(None));
        report.step("tests (the first time they are built: some minutes)", || runner.tests(None));
    }
    for major in &options.pg {
        report.step(&format!("extension for PostgreSQL {major}"), || runner.extension(Some(*major)));
        report.step(&format!("tests on PostgreSQL {major}"), || {
            let bindir = servers::bindir(*major, |arguments| {
                let output = runner.pgstrata(arguments)?.stderr(Stdio::inherit()).output()?;
                Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
            })?;
            runner.tests(Some(&bindir))
        });
    }
    if options.isolation_specs {
        for major in specifications::majors(&options.pg) {
            let name = specifications::step_name(major);
            report.step(&name, || specifications::run(major, |arguments| runner.pgstrata(arguments)));
        }
    }
    report.step("the page in a browser", || {
        if options.quick { Ok(quick()) } else { ui::check_browser(root, || runner.pgstrata(&[])) }
    });
    report.step("code templates on a server", || {
        if options.quick { Ok(quick()) } else { templates::check(root, |arguments| runner.pgstrata(arguments)) }
    });
    report.step("doctests", || if options.quick { Ok(quick()) } else { runner.doctests() });
    report.step("generated files", || {
        generate::check(root, &|arguments| generate::reference(runner.pgstrata(arguments)?))
    });
    report.step("coverage", || runner.coverage(missing));
    report.step("book", || if options.quick { Ok(quick()) } else { book::check(root) });
    report.close()
}

/// `cargo xtask coverage`: the instrumented tests and their report, nothing else.
pub fn coverage_only(root: &Path) -> Result<ExitCode> {
    let build = Instrumented::prepare(root, toolbox::coverage()?)?;
    let runner = Runner::new(root, Some(build));
    let mut report = Report::new(3);
    report.step("extension", || runner.extension(None));
    report.step("tests", || runner.tests(None));
    report.step("coverage", || runner.coverage(None));
    Ok(report.close())
}

fn quick() -> Outcome {
    Outcome::Skipped("--quick".to_owned())
}

fn judged(status: ExitStatus, hint: &str) -> Outcome {
    if status.success() { Outcome::Passed } else { Outcome::Failed(hint.to_owned()) }
}

impl<'a> Runner<'a> {
    /// Takes the best tools there are; says why coverage is not among them.
    fn choose(root: &'a Path, quick: bool) -> (Self, Option<String>) {
        let instrumented = if quick {
            Err(anyhow::anyhow!("--quick"))
        } else {
            toolbox::coverage().and_then(|tools| Instrumented::prepare(root, tools))
        };
        let (instrumented, missing) = match instrumented {
            Ok(build) => (Some(build), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        (Self::new(root, instrumented), missing)
    }

    fn new(root: &'a Path, instrumented: Option<Instrumented>) -> Self {
        let nextest = toolbox::has_nextest();
        let (ran, has_extension, has_pgstrata) = (Cell::new(false), Cell::new(false), Cell::new(false));
        Self { root, nextest, instrumented, ran, has_extension, has_pgstrata }
    }

    /// Checks the extension's source and builds it for a server; its tests are among the others. Where the header files
    /// or libclang are not to be had, that is said and counted, and those tests are left out.
    fn extension(&self, major: Option<u32>) -> Result<Outcome> {
        self.has_extension.set(false);
        if let Err(error) = toolbox::libclang() {
            return Ok(Outcome::Skipped(format!("{error:#}")));
        }
        let headers = match ext::headers(major, |arguments| self.pgstrata(arguments)) {
            Ok(headers) => headers,
            Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
        };
        // Before clippy: what the build has compiled, clippy need not.
        ext::build(self.root, &headers)?;
        self.has_extension.set(true);
        ext::lint(self.root, &headers)?;
        Ok(Outcome::Passed)
    }

    /// Runs all tests, on the server in `bindir` if one is named.
    fn tests(&self, bindir: Option<&Path>) -> Result<Outcome> {
        let mut command = if self.nextest {
            self.cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--color", "never"])
        } else {
            self.cargo(&["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast", "--color", "never"])
        };
        if self.nextest && !self.has_extension.get() {
            println!("      without the tests of the extension, which was not built");
            command.args(["--filterset", "not binary(/^extension/)"]);
        }
        if let Some(bindir) = bindir {
            command.env("PGSTRATA_PG_BIN", bindir);
        }
        let account = self.root.join(failures::OF_NEXTEST);
        // What an earlier run said must not be taken for this one's.
        let _ = std::fs::remove_file(&account);
        let (status, output) = cargo::tee(command)?;
        let counts = if self.nextest { counts::of_nextest(&output) } else { counts::of_cargo_test(&output) };
        self.ran.set(self.ran.get() || counts.is_some());
        let failures = if self.nextest {
            // A runner that was killed leaves none; its own words above have to do.
            std::fs::read_to_string(account).ok().and_then(|xml| failures::of_nextest(&xml).ok()).unwrap_or_default()
        } else {
            failures::of_cargo_test(&output)
        };
        Ok(counted(counts, failures, status.success(), "the tests were not built, or there are none"))
    }

    /// Judges the covered lines; `missing` says why they could not be counted.
    fn coverage(&self, missing: Option<String>) -> Result<Outcome> {
        match &self.instrumented {
            Some(build) if self.ran.get() => build.judge(),
            Some(_) => Ok(Outcome::Skipped("no test was run".to_owned())),
            None => Ok(Outcome::Skipped(missing.unwrap_or_default())),
        }
    }

    /// The examples in the documentation, compiled against the libraries that the tests have built.
    fn doctests(&self) -> Result<Outcome> {
        let command = self.cargo(&["test", "--doc", "--workspace", "--locked", "--no-fail-fast", "--color", "never"]);
        let (status, output) = cargo::tee(command)?;
        let failures = failures::of_cargo_test(&output);
        Ok(counted(counts::of_cargo_test(&output), failures, status.success(), "the doctests were not built"))
    }

    /// Pgstrata itself. Built together with the tests' targets: alone it would get its dependencies with fewer
    /// features, and most of them would be compiled again.
    fn pgstrata(&self, arguments: &[&str]) -> Result<Command> {
        if !self.has_pgstrata.get() {
            let build = self.cargo(&["build", "--quiet", "--workspace", "--all-targets", "--locked"]);
            ensure!(cargo::status(build)?.success(), "pgstrata was not built");
            self.has_pgstrata.set(true);
        }
        let target = match &self.instrumented {
            Some(build) => build.target(),
            None => std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from),
        };
        let mut command = Command::new(target.join("debug/pgstrata"));
        if let Some(build) = &self.instrumented {
            build.apply(&mut command);
        }
        command.args(arguments).current_dir(self.root);
        Ok(command)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo::command(self.root, arguments);
        if let Some(build) = &self.instrumented {
            build.apply(&mut command);
        }
        command
    }
}

/// A runner that failed without a failed test (it crashed, or was stopped) adds a failure of its own.
fn counted(counts: Option<Counts>, failures: Vec<Failure>, success: bool, nothing: &str) -> Outcome {
    match counts {
        None if success => Outcome::Passed,
        None => Outcome::Failed(nothing.to_owned()),
        Some(counts) if !success && counts.failed == 0 => Outcome::Counted(Counts { failed: 1, ..counts }, failures),
        Some(counts) => Outcome::Counted(counts, failures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_that_dies_is_a_failure_even_if_every_test_passed() {
        let all_passed = Counts { passed: 7, failed: 0, skipped: 0 };
        let outcome = counted(Some(all_passed), Vec::new(), false, "");
        assert!(matches!(outcome, Outcome::Counted(Counts { passed: 7, failed: 1, skipped: 0 }, _)), "{outcome:?}");
    }

    #[test]
    fn tests_that_do_not_compile_are_one_failure() {
        assert!(matches!(counted(None, Vec::new(), false, "not built"), Outcome::Failed(why) if why == "not built"));
    }
}
