//! `pgstrata __templates`: what `cargo xtask templates` asks for. Nothing is done here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pgstrata_tools::advisor::templates::Language;

/// `pgstrata __templates`.
#[derive(Args, Debug)]
pub struct TemplatesCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: TemplatesAction,
}

/// What can be done with templates.
#[derive(Subcommand, Debug)]
pub enum TemplatesAction {
    /// Print the code of a solution whose example is a transfer.
    Code {
        /// The language.
        language: Language,
        /// The solution, as JSON names it.
        solution: String,
    },
    /// Print the solutions that are tried, one a line.
    List {
        /// All that have an example of their own: what is compiled.
        #[arg(long)]
        all: bool,
    },
    /// Write the programs of every example as a user's own are written, each into a folder of its own, and print the folders.
    Own {
        /// The language.
        language: Language,
        /// Where to.
        folder: PathBuf,
    },
    /// Hold a program against a server.
    Try {
        /// The solution that it was made for.
        solution: String,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
}
