//! The binary: turns the command line into calls of the libraries and their results into text.
//!
//! The only writer to standard output. No measuring, judging or SQL here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the crate that prints")]

mod cli;
mod commands;
mod failure;
mod interrupt;
mod progress;
mod servers;
mod terminal;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use terminal::Terminal;

/// How a command ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything held.
    Held,
    /// An invariant broke or a claim was missed.
    Failed,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    let terminal = Terminal::detect(cli.lang);
    match execute(cli.command, terminal) {
        Ok(Ended::Held) => ExitCode::SUCCESS,
        Ok(Ended::Failed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{}", failure::paragraph(&error, terminal));
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

/// Logs go to standard error, so that standard output holds results only.
fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        // What faults do to sessions is expected, and counted in the results.
        0 => "error",
        1 => "warn",
        2 => "info",
        _ => "debug",
    };
    let wanted = std::env::var("PGSTRATA_LOG").unwrap_or_else(|_| default.to_owned());
    // The driver's own debug messages hold the values of parameters, which belong in no log.
    let filter = EnvFilter::new(format!("{wanted},tokio_postgres=info"));
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured).with_writer(std::io::stderr).init();
}

fn execute(command: Command, terminal: Terminal) -> anyhow::Result<Ended> {
    if matches!(command, Command::Serve(_)) {
        // It runs for days, and what it holds is bounded: so must be what its allocator keeps beside it.
        pgstrata_pg::memory::keep_little();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One thread for control and one for whatever blocks: the machine belongs to the server and the load.
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::List(args) => commands::list::list(&args, terminal),
            Command::Run(args) => commands::run::run(&args, terminal).await,
            Command::Serve(args) => commands::serve::serve(&args, terminal).await,
            Command::FlashSale(command) => commands::flash_sale::flash_sale(command, terminal).await,
            Command::Advise(args) => commands::advise::advise(&args, terminal).await,
            Command::Check(args) => commands::check::check(&args, terminal),
            Command::Ledger(command) => commands::ledger::ledger(command, terminal).await,
            Command::Mvcc(command) => commands::mvcc::mvcc(command, terminal).await,
            Command::Record(command) => commands::record::record(&command, terminal),
            Command::Isolation(command) => commands::isolation::isolation(command, terminal).await,
            Command::Pg(command) => commands::pg::pg(command, terminal).await,
            Command::Ext(command) => commands::ext::ext(command, terminal).await,
            Command::Doctor(args) => commands::doctor::doctor(&args, terminal).await,
            Command::Bench(command) => commands::bench::bench(&command, terminal).await,
            Command::Completions { shell } => Ok(commands::reference::completions(shell)),
            Command::Man { dir } => commands::reference::man(dir.as_deref()),
            Command::Reference(args) => commands::reference::reference(&args, terminal.language),
            Command::Templates(command) => commands::templates::templates(command).await,
            Command::Keep(args) => commands::pg::keep(args).await,
            Command::Load => commands::run::load_worker().await,
        }
    })
}
