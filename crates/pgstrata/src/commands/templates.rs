//! Prints code from the templates, and holds programs made from it against a private server.

use anyhow::{Context as _, bail};
use pgstrata_pg::{Cluster, ClusterSpec};
use pgstrata_tools::advisor::SolutionId;
use pgstrata_tools::advisor::templates::{self, plan, trial};

use crate::Ended;
use crate::cli::templates::{TemplatesAction, TemplatesCommand};

/// Runs `pgstrata __templates`.
pub async fn templates(command: TemplatesCommand) -> anyhow::Result<Ended> {
    match command.action {
        TemplatesAction::Code { language, solution } => print!("{}", templates::code(named(&solution)?, language)),
        TemplatesAction::List { all: true } => plan::examples().for_each(|solution| println!("{}", solution.key())),
        TemplatesAction::List { all: false } => {
            for solution in trial::TRANSFERRING {
                println!("{}", solution.key());
            }
        }
        TemplatesAction::Try { solution, program } => return attempt(named(&solution)?, program).await,
    }
    Ok(Ended::Held)
}

fn named(solution: &str) -> anyhow::Result<SolutionId> {
    let found = SolutionId::ALL.iter().find(|id| id.key() == solution);
    found.copied().with_context(|| format!("there is no solution named `{solution}`"))
}

async fn attempt(solution: SolutionId, program: Vec<std::ffi::OsString>) -> anyhow::Result<Ended> {
    let mut words = program.into_iter();
    let Some(program) = words.next() else { bail!("no program was named") };
    let install = pgstrata_pg::find(None, None)?;
    let mut spec = ClusterSpec::new(install, pgstrata_pg::profile::Profile::FastTest);
    spec.tcp = true;
    let cluster = Cluster::create(spec).await?;
    let trial = trial::run(&cluster, solution, &trial::Launch { program, arguments: words.collect() }).await?;
    println!("{}", serde_json::to_string(&trial)?);
    Ok(if trial.wrong.is_empty() { Ended::Held } else { Ended::Failed })
}
