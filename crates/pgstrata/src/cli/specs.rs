//! `pgstrata isolation run` on PostgreSQL's specification files: what can be said about it on the command line.

use std::path::PathBuf;

use clap::Args;
use pgstrata_units::Isolation;

/// How specification files are run and judged.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "PostgreSQL's specification files")]
pub struct SpecOptions {
    /// Only the specifications of these names.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only so many of them, drawn by the seed.
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Seed of the draw.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    pub sample_seed: u64,
    /// Compare the output alone, and do not ask whether some serial order gives the outcome.
    #[arg(long)]
    pub no_judge: bool,
    /// Hold every transaction to this level, whatever it asked for.
    #[arg(long, value_name = "LEVEL", conflicts_with = "no_judge")]
    pub claim: Option<Isolation>,
    /// Private servers that work at the same time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub servers: u32,
    /// Print what the runs print, as PostgreSQL's own tester does, instead of the summary.
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
}

/// Where the fetched specifications are meant.
pub const POSTGRESQL: &str = "postgresql";

/// Whether a name means specification files: `postgresql`, a `.spec` file, or a directory that holds some.
pub fn means_specifications(what: &str) -> bool {
    let path = PathBuf::from(what);
    let is_spec = |path: &std::path::Path| path.extension().is_some_and(|ending| ending == "spec");
    let holds = |directory: PathBuf| {
        std::fs::read_dir(directory).is_ok_and(|entries| entries.flatten().any(|entry| is_spec(&entry.path())))
    };
    what == POSTGRESQL || is_spec(&path) || holds(path.join("specs")) || holds(path)
}
