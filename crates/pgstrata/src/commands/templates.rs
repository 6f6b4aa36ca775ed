//! Prints code from the templates, and holds programs made from it against a private server.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use pgstrata_pg::{Cluster, ClusterSpec};
use pgstrata_tools::advisor::examples::EXAMPLES;
use pgstrata_tools::advisor::present::code;
use pgstrata_tools::advisor::templates::{self, Language, plan, trial};
use pgstrata_tools::advisor::{Options, SolutionId, analyse};

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
        TemplatesAction::Own { language, folder } => own(language, &folder)?,
        TemplatesAction::Try { solution, program } => return attempt(named(&solution)?, program).await,
    }
    Ok(Ended::Held)
}

/// Every program of every example: at the level that was found for it, and where statements may be changed as they then
/// are.
fn own(language: Language, folder: &Path) -> anyhow::Result<()> {
    for example in &EXAMPLES {
        let mistaken = |errors: Vec<_>| anyhow!("the example `{}` cannot be read: {errors:?}", example.name);
        let read = example.input().read().map_err(mistaken)?;
        let options = Options { allocation: None, may_promote: true };
        let report = analyse(&read.workload, &read.schema, &options);
        let promoted = report.with_promotion.first();
        for (changed, ending) in [(None, ""), (promoted, "_changed")] {
            if changed.is_none() && !ending.is_empty() {
                continue;
            }
            for program in code(&read.schema, &read.workload, &report, changed, language) {
                let name = format!("{}_{}{ending}", example.name, program.program).to_lowercase();
                let name = name.replace(|sign: char| !sign.is_ascii_alphanumeric(), "_");
                let place = folder.join(&name);
                fs::create_dir_all(&place).with_context(|| format!("could not make {}", place.display()))?;
                fs::write(place.join(language.file()), program.code)?;
                println!("{name}");
            }
        }
    }
    Ok(())
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
