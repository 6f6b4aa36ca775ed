//! Many files at once, on several private servers, with one sum.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use pgstrata_pg::{Error, Install};
use pgstrata_units::Isolation;
use serde::Serialize;

use super::{FileReport, Options, SpecFile, Stage, run_file};
use crate::expected::Comparison;
use crate::serial::{Judgement, Why};

/// What became of all files.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteReport {
    /// The server's version.
    pub server: String,
    /// The level that sessions had by default, when one was asked for.
    pub level: Option<Isolation>,
    /// The sums.
    pub totals: Totals,
    /// The files, by name.
    pub files: Vec<FileReport>,
}

/// How many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files that were run.
    pub files: usize,
    /// Permutations that were run.
    pub permutations: usize,
    /// Files whose output is one that is expected.
    pub matched: usize,
    /// Files whose output is none of those that are expected.
    pub differing: usize,
    /// Files whose output differs because the server is older than a repair that is known.
    pub unrepaired: usize,
    /// Files of which no output is known.
    pub unknown: usize,
    /// Permutations of which the judge could say something.
    pub judged: usize,
    /// Permutations that some serial order gives.
    pub serializable: usize,
    /// Permutations that none gives, at a level that allows it.
    pub allowed: usize,
    /// Permutations that none gives, although it was promised.
    pub convicted: usize,
    /// Permutations that are not judged, by reason.
    pub not_covered: BTreeMap<Why, usize>,
    /// Serial runs that the judge made.
    pub serial_runs: usize,
}

/// Is told how far the run is.
pub trait Progress: Sync {
    /// A file is begun.
    fn file(&self, name: &str);
    /// A permutation is done.
    fn permutation(&self);
}

impl SuiteReport {
    /// Whether every output is as expected, or known to wait for a repair, and nothing was convicted.
    #[must_use]
    pub fn held(&self) -> bool {
        self.totals.differing == 0
            && self.totals.convicted == 0
            && self
                .files
                .iter()
                .all(|file| file.stopped.is_none() || matches!(file.comparison, Comparison::Matched { .. }))
    }
}

impl Totals {
    fn of(files: &[FileReport]) -> Self {
        let mut totals = Self { files: files.len(), ..Self::default() };
        for file in files {
            totals.permutations += file.permutations.len();
            totals.serial_runs += file.serial_runs;
            match file.comparison {
                Comparison::Matched { .. } => totals.matched += 1,
                Comparison::Differing { .. } if file.repaired_in.is_some() => totals.unrepaired += 1,
                Comparison::Differing { .. } => totals.differing += 1,
                Comparison::Unknown => totals.unknown += 1,
            }
            for judgement in file.permutations.iter().filter_map(|permutation| permutation.judgement.as_ref()) {
                totals.count(judgement);
            }
        }
        totals
    }

    fn count(&mut self, judgement: &Judgement) {
        self.judged += usize::from(judgement.is_covered());
        match judgement {
            Judgement::Serializable { .. } => self.serializable += 1,
            Judgement::Allowed(_) => self.allowed += 1,
            Judgement::Convicted(_) => self.convicted += 1,
            Judgement::NotCovered { because } => *self.not_covered.entry(*because).or_default() += 1,
        }
    }
}

/// Runs files on so many private servers at once, the longest first.
///
/// Errors: those of a server that is gone.
pub async fn run_files(
    install: &Install,
    files: &[SpecFile],
    level: Option<Isolation>,
    options: Options,
    servers: usize,
    progress: &dyn Progress,
) -> Result<SuiteReport, Error> {
    let mut queue: Vec<&SpecFile> = files.iter().collect();
    queue.sort_by_key(|file| std::cmp::Reverse(file.spec.order_count()));
    let queue = Mutex::new(VecDeque::from(queue));
    let work = || async {
        let stage = Stage::open(install.clone(), level).await?;
        let mut reports = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(file) = next else { return Ok::<_, Error>((stage.version(), reports)) };
            progress.file(&file.name);
            reports.push(run_file(&stage, file, options, &|| progress.permutation()).await?);
        }
    };
    let done = try_join_all((0..servers.clamp(1, files.len().max(1))).map(|_| work())).await?;
    let server = done.first().map(|(version, _)| version.to_string()).unwrap_or_default();
    let mut files: Vec<FileReport> = done.into_iter().flat_map(|(_, reports)| reports).collect();
    files.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(SuiteReport { server, level, totals: Totals::of(&files), files })
}
