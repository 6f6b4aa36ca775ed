//! PostgreSQL's isolation specification files: run on private servers, compared with what is expected, judged.

mod show;

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgstrata_lab::error::LabError;
use pgstrata_pg::{Dirs, Install, sources};
use pgstrata_scenario::runner::Limits;
use pgstrata_scenario::suite::{self, Judging, SpecFile};
use pgstrata_units::{Isolation, Text};
use rand::seq::IteratorRandom as _;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::Ended;
use crate::cli::isolation::RunArgs;
use crate::cli::specs::{POSTGRESQL, SpecOptions, means_specifications};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// Runs them.
pub async fn run(args: &RunArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let level = level(args)?;
    let install = servers::install(&args.server.binaries)?;
    let (files, version) = load(args, &install, terminal)?;
    let options = options(&args.specs);
    let interrupt = interrupt::token()?;
    let bar = Bar::new(terminal, args.json, &files);
    let report = tokio::select! {
        report = suite::run_files(&install, &files, level, options, args.specs.servers as usize, &bar) => report,
        () = interrupt.cancelled() => {
            bar.finish();
            return Err(LabError::Interrupted.into());
        }
    };
    bar.finish();
    let report = report?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else if args.specs.raw {
        for file in &report.files {
            print!("{}", file.printed);
        }
    } else {
        show::report(&report, version.as_deref(), terminal);
    }
    Ok(if report.held() { Ended::Held } else { Ended::Failed })
}

/// The files that are meant, and the version of PostgreSQL that the fetched ones came with.
fn load(args: &RunArgs, install: &Install, terminal: Terminal) -> anyhow::Result<(Vec<SpecFile>, Option<String>)> {
    let (mut files, mut version) = (Vec::new(), None);
    for what in &args.what {
        if what == POSTGRESQL {
            let said = |progress| {
                if terminal.interactive || !args.json {
                    eprintln!("{}", progress_words(&progress, terminal));
                }
            };
            let found = sources::isolation(&Dirs::resolve().cache, install.version, &said)?;
            files.extend(suite::load(&found.directory)?);
            version = found.version;
        } else if means_specifications(what) {
            files.extend(suite::load(Path::new(what))?);
        } else {
            return Err(LabError::usage(
                format!("`{what}` names no specifications, and the others do"),
                "run scenarios and specifications one after the other",
            )
            .into());
        }
    }
    choose(&mut files, &args.specs)?;
    Ok((files, version))
}

fn choose(files: &mut Vec<SpecFile>, options: &SpecOptions) -> Result<(), LabError> {
    for name in &options.only {
        if !files.iter().any(|file| &file.name == name) {
            return Err(LabError::usage(
                format!("there is no specification named `{name}`"),
                "names are those of the files, without `.spec`",
            ));
        }
    }
    if !options.only.is_empty() {
        files.retain(|file| options.only.contains(&file.name));
    }
    if let Some(count) = options.sample {
        let mut chance = StdRng::seed_from_u64(options.sample_seed);
        *files = std::mem::take(files).into_iter().sample(&mut chance, count);
        files.sort_by(|left, right| left.name.cmp(&right.name));
    }
    Ok(())
}

/// The level of transactions that do not ask for one. Few specifications have an expected output for another one than
/// read committed.
fn level(args: &RunArgs) -> Result<Option<Isolation>, LabError> {
    if args.server.database_url.is_some() {
        return Err(LabError::usage(
            "specifications need a server of their own: they make roles, and prepare transactions",
            "leave --database-url out",
        ));
    }
    match args.level[..] {
        [] => Ok(None),
        [level] => Ok(Some(level)),
        _ => Err(LabError::usage("specifications run at one level at a time", "name one --level")),
    }
}

fn options(options: &SpecOptions) -> suite::Options {
    let judging = match (options.no_judge, options.claim) {
        (true, _) => Judging::Off,
        (false, Some(level)) => Judging::Claimed(level),
        (false, None) => Judging::AsAsked,
    };
    suite::Options { limits: Limits::default(), judging }
}

fn progress_words(progress: &sources::Progress, terminal: Terminal) -> String {
    match progress {
        sources::Progress::Lists => {
            let text = Text { en: "fetching the lists of source packages", zh: "正在获取源码包列表" };
            terminal.say(text).to_owned()
        }
        sources::Progress::Package { package } => {
            format!("{} {package}", terminal.say(Text { en: "fetching the source package", zh: "正在获取源码包" }))
        }
        sources::Progress::Unpacking => {
            terminal.say(Text { en: "unpacking the specifications", zh: "正在解开规格文件" }).to_owned()
        }
    }
}

/// How far the run is: a bar on a terminal, a line for each file elsewhere, nothing where only JSON is wanted.
struct Bar {
    drawn: ProgressBar,
    plain: bool,
}

impl Bar {
    fn new(terminal: Terminal, quiet: bool, files: &[SpecFile]) -> Self {
        let hidden = quiet || !terminal.interactive;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(4) };
        let permutations: u128 = files.iter().map(|file| file.spec.order_count()).sum();
        let length = u64::try_from(permutations).unwrap_or(u64::MAX);
        let drawn = ProgressBar::with_draw_target(Some(length), target);
        let template = "{elapsed_precise} [{bar:32}] {pos}/{len} {wide_msg} ~{eta}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        drawn.set_style(style.progress_chars("=> "));
        Self { drawn, plain: !terminal.interactive && !quiet }
    }

    fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}

impl suite::Progress for Bar {
    fn file(&self, name: &str) {
        self.drawn.set_message(name.to_owned());
        if self.plain {
            eprintln!("[{}/{}] {name}", self.drawn.position(), self.drawn.length().unwrap_or(0));
        }
    }

    fn permutation(&self) {
        self.drawn.inc(1);
    }
}
