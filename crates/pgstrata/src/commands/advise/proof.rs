//! `--prove`: the verdicts run on a real server, step by step as they happen.

use std::fs;

use anyhow::Context as _;
use pgstrata_lab::chinese::said;
use pgstrata_lab::error::LabError;
use pgstrata_lab::report::Meaning;
use pgstrata_pg::{AttachPolicy, Attached, Cluster, ClusterSpec, Endpoint, Profile, StopMode};
use pgstrata_tools::advisor::input::Read;
use pgstrata_tools::advisor::present::tried;
use pgstrata_tools::advisor::proof::{
    Fix, Outcome, Play, Player, Proof, ProofError, ProofEvent, ProofOptions, RandomProof, ShownBy, WitnessProof,
    WitnessVerdict, prove as run,
};
use pgstrata_tools::advisor::{Report, StepKind};
use pgstrata_units::{Language, Text};
use tokio_util::sync::CancellationToken;

use crate::cli::advise::AdviseArgs;
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// Rows of a result that are shown.
const ROWS_SHOWN: usize = 3;

/// How much of a statement is shown, characters.
const STATEMENT_SHOWN: usize = 96;

/// Proves a report; what happens is told while it happens.
///
/// `quiet` where standard output holds the answer in another form.
pub async fn prove(
    args: &AdviseArgs,
    read: &Read,
    report: &Report,
    terminal: Terminal,
    quiet: bool,
) -> anyhow::Result<Proof> {
    if read.definitions.is_empty() {
        return Err(LabError::usage(
            "a proof needs the tables as SQL, and there are no definitions",
            "give them with --schema: pg_dump --schema-only --no-owner",
        )
        .into());
    }
    let seeds = match &args.proof.rows {
        Some(path) => fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?,
        None => String::new(),
    };
    let stop = interrupt::token()?;
    let options = ProofOptions {
        allow_remote: args.proof.allow_remote,
        seeds,
        random_schedules: args.proof.schedules,
        seed: args.proof.seed,
        stop: stop.clone(),
        ..ProofOptions::default()
    };
    let stage = Stage::open(args, &stop).await?;
    let mut teller = Teller { terminal, quiet, sessions: Vec::new(), texts: Vec::new(), attempts: None };
    let on = &mut |event| teller.tell(&event);
    let proof = run(&stage.endpoint, &read.definitions, &read.schema, &read.workload, report, &options, on).await;
    stage.close().await;
    let proof = proof.map_err(|error| match error {
        ProofError::Stopped => anyhow::Error::from(LabError::Interrupted),
        error => error.into(),
    })?;
    if !quiet {
        println!("{}", summary(&proof, terminal));
    }
    Ok(proof)
}

/// Where it is proved.
struct Stage {
    endpoint: Endpoint,
    cluster: Option<Cluster>,
}

impl Stage {
    async fn open(args: &AdviseArgs, stop: &CancellationToken) -> anyhow::Result<Self> {
        let opened = async {
            if let Some(url) = &args.proof.prove_url {
                let attached = Attached::open(Endpoint::parse(url)?, AttachPolicy::AllowWrite).await?;
                return Ok(Self { endpoint: attached.endpoint_for_writing()?, cluster: None });
            }
            let spec = ClusterSpec::new(servers::install(&args.proof.binaries)?, Profile::FastTest);
            let cluster = Cluster::create(spec).await?;
            Ok::<Self, anyhow::Error>(Self { endpoint: cluster.endpoint(), cluster: Some(cluster) })
        };
        tokio::select! {
            stage = opened => stage,
            () = stop.cancelled() => Err(LabError::Interrupted.into()),
        }
    }

    async fn close(self) {
        if let Some(mut cluster) = self.cluster
            && let Err(error) = cluster.stop(StopMode::Immediate).await
        {
            tracing::warn!(error = %error, "the server did not stop in order");
        }
    }
}

/// Tells what happens.
struct Teller {
    terminal: Terminal,
    quiet: bool,
    sessions: Vec<Player>,
    /// What each session was sent last.
    texts: Vec<String>,
    attempts: Option<Attempts>,
}

