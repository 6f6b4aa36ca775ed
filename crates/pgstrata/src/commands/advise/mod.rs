//! `pgstrata advise`: reads programs, decides their levels, proves them if asked, and says it.

mod catalogue;
mod decision;
mod fuzz;
pub mod input;
mod log;
mod proof;

use std::fs;
use std::path::Path;

use pgstrata_lab::error::LabError;
use pgstrata_tools::advisor::examples::example;
use pgstrata_tools::advisor::gate::{FailOn, findings};
use pgstrata_tools::advisor::input::{Input, SourceText};
use pgstrata_tools::advisor::present::{Adr, Scene, adr_html, adr_markdown, text};
use pgstrata_tools::advisor::{Options, analyse};
use serde_json::json;

use crate::Ended;
use crate::cli::advise::{AdviseArgs, ExampleName, FailOnArg};
use crate::cli::advise_fuzz::AdviseCommand;
use crate::terminal::Terminal;
use input::Question;

pub async fn advise(args: &AdviseArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    if let Some(AdviseCommand::Fuzz(args)) = &args.command {
        return fuzz::perform(args, terminal).await;
    }
    if let Some(path) = &args.report {
        refuse_missing_directory(path)?;
    }
    let question = match args.example {
        Some(name) => built_in(name)?,
        None => input::question(&args.programs, terminal).await?,
    };
    if let (Some(path), Some(log)) = (&args.write_sql, &question.log) {
        write(path, &log.sql())?;
    }
    let allocation = input::allocation(&args.programs, &question.read)?;
    let options = Options { allocation: Some(allocation), may_promote: args.may_change_sql };
    let report = analyse(&question.read.workload, &question.read.schema, &options);
    let decision = decision::decide(args, &report)?;
    let scene = Scene { workload: &question.read.workload, report: &report };
    if !args.json {
        if let Some(log) = &question.log {
            println!("{}\n", log::show(log, terminal.style()));
        }
        print!("{}", text(&scene, terminal.style()));
        if let Some(decision) = &decision {
            println!("{}", decision::show(decision, terminal.style()));
        }
    }
    let proof = if args.prove { Some(proof::prove(args, &question.read, &report, terminal).await?) } else { None };
    if args.json {
        let value = json!({
            "workload": scene.workload, "report": report, "decision": decision, "log": question.log, "proof": proof,
        });
        println!("{}", serde_json::to_string_pretty(&value)?);
    }
    if let Some(path) = &args.report {
        let adr = Adr { scene, further: &[], language: terminal.language };
        let is_html = path.extension().is_some_and(|extension| extension == "html");
        write(path, &if is_html { adr_html(&adr) } else { adr_markdown(&adr) })?;
    }
    let fail_on = FailOn::from(args.fail_on);
    let counts = findings(scene.workload, &report).iter().any(|finding| fail_on.fails(finding));
    let is_contradicted = proof.is_some_and(|proof| !proof.agrees());
    Ok(if counts || is_contradicted { Ended::Failed } else { Ended::Held })
}

/// A built-in example.
fn built_in(name: ExampleName) -> Result<Question, LabError> {
    let found = example(name.name()).ok_or_else(|| LabError::usage("there is no such example", "see --help"))?;
    let input = Input {
        schema: vec![SourceText::new("schema.sql", found.schema)],
        programs: vec![SourceText::new(format!("{}.sql", found.name), found.programs)],
    };
    Ok(Question { read: input::read(&input)?, log: None })
}

fn refuse_missing_directory(path: &Path) -> Result<(), LabError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        Some(parent) if !parent.is_dir() => Err(LabError::usage(
            format!("--report cannot be written: there is no directory {}", parent.display()),
            "make the directory first, or name a file in another one",
        )),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(|source| LabError::Machine {
        action: format!("write {}", path.display()),
        hint: "name a file in a directory that you may write to".to_owned(),
        source,
    })
}

impl From<FailOnArg> for FailOn {
    fn from(argument: FailOnArg) -> Self {
        match argument {
            FailOnArg::Unsafe => Self::Unsafe,
            FailOnArg::Unknown => Self::Unknown,
            FailOnArg::Never => Self::Never,
        }
    }
}
