//! `pgstrata isolation run`: plays scenarios and says what came of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pgstrata_lab::error::LabError;
use pgstrata_scenario::builtin;
use pgstrata_scenario::language::Scenario;
use pgstrata_scenario::play::Stage;
use pgstrata_scenario::run::{self, Verdict};
use pgstrata_units::Isolation;

use super::{Playground, parse, show};
use crate::Ended;
use crate::cli::isolation::RunArgs;
use crate::interrupt;
use crate::terminal::Terminal;

/// What the files of the language end with.
const EXTENSION: &str = "scenario";

pub async fn run(args: &RunArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let mut scenarios = Vec::new();
    for what in &args.what {
        scenarios.extend(named(what)?);
    }
    let interrupt = interrupt::token()?;
    let playground = Playground::open(&args.server).await?;
    let ended = tokio::select! {
        ended = all(&scenarios, args, &playground, terminal) => ended,
        () = interrupt.cancelled() => Err(LabError::Interrupted.into()),
    };
    playground.close().await;
    ended
}

async fn all(
    scenarios: &[Scenario],
    args: &RunArgs,
    playground: &Playground,
    terminal: Terminal,
) -> anyhow::Result<Ended> {
    let stage = Stage::new(&playground.endpoint);
    let wanted = if args.level.is_empty() { Isolation::ALL.to_vec() } else { args.level.clone() };
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let outcome = run::run(&stage, scenario, playground.version, &wanted).await?;
        if !args.json {
            show::outcome(scenario, &outcome, playground.version, terminal);
        }
        outcomes.push(outcome);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcomes)?);
    } else {
        show::sum(&outcomes, terminal);
    }
    let fails = |verdict| matches!(verdict, Verdict::Convicted | Verdict::Failed);
    let failed = outcomes.iter().any(|outcome| fails(outcome.verdict()));
    Ok(if failed { Ended::Failed } else { Ended::Held })
}

/// The scenarios of a built-in name or group, of a file, or of all scenario files in a directory.
fn named(what: &str) -> anyhow::Result<Vec<Scenario>> {
    let builtins = builtin::find(what);
    if !builtins.is_empty() {
        return Ok(builtins.into_iter().map(builtin::Builtin::scenario).collect());
    }
    let path = Path::new(what);
    let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
    let mut scenarios = Vec::new();
    for file in files {
        if !file.exists() {
            return Err(LabError::usage(
                format!("`{what}` is neither a file, nor a directory, nor a built-in scenario"),
                "`pgstrata isolation list` names the built-in ones",
            )
            .into());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        scenarios.extend(parse(&file.display().to_string(), &text)?);
    }
    Ok(scenarios)
}

fn files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("could not read {}", directory.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION)).collect();
    files.sort();
    if files.is_empty() {
        return Err(LabError::usage(
            format!("there is no .{EXTENSION} file in {}", directory.display()),
            "name a file, or a directory that holds some",
        )
        .into());
    }
    Ok(files)
}