/// A witness that has not shown yet: most need one attempt, and of those that need many only the one that shows is told, else
/// the first.
struct Attempts {
    witness: usize,
    first: Vec<String>,
    current: Vec<String>,
    is_first: bool,
}

impl Teller {
    fn tell(&mut self, event: &ProofEvent) {
        match event {
            ProofEvent::Began { sessions, .. } => {
                self.sessions.clone_from(sessions);
                self.texts = vec![String::new(); sessions.len()];
            }
            ProofEvent::StepBegan { session, sql, .. } => {
                if let Some(text) = self.texts.get_mut(*session) {
                    *text = short(sql);
                }
            }
            _ => {}
        }
        if self.quiet {
            return;
        }
        let line = self.line(event);
        match event {
            // How far it is, and no result.
            ProofEvent::Random { of, schedules, planned, anomalies } => {
                self.give_up();
                let of = self.of(of);
                let words = self.terminal.say(Text { en: "random schedules", zh: "次随机调度" });
                let found = self.terminal.say(Text { en: "anomalies", zh: "次异常" });
                eprintln!("  {of}: {schedules}/{planned} {words}, {anomalies} {found}");
            }
            ProofEvent::Removed => self.give_up(),
            ProofEvent::Began { play: Play::Witness { witness, .. }, .. } => {
                if self.attempts.as_ref().is_some_and(|attempts| attempts.witness != *witness) {
                    self.give_up();
                }
                let lines: Vec<String> = line.into_iter().collect();
                match &mut self.attempts {
                    Some(attempts) => (attempts.current, attempts.is_first) = (lines, false),
                    none => {
                        let (first, current) = (Vec::new(), lines);
                        *none = Some(Attempts { witness: *witness, first, current, is_first: true });
                    }
                }
            }
            event => {
                if let ProofEvent::Began { .. } = event {
                    self.give_up();
                }
                self.take(line, matches!(event, ProofEvent::Compared { outcome } if outcome.is_anomaly()));
            }
        }
    }

    /// A line of an attempt waits until it is known whether it shows; any other line is printed.
    fn take(&mut self, line: Option<String>, shows: bool) {
        let Some(attempts) = &mut self.attempts else {
            if let Some(line) = &line {
                println!("{line}");
            }
            return;
        };
        attempts.current.extend(line);
        if attempts.is_first {
            attempts.first.clone_from(&attempts.current);
        }
        if shows {
            attempts.current.iter().for_each(|line| println!("{line}"));
            self.attempts = None;
        }
    }

    /// No attempt at a witness has shown it.
    fn give_up(&mut self) {
        if let Some(attempts) = self.attempts.take() {
            attempts.first.iter().for_each(|line| println!("{line}"));
        }
    }

    fn line(&self, event: &ProofEvent) -> Option<String> {
        let style = self.terminal.style();
        let say = |text| self.terminal.say(text);
        let line = match event {
            ProofEvent::Prepared { server, .. } => {
                let head = say(Text { en: "Proof on PostgreSQL", zh: "在 PostgreSQL 上证明" });
                format!("\n{} {}", style.bold(head), style.text(server))
            }
            ProofEvent::Began { play, seeds, .. } => {
                let head = format!("\n  {}", style.bold(&style.text(&self.play(play))));
                // The rows are the same with each fix.
                let rows = if matches!(play, Play::Witness { .. }) { rows_before(seeds) } else { Vec::new() };
                let rows = rows.iter().map(|row| style.faint(&style.text(&format!("    {row}"))));
                std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
            }
            ProofEvent::StepBegan { .. } | ProofEvent::Removed | ProofEvent::Random { .. } => return None,
            ProofEvent::Blocked { session, by } => {
                let whom: Vec<&str> = by.iter().map(|session| self.name(*session)).collect();
                let waits = say(Text { en: "waits for", zh: "等待" });
                style.faint(&style.text(&format!("{} {waits} {}", self.step(*session), whom.join(", "))))
            }
            ProofEvent::StepDone { session, what, tag, rows } => {
                let answer = done(*what, tag, rows.as_deref());
                style.text(format!("{} {answer}", self.step(*session)).trim_end())
            }
            ProofEvent::Failed { session, sqlstate, message, .. } => {
                let text = format!("{} → {sqlstate} {message}", self.step(*session));
                style.paint(Meaning::Unsure, &style.text(&text))
            }
            ProofEvent::Retried { session } => {
                let again = say(Text { en: "begins again", zh: "重新开始" });
                format!("    {:<4} {again}", self.name(*session))
            }
            ProofEvent::Compared { outcome } => format!("    {}", outcome_line(outcome, self.terminal)),
        };
        Some(line)
    }

