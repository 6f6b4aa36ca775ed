//! `pgstrata run`: a study against a real server, judged.

use std::path::Path;

use anyhow::Context as _;
use pgstrata_lab::archive;
use pgstrata_lab::error::{LabError, nearest};
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::machine;
use pgstrata_lab::observe::Watching;
use pgstrata_lab::record::Record;
use pgstrata_lab::report;
use pgstrata_lab::run::{LoadChoice, RunSpec};
use pgstrata_lab::study::{Arm, Card, Study};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::{PresetArg, RunArgs};
use crate::interrupt;
use crate::progress::Bar;
use crate::servers;
use crate::terminal::Terminal;

use super::list::find;

/// What is injected when nothing is said and the server is ours: one real crash for every arm.
const DEFAULT_FAULTS: &str = "kill-postmaster:1";

pub async fn run(args: &RunArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let study = find(&args.study)?;
    let card = study.card();
    let arms = choose_arms(card, &args.arms)?;
    let faults = plan_faults(args)?;
    check_writable(args)?;
    let watching = watching(args, study.as_ref(), &arms)?;
    let seed = args.seed.unwrap_or_else(rand::random);
    let spec = RunSpec {
        study,
        arms,
        preset: args.preset.into(),
        load: load_choice(args),
        duration: args.duration,
        faults,
        skew: args.skew,
        seed,
        command: command_line(args, seed),
        build: machine::build(env!("CARGO_PKG_VERSION")),
    };

    let interrupt = interrupt::token()?;
    let bar = Bar::new(terminal, args.json);
    bar.note(terminal.say(Text { en: "starting PostgreSQL", zh: "正在启动 PostgreSQL" }));
    let needed = spec.arms.iter().filter_map(|arm| spec.study.servers(arm)).max().unwrap_or(1);
    let site = servers::open_watching(&args.server, needed, &spec.faults, watching, &interrupt).await?;
    let outcome = pgstrata_lab::run::run(&spec, &site, &bar, &interrupt).await;
    bar.finish();
    servers::close(site).await;
    let record = outcome?;

    if args.json {
        println!("{}", serde_json::to_string(&record)?);
    } else {
        print!("{}", report::terminal(&record, card, &terminal.style()));
    }
    keep(args, &record, card, terminal)?;
    Ok(if record.held(!args.arms.is_empty()) { Ended::Held } else { Ended::Failed })
}

fn choose_arms(card: &'static Card, names: &[String]) -> Result<Vec<&'static Arm>, LabError> {
    if names.is_empty() {
        return Ok(card.arms.iter().collect());
    }
    for name in names {
        if card.arm(name).is_none() {
            let known: Vec<&str> = card.arms.iter().map(|arm| arm.name).collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? the arms are {}", known.join(", ")),
                None => format!("the arms are {}", known.join(", ")),
            };
            return Err(LabError::usage(format!("{} has no arm named `{name}`", card.name), hint));
        }
    }
    // In the card's order whatever the order on the command line, so that tables look alike.
    Ok(card.arms.iter().filter(|arm| names.iter().any(|name| name == arm.name)).collect())
}

