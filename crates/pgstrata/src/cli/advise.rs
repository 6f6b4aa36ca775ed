//! The arguments of `pgstrata advise` and of what else reads programs from SQL.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use pgstrata_tools::advisor::templates::Language as CodeLanguage;
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
  pgstrata advise --sql app.sql --code python --out generated/
  pgstrata advise --requirement-template > needs.toml        then edit it, and:
  pgstrata advise --sql app.sql --requirement needs.toml --export adr > decision.md

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
    /// Files with the tables' definitions in the order in which they are run, or directories; otherwise those among the
    /// --sql files count.
    #[arg(long, value_name = "PATH", num_args = 1..)]
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
    /// Of a log, leave out programs that were committed fewer times, and say which: what ran once is often the loading of
    /// data. Without it, those that were seen once in a log of a hundred transactions or more.
    #[arg(long, value_name = "N", requires = "log", value_parser = clap::value_parser!(u64).range(1..))]
    pub least: Option<u64>,
    /// Judge these levels instead of those that the programs ask for: `PROGRAM=LEVEL,…`, or one level for all.
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    pub allocation: Vec<Assignment>,
    /// The level of programs that ask for none: the server's `default_transaction_isolation`.
    #[arg(long, value_name = "LEVEL", default_value = "read committed", value_parser = level)]
    pub default_level: Isolation,
}

/// `pgstrata advise`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// Write the programs that were found in a log, or those of the example, into this file.
    #[arg(long, value_name = "FILE")]
    pub write_sql: Option<PathBuf>,
    /// Search for changes of the SQL that make weaker levels safe.
    #[arg(long)]
    pub may_change_sql: bool,
    /// What the application needs, as TOML, or as JSON if the name ends in `.json`: then ways to do it are ranked, with what
    /// to expect of each.
    #[arg(long, value_name = "FILE")]
    pub requirement: Option<PathBuf>,
    /// Print a requirement with every question as a comment, to be edited, and end.
    #[arg(long)]
    pub requirement_template: bool,
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
    /// The programs as code in this language at the levels that were found, with retries and request keys; with
    /// --may-change-sql, with the changes that were found. Printed, instead of the report, unless --out says where to write.
    #[arg(long, value_name = "LANG", value_parser = code_language(), conflicts_with = "json")]
    pub code: Option<CodeLanguage>,
    /// Write the code into this directory, which is made: a directory for each program, and the table that they need.
    #[arg(long, value_name = "DIR", requires = "code")]
    pub out: Option<PathBuf>,
    /// Print the answer in this form instead of the report.
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    pub export: Option<ExportArg>,
    /// As JSON: short for --export json.
    #[arg(long)]
    pub json: bool,
}

/// The names of languages, which completions know, as languages.
fn code_language() -> impl clap::builder::TypedValueParser<Value = CodeLanguage> {
    let names = CodeLanguage::ALL.map(CodeLanguage::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<CodeLanguage>())
}

/// A form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportArg {
    /// An architecture decision record in Markdown, with the options, the proof and the code.
    Adr,
    /// All of it, for programs.
    Json,
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
    /// What was shown to be unsafe, or was not understood.
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
    /// Write skew: both doctors leave.
    #[value(alias = "doctors")]
    DoctorsOnCall,
    /// A stock that many want.
    FlashSale,
    /// A transfer as a function in PL/pgSQL.
    #[value(alias = "transfer")]
    BankTransfer,
    /// Workers that take jobs out of a table.
    JobQueue,
    /// Statements without a transaction around them.
    Booking,
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
            Self::DoctorsOnCall => "doctors-on-call",
            Self::FlashSale => "flash-sale",
            Self::BankTransfer => "bank-transfer",
            Self::JobQueue => "job-queue",
            Self::Booking => "booking",
        }
    }
}