    fn name(&self, session: usize) -> &str {
        self.sessions.get(session).map_or("?", |player| player.name.as_str())
    }

    /// Who does what.
    fn step(&self, session: usize) -> String {
        let text = self.texts.get(session).map_or("", String::as_str);
        format!("    {:<4} {text}", self.name(session))
    }

    fn of<'a>(&self, of: &'a str) -> &'a str {
        tried(of, self.terminal.language)
    }

    fn play(&self, play: &Play) -> String {
        let english = self.terminal.language == Language::English;
        match play {
            Play::Witness { witness, by: ShownBy::DependencyCycle } if english => {
                format!("Witness {}, as it is, with notes of who writes and reads which version:", witness + 1)
            }
            Play::Witness { witness, by: ShownBy::DependencyCycle } => {
                format!("见证 {}，原样执行，并记下谁写入、谁读到哪个版本：", witness + 1)
            }
            Play::Witness { witness, .. } if english => format!("Witness {}, as it is:", witness + 1),
            Play::Witness { witness, .. } => format!("见证 {}，原样执行：", witness + 1),
            Play::Fixed { witness, fix: Fix::Levels { .. } } if english => {
                format!("Witness {}, at the recommended levels:", witness + 1)
            }
            Play::Fixed { witness, fix: Fix::Levels { .. } } => format!("见证 {}，使用推荐的级别：", witness + 1),
            Play::Fixed { witness, fix: Fix::Promotion { .. } } if english => {
                format!("Witness {}, with changed statements:", witness + 1)
            }
            Play::Fixed { witness, fix: Fix::Promotion { .. } } => format!("见证 {}，使用修改后的语句：", witness + 1),
        }
    }
}

/// The statements that make the rows before a schedule, one a line; not those that empty the tables.
fn rows_before(seeds: &str) -> Vec<String> {
    let inserts = seeds.split("; ").filter(|statement| statement.starts_with("insert into "));
    inserts.map(|insert| insert.replace(" overriding system value", "")).collect()
}

/// A statement on one line.
fn short(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= STATEMENT_SHOWN {
        return line;
    }
    line.chars().take(STATEMENT_SHOWN).chain(['…']).collect()
}

/// What a statement was answered: the first rows, else how many rows it touched.
fn done(what: StepKind, tag: &str, rows: Option<&[Vec<Option<String>>]>) -> String {
    let row = |row: &Vec<Option<String>>| -> String {
        let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("null")).collect();
        format!("({})", values.join(", "))
    };
    match (what, rows) {
        // Of a transaction that has failed the server makes a rollback.
        (StepKind::Begin | StepKind::Commit, _) if tag != "ROLLBACK" => String::new(),
        (_, Some(rows)) if !rows.is_empty() => {
            let more = if rows.len() > ROWS_SHOWN { " …" } else { "" };
            let shown: Vec<String> = rows.iter().take(ROWS_SHOWN).map(row).collect();
            format!("→ {}{more}", shown.join(" "))
        }
        _ => format!("→ {tag}"),
    }
}

/// What came of a play.
fn outcome_line(outcome: &Outcome, terminal: Terminal) -> String {
    let style = terminal.style();
    let (meaning, text) = match (outcome, terminal.language) {
        (Outcome::Serial { order }, Language::English) => {
            (Meaning::Good, format!("as if {}, one after the other", order.join(", ")))
        }
        (Outcome::Serial { order }, Language::Chinese) => {
            (Meaning::Good, format!("等价于依次执行 {}", order.join("、")))
        }
        (Outcome::Anomaly { orders, nearest, difference }, Language::English) => (
            Meaning::Bad,
            format!("none of {orders} serial orders gives this; {} would give: {difference}", nearest.join(", ")),
        ),
        (Outcome::Anomaly { orders, nearest, difference }, Language::Chinese) => {
            let difference = said(difference, Language::Chinese);
            (
                Meaning::Bad,
                format!("{orders} 种串行顺序都得不到该结果；与依次执行 {} 相比：{difference}", nearest.join("、")),
            )
        }
        (Outcome::Undecided { because }, Language::English) => (Meaning::Unsure, format!("cannot be told: {because}")),
        (Outcome::Undecided { because }, Language::Chinese) => {
            (Meaning::Unsure, format!("无法判定：{}", said(because, Language::Chinese)))
        }
    };
    style.mark(meaning, &style.text(&text))
}