/// Whether trials are watched: where their history is asked for, and on a server of our own in what the tests run and
/// where nothing else tells the arms apart. Each watched transaction costs round trips, and the server's log grows.
fn watching(args: &RunArgs, study: &dyn Study, arms: &[&'static Arm]) -> Result<Option<Watching>, LabError> {
    let can_be = arms.iter().any(|arm| study.watched(arm).is_some());
    if args.history.is_some() && !can_be {
        let card = study.card();
        let names: Vec<&str> =
            card.arms.iter().filter(|arm| study.watched(arm).is_some()).map(|arm| arm.name).collect();
        let hint = match names.as_slice() {
            [] => "leave --history out".to_owned(),
            names => format!("the arms whose transactions can be watched are {}", names.join(", ")),
        };
        return Err(LabError::usage(format!("no history of these arms of {} can be recorded", card.name), hint));
    }
    let by_default = args.preset == PresetArg::Ci || study.is_told_by_its_history();
    let wanted = can_be && (args.history.is_some() || (by_default && args.server.database_url.is_empty()));
    Ok(wanted.then(|| Watching { histories: args.history.clone() }))
}

fn plan_faults(args: &RunArgs) -> Result<FaultPlan, LabError> {
    let text = match args.faults.as_deref() {
        Some("none") => "",
        Some(text) => text,
        None if args.server.database_url.is_empty() => DEFAULT_FAULTS,
        None => "",
    };
    let plan: FaultPlan = text.parse().map_err(LabError::from)?;
    if !args.server.database_url.is_empty() && plan.needs().private {
        return Err(LabError::usage(
            "these faults need a server of our own, and --database-url attaches to another",
            "leave --database-url out, or choose faults that work on connections (`pgstrata list --faults`)",
        ));
    }
    Ok(plan)
}

fn load_choice(args: &RunArgs) -> LoadChoice {
    match (args.clients, args.rate) {
        (Some(clients), _) => LoadChoice::Clients(clients),
        (None, Some(rate)) => LoadChoice::Rate(rate),
        (None, None) => LoadChoice::OfArm,
    }
}

/// Finds out before minutes of measuring, not after, that the results cannot be written.
fn check_writable(args: &RunArgs) -> Result<(), LabError> {
    if let Some(dir) = &args.record {
        writable(dir, "--record")?;
    }
    if let Some(file) = &args.report {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !dir.is_dir() {
            return Err(LabError::usage(
                format!("--report {}: there is no directory {}", file.display(), dir.display()),
                "name a file in a directory that exists",
            ));
        }
        writable(dir, "--report")?;
    }
    if let Some(dir) = &args.history {
        writable(dir, "--history")?;
    }
    Ok(())
}

fn writable(dir: &Path, option: &str) -> Result<(), LabError> {
    archive::check_writable(dir).map_err(|source| LabError::Machine {
        action: format!("write to {} ({option})", dir.display()),
        hint: "name a directory that you may write to".to_owned(),
        source,
    })
}

fn keep(args: &RunArgs, record: &Record, card: &Card, terminal: Terminal) -> anyhow::Result<()> {
    let say = |what: Text, path: &Path| {
        if !args.json {
            println!("{} {}", terminal.say(what), path.display());
        }
    };
    if let Some(dir) = &args.record {
        let path = archive::save(record, dir).context("could not keep the record")?;
        say(Text { en: "record:", zh: "记录：" }, &path);
    }
    if let Some(file) = &args.report {
        std::fs::write(file, report::html(record, card, terminal.language))
            .with_context(|| format!("could not write {}", file.display()))?;
        say(Text { en: "report:", zh: "报告：" }, file);
    }
    Ok(())
}

/// The shortest command line that makes the same run again.
fn command_line(args: &RunArgs, seed: u64) -> String {
    let mut words = vec!["pgstrata".to_owned(), "run".to_owned(), args.study.clone()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if !args.arms.is_empty() {
        option("--arms", args.arms.join(","));
    }
    match args.preset {
        PresetArg::Smoke => {}
        PresetArg::Ci => option("--preset", "ci".to_owned()),
        PresetArg::Full => option("--preset", "full".to_owned()),
    }
    if let Some(clients) = args.clients {
        option("--clients", clients.to_string());
    }
    if let Some(rate) = args.rate {
        option("--rate", rate.to_string());
    }
    if let Some(duration) = args.duration {
        option("--duration", humantime::format_duration(duration).to_string().replace(' ', ""));
    }
    if let Some(faults) = &args.faults {
        option("--faults", faults.clone());
    }
    if let Some(dir) = &args.history {
        option("--history", dir.display().to_string());
    }
    if let Some(version) = args.server.pg_version {
        option("--pg-version", version.to_string());
    }
    if args.server.servers != 1 {
        option("--servers", args.server.servers.to_string());
    }
    for _ in &args.server.database_url {
        // An address may hold a password, and is nobody else's business.
        option("--database-url", "URL".to_owned());
    }
    option("--seed", seed.to_string());
    words.join(" ")
}

/// Is the client process of a trial with the fault `kill-client`.
pub async fn load_worker() -> anyhow::Result<Ended> {
    pgstrata_lab::load::serve_worker(&super::list::studies()).await?;
    Ok(Ended::Held)
}
