//! One run: every chosen arm first proves itself, then sound arms are compared in adjacent pairs, then held to
//! the card's claims.

mod judge;
mod pace;
mod plan;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_pg as pg;
use pgstrata_stats::{ClaimVerdict, RunValidity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_util::sync::CancellationToken;

use crate::archive;
use crate::error::LabError;
use crate::faults::FaultPlan;
use crate::machine;
use crate::record::{ArmRecord, Build, LoadShape, RECORD_FORMAT, Record, ServerRecord, TrialPurpose, TrialRecord};
use crate::sentinel::SentinelProbe;
use crate::site::Site;
use crate::study::{Arm, ArmKind, Claim, Measure, Preset, Scale, Study};
use crate::trial::{self, TrialSpec};

use pace::{Pace, Planned};
use plan::{Step, Timing};

/// What is asked for.
#[derive(Clone)]
pub struct RunSpec {
    /// The study.
    pub study: Arc<dyn Study>,
    /// The arms, in the order of the card.
    pub arms: Vec<&'static Arm>,
    /// How much time there is.
    pub preset: Preset,
    /// The load.
    pub load: LoadChoice,
    /// Replaces the preset's windows.
    pub duration: Option<Duration>,
    /// What is done to the system while it proves itself.
    pub faults: FaultPlan,
    /// How unevenly operations are spread over keys, where a claim does not say: the exponent of Zipf's law.
    pub skew: f64,
    /// The seed of all randomness.
    pub seed: u64,
    /// The command line that gets the record again.
    pub command: String,
    /// Which pgstrata this is.
    pub build: Build,
}

/// Who decides the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadChoice {
    /// Each arm's own number of clients, closed loop.
    OfArm,
    /// So many clients, closed loop.
    Clients(u32),
    /// So many Poisson arrivals per second, open loop.
    Rate(f64),
}

/// Told how far a run is.
pub trait Progress: Send + Sync {
    /// The run has at most so many trials and takes about so long, as far as can be known before it has begun.
    fn begin(&self, trials: usize, estimate: Duration);
    /// About so long is left, from what the trials so far took. Told before each trial but the first.
    fn left(&self, _estimate: Duration) {}
    /// A trial begins; the text says which.
    fn trial(&self, what: &str);
    /// The trial that began last has ended.
    fn trial_done(&self);
}

/// Makes the run.
///
/// # Errors
/// If a server, the study or the machine fails, or the user interrupts. Violations and missed claims are results.
pub async fn run(
    spec: &RunSpec,
    site: &Site,
    progress: &dyn Progress,
    interrupt: &CancellationToken,
) -> Result<Record, LabError> {
    let started = Instant::now();
    let mut runner = Runner::new(spec, site, progress, interrupt).await?;
    let outcome = runner.all().await;
    // What the run made goes away whether it ended well or not; a private server goes away with all it holds.
    if !site.is_private()
        && let Err(error) = spec.study.clear(site).await
    {
        tracing::warn!(error = %error, "could not remove the study's schema");
    }
    outcome?;
    runner.record.seconds = started.elapsed().as_secs_f64();
    // Before anything is shown, so that what is shown is what is kept.
    archive::thin(&mut runner.record);
    Ok(runner.record)
}

struct Runner<'a> {
    spec: &'a RunSpec,
    site: &'a Site,
    undisturbed: Site,
    progress: &'a dyn Progress,
    interrupt: &'a CancellationToken,
    timing: Timing,
    probe: SentinelProbe,
    record: Record,
    rng: ChaCha8Rng,
    pairs: judge::Pairs,
    pace: Pace,
    /// The steps that are not begun yet, the next one last.
    ahead: Vec<Step>,
}