/// What was shown, in a few lines.
fn summary(proof: &Proof, terminal: Terminal) -> String {
    let style = terminal.style();
    let reproduced = proof.witnesses.iter().filter(|proof| proof.verdict.is_reproduced()).count();
    let fixes: Vec<bool> =
        proof.witnesses.iter().flat_map(|proof| &proof.fixes).map(|(_, fixed)| fixed.outcome.is_serial()).collect();
    let gone = fixes.iter().filter(|gone| **gone).count();
    let mut lines = vec![String::new()];
    let text = match terminal.language {
        Language::English if proof.witnesses.is_empty() => "no level is unsafe, so there is no witness".to_owned(),
        Language::Chinese if proof.witnesses.is_empty() => "没有不安全的级别，因此没有见证".to_owned(),
        Language::English => format!(
            "{reproduced} of {} witnesses happened on the server; with the fixes {gone} of {} are gone",
            proof.witnesses.len(),
            fixes.len()
        ),
        Language::Chinese => format!(
            "{} 个见证中 {reproduced} 个在服务器上发生；修复后 {} 次重放中 {gone} 次消失",
            proof.witnesses.len(),
            fixes.len()
        ),
    };
    let all = reproduced == proof.witnesses.len() && gone == fixes.len();
    lines.push(style.mark(if all { Meaning::Good } else { Meaning::Bad }, &style.text(&text)));
    lines.extend(proof.witnesses.iter().enumerate().filter_map(|(number, witness)| {
        Some(style.text(&format!("    {}: {}", number + 1, remark(witness, terminal)?)))
    }));
    lines.extend(proof.random.iter().map(|random| random_line(random, terminal)));
    lines.join("\n")
}

/// What is to be said of a witness beside that it happened.
fn remark(proof: &WitnessProof, terminal: Terminal) -> Option<String> {
    let say = |en, zh| terminal.say(Text { en, zh }).to_owned();
    match &proof.verdict {
        WitnessVerdict::NotReproduced { why } => Some(said(why, terminal.language).into_owned()),
        WitnessVerdict::Reproduced { by: ShownBy::DependencyCycle } => Some(say(
            "its dependencies have a cycle, as the versions show that were written and read; no value does, with any rows \
             and arguments that were tried",
            "写入与读到的版本表明其依赖成环；在尝试过的行与参数下，没有任何值显示出来",
        )),
        WitnessVerdict::Reproduced { by: ShownBy::Outcome } if proof.is_another => Some(say(
            "another schedule against the same levels shows it in values; the one above does not",
            "同样级别下的另一个调度从值中显示出异常；上面的那个没有",
        )),
        WitnessVerdict::Reproduced { by: ShownBy::Outcome } => None,
    }
}

fn random_line(random: &RandomProof, terminal: Terminal) -> String {
    let style = terminal.style();
    let of = tried(&random.of, terminal.language);
    let RandomProof { schedules, concurrent, aborted, undecided, anomalies, seed, .. } = random;
    let text = match terminal.language {
        Language::English => format!(
            "{of}: {} anomalies in {schedules} random schedules ({concurrent} with two or more commits, {aborted} \
             transactions aborted, {undecided} schedules undecided; seed {seed})",
            anomalies.len()
        ),
        Language::Chinese => format!(
            "{of}：{schedules} 次随机调度中异常 {} 次（两个以上提交的 {concurrent} 次，中止事务 {aborted} 个，未判定 {undecided} \
             次；种子 {seed}）",
            anomalies.len()
        ),
    };
    style.mark(if anomalies.is_empty() { Meaning::Good } else { Meaning::Bad }, &style.text(&text))
}
