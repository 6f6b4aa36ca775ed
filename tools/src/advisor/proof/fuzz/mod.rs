//! Are the verdicts right? Random sets of programs are decided, and each verdict is tried on a real server: what is called
//! safe with many schedules, of which none may be an anomaly; what is called unsafe by its witness, which must be one.
//!
//! The decider is a parameter, so that a decider that is known to be wrong can be put in its place and must be convicted.
//!
//! Limits. Schedules are of statements (a statement is not cut in two), of at most three transactions, with few rows and
//! arguments. All orders of a cast are played when there are at most twenty, else as many by lot.

mod broken;
mod record;
mod set;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pgstrata_pg::Endpoint;
use pgstrata_sqltext::{Schema, Workload};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::ProofError;
use super::outcome::FoundAnomaly;
use crate::advisor::synthetic::{self, Shape, TemplateSet};
use crate::advisor::{Allocation, Options, Report, Witness};

pub use broken::Broken;
pub use record::{Conviction, FUZZ_FORMAT, FuzzRecord, latest};
pub use templates::draw;

/// Findings of each kind that are kept.
pub const KEPT_MAX: usize = 50;

/// Who reads programs and decides about them.
pub trait Decider: Send + Sync {
    /// The tables and programs of a set; the reason when they cannot be read.
    fn read(&self, set: &TemplateSet) -> Result<(Schema, Workload), String>;
    /// The verdicts.
    fn decide(&self, workload: &Workload, schema: &Schema, options: &Options) -> Report;
}

/// The advisor's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Advisor;

