//! `pgstrata isolation`: what can be said about it on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pgstrata_units::Isolation;

use super::PgArgs;
use super::specs::SpecOptions;

/// `pgstrata isolation`.
#[derive(Debug, Subcommand)]
pub enum IsolationCommand {
    /// Play scenarios (files, directories, built-in ones by name), or run PostgreSQL's isolation specification files.
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Measure which anomalies each isolation level of a server lets happen.
    #[command(
        after_help = "Examples:\n  pgstrata isolation matrix\n  pgstrata isolation matrix --pg 17\n  pgstrata isolation matrix --json"
    )]
    Matrix(MatrixArgs),
    /// Gate a repository: judge the SQL of its transactions at the levels that they ask for.
    #[command(after_help = super::gate::EXAMPLES)]
    Check(Box<super::gate::GateArgs>),
    /// Hunt for anomalies with random transactions, and write each find as a short scenario.
    #[command(after_help = HUNT_EXAMPLES)]
    Hunt(HuntArgs),
    /// List the built-in scenarios.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print scenario files in the language's one layout, or write them so.
    Format {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Write the files instead of printing them.
        #[arg(long)]
        write: bool,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  pgstrata isolation run hermitage                              what each level lets happen, case by case
  pgstrata isolation run on-conflict-write-skew --pg 15.18      a bug of the serializable level, convicted
  pgstrata isolation run empty-btree-endpoint --pg 15.20        another one, cleared on a release with the repair
  pgstrata isolation run my.scenario --level serializable --json
  pgstrata isolation run postgresql                             PostgreSQL's own specifications, all or --only some
  pgstrata isolation run mine.spec --claim serializable         convict what only claims to be serializable
  pgstrata isolation run mine.spec --raw > mine.out             as PostgreSQL's own tester prints it

Exit status: 0 all came out as the scenarios say, 1 something did not, 2 wrong usage, 3 the environment failed.";

const HUNT_EXAMPLES: &str = "\
Examples:
  pgstrata isolation hunt --duration 60s
  pgstrata isolation hunt --level 'repeatable read' --duration 5s --seed 7
  pgstrata isolation hunt --pg 15.18 --witness-scenario found.scenario
  pgstrata isolation run found.scenario --pg 15.18

Exit status: 0 the level kept its promise, 1 it did not.";

/// A server of our own, or one that is there.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct StageArgs {
    /// Which binaries a private server runs.
    #[command(flatten)]
    pub binaries: PgArgs,
    /// Play on this server instead of starting one; scenarios with `hold` need it on this machine.
    #[arg(long, value_name = "URL", requires = "allow_write", conflicts_with_all = ["pg_bin", "pg_version"])]
    pub database_url: Option<String>,
    /// Allow changes in the attached database: a schema is made, and removed at the end.
    #[arg(long, requires = "database_url")]
    pub allow_write: bool,
}

/// `pgstrata isolation run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario files, directories, names or groups of built-in scenarios; or `.spec` files, directories of them, or
    /// `postgresql` for the specifications of the server's own version, fetched when they are needed.
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Only at these levels; for specifications the one of transactions that do not ask for any.
    #[arg(long, value_name = "LEVEL,…", value_delimiter = ',')]
    pub level: Vec<Isolation>,
    /// As JSON: all that happened.
    #[arg(long)]
    pub json: bool,
    /// How specifications are run.
    #[command(flatten)]
    pub specs: SpecOptions,
    /// The server.
    #[command(flatten)]
    pub server: StageArgs,
}

/// `pgstrata isolation matrix`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// As JSON, with the witnesses.
    #[arg(long)]
    pub json: bool,
    /// The server.
    #[command(flatten)]
    pub server: StageArgs,
}

/// `pgstrata isolation hunt`.
#[derive(Debug, Args)]
pub struct HuntArgs {
    /// The isolation level of all transactions.
    #[arg(long, default_value = "serializable")]
    pub level: Isolation,
    /// For how long, `5s`, `10m`; Ctrl-C ends it earlier and still reports.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "30s")]
    pub duration: Duration,
    /// Sessions in all.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..=64))]
    pub clients: u32,
    /// Seed of the programs; drawn and printed when it is not given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End at the first find that the level forbids.
    #[arg(long)]
    pub stop_at_first: bool,
    /// Write the finds as scenarios into this file.
    #[arg(long, value_name = "FILE")]
    pub witness_scenario: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The server.
    #[command(flatten)]
    pub server: StageArgs,
}