impl<'a> Runner<'a> {
    async fn new(
        spec: &'a RunSpec,
        site: &'a Site,
        progress: &'a dyn Progress,
        interrupt: &'a CancellationToken,
    ) -> Result<Self, LabError> {
        let card = spec.study.card();
        let arm_record =
            |arm: &&'static Arm| ArmRecord { arm: arm.name.to_owned(), kind: arm.kind, trials: Vec::new() };
        let record = Record {
            format: RECORD_FORMAT,
            system: card.id,
            study: card.name.to_owned(),
            command: spec.command.clone(),
            preset: spec.preset,
            seed: spec.seed,
            started_at: machine::now_rfc3339(),
            seconds: 0.0,
            build: spec.build.clone(),
            machine: machine::describe(),
            servers: describe_servers(site).await?,
            arms: spec.arms.iter().map(arm_record).collect(),
            comparisons: Vec::new(),
            control: None,
            claims: Vec::new(),
            validity: RunValidity::Valid,
        };
        Ok(Self {
            spec,
            site,
            undisturbed: site.undisturbed(),
            progress,
            interrupt,
            timing: Timing::of(spec.preset, spec.duration),
            probe: SentinelProbe::new(site).await?,
            record,
            rng: ChaCha8Rng::seed_from_u64(spec.seed),
            pairs: judge::Pairs::default(),
            pace: Pace::default(),
            ahead: Vec::new(),
        })
    }

    async fn all(&mut self) -> Result<(), LabError> {
        let steps: Vec<Step> = self.proofs().into_iter().chain(self.comparisons()).chain(self.claims()).collect();
        let trials = steps.iter().map(|step| self.planned(step).len()).sum();
        self.ahead = steps;
        self.ahead.reverse();
        self.progress.begin(trials, self.left());
        while let Some(step) = self.ahead.pop() {
            if !self.record.arms.iter().all(|arm| arm.trials.is_empty()) {
                self.progress.left(self.left() + self.pace.expect(self.planned(&step).into_iter()));
            }
            self.step(&step).await?;
        }
        std::mem::take(&mut self.pairs).judge(&mut self.record);
        if self.timing.claims {
            judge::ratio_claims(&mut self.record, self.spec.study.card());
        }
        judge::validity(&mut self.record);
        Ok(())
    }

    fn planned(&self, step: &Step) -> Vec<Planned> {
        step.planned(&self.timing, &self.spec.faults)
    }

    /// How long the steps ahead take.
    fn left(&self) -> Duration {
        self.pace.expect(self.ahead.iter().filter(|step| self.is_needed(step)).flat_map(|step| self.planned(step)))
    }

    /// Whether a step is going to be made, as far as is known now.
    fn is_needed(&self, step: &Step) -> bool {
        match step {
            // A broken arm will have been caught by then, and has no throughput.
            Step::Pair { arm, .. } | Step::Window(arm) if arm.kind == ArmKind::Broken => false,
            Step::Pair { arm, .. } => self.is_sound(arm) && !self.pairs.is_settled(arm, self.timing.rule),
            _ => true,
        }
    }

    fn proofs(&self) -> Vec<Step> {
        let arms = || self.spec.arms.iter().copied();
        let faults = arms().filter(|_| !self.spec.faults.is_empty()).map(Step::Faults);
        arms().map(Step::SellOut).chain(faults).collect()
    }

