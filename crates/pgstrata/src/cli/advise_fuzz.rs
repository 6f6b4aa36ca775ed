//! The arguments of `pgstrata advise fuzz`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PgArgs;

/// What `pgstrata advise` does besides.
#[derive(Debug, Subcommand)]
pub enum AdviseCommand {
    /// Try the verdicts themselves: random programs are decided, and each verdict is played on a real server.
    #[command(after_help = EXAMPLES)]
    Fuzz(FuzzArgs),
}

/// Shown below `pgstrata advise fuzz --help`.
const EXAMPLES: &str = "\
Examples:
  pgstrata advise fuzz                               50 sets of programs, a minute or two
  pgstrata advise fuzz --sets 500 --seed 5000 --record
  pgstrata advise fuzz --sets 1 --seed 5023 --json   one set again, with everything that was found

What is called safe must give, in every schedule that is tried, what some serial order gives; what is called unsafe must
happen. Then sets drawn for each are decided with deliberate mistakes, which the server must contradict.

Exit status: 0 all that was said holds, 1 a verdict was contradicted or a mistake was not found, 2 wrong usage, 3 the
environment failed.";

/// `pgstrata advise fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Random sets of programs.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub sets: u64,
    /// The number of the first set; each is drawn from its own number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000_000))]
    pub seed: u64,
    /// Schedules for each allocation that is called safe.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub schedules: u64,
    /// Sets that are tried at the same time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
    /// Leave the deliberate mistakes out.
    #[arg(long)]
    pub without_mistakes: bool,
    /// Keep what was found, in `record/` or in this directory.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "record")]
    pub record: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The server.
    #[command(flatten)]
    pub server: PgArgs,
}
