//! The arguments of `pgstrata isolation check`, the gate for repositories.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::advise::{FailOnArg, ProgramArgs};

/// Shown below `pgstrata isolation check --help`.
pub const EXAMPLES: &str = "\
Examples:
  pgstrata isolation check --sql db/transactions --schema db/schema.sql
  pgstrata isolation check --sql db --fail-on unsafe --format sarif > isolation.sarif
  pgstrata isolation check --sql db --format github
  pgstrata isolation check --sql db --baseline isolation.sarif

A finding is accepted by a comment with a reason in its program: `-- pgstrata: accept unsafe: REASON`.
Recorded histories are judged by `pgstrata check`.
Exit status: 0 nothing that counts was found, 1 something was, 2 wrong usage or wrong SQL, 3 the environment failed.";

/// `pgstrata isolation check`.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// What is analysed.
    #[command(flatten)]
    pub programs: ProgramArgs,
    /// What counts: `unsafe` what a schedule shows to be unsafe, `unknown` also what could not be shown to be safe.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = FailOnArg::Unknown)]
    pub fail_on: FailOnArg,
    /// How findings are printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = GateFormat::Text)]
    pub format: GateFormat,
    /// Findings of an earlier run, as SARIF or JSON: what is in it does not count.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GateFormat {
    /// Lines for people: `file:line:column: severity: message [rule]`.
    Text,
    /// All of it, for programs.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
    /// Workflow commands of GitHub Actions, shown beside the lines of a pull request.
    Github,
}
