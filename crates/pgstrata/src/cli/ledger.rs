//! `pgstrata ledger`: what can be said. Nothing is done here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// `pgstrata ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make the ledger's tables in a database.
    #[command(
        after_help = "Example:\n  pgstrata ledger create --database-url postgresql://owner@db1/books --allow-write"
    )]
    Create(DatabaseArgs),
    /// Make the auditor's key: FILE for the auditor alone, FILE.pub for everybody.
    #[command(after_help = "Example:\n  pgstrata ledger keygen --key auditor.key")]
    Keygen {
        /// Where the private key goes; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Follow a ledger: chain every committed entry, sign the chain's head. Until Ctrl-C, or once.
    #[command(after_help = FOLLOW_EXAMPLES)]
    Follow(FollowArgs),
    /// Recompute the chain from the archived log, and find whatever does not agree with it.
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArgs),
}

const FOLLOW_EXAMPLES: &str = "\
Examples:
  pgstrata ledger follow --database-url postgresql://auditor@db1/books --allow-write --key auditor.key --heads heads.jsonl
  pgstrata ledger follow … --archive /backup/wal        also receive the log, where the server does not archive it itself
  pgstrata ledger follow … --once                       take over what is there, sign it, and end

The server needs wal_level = logical. HEADS is best kept where the database's administrators cannot write.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  pgstrata ledger audit --archive /backup/wal --heads heads.jsonl --public-key auditor.key.pub
  pgstrata ledger audit … --database-url postgresql://reader@db1/books     also hold chain and rows against it
  pgstrata ledger audit … --archive /var/lib/postgresql/15/main/pg_wal     also the segment that is being written

Exit status: 0 everything agrees, 1 something was altered, missing or reordered (and what, and where), 2 wrong usage,
3 the environment failed.";

/// A database that is changed.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// The database.
    #[arg(long, value_name = "URL")]
    pub database_url: String,
    /// Allow what this command adds to the database.
    #[arg(long)]
    pub allow_write: bool,
}

/// `pgstrata ledger follow`.
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The auditor's private key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The file of signed heads; made if it is not there, which begins a trail.
    #[arg(long, value_name = "FILE")]
    pub heads: PathBuf,
    /// Sign a head after this time, if there is anything new.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "1s")]
    pub every: Duration,
    /// Sign a head after so many entries.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub entries: u64,
    /// Take over what is there, sign it, and end.
    #[arg(long)]
    pub once: bool,
    /// Receive the log into this directory with `pg_receivewal`.
    #[arg(long, value_name = "DIR", conflicts_with = "once")]
    pub archive: Option<PathBuf>,
    /// Directory of the binaries that `pg_receivewal` is taken from; otherwise it is looked for.
    #[arg(long, value_name = "DIR", env = "PGSTRATA_PG_BIN")]
    pub pg_bin: Option<PathBuf>,
}

/// `pgstrata ledger audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// A directory of archived segments; of several, the first that has a segment gives it.
    #[arg(long, value_name = "DIR", required = true)]
    pub archive: Vec<PathBuf>,
    /// The file of signed heads.
    #[arg(long, value_name = "FILE")]
    pub heads: PathBuf,
    /// The auditor's public key.
    #[arg(long, value_name = "FILE")]
    pub public_key: PathBuf,
    /// Also hold the rows and the chain in this database against the log; it is only read.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Judge this chain instead of the database's: a file with one link a line, as JSON.
    #[arg(long, value_name = "FILE")]
    pub chain: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