    /// The pairs of all arms, round by round, so that a drift of the machine meets every arm alike.
    fn comparisons(&self) -> Vec<Step> {
        let arms = &self.spec.arms;
        let named = arms.iter().copied().find(|arm| arm.name == self.spec.study.card().baseline);
        // An arm that is going to be caught has no throughput to compare with.
        let other = || arms.iter().copied().find(|arm| arm.kind != ArmKind::Broken);
        let baseline = named.or_else(other).filter(|_| arms.len() > 1);
        let step = |arm: &&'static Arm| match baseline {
            Some(baseline) => Step::Pair { baseline, arm },
            None => Step::Window(arm),
        };
        let round: Vec<Step> = arms.iter().map(step).collect();
        (0..self.timing.rule.cap).flat_map(|_| round.clone()).collect()
    }

    fn claims(&self) -> Vec<Step> {
        let is_chosen = |claim: &&'static Claim| self.spec.arms.iter().any(|arm| arm.name == claim.measure.arm());
        let claims = self.spec.study.card().claims.iter().filter(is_chosen);
        claims.filter(|_| self.timing.claims).map(Step::Claim).collect()
    }

    async fn step(&mut self, step: &Step) -> Result<(), LabError> {
        match *step {
            Step::SellOut(arm) => {
                let load = plan::load_of(arm, self.spec.load);
                let scale = plan::scarce(load, self.spec.preset, self.rng.random());
                self.proof(step, arm, load, scale, &FaultPlan::default(), self.timing.proof).await
            }
            Step::Faults(arm) => {
                let load = plan::load_under_faults(arm, self.spec.load);
                let seconds = self.timing.proof.as_secs_f64() + self.spec.faults.estimate().as_secs_f64();
                let scale = plan::abundant(arm, load, seconds, self.spec.preset, self.rng.random());
                self.proof(step, arm, load, scale, &self.spec.faults.clone(), self.timing.proof).await
            }
            Step::Pair { baseline, arm } => self.pair(step, baseline, arm).await,
            Step::Window(arm) => self.window(step, arm).await.map(drop),
            Step::Claim(claim) => self.claim(step, claim).await,
        }
    }

    async fn proof(
        &mut self,
        step: &Step,
        arm: &'static Arm,
        load: LoadShape,
        scale: Scale,
        faults: &FaultPlan,
        measure: Duration,
    ) -> Result<(), LabError> {
        let spec = TrialSpec {
            purpose: TrialPurpose::Proof,
            arm,
            load,
            warmup: Duration::ZERO,
            measure,
            faults: faults.clone(),
            scale: Scale { skew: self.spec.skew, observed: true, ..scale },
            evaluate_during: true,
        };
        self.trial(step, &spec).await.map(drop)
    }

    /// One pair of adjacent windows; the coin decides which comes first.
    async fn pair(&mut self, step: &Step, baseline: &'static Arm, arm: &'static Arm) -> Result<(), LabError> {
        // An arm that was caught has no throughput, so there is nothing to compare; one whose interval is narrow
        // enough needs no more pairs.
        if !self.is_sound(arm) || self.pairs.is_settled(arm, self.timing.rule) {
            self.progress.trial_done();
            self.progress.trial_done();
            return Ok(());
        }
        if !self.is_sound(baseline) {
            self.progress.trial_done();
            return self.window(step, arm).await.map(drop);
        }
        let baseline_first: bool = self.rng.random();
        let (first, second) = if baseline_first { (baseline, arm) } else { (arm, baseline) };
        let one = self.window(step, first).await?;
        let other = self.window(step, second).await?;
        let windows = if baseline_first { [&one, &other] } else { [&other, &one] };
        self.pairs.add(baseline, arm, windows);
        Ok(())
    }

    async fn window(&mut self, step: &Step, arm: &'static Arm) -> Result<TrialRecord, LabError> {
        let load = plan::load_of(arm, self.spec.load);
        let seconds = (self.timing.warmup + self.timing.window).as_secs_f64();
        let scale = plan::abundant(arm, load, seconds, self.spec.preset, self.rng.random());
        let spec = TrialSpec {
            purpose: TrialPurpose::Comparison,
            arm,
            load,
            warmup: self.timing.warmup,
            measure: self.timing.window,
            faults: FaultPlan::default(),
            scale: Scale { skew: self.spec.skew, ..scale },
            evaluate_during: false,
        };
        self.trial(step, &spec).await
    }

    /// Measures one claim; ratios and CPU are read off trials that other steps made.
    async fn claim(&mut self, step: &Step, claim: &'static Claim) -> Result<(), LabError> {
        let Some(arm) = self.spec.study.card().arm(claim.measure.arm()) else { return Ok(()) };
        let (measured, trial) = match claim.measure {
            Measure::DecidedPerSecond { rate, duration, skew, .. } => {
                let trial = self.open_loop(step, arm, rate, duration, skew).await?;
                (trial.decided_per_second(), Some(trial))
            }
            Measure::AcceptedPerSecond { rate, duration, skew, .. } => {
                let trial = self.open_loop(step, arm, rate, duration, skew).await?;
                (trial.accepted_per_second(), Some(trial))
            }
            Measure::LatencyP99 { rate, duration, .. } => {
                let trial = self.open_loop(step, arm, rate, duration, self.spec.skew).await?;
                (trial.latency.quantile_ns(0.99).map_or(f64::NAN, |ns| ns as f64 / 1e6), Some(trial))
            }
            Measure::ServerCpuPerAccepted { .. } => {
                (judge::server_cpu_at_saturation(&self.record, arm.name).unwrap_or(f64::NAN), None)
            }
            Measure::ViolationsUnderKills { kills, .. } => {
                let faults = FaultPlan::kills_of_the_postmaster(kills);
                let load = plan::load_under_faults(arm, LoadChoice::OfArm);
                let seconds = faults.estimate().as_secs_f64();
                let scale = plan::abundant(arm, load, seconds, self.spec.preset, self.rng.random());
                self.proof(step, arm, load, scale, &faults, self.timing.proof).await?;
                (judge::violations_of(&self.record, arm.name), None)
            }
            Measure::ThroughputRatio { .. } => return Ok(()),
        };
        judge::settle_claim(&mut self.record, claim, measured, trial.as_ref());
        Ok(())
    }

    async fn open_loop(
        &mut self,
        step: &Step,
        arm: &'static Arm,
        rate: f64,
        duration: Duration,
        skew: f64,
    ) -> Result<TrialRecord, LabError> {
        let load = plan::load_of(arm, LoadChoice::Rate(rate));
        let seconds = (self.timing.warmup + duration).as_secs_f64();
        let scale = plan::abundant(arm, load, seconds, self.spec.preset, self.rng.random());
        let spec = TrialSpec {
            purpose: TrialPurpose::Claim,
            arm,
            load,
            warmup: self.timing.warmup,
            measure: duration,
            faults: FaultPlan::default(),
            scale: Scale { skew, ..scale },
            evaluate_during: false,
        };
        self.trial(step, &spec).await
    }

    async fn trial(&mut self, step: &Step, spec: &TrialSpec) -> Result<TrialRecord, LabError> {
        self.progress.trial(&step.label());
        // A proxy in the clients' way costs CPU even when it does nothing.
        let site = if spec.faults.is_empty() { &self.undisturbed } else { self.site };
        let began = Instant::now();
        let record = trial::run(&self.spec.study, site, spec, &self.probe, self.interrupt).await?;
        self.progress.trial_done();
        if let Some(planned) = self.planned(step).iter().find(|planned| planned.arm == spec.arm.name) {
            self.pace.note(planned, began.elapsed());
        }
        if let Some(arm) = self.record.arms.iter_mut().find(|arm| arm.arm == spec.arm.name) {
            arm.trials.push(record.clone());
        }
        Ok(record)
    }

    fn is_sound(&self, arm: &Arm) -> bool {
        self.record.arm(arm.name).is_none_or(|arm| arm.violations().next().is_none())
    }
}