impl Decider for Advisor {
    fn read(&self, set: &TemplateSet) -> Result<(Schema, Workload), String> {
        let words = |errors: Vec<pgstrata_sqltext::SqlError>| {
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let schema = Schema::from_ddl(&set.schema).map_err(words)?;
        let workload = pgstrata_sqltext::read_sources(&[("set.sql", &set.programs)], &schema).map_err(words)?;
        Ok((schema, workload))
    }

    fn decide(&self, workload: &Workload, schema: &Schema, options: &Options) -> Report {
        crate::advisor::analyse(workload, schema, options)
    }
}

/// What is tried.
#[derive(Clone)]
pub struct FuzzSpec {
    /// How many sets.
    pub sets: u64,
    /// The number of the first; each set is drawn from its own number.
    pub seed: u64,
    /// Schedules for each allocation that is called safe.
    pub schedules: u64,
    /// Sets that are tried at the same time.
    pub workers: usize,
    /// Who decides.
    pub decider: Arc<dyn Decider>,
    /// Whether witnesses are played, too.
    pub plays_witnesses: bool,
    /// The set of a number.
    pub draw: fn(u64) -> TemplateSet,
    /// Ends in order.
    pub stop: CancellationToken,
}

impl FuzzSpec {
    /// Our own verdicts on so many sets.
    #[must_use]
    pub fn new(sets: u64, seed: u64) -> Self {
        Self {
            sets,
            seed,
            schedules: 300,
            workers: 2,
            decider: Arc::new(Advisor),
            plays_witnesses: true,
            draw: set_of,
            stop: CancellationToken::new(),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fuzzed {
    /// The number of the first set.
    pub seed: u64,
    /// Sets that were tried.
    pub sets: u64,
    /// Their programs.
    pub programs: u64,
    /// Their statements.
    pub statements: u64,
    /// Allocations called safe that were tried.
    pub safe: u64,
    /// Those of them in which a program runs below serializable: there is something that the verdict is about.
    pub safe_below_serializable: u64,
    /// Schedules of them.
    pub schedules: u64,
    /// Schedules in which at least two transactions committed.
    pub concurrent: u64,
    /// Transactions that lost against others.
    pub aborted: u64,
    /// Schedules whose outcome cannot be told, by the reason.
    pub undecided: BTreeMap<String, u64>,
    /// Witnesses that were played.
    pub witnesses: u64,
    /// Those that were real.
    pub reproduced: u64,
    /// Those of them that answers or tables showed; the others show in who wrote and read which version.
    pub shown_by_outcome: u64,
    /// Those of them for which another witness against the same levels was played than the verdict's own.
    pub shown_by_another: u64,
    /// Plays with a fix, and those of them that were serial.
    pub fixes: u64,
    /// See above.
    pub fixes_serial: u64,
    /// Verdicts "unknown".
    pub unknown: u64,
    /// Why they are, with how often; empty in records of before it was counted.
    #[serde(default)]
    pub unknown_because: BTreeMap<String, u64>,
    /// Sets with such a verdict.
    #[serde(default)]
    pub unknown_sets: u64,
    /// Safe verdicts that the server contradicts. Must be none.
    pub wrong: Vec<Wrong>,
    /// Witnesses that are not real, with the reason.
    pub not_reproduced: Vec<NotReproduced>,
    /// Fixes with which the anomaly was still there, or could not be told.
    pub not_fixed: Vec<NotReproduced>,
    /// Sets that could not be read, with the reason.
    pub unreadable: Vec<(u64, String)>,
    /// How long it took, seconds.
    pub lasted_s: f64,
}

/// A verdict "safe" that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wrong {
    /// The set.
    pub set: TemplateSet,
    /// What was called safe, in words.
    pub of: String,
    /// The levels.
    pub allocation: Allocation,
    /// What the server did.
    pub anomaly: FoundAnomaly,
}

/// A witness that did not show what it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotReproduced {
    /// The set.
    pub set: TemplateSet,
    /// The witness.
    pub witness: Witness,
    /// Why not.
    pub why: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FuzzProgress {
    /// Sets done.
    pub sets: u64,
    /// Schedules of safe allocations.
    pub schedules: u64,
    /// Witnesses played.
    pub witnesses: u64,
    /// Witnesses that were real.
    pub reproduced: u64,
    /// Safe verdicts that are wrong.
    pub wrong: u64,
}

impl Fuzzed {
    /// Whether no verdict was contradicted, and enough witnesses were real.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty() && self.unreadable.is_empty() && self.reproduced_share() >= 0.99
    }

    /// The share of witnesses that were real, 0 to 1; 1 when there were none.
    #[must_use]
    pub fn reproduced_share(&self) -> f64 {
        if self.witnesses == 0 { 1.0 } else { self.reproduced as f64 / self.witnesses as f64 }
    }

    fn add(&mut self, other: Self) {
        self.sets += other.sets;
        self.programs += other.programs;
        self.statements += other.statements;
        self.safe += other.safe;
        self.safe_below_serializable += other.safe_below_serializable;
        self.schedules += other.schedules;
        self.concurrent += other.concurrent;
        self.aborted += other.aborted;
        for (why, count) in other.undecided {
            *self.undecided.entry(why).or_default() += count;
        }
        self.witnesses += other.witnesses;
        self.reproduced += other.reproduced;
        self.shown_by_outcome += other.shown_by_outcome;
        self.shown_by_another += other.shown_by_another;
        self.fixes += other.fixes;
        self.fixes_serial += other.fixes_serial;
        self.unknown += other.unknown;
        for (why, count) in other.unknown_because {
            *self.unknown_because.entry(why).or_default() += count;
        }
        self.unknown_sets += other.unknown_sets;
        self.wrong.extend(other.wrong);
        self.not_reproduced.extend(other.not_reproduced);
        self.not_fixed.extend(other.not_fixed);
        self.unreadable.extend(other.unreadable);
        self.wrong.truncate(KEPT_MAX);
        self.not_reproduced.truncate(KEPT_MAX);
        self.not_fixed.truncate(KEPT_MAX);
    }

    fn progress(&self) -> FuzzProgress {
        FuzzProgress {
            sets: self.sets,
            schedules: self.schedules,
            witnesses: self.witnesses,
            reproduced: self.reproduced,
            wrong: self.wrong.len() as u64,
        }
    }
}

/// The set of a number: three of four with everything that PostgreSQL has, one as the theory has it.
#[must_use]
pub fn set_of(number: u64) -> TemplateSet {
    match number % 8 {
        0 => synthetic::template_set(number, &Shape::by_key()),
        1 => synthetic::template_set(number, &Shape::everything()),
        _ => draw(number),
    }
}

/// Tries a mistake until the server contradicts it, on sets that are drawn for it; at most `spec.sets` of them. Its witnesses
/// are not played.
pub async fn convict(server: &Endpoint, mistake: Broken, spec: &FuzzSpec) -> Result<Conviction, ProofError> {
    let stop = spec.stop.child_token();
    let spec = FuzzSpec {
        decider: Arc::new(mistake),
        draw: mistake.draw(),
        plays_witnesses: false,
        stop: stop.clone(),
        ..spec.clone()
    };
    let mut on = |progress: FuzzProgress| {
        if progress.wrong > 0 {
            stop.cancel();
        }
    };
    let found = fuzz(server, &spec, &mut on).await?;
    let convicted_by = found.wrong.iter().map(|wrong| wrong.set.seed).min();
    Ok(Conviction { mistake, sets: found.sets, schedules: found.schedules, convicted_by })
}

/// Tries the sets on a server of ours, several at a time; `on` is told after each set.
pub async fn fuzz(
    server: &Endpoint,
    spec: &FuzzSpec,
    on: &mut (dyn FnMut(FuzzProgress) + Send),
) -> Result<Fuzzed, ProofError> {
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(spec.seed));
    let end = spec.seed.saturating_add(spec.sets);
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let mut workers = JoinSet::new();
    for _ in 0..spec.workers.max(1) {
        let (server, spec, next, told) = (server.clone(), spec.clone(), Arc::clone(&next), told.clone());
        workers.spawn(async move {
            let mut bench = set::Bench::open(&server).await?;
            while !spec.stop.is_cancelled() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    break;
                }
                // Whoever heard has gone when another worker has failed.
                let _ = told.send(bench.try_set(&(spec.draw)(number), &spec).await?);
            }
            bench.close().await
        });
    }
    drop(told);
    let mut sum = Fuzzed { seed: spec.seed, ..Fuzzed::default() };
    while let Some(part) = hears.recv().await {
        sum.add(part);
        on(sum.progress());
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| ProofError::Lost)??;
    }
    sum.lasted_s = began.elapsed().as_secs_f64();
    Ok(sum)
}
