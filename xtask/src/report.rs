//! The account of a run: numbered steps with their durations, then one closing line that counts them.
//!
//! A step that fails is noted and the next one runs; what could not be run is counted as skipped, never as passed. What a
//! failed test has said is shown once more at the end: of a long log, often only the end is kept.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// How one step ended.
#[derive(Debug)]
pub enum Outcome {
    /// The check held.
    Passed,
    /// The check did not hold.
    Failed(String),
    /// The check could not be made, with what is missing.
    Skipped(String),
    /// A test runner counted for itself, and said this of the tests that failed.
    Counted(Counts, Vec<Failure>),
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its program and its name.
    pub name: String,
    /// What it said.
    pub said: String,
    /// The command that runs it alone.
    pub again: Option<String>,
}

/// How many lines of a failed test are shown again, the last ones.
const LINES_SHOWN: usize = 60;

/// How many failed tests are shown again with their words; the names of all are.
const FAILURES_SHOWN: usize = 12;

impl Failure {
    /// The last lines of what it said, each indented.
    fn tail(&self) -> String {
        let lines: Vec<&str> = self.said.trim_end().lines().collect();
        let left_out = lines.len().saturating_sub(LINES_SHOWN);
        let mut text = if left_out > 0 { format!("    … {left_out} lines above\n") } else { String::new() };
        for line in &lines[left_out..] {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Numbers of tests and checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    /// The closing line: read by people and by whatever runs this in continuous integration.
    fn line(self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }

    /// The same for one step. Not in the form of the closing line: there is one of those.
    fn sentence(self) -> String {
        let Self { passed, failed, skipped } = self;
        let verdict = if failed == 0 { "" } else { "FAILED: " };
        format!("{verdict}{passed} of {} passed, {skipped} skipped", passed + failed)
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Collects the steps of one run.
pub struct Report {
    steps: usize,
    done: usize,
    counts: Counts,
    remarks: Vec<String>,
    failures: Vec<Failure>,
}

impl Report {
    /// A report on `steps` steps, which is only used to say how far the run is.
    pub fn new(steps: usize) -> Self {
        Self { steps, done: 0, counts: Counts::default(), remarks: Vec::new(), failures: Vec::new() }
    }

    /// Runs one step and notes its end. An `Err` is a failure like any other.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        self.done += 1;
        println!("\n[{}/{}] {name}", self.done, self.steps);
        let start = Instant::now();
        let outcome = work().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let seconds = start.elapsed().as_secs_f64();
        println!("      {} in {seconds:.1} s", self.note(name, outcome));
    }

    /// Counts an outcome; gives the sentence that is shown for it.
    fn note(&mut self, name: &str, outcome: Outcome) -> String {
        let one = |passed, failed, skipped| Counts { passed, failed, skipped };
        let (counts, sentence) = match outcome {
            Outcome::Passed => (one(1, 0, 0), "passed".to_owned()),
            Outcome::Failed(why) => (one(0, 1, 0), format!("FAILED: {why}")),
            Outcome::Skipped(why) => (one(0, 0, 1), format!("skipped: {why}")),
            Outcome::Counted(counts, failures) => {
                self.failures.extend(failures);
                (counts, counts.sentence())
            }
        };
        if counts.failed + counts.skipped > 0 {
            self.remarks.push(format!("{name}: {sentence}"));
        }
        self.counts.add(counts);
        sentence
    }

    /// Prints what did not pass and why, then the closing line alone on its line; the exit code says whether anything failed.
    pub fn close(self) -> ExitCode {
        println!("{}", self.words_of_failures());
        for remark in &self.remarks {
            println!("{remark}");
        }
        println!("{}", self.counts.line());
        if self.counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// What the failed tests have said, then all their names, nearest to the end.
    fn words_of_failures(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for failure in self.failures.iter().take(FAILURES_SHOWN) {
            parts.push(format!("\n──── {} has failed, and said:\n{}", failure.name, failure.tail()));
            parts.extend(failure.again.iter().map(|again| format!("    hint: `{again}` runs it alone\n")));
        }
        if !self.failures.is_empty() {
            parts.push("\nfailed tests:\n".to_owned());
        }
        parts.extend(self.failures.iter().map(|failure| format!("    {}\n", failure.name)));
        parts.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_counts_one_and_runners_count_their_tests() {
        let mut report = Report::new(5);
        report.step("a", || Ok(Outcome::Passed));
        report.step("b", || Ok(Outcome::Failed("broken".to_owned())));
        report.step("c", || Ok(Outcome::Skipped("no node".to_owned())));
        report.step("d", || Ok(Outcome::Counted(Counts { passed: 10, failed: 2, skipped: 3 }, Vec::new())));
        report.step("e", || anyhow::bail!("cargo is gone"));
        assert_eq!(report.counts.line(), "11 passed, 4 failed, 4 skipped");
        assert_eq!(
            report.remarks,
            [
                "b: FAILED: broken",
                "c: skipped: no node",
                "d: FAILED: 10 of 12 passed, 3 skipped",
                "e: FAILED: cargo is gone"
            ]
        );
    }

    #[test]
    fn a_failure_anywhere_fails_the_run() {
        let mut report = Report::new(1);
        report.step("a", || Ok(Outcome::Counted(Counts { passed: 10, failed: 1, skipped: 0 }, Vec::new())));
        assert_eq!(format!("{:?}", report.close()), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn what_failed_tests_said_comes_last_and_their_names_after_it() {
        let mut report = Report::new(1);
        let said: Vec<String> = (1..=100).map(|line| format!("line {line}")).collect();
        let failure =
            |name: &str| Failure { name: name.to_owned(), said: said.join("\n"), again: Some(format!("run {name}")) };
        let failures: Vec<Failure> = (0..20).map(|number| failure(&format!("test-{number}"))).collect();
        report.step("a", || Ok(Outcome::Counted(Counts { passed: 0, failed: 20, skipped: 0 }, failures)));
        let words = report.words_of_failures();
        assert!(words.contains("test-0 has failed, and said:\n    … 40 lines above\n    line 41\n"), "{words}");
        assert!(words.contains("    line 100\n    hint: `run test-11` runs it alone\n"), "{words}");
        assert!(!words.contains("test-12 has failed"), "a bounded number of them");
        assert!(words.ends_with("    test-18\n    test-19\n"), "{words}");
        assert_eq!(Report::new(0).words_of_failures(), "");
    }
}
