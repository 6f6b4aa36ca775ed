//! `pgstrata ext`: what can be said. Nothing is done here.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PgArgs;

/// `pgstrata ext`.
#[derive(Debug, Subcommand)]
pub enum ExtCommand {
    /// Put the extension beside a server for pgstrata's private servers; the system's folders stay as they are.
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(FilesArgs),
    /// Write the built extension to an archive for servers elsewhere.
    #[command(after_help = "Examples:\n  pgstrata ext package\n  pgstrata ext package --pg 17 --output dist\n\n\
                      Prints the archive's path. INSTALL in the archive says what to do with it.")]
    Package {
        /// The directory to write to.
        #[arg(long, value_name = "DIR", default_value = ".")]
        output: PathBuf,
        /// The files and the server they were built for.
        #[command(flatten)]
        files: FilesArgs,
    },
    /// Say for which servers the extension is built and installed.
    #[command(after_help = "Examples:\n  pgstrata ext status\n  pgstrata ext status --json")]
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have the extension judge who sees which row version, and compare with what readers see.
    #[command(
        after_help = "Examples:\n  pgstrata ext prove\n  pgstrata ext prove --pg 17 --judgements 300000 --json\n\n\
                      Starts a private server for it. Fails when one judgement is wrong or missing."
    )]
    Prove(ProveArgs),
    /// Run PostgreSQL's own isolation specifications and look for each of their waits in what the extension has kept.
    #[command(
        after_help = "Examples:\n  pgstrata ext capture\n  pgstrata ext capture --pg 17 --only deadlock-hard,eval-plan-qual --json\n\n\
                      Starts a private server for it; takes some minutes. Fails when less than 99 % were captured."
    )]
    Capture(CaptureArgs),
    /// Measure what observing costs: each statement, the worker that looks at waits, and pgbench's transactions.
    #[command(after_help = "Examples:\n  pgstrata ext bench\n  pgstrata ext bench --pg 18 --pairs 40 --json\n\n\
                      Starts a private server for it; leave the machine alone meanwhile. Fails when it costs more than promised:\n\
                      0.2 µs a statement, 1 % of a core, 2 % of pgbench's transactions.")]
    Bench(BenchArgs),
    /// Have the extension read damaged pages; the server must survive it.
    #[command(after_help = "Examples:\n  pgstrata ext fuzz\n  pgstrata ext fuzz --pg 18 --pages 1000000 --json\n\n\
                      Starts a private server for it.")]
    Fuzz(FuzzArgs),
    /// Find the server's header files, which building needs; fetch them into the cache where there are none.
    #[command(after_help = "Examples:\n  pgstrata ext headers\n  pgstrata ext headers --pg 17 --json\n\n\
                      Prints the path of a `pg_config` that names them.")]
    Headers {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The server.
        #[command(flatten)]
        server: PgArgs,
    },
}

const INSTALL_EXAMPLES: &str = "\
Examples:
  ./x ext && pgstrata ext install                      build it for the server found first, and install it
  pgstrata ext install --pg 17                         beside PostgreSQL 17
  pgstrata ext install --from mvcc_visualizer-1.0-pg15-linux-x86_64

Then `pgstrata pg list` names the server with the extension, and --pg-bin chooses it; `create extension mvcc_visualizer`
makes its functions. With shared_preload_libraries = 'mvcc_visualizer' it also sees other sessions' snapshots and waits.";

/// The extension's files, and the server they are for.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// Directory of the built or unpacked files; otherwise they are looked for in the checkout around this directory.
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// The server.
    #[command(flatten)]
    pub server: PgArgs,
}

/// Which specifications are run.
#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// Only these files, by their names without ending.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The files and the server they were built for.
    #[command(flatten)]
    pub files: FilesArgs,
}

/// How much is measured.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Statements of one run.
    #[arg(long, value_name = "N", default_value_t = 300_000, value_parser = clap::value_parser!(i32).range(1..=100_000_000))]
    pub statements: i32,
    /// Pairs of runs, with and without.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub pairs: usize,
    /// How long the worker is watched in each of three situations.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "20s")]
    pub watched: std::time::Duration,
    /// Pairs of windows of pgbench, with and without observing, for each of three ways to observe; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = windows)]
    pub windows: usize,
    /// Length of one such window, in whole seconds.
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "5s")]
    pub window: std::time::Duration,
    /// Seed of the order of the windows.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The files and the server they were built for.
    #[command(flatten)]
    pub files: FilesArgs,
}

/// One pair has no spread.
fn windows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(1) => Err("one pair has no spread; write 0 for none, or at least 2".to_owned()),
        Ok(windows) => Ok(windows),
        Err(_) => Err("write a whole number, like 20".to_owned()),
    }
}

/// What is to be proved.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// How many judgements.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub judgements: u64,
    /// What the load is drawn from. Interleavings differ all the same.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The files and the server they were built for.
    #[command(flatten)]
    pub files: FilesArgs,
}

/// How much is to be read.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// How many damaged pages.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub pages: u64,
    /// What the damage is drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// The files and the server they were built for.
    #[command(flatten)]
    pub files: FilesArgs,
}
