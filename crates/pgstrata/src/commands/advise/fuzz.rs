//! `pgstrata advise fuzz`: the verdicts on random programs, each played on a private server.

use std::time::Duration;

use pgstrata_lab::archive;
use pgstrata_lab::error::LabError;
use pgstrata_lab::machine;
use pgstrata_lab::report::Meaning;
use pgstrata_lab::run::Progress as _;
use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Profile, StopMode};
use pgstrata_tools::advisor::proof::fuzz::{
    Broken, Conviction, FUZZ_FORMAT, FuzzProgress, FuzzRecord, FuzzSpec, Fuzzed, convict, fuzz,
};
use pgstrata_tools::advisor::proof::{FoundAnomaly, Outcome};
use pgstrata_units::{Language, Text};
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::cli::advise_fuzz::FuzzArgs;
use crate::interrupt;
use crate::progress::Bar;
use crate::servers;
use crate::terminal::Terminal;

/// How long a set takes on a machine of two cores: what an estimate of the whole begins with.
const SET_TIME: Duration = Duration::from_millis(1_500);

/// Mistakes are looked for in this many sets at least: some of them show in few.
const SETS_FOR_MISTAKES: u64 = 400;

/// Tries the verdicts, and says what came of it.
pub async fn perform(args: &FuzzArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    if let Some(dir) = &args.record {
        archive::check_writable(dir).map_err(|source| LabError::Machine {
            action: format!("write to {}", dir.display()),
            hint: "name a directory that you may write to".to_owned(),
            source,
        })?;
    }
    let stop = interrupt::token()?;
    let bar = Bar::new(terminal, args.json);
    bar.note(terminal.say(Text { en: "starting PostgreSQL", zh: "正在启动 PostgreSQL" }));
    let spec = ClusterSpec::new(servers::install(&args.server)?, Profile::FastTest);
    let mut cluster = Cluster::create(spec).await?;
    let tried = record(args, &cluster.endpoint(), &bar, &stop).await;
    bar.finish();
    if let Err(error) = cluster.stop(StopMode::Immediate).await {
        tracing::warn!(error = %error, "the server did not stop in order");
    }
    let record = tried?;
    if let Some(dir) = &args.record {
        let path = record.save(dir)?;
        if !args.json {
            println!("{} {}", terminal.say(Text { en: "record:", zh: "记录：" }), path.display());
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&record)?);
    } else {
        show(&record, terminal);
    }
    Ok(if record.holds() { Ended::Held } else { Ended::Failed })
}

/// Runs everything; an interruption ends it, and nothing is kept, as a part would be taken for the whole.
async fn record(args: &FuzzArgs, server: &Endpoint, bar: &Bar, stop: &CancellationToken) -> anyhow::Result<FuzzRecord> {
    let started_at = machine::now_rfc3339();
    let mut spec = FuzzSpec::new(args.sets, args.seed);
    (spec.schedules, spec.workers, spec.stop) = (args.schedules, usize::from(args.workers), stop.clone());
    let sets = usize::try_from(args.sets).unwrap_or(usize::MAX);
    bar.begin(sets, SET_TIME.saturating_mul(u32::try_from(args.sets).unwrap_or(u32::MAX)));
    let session = server.connect().await?;
    let version: String = session.query_one("show server_version", &[]).await.map(|row| row.get(0)).unwrap_or_default();
    session.close().await;
    let mut on = |progress: FuzzProgress| {
        let FuzzProgress { witnesses, reproduced, wrong, .. } = progress;
        bar.trial(&format!("{reproduced}/{witnesses} witnesses, {wrong} wrong"));
        bar.trial_done();
    };
    let found = fuzz(server, &spec, &mut on).await?;
    let mut mistakes = Vec::new();
    if !args.without_mistakes {
        spec.sets = spec.sets.max(SETS_FOR_MISTAKES);
        for mistake in Broken::ALL {
            bar.trial(mistake.words().en);
            mistakes.push(convict(server, mistake, &spec).await?);
        }
    }
    if stop.is_cancelled() {
        return Err(LabError::Interrupted.into());
    }
    Ok(FuzzRecord {
        format: FUZZ_FORMAT,
        command: command(args),
        started_at,
        machine: machine::describe(),
        build: machine::build(env!("CARGO_PKG_VERSION")),
        server: version,
        found,
        mistakes,
    })
}

