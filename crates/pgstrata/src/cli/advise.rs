//! The arguments of `pgstrata advise` and of what else reads programs from SQL.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use pgstrata_units::Isolation;

use super::PgArgs;

/// Shown below `pgstrata advise --help`.
pub const EXAMPLES: &str = "\
Examples:
  pgstrata advise --example smallbank                        see what comes out
  pgstrata advise --example smallbank --prove                and see it happen on a real server
  pgstrata advise --sql db/transactions --schema db/schema.sql
  pgstrata advise --sql app.sql --database-url postgresql://app@db1/shop
  pgstrata advise --log /var/log/postgresql/*.json --schema schema.sql --write-sql found.sql
  pgstrata advise --sql app.sql --allocation serializable    is it safe if all run at this level?
  pgstrata advise --sql app.sql --may-change-sql --report decision.md

A program is what stands below `-- pgstrata: program NAME [level]`, or between `begin` and `commit`, or in a function.
Exit status: 0 the advice is given, 1 --fail-on found something or a proof contradicts the verdict, 2 wrong usage or wrong
SQL, 3 the environment failed.";

/// What is analysed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Programs")]
pub struct ProgramArgs {
    /// Files with the transactions' SQL, or directories with `.sql` files in them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub sql: Vec<PathBuf>,
    /// Files with the tables' definitions, in the order in which they are run; otherwise those among the --sql files count.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub schema: Vec<PathBuf>,
    /// Read the tables' definitions from this database instead; nothing is changed there.
    #[arg(long, value_name = "URL", conflicts_with = "schema")]
    pub database_url: Option<String>,
    /// Logs of a server (jsonlog or csvlog), from which programs and their frequencies are rebuilt; `-` is standard input.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub log: Vec<PathBuf>,
    /// Of a log, only the sessions of this database.
    #[arg(long, value_name = "NAME", requires = "log")]
    pub log_database: Option<String>,
    /// Judge these levels instead of those that the programs ask for: `PROGRAM=LEVEL,…`, or one level for all.
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    pub allocation: Vec<Assignment>,
    /// The level of programs that ask for none: the server's `default_transaction_isolation`.
    #[arg(long, value_name = "LEVEL", default_value = "read committed", value_parser = level)]
    pub default_level: Isolation,
}

/// `pgstrata advise`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AdviseArgs {
    /// Something else than advice.
    #[command(subcommand)]
    pub command: Option<super::advise_fuzz::AdviseCommand>,
    /// A built-in example.
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["sql", "log", "schema", "database_url"])]
    pub example: Option<ExampleName>,
    /// What is analysed.
    #[command(flatten)]
    pub programs: ProgramArgs,
    /// Write the programs that were found in a log into this file.
    #[arg(long, value_name = "FILE", requires = "log")]
    pub write_sql: Option<PathBuf>,
    /// Search for changes of the SQL that make weaker levels safe.
    #[arg(long)]
    pub may_change_sql: bool,
    /// What the application needs, as JSON: then ways to do it are ranked, with what to expect of each.
    #[arg(long, value_name = "FILE")]
    pub requirement: Option<PathBuf>,
    /// Whether the application may run a transaction again; then ways to do it are ranked.
    #[arg(long, value_enum, value_name = "YES|NO")]
    pub retry: Option<RetryArg>,
    /// Run the verdicts on a real server: replay each witness, compare with all serial orders, try what is called safe.
    #[arg(long)]
    pub prove: bool,
    /// How it is proved.
    #[command(flatten)]
    pub proof: ProofArgs,
    /// When to end with status 1.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = FailOnArg::Never)]
    pub fail_on: FailOnArg,
    /// Also write the decision as a record: Markdown, or HTML if the name ends in `.html`.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a verdict is proved.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Proof")]
pub struct ProofArgs {
    /// Which binaries the private server runs.
    #[command(flatten)]
    pub binaries: PgArgs,
    /// Prove on this server instead of a private one: a scratch schema is made, and removed at the end.
    #[arg(long, value_name = "URL", requires_all = ["prove", "allow_write"], conflicts_with_all = ["pg_bin", "pg_version"])]
    pub prove_url: Option<String>,
    /// Allow changes in the database of --prove-url.
    #[arg(long, requires = "prove_url")]
    pub allow_write: bool,
    /// Allow --prove-url to be another machine.
    #[arg(long, requires = "prove_url")]
    pub allow_remote: bool,
    /// Random schedules for each verdict "safe".
    #[arg(long, value_name = "N", default_value_t = 200, requires = "prove", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub schedules: u64,
    /// Seed of the random schedules.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "prove")]
    pub seed: u64,
    /// Rows to begin with, as SQL, beside those that a witness needs.
    #[arg(long, value_name = "FILE", requires = "prove")]
    pub rows: Option<PathBuf>,
}

/// Whether transactions may be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RetryArg {
    /// They may.
    Yes,
    /// They may not: an error is the user's.
    No,
}

/// Which findings count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOnArg {
    /// What was shown to be unsafe.
    Unsafe,
    /// Also what could not be shown to be safe.
    #[default]
    Unknown,
    /// Nothing.
    Never,
}

/// A built-in example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExampleName {
    /// Two accounts a customer, five programs.
    Smallbank,
    /// Orders, payments, deliveries.
    Tpcc,
    /// Doctors on call: write skew.
    Doctors,
    /// Transfers between accounts.
    Transfer,
    /// Statements without a transaction around them.
    FlashSale,
}

/// A level for a program, or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The program; all that are not named, without one.
    pub program: Option<String>,
    /// Its level.
    pub level: Isolation,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((program, named)) => {
                Ok(Self { program: Some(program.trim().to_owned()), level: level(named.trim())? })
            }
            None => Ok(Self { program: None, level: level(text)? }),
        }
    }
}

/// A level by its name, or short: `rc`, `rr`, `ser`.
pub fn level(text: &str) -> Result<Isolation, String> {
    match text.to_ascii_lowercase().as_str() {
        "rc" => Ok(Isolation::ReadCommitted),
        "rr" | "si" => Ok(Isolation::RepeatableRead),
        "ser" | "ssi" => Ok(Isolation::Serializable),
        _ => text.parse().map_err(|error: pgstrata_units::UnknownIsolation| error.to_string()),
    }
}

impl ExampleName {
    /// The example's name in the library.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smallbank => "smallbank",
            Self::Tpcc => "tpcc",
            Self::Doctors => "doctors",
            Self::Transfer => "transfer",
            Self::FlashSale => "flash-sale",
        }
    }
}
