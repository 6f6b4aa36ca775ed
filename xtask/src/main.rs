//! What `./x` does beyond bootstrapping: all checks with one closing line, conventions as checks,
//! generated files, scaffolds of new studies.
//!
//! It knows the tree and cargo, and nothing of `PostgreSQL`: it starts no server and links no crate of the product,
//! so that it builds in seconds.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task's output is what it is for")]

mod book;
mod cargo;
mod coverage;
mod ext;
mod generate;
mod new_study;
mod node;
mod report;
mod template;
mod templates;
mod test;
mod tidy;
mod toolbox;
mod tree;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the pgstrata repository.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check, and close with `N passed, N failed, N skipped`.
    Test(test::Options),
    /// Run the tests on an instrumented build and show the covered lines per crate.
    Coverage,
    /// Check the conventions that no other tool checks.
    Tidy,
    /// Make the generated files anew.
    Gen {
        /// Only say which are stale.
        #[arg(long)]
        check: bool,
    },
    /// Make a new study that runs and passes every check.
    NewStudy(new_study::Options),
    /// Format every crate.
    Fmt {
        /// Only say what is not formatted.
        #[arg(long)]
        check: bool,
    },
    /// Run clippy over every target; warnings are errors.
    Lint,
    /// Build the release binary and run `pgstrata bench`.
    Bench {
        /// What `pgstrata bench` is given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the extension for the server found first, or for the named major versions.
    Ext(ext::Options),
    /// Build the book, or serve it while writing.
    Book {
        /// What to do with it.
        #[arg(value_enum, default_value = "build")]
        action: book::Action,
    },
    /// Compile the advisor's code templates and run them against a server, in the languages that this machine has.
    Templates {
        /// Only these: python, typescript, java, go, rust-tokio-postgres, rust-sqlx.
        languages: Vec<String>,
    },
    /// Build the workbench's page, test it, or serve it while writing.
    Ui {
        /// What to do with it.
        #[arg(value_enum, default_value = "build")]
        action: ui::Action,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn perform(task: Task) -> anyhow::Result<ExitCode> {
    let root = tree::root();
    match task {
        Task::Test(options) => Ok(test::run(&root, &options)),
        Task::Coverage => test::coverage_only(&root),
        Task::Tidy => tidy::perform(&root),
        Task::Gen { check } => generate::perform(&root, check),
        Task::NewStudy(options) => new_study::perform(&root, &options),
        Task::Fmt { check } => cargo::fmt(&root, check).map(cargo::exit_code),
        Task::Lint => cargo::clippy(&root).map(cargo::exit_code),
        Task::Bench { arguments } => cargo::bench(&root, &arguments).map(cargo::exit_code),
        Task::Ext(options) => ext::perform(&root, &options).map(|()| ExitCode::SUCCESS),
        Task::Book { action } => book::perform(&root, action),
        Task::Templates { languages } => templates::perform(&root, &languages, |arguments| product(&root, arguments)),
        Task::Ui { action } => ui::perform(&root, action),
    }
}

/// `pgstrata` of a debug build, which is made first where it is stale.
fn product(root: &std::path::Path, arguments: &[&str]) -> anyhow::Result<std::process::Command> {
    let build = cargo::command(root, &["build", "--quiet", "--package", "pgstrata"]);
    anyhow::ensure!(cargo::status(build)?.success(), "pgstrata was not built");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), std::path::PathBuf::from);
    let mut command = std::process::Command::new(target.join("debug/pgstrata"));
    command.args(arguments).current_dir(root);
    Ok(command)
}
