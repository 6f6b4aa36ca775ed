//! Whole specification files: found, run on a private server, compared with what is expected, judged.

mod many;
mod stage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pgstrata_pg::{Error, PgVersion};
use pgstrata_units::Isolation;

use crate::expected::{Comparison, Expected, compare};
use crate::runner::{FoundWaiting, Limits, Run};
use crate::serial::contents::{self, Leftovers};
use crate::serial::{Judge, Judgement};
use crate::spec::{Spec, SpecError, parse};

pub use many::{Progress, SuiteReport, Totals, run_files};
pub use stage::Stage;

/// How long the tables' readers wait for a lock that a script has left, milliseconds.
const LOCK_LIMIT_MS: &str = "2000";

/// Specifications whose expected output needs a release that a server of the same major version may not have yet. Seen
/// with the specifications of 17.11: a server of 17.11 or newer has not been at hand, 17.10 prints something else (no wait
/// for the schema or type that a new object depends on; a warning about a lock; an error for a table that is dropped).
const REPAIRS: [(&str, PgVersion); 3] = [
    ("ddl-dependency-locking", PgVersion { major: 17, minor: 11 }),
    ("drop-owned-grant", PgVersion { major: 17, minor: 11 }),
    ("pub-concurrent-drop", PgVersion { major: 17, minor: 11 }),
];

/// How many alternatives of an expected output are looked for: `name_0.out` to `name_9.out`, as in `pg_regress`.
const ALTERNATIVES: u32 = 10;

/// A specification and the outputs that are expected of it.
#[derive(Clone, Debug)]
pub struct SpecFile {
    /// Its name, without directory and ending.
    pub name: String,
    /// What it says.
    pub spec: Spec,
    /// The outputs that will do.
    pub expected: Vec<Expected>,
}

/// Why a specification could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A file or directory cannot be read.
    #[error("could not read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A directory without specifications.
    #[error("there are no .spec files in {}", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A specification with a mistake.
    #[error("{} is no specification", path.display())]
    Mistaken {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: SpecError,
    },
}

impl SuiteError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a .spec file, a directory of them, or `postgresql`",
            Self::Empty { .. } => {
                "name the directory that holds the .spec files, or its parent if it is called `specs`"
            }
            Self::Mistaken { source, .. } => source.hint(),
        }
    }
}

/// What became of one file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FileReport {
    /// The specification's name.
    pub name: String,
    /// The permutations that were run, in order.
    pub permutations: Vec<PermutationReport>,
    /// What was printed, against what is expected.
    pub comparison: Comparison,
    /// The release that prints what is expected, when the server is older and is known to print something else.
    pub repaired_in: Option<String>,
    /// What was printed.
    #[serde(skip)]
    pub printed: String,
    /// Why the run ended before its last permutation, if it did.
    pub stopped: Option<String>,
    /// How many serial runs the judge made.
    pub serial_runs: usize,
    /// The steps that the server said are waiting.
    #[serde(skip)]
    pub waits: Vec<FoundWaiting>,
}

/// What became of one permutation.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PermutationReport {
    /// The names of its steps, in order.
    pub steps: Vec<String>,
    /// What the judge said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
}

/// The specifications at a path: one file, a directory of them, or a directory with `specs` and `expected` in it as in
/// PostgreSQL's source; sorted by name.
pub fn load(path: &Path) -> Result<Vec<SpecFile>, SuiteError> {
    if !path.is_dir() {
        return Ok(vec![load_file(path)?]);
    }
    let nested = path.join("specs");
    let directory = if nested.is_dir() { &nested } else { path };
    let unreadable = |source| SuiteError::Unreadable { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "spec") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(SuiteError::Empty { path: path.to_owned() });
    }
    files.iter().map(|file| load_file(file)).collect()
}

/// Reads a specification, and its expected outputs from beside it or from `../expected`.
fn load_file(path: &Path) -> Result<SpecFile, SuiteError> {
    let text = fs::read_to_string(path).map_err(|source| SuiteError::Unreadable { path: path.to_owned(), source })?;
    let spec = parse(&text).map_err(|source| SuiteError::Mistaken { path: path.to_owned(), source })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.parent().unwrap_or(Path::new("."));
    let mut expected = Vec::new();
    for directory in [beside.join("../expected"), beside.to_owned()] {
        let names = std::iter::once(format!("{name}.out")).chain((0..ALTERNATIVES).map(|n| format!("{name}_{n}.out")));
        for name in names {
            let path = directory.join(&name);
            match fs::read(&path) {
                Ok(bytes) => expected.push(Expected { name, text: String::from_utf8_lossy(&bytes).into_owned() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SuiteError::Unreadable { path, source }),
            }
        }
        if !expected.is_empty() {
            break;
        }
    }
    Ok(SpecFile { name, spec, expected })
}

/// The release that a specification needs, when this server is an older one of the same major version.
fn repaired_after(name: &str, server: PgVersion) -> Option<String> {
    let repair = REPAIRS.iter().find(|(repaired, version)| *repaired == name && version.major == server.major);
    repair.filter(|(_, version)| server.minor < version.minor).map(|(_, version)| version.to_string())
}

/// How files are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How long things may take.
    pub limits: Limits,
    /// Whether to judge, and to what level transactions are held instead of the one that they ask for.
    pub judging: Judging,
}

/// Whether and how permutations are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Judging {
    /// They are held to the levels that they ask for.
    #[default]
    AsAsked,
    /// They are all held to this level.
    Claimed(Isolation),
    /// They are not judged.
    Off,
}

/// Runs one file. `progress` is called after each permutation.
///
/// Errors: those of a server that is gone.
pub async fn run_file(
    stage: &Stage,
    file: &SpecFile,
    options: Options,
    progress: &(dyn Fn() + Sync),
) -> Result<FileReport, Error> {
    let mut judge = match options.judging {
        Judging::Off => None,
        Judging::AsAsked => Some(Judge::new(&file.spec, &file.name, stage.serial())),
        Judging::Claimed(level) => Some(Judge::new(&file.spec, &file.name, stage.serial()).with_claim(Some(level))),
    };
    let reader = stage.tested().with_setting("lock_timeout", LOCK_LIMIT_MS).connect().await?;
    let leftovers = Leftovers::of(&reader).await?;
    let mut run = Run::open(&file.spec, &file.name, &stage.tested(), options.limits).await?;
    let mut report = FileReport {
        name: file.name.clone(),
        permutations: Vec::new(),
        comparison: Comparison::Unknown,
        repaired_in: repaired_after(&file.name, stage.version()),
        printed: run.heading(),
        stopped: None,
        serial_runs: 0,
        waits: Vec::new(),
    };
    for order in file.spec.orders() {
        let mut contents = None;
        let is_judged = judge.is_some();
        let performed = run
            .perform(&order, async || {
                if is_judged {
                    // What cannot be read is not judged.
                    contents = contents::read(&reader, &leftovers).await.ok();
                }
            })
            .await?;
        let judgement = match &mut judge {
            Some(judge) => Some(judge.judge(&performed, contents).await?),
            None => None,
        };
        let steps = order.steps.iter().map(|planned| file.spec.step(planned.step).name.clone()).collect();
        report.permutations.push(PermutationReport { steps, judgement });
        report.printed.push_str(&performed.text);
        report.waits.extend(performed.waits);
        progress();
        if performed.stopped.is_some() {
            report.stopped = performed.stopped;
            break;
        }
    }
    run.close().await;
    reader.close().await;
    report.serial_runs = judge.map_or(0, |judge| judge.serial_runs());
    report.comparison = compare(&report.printed, &file.expected);
    Ok(report)
}