/// What a record says of the servers: their versions and settings.
///
/// # Errors
/// If one cannot be asked.
pub async fn describe_servers(site: &Site) -> Result<Vec<ServerRecord>, LabError> {
    let mut servers = Vec::new();
    for server in &site.servers {
        let session = server.control.connect().await?;
        let row = session.query_one("select version()", &[]).await.map_err(pg::Error::from)?;
        servers.push(ServerRecord {
            version: row.get(0),
            private: server.cluster.is_some(),
            settings: pg::recorded_settings(&session).await?,
        });
    }
    Ok(servers)
}

impl Measure {
    /// The arm that is measured.
    #[must_use]
    pub fn arm(&self) -> &'static str {
        match self {
            Self::DecidedPerSecond { arm, .. }
            | Self::AcceptedPerSecond { arm, .. }
            | Self::ThroughputRatio { arm, .. }
            | Self::ServerCpuPerAccepted { arm }
            | Self::LatencyP99 { arm, .. }
            | Self::ViolationsUnderKills { arm, .. } => arm,
        }
    }
}

impl Record {
    /// What the arm of this name did.
    #[must_use]
    pub fn arm(&self, name: &str) -> Option<&ArmRecord> {
        self.arms.iter().find(|arm| arm.arm == name)
    }

    /// Whether everything held: no sound arm was caught, every broken one was, no claim was missed.
    ///
    /// `named` says that the arms were asked for by name; then a broken arm's violation counts as one too.
    #[must_use]
    pub fn held(&self, named: bool) -> bool {
        let arms_hold = self.arms.iter().all(|arm| {
            let caught = arm.violations().next().is_some();
            if arm.kind == ArmKind::Broken && !named { caught } else { !caught }
        });
        arms_hold && !self.claims.iter().any(|claim| matches!(claim.verdict, ClaimVerdict::Missed { .. }))
    }
}

impl ArmRecord {
    /// Every broken invariant of every trial.
    pub fn violations(&self) -> impl Iterator<Item = &crate::study::Violation> {
        self.trials.iter().flat_map(|trial| &trial.violations)
    }
}
