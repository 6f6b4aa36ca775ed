//! `pgstrata mvcc`: what can be said. Nothing is done here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

/// `pgstrata mvcc`.
#[derive(Debug, Subcommand)]
pub enum MvccCommand {
    /// Say how much of a server can be seen, and how to see more.
    #[command(after_help = TIERS_EXAMPLES)]
    Tiers(TiersArgs),
    /// Show the versions of a table or of one row that are on disk: who made them, who ended them, who sees them and why.
    #[command(after_help = VERSIONS_EXAMPLES)]
    Versions(VersionsArgs),
    /// Follow sessions, waits, deadlocks and row versions as they change, until Ctrl-C.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// Keep what happens in a file, until Ctrl-C or for some time.
    #[command(after_help = RECORD_EXAMPLES)]
    Record(RecordArgs),
    /// Show a recording: what happened, a moment of it, or what is different between two.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Make one page of a recording, which any browser opens and nothing else is needed for.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Put load on a private server while the workbench is open on it, and judge whether the workbench's memory stays flat.
    #[command(after_help = SOAK_EXAMPLES)]
    Soak(SoakArgs),
}

const TIERS_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc tiers --database-url postgresql://postgres@db1/shop
  pgstrata mvcc tiers --database-url … --create-extension pageinspect --allow-write";

const VERSIONS_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc versions --database-url postgresql://postgres@db1/shop --table public.account --key 1
  pgstrata mvcc versions --database-url … --table seat --key '{\"flight\": 7, \"number\": \"12A\"}'
  pgstrata mvcc versions --database-url … --table account --key '(0,3)' --json

The server is only read. Dead versions need pageinspect and a superuser, or the extension mvcc_visualizer.";

const WATCH_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc watch --database-url postgresql://postgres@db1/shop
  pgstrata mvcc watch --database-url … --table account --key 1
  pgstrata mvcc watch --database-url … --json | jq .                one change a line

The server is only read.";

const RECORD_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc record --database-url postgresql://postgres@db1/shop --table account --out lost-update.pgstrata
  pgstrata mvcc record --database-url … --out hour.pgstrata --duration 1h --max-size 100
  pgstrata mvcc replay lost-update.pgstrata

The server is only read. A recording that has reached its size or length ends, and says so.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc replay lost-update.pgstrata                         what it is about, and what happened
  pgstrata mvcc replay lost-update.pgstrata --at 120                the moment after change 120
  pgstrata mvcc replay lost-update.pgstrata --at +3s                … three seconds after its beginning
  pgstrata mvcc replay lost-update.pgstrata --at 0/1A2B3C4          … at a position in the server's log
  pgstrata mvcc replay lost-update.pgstrata --at 100 --compare 120  what is different";

const EXPORT_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc export lost-update.pgstrata --page workbench.html --out lost-update.html
  pgstrata mvcc export lost-update.pgstrata --page workbench.html --out end.html --from 100";

const SOAK_EXAMPLES: &str = "\
Examples:
  pgstrata mvcc soak --duration 1h --rate 200 --json > soak.json
  pgstrata mvcc soak --duration 10m

The first sixth of the time is not judged: histories fill up then. Flat means that memory rises less than 5 % of itself an
hour, with 95 % confidence. Exit status: 0 flat or too short to say, 1 it rises, 3 the environment failed.";

/// The server that is looked at.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct SeenArgs {
    /// The database; it is only read.
    #[arg(long, value_name = "URL")]
    pub database_url: String,
    /// Use no more than this of what the server offers.
    #[arg(long, value_enum, value_name = "TIER")]
    pub best: Option<TierArg>,
}

/// What is looked at.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetArgs {
    /// A table, with its schema or where the role's search path finds it.
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// One row: its key, a JSON object for a key of several columns, or the place of a version like `(0,3)`.
    #[arg(long, value_name = "KEY", requires = "table")]
    pub key: Option<String>,
}

/// How much of a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierArg {
    /// Views and system columns.
    Sql,
    /// Raw pages by `pageinspect`.
    Pageinspect,
    /// The extension `mvcc_visualizer`.
    Extension,
    /// The same, preloaded.
    Preloaded,
}

/// `pgstrata mvcc tiers`.
#[derive(Debug, Args)]
pub struct TiersArgs {
    /// The server.
    #[command(flatten)]
    pub server: SeenArgs,
    /// Create this extension there first.
    #[arg(long, value_enum, value_name = "NAME", requires = "allow_write")]
    pub create_extension: Option<ExtensionArg>,
    /// Allow that.
    #[arg(long)]
    pub allow_write: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// An extension that shows more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExtensionArg {
    /// PostgreSQL's own.
    Pageinspect,
    /// pgstrata's.
    #[value(name = "mvcc_visualizer")]
    MvccVisualizer,
}

/// `pgstrata mvcc versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// The server.
    #[command(flatten)]
    pub server: SeenArgs,
    /// A table, with its schema or where the role's search path finds it.
    #[arg(long, value_name = "NAME")]
    pub table: String,
    /// One row: its key, a JSON object for a key of several columns, or the place of a version like `(0,3)`.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Versions shown, at most; the newest.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub most: u32,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `pgstrata mvcc watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The server.
    #[command(flatten)]
    pub server: SeenArgs,
    /// What is looked at.
    #[command(flatten)]
    pub target: TargetArgs,
    /// End after this time.
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    pub duration: Option<Duration>,
    /// As JSON, one change a line.
    #[arg(long)]
    pub json: bool,
}

/// `pgstrata mvcc record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The server.
    #[command(flatten)]
    pub server: SeenArgs,
    /// What is looked at.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where it goes; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How long it goes on, at most.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "1h")]
    pub duration: Duration,
    /// Its size, at most, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub max_size: u64,
    /// What to call it.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// As JSON: what was recorded, at the end.
    #[arg(long)]
    pub json: bool,
}

/// `pgstrata mvcc replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording.
    pub file: PathBuf,
    /// A moment: a change's number, a time (`2026-11-23T09:00:00Z`), a time since the beginning (`+3s`), or a position in the
    /// server's log (`0/1A2B3C4`).
    #[arg(long, value_name = "WHEN")]
    pub at: Option<String>,
    /// What is different at this moment from the other.
    #[arg(long, value_name = "WHEN", requires = "at")]
    pub compare: Option<String>,
    /// Changes shown, at most.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub most: usize,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `pgstrata mvcc export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The recording.
    pub file: PathBuf,
    /// Where the page goes; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The workbench's page as one file.
    #[arg(long, value_name = "FILE")]
    pub page: PathBuf,
    /// Begin at this change.
    #[arg(long, value_name = "N")]
    pub from: Option<u64>,
    /// End with this change.
    #[arg(long, value_name = "N")]
    pub to: Option<u64>,
}

/// `pgstrata mvcc soak`.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// For how long.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "1h")]
    pub duration: Duration,
    /// Transactions a second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Seed of the accounts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As JSON, with all readings.
    #[arg(long)]
    pub json: bool,
    /// Which binaries the private server runs.
    #[command(flatten)]
    pub server: super::PgArgs,
}
