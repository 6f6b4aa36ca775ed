//! Covered lines: the environment of an instrumented build, and the report on what its tests ran.
//!
//! The build for coverage is the only build of the tests, in a target folder of its own, so that an ordinary
//! `cargo build` beside it does not undo it. Measured by rustc's own counters (`-C instrument-coverage`), which also
//! count what a test's child processes ran.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::report::Outcome;
use crate::toolbox::CoverageTools;

/// Lines that the tests must run, per cent.
const LINES_LEAST_PERCENT: f64 = 80.0;

/// Left out of the figure: xtask's rules have tests of their own, and its commands are what is running here, outside
/// of the instrumented build. No generated Rust is committed, so nothing else is left out.
const LEFT_OUT: &str = "/xtask/";

/// An instrumented build: which variables make cargo produce it.
pub struct Instrumented {
    tools: CoverageTools,
    root: PathBuf,
    environment: Vec<(String, String)>,
}

impl Instrumented {
    /// Asks cargo-llvm-cov for the variables and forgets the counters of earlier runs (not what was compiled).
    pub fn prepare(root: &Path, tools: CoverageTools) -> Result<Self> {
        let mut build = Self { tools, root: root.to_path_buf(), environment: Vec::new() };
        let variables = build.llvm_cov(&["show-env"])?;
        build.environment = variables.lines().filter_map(parse_variable).collect();
        build.llvm_cov(&["clean", "--profraw-only"])?;
        Ok(build)
    }

    /// Makes a cargo command build and run in this instrumented tree.
    pub fn apply(&self, command: &mut Command) {
        command
            .env("CARGO_TARGET_DIR", self.target())
            .env("LLVM_COV", &self.tools.llvm_cov)
            .env("LLVM_PROFDATA", &self.tools.llvm_profdata)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Prints the covered lines per crate and judges the whole. The raw counters are removed afterwards: one file per
    /// process that ran adds up.
    pub fn judge(&self) -> Result<Outcome> {
        let json = self.llvm_cov(&[
            "report",
            "--json",
            "--summary-only",
            "--ignore-filename-regex",
            LEFT_OUT,
            // Tests kill clients; what those had not written yet is lost, and must not lose the rest.
            "--failure-mode=all",
        ])?;
        self.llvm_cov(&["clean", "--profraw-only"])?;
        let crates = by_crate(&json, &self.root)?;
        let total = crates.values().fold(Lines::default(), |sum, lines| sum.plus(*lines));
        for (name, lines) in &crates {
            println!("      {:>5.1} % of {:>6} lines  {name}", lines.percent(), lines.count);
        }
        println!("      {:>5.1} % of {:>6} lines  in all", total.percent(), total.count);
        if total.percent() >= LINES_LEAST_PERCENT {
            return Ok(Outcome::Passed);
        }
        Ok(Outcome::Failed(format!(
            "{:.1} % of lines are covered, at least {LINES_LEAST_PERCENT} % must be",
            total.percent()
        )))
    }

    /// The folder of what this build compiles.
    pub fn target(&self) -> PathBuf {
        self.root.join("target/coverage")
    }

    fn llvm_cov(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.tools.cargo_llvm_cov);
        command.arg("llvm-cov").args(arguments).current_dir(&self.root);
        self.apply(&mut command);
        let output = command.output().context("starting cargo-llvm-cov")?;
        if !output.status.success() {
            bail!("cargo llvm-cov {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// One line of `show-env`: `NAME=value` or `NAME='value'`.
fn parse_variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
    Some((name.to_owned(), value.to_owned()))
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
struct Lines {
    count: u64,
    covered: u64,
}

impl Lines {
    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, covered: self.covered + other.covered }
    }

    /// A tree without lines is covered: there is nothing left to test.
    fn percent(self) -> f64 {
        if self.count == 0 { 100.0 } else { 100.0 * self.covered as f64 / self.count as f64 }
    }
}

/// llvm-cov's JSON export, as far as it is read here.
#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: PathBuf,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Lines,
}

/// Adds the files up by crate: `crates/lab`, `cases`.
fn by_crate(json: &str, root: &Path) -> Result<BTreeMap<String, Lines>> {
    let export: Export = serde_json::from_str(json).context("reading llvm-cov's JSON export")?;
    let mut crates = BTreeMap::new();
    for file in export.data.into_iter().flat_map(|data| data.files) {
        let inside = file.filename.strip_prefix(root).unwrap_or(&file.filename);
        let folder: PathBuf = inside.components().take_while(|part| part.as_os_str() != "src").collect();
        let lines: &mut Lines = crates.entry(folder.display().to_string()).or_default();
        *lines = lines.plus(file.summary.lines);
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_with_and_without_quotes() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(parse_variable("A='x y=z'"), pair("A", "x y=z"));
        assert_eq!(parse_variable("B=1"), pair("B", "1"));
        assert_eq!(parse_variable("no assignment"), None);
    }

    #[test]
    fn lines_are_added_up_by_crate() {
        let json = r#"{"data":[{"files":[
            {"filename":"/r/crates/lab/src/a.rs","summary":{"lines":{"count":10,"covered":5,"percent":50.0}}},
            {"filename":"/r/crates/lab/src/b/c.rs","summary":{"lines":{"count":10,"covered":10,"percent":100.0}}},
            {"filename":"/r/cases/src/lib.rs","summary":{"lines":{"count":0,"covered":0,"percent":0.0}}}]}]}"#;
        let crates = by_crate(json, Path::new("/r")).expect("valid JSON");
        assert_eq!(crates["crates/lab"], Lines { count: 20, covered: 15 });
        assert!((crates["crates/lab"].percent() - 75.0).abs() < 1e-9);
        assert!((crates["cases"].percent() - 100.0).abs() < 1e-9);
    }
}