/// The command that makes the same again.
fn command(args: &FuzzArgs) -> String {
    let FuzzArgs { sets, seed, schedules, .. } = args;
    let mut command = format!("pgstrata advise fuzz --sets {sets} --seed {seed} --schedules {schedules}");
    if args.without_mistakes {
        command.push_str(" --without-mistakes");
    }
    command
}

fn show(record: &FuzzRecord, terminal: Terminal) {
    let found = &record.found;
    let is_english = terminal.language == Language::English;
    let say = |is_good: bool, text: String| {
        let style = terminal.style();
        println!("{}", style.mark(if is_good { Meaning::Good } else { Meaning::Bad }, &style.text(&text)));
    };
    say(found.wrong.is_empty(), of_safe(record, terminal.language));
    for wrong in &found.wrong {
        println!("{}", contradiction(&wrong.anomaly, wrong.set.seed, &wrong.of, terminal.language));
    }
    say(found.reproduced_share() >= 0.99, of_unsafe(found, terminal.language));
    for missing in &found.not_reproduced {
        println!("    {}: {}", missing.set.seed, missing.why);
    }
    for (seed, why) in &found.unreadable {
        println!("    {seed}: {why}");
    }
    for Conviction { mistake, sets, convicted_by, .. } in &record.mistakes {
        let words = mistake.words().get(terminal.language);
        let text = match (convicted_by, is_english) {
            (Some(set), true) => format!("a decider that {words} is contradicted by set {set}"),
            (Some(set), false) => format!("“{words}”的判定器被程序集 {set} 推翻"),
            (None, true) => format!("a decider that {words} was not found wrong in {sets} sets"),
            (None, false) => format!("“{words}”的判定器在 {sets} 个程序集中未被推翻"),
        };
        say(convicted_by.is_some(), text);
    }
}

fn of_safe(record: &FuzzRecord, language: Language) -> String {
    let Fuzzed { sets, safe, schedules, concurrent, wrong, .. } = &record.found;
    let (wrong, server) = (wrong.len(), &record.server);
    match language {
        Language::English => format!(
            "{wrong} of {safe} safe verdicts on {sets} sets of programs are wrong, after {schedules} schedules on \
             PostgreSQL {server} ({concurrent} with two or more commits)"
        ),
        Language::Chinese => format!(
            "{sets} 个程序集的 {safe} 个“安全”结论中有 {wrong} 个错误，共在 PostgreSQL {server} 上执行 {schedules} 次调度（其中 \
             {concurrent} 次有两个以上事务提交）"
        ),
    }
}

fn of_unsafe(found: &Fuzzed, language: Language) -> String {
    let Fuzzed { witnesses, reproduced, shown_by_outcome, .. } = found;
    let (hidden, percent) = (reproduced - shown_by_outcome, found.reproduced_share() * 100.0);
    match language {
        Language::English => format!(
            "{reproduced} of {witnesses} unsafe verdicts happened ({percent:.1} %): {shown_by_outcome} in answers or rows, \
             {hidden} only in who wrote and read which version"
        ),
        Language::Chinese => format!(
            "{witnesses} 个“不安全”结论中有 {reproduced} 个在服务器上发生（{percent:.1} %）：从应答或行可见 {shown_by_outcome} \
             个，只从写入与读到的版本可见 {hidden} 个"
        ),
    }
}

/// A safe verdict that the server contradicts.
fn contradiction(anomaly: &FoundAnomaly, seed: u64, of: &str, language: Language) -> String {
    let players: Vec<&str> = anomaly.sessions.iter().map(|player| player.program.as_str()).collect();
    let difference = match &anomaly.outcome {
        Outcome::Anomaly { difference, .. } => difference.as_str(),
        Outcome::Serial { .. } | Outcome::Undecided { .. } => "",
    };
    let players = players.join(", ");
    match language {
        Language::English => format!("    set {seed}, {of}: {players}: {difference}"),
        Language::Chinese => format!("    程序集 {seed}，{of}：{players}：{difference}"),
    }
}
