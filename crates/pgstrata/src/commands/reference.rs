//! Completions, manual pages and the generated parts of the documentation.

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use pgstrata_lab::{archive, report};

use crate::Ended;
use crate::cli::{Cli, ReferenceArgs};

/// Prints a completion script.
pub fn completions(shell: Shell) -> Ended {
    clap_complete::generate(shell, &mut Cli::command(), "pgstrata", &mut std::io::stdout());
    Ended::Held
}

/// Prints the manual page, or writes one for each command.
pub fn man(dir: Option<&Path>) -> anyhow::Result<Ended> {
    match dir {
        None => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?,
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
            clap_mangen::generate_to(Cli::command(), dir)
                .with_context(|| format!("could not write into {}", dir.display()))?;
        }
    }
    Ok(Ended::Held)
}

/// Prints a generated part of the documentation.
pub fn reference(args: &ReferenceArgs) -> anyhow::Result<Ended> {
    match (args.what.as_str(), &args.name) {
        ("cli", None) => print!("{}", cli_reference()),
        ("table", Some(name)) => {
            let Some(record) = archive::latest(&args.dir, name, "full")? else {
                bail!("there is no record of `{name}` with the preset full in {}", args.dir.display());
            };
            print!("{}", report::markdown(&record));
        }
        _ => bail!("the parts are `cli` and `table STUDY`"),
    }
    Ok(Ended::Held)
}

/// Every command's own help, as one Markdown page.
fn cli_reference() -> String {
    let mut page = String::from("# Command line\n\nThis page is generated from the program's own help.\n");
    let mut root = Cli::command();
    root.build();
    describe(&mut page, &root, "pgstrata");
    page
}

fn describe(page: &mut String, command: &Command, path: &str) {
    let help = command.clone().term_width(100).render_long_help().to_string();
    page.push_str("\n## `");
    page.push_str(path);
    page.push_str("`\n\n```text\n");
    for line in help.trim_end().lines() {
        page.push_str(line.trim_end());
        page.push('\n');
    }
    page.push_str("```\n");
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        describe(page, child, &format!("{path} {}", child.get_name()));
    }
}
