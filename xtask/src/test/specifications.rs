//! All of `PostgreSQL`'s own isolation specifications, through `pgstrata isolation run postgresql`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::report::{Counts, Outcome};

/// What `pgstrata isolation run postgresql --json` says, as far as it is read here.
#[derive(Deserialize)]
struct Ran {
    server: String,
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    permutations: u64,
    matched: u64,
    differing: u64,
    unrepaired: u64,
    judged: u64,
    convicted: u64,
}

/// The major versions to run on; `None` is the server that is found first.
pub fn majors(asked: &[u32]) -> Vec<Option<u32>> {
    if asked.is_empty() { vec![None] } else { asked.iter().copied().map(Some).collect() }
}

/// What the step is called.
pub fn step_name(major: Option<u32>) -> String {
    let on = major.map(|major| format!(" on PostgreSQL {major}")).unwrap_or_default();
    format!("PostgreSQL's isolation specifications{on} (fetched with the source package; some minutes)")
}

/// Runs them; each file counts as one check, and each conviction as a failed one.
pub fn run(major: Option<u32>, pgstrata: impl Fn(&[&str]) -> Result<Command>) -> Result<Outcome> {
    let major = major.map(|major| major.to_string());
    let mut arguments = vec!["isolation", "run", "postgresql", "--json"];
    arguments.extend(major.iter().flat_map(|major| ["--pg-version", major.as_str()]));
    let output = pgstrata(&arguments)?.stderr(Stdio::inherit()).output().context("running pgstrata")?;
    outcome(&String::from_utf8_lossy(&output.stdout), output.status.success())
}

fn outcome(printed: &str, held: bool) -> Result<Outcome> {
    if printed.trim().is_empty() {
        return Ok(Outcome::Failed("they were not run; what pgstrata says above is what to do".to_owned()));
    }
    let Ran { server, totals } =
        serde_json::from_str(printed).context("reading what `pgstrata isolation run` printed")?;
    println!(
        "      PostgreSQL {server}: {} permutations, {} judged, {} files wait for a repair of the server",
        totals.permutations, totals.judged, totals.unrepaired
    );
    let failed = totals.differing + totals.convicted;
    // A run can also end early, which is a failure of its own.
    let failed = if held { failed } else { failed.max(1) };
    Ok(Outcome::Counted(Counts { passed: totals.matched, failed, skipped: totals.unrepaired }, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(differing: u64, convicted: u64) -> String {
        format!(
            r#"{{"server":"15.18","level":null,"files":[],"totals":{{"files":117,"permutations":3038,"matched":115,
            "differing":{differing},"unrepaired":1,"unknown":0,"judged":2900,"convicted":{convicted}}}}}"#
        )
    }

    #[test]
    fn each_file_is_a_check_and_a_conviction_a_failed_one() {
        let counts = |differing, convicted, held| match outcome(&printed(differing, convicted), held) {
            Ok(Outcome::Counted(counts, _)) => (counts.passed, counts.failed, counts.skipped),
            other => panic!("{other:?}"),
        };
        assert_eq!(counts(0, 0, true), (115, 0, 1));
        assert_eq!(counts(1, 2, false), (115, 3, 1));
        assert_eq!(counts(0, 0, false), (115, 1, 1), "it ended early");
    }

    #[test]
    fn specifications_that_were_not_run_are_a_failure() {
        assert!(matches!(outcome("", false), Ok(Outcome::Failed(_))));
        assert!(outcome("error", false).is_err());
    }
}
