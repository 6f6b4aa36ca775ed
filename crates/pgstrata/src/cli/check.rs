//! The arguments of `pgstrata check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pgstrata_history::Model;
use pgstrata_history::formats::Format;
use pgstrata_history::workload::Kind;

/// Shown below `pgstrata check --help`.
pub const EXAMPLES: &str = "\
Examples:
  pgstrata check history.edn                                 is it serializable?
  pgstrata check history.edn --model snapshot-isolation
  pgstrata check run.pgshist --model strict-serializable --json
  pgstrata check history.txt --svg cycle.svg --witness small.edn
  pgstrata check registers.jsonl --type linearizable
  pgstrata check bank.edn --total 1000

Formats: Elle's operation maps as EDN or JSON, lines like `w(x,1,0,0)`, and what pgstrata records.
Exit status: 0 the model holds, 1 it is violated, 2 the file or the usage is wrong, 3 the machine failed or a bound was hit.";

/// `pgstrata check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The history; `-` reads standard input.
    pub file: PathBuf,
    /// What was promised.
    #[arg(long, value_name = "MODEL", default_value = "serializable", value_parser = model)]
    pub model: Model,
    /// What the history is about; its operations tell it where they can.
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub kind: Option<CheckKind>,
    /// How the file is written; its beginning tells it otherwise: edn, json, text.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<Format>,
    /// The total of all balances of a bank; the first read tells it otherwise.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub total: Option<i64>,
    /// Accounts of a bank may be overdrawn.
    #[arg(long)]
    pub overdraft: bool,
    /// Be content with what is certain: registers of more transactions than can be decided count as sound if no contradiction is
    /// inferred.
    #[arg(long)]
    pub inferred: bool,
    /// Transactions over registers that are decided completely; more take longer.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub decide_most: usize,
    /// What may be assumed of the versions of a register beside what was read.
    #[arg(long, value_enum, value_name = "ORDER")]
    pub keys: Option<KeyOrder>,
    /// Print the verdict as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the cycle as a graph for Graphviz.
    #[arg(long, value_name = "FILE")]
    pub dot: Option<PathBuf>,
    /// Write the cycle as a picture.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the few transactions that show the violation as a history of their own.
    #[arg(long, value_name = "FILE")]
    pub witness: Option<PathBuf>,
}

/// What a history can be judged as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckKind {
    /// Transactions that append to lists and read them.
    ListAppend,
    /// Transactions that write registers and read them.
    RwRegister,
    /// Transfers, and reads of all balances.
    Bank,
    /// Additions to a set, and reads of it.
    Set,
    /// Additions to a counter, and reads of it.
    Counter,
    /// Single reads and writes of registers, each at one moment.
    Linearizable,
}

/// An order in which the versions of each register are assumed to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyOrder {
    /// Each client meets them in their order.
    Sequential,
    /// They are met in their order in real time.
    Linearizable,
}

impl CheckKind {
    /// The kind of history that it takes.
    pub fn history(self) -> Kind {
        match self {
            Self::ListAppend => Kind::ListAppend,
            Self::RwRegister | Self::Linearizable => Kind::RwRegister,
            Self::Bank => Kind::Bank,
            Self::Set => Kind::Set,
            Self::Counter => Kind::Counter,
        }
    }
}

fn model(name: &str) -> Result<Model, String> {
    name.parse().map_err(|error: pgstrata_history::consistency::UnknownModel| error.to_string())
}

fn format(name: &str) -> Result<Format, String> {
    name.parse().map_err(|error: pgstrata_history::formats::UnknownFormat| error.to_string())
}
