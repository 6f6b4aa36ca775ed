//! One trial: prepare, load, faults, settle, check. Everything that is measured is measured here.

use std::sync::Arc;
use std::time::Duration;

use pgstrata_pg::process::{CpuTime, self_cpu};
use tokio_util::sync::CancellationToken;

use crate::error::LabError;
use crate::faults::{FaultKind, FaultPlan, at_step, inject};
use crate::history::{History, Outcome, OutcomeCounts};
use crate::invariants::{self, DuringRun, keep_first};
use crate::load::{ClientHome, Load, LoadOutput, LoadSpec};
use crate::observe::{IsolationRecord, Watches};
use crate::record::{FaultRecord, LoadShape, TIMELINE_SLICE_MS, TrialPurpose, TrialRecord};
use crate::retry::RetryPolicy;
use crate::sampler::{mean_lock_waiters, wal_position};
use crate::sentinel::SentinelProbe;
use crate::site::Site;
use crate::study::{Arm, Scale, Study, Violation};

/// What one trial does.
#[derive(Clone, Debug)]
pub struct TrialSpec {
    /// What it is for.
    pub purpose: TrialPurpose,
    /// The arm.
    pub arm: &'static Arm,
    /// The load.
    pub load: LoadShape,
    /// How long the load runs before anything counts.
    pub warmup: Duration,
    /// How long it is measured; longer when the faults need longer.
    pub measure: Duration,
    /// What is done to the system meanwhile.
    pub faults: FaultPlan,
    /// Size and seed.
    pub scale: Scale,
    /// Whether the invariants are also evaluated while the load runs.
    pub evaluate_during: bool,
}

/// How long clients may take to learn the outcome of what they have in hand after the load has stopped.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);

/// The measured part of a trial, before it is judged.
struct Measured {
    output: LoadOutput,
    history: History,
    during: DuringRun,
    window: Window,
    lock_waiters: Option<f64>,
}

/// Runs one trial.
///
/// # Errors
/// If the server, the study or the machine fails, or the user interrupts. Broken invariants are in the record.
pub async fn run(
    study: &Arc<dyn Study>,
    site: &Site,
    spec: &TrialSpec,
    probe: &SentinelProbe,
    interrupt: &CancellationToken,
) -> Result<TrialRecord, LabError> {
    let site = &site.for_arm(&**study, spec.arm);
    site.meter.begin(spec.arm.name);
    study.prepare(spec.arm, site, &spec.scale).await?;
    settle_server(site).await?;
    let watches = Watches::of_trial(study.as_ref(), site, spec).await?;
    let recorded = watches.as_ref().map(|watches| watches.site(site));
    probe.begin(site).await;
    let measured = measure(study, recorded.as_ref().unwrap_or(site), spec, interrupt).await?;
    let sentinels = probe.end(site).await;

    let judged = tokio::select! {
        judged = judge(study, site, spec, &measured, watches) => judged?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted),
    };
    let mut record = describe(spec, measured, judged.violations);
    record.sentinels = sentinels;
    record.isolation = judged.isolation;
    Ok(record)
}

/// What is found when the load is over.
struct Judged {
    violations: Vec<Violation>,
    isolation: Vec<IsolationRecord>,
}

/// Asks the invariants, the study and, in a watched trial, the server's log.
async fn judge(
    study: &Arc<dyn Study>,
    site: &Site,
    spec: &TrialSpec,
    measured: &Measured,
    watches: Option<Watches>,
) -> Result<Judged, LabError> {
    count_rows(site).await?;
    let mut violations = measured.during.violations.clone();
    keep_first(&mut violations, invariants::evaluate(site, study.card().invariants).await?);
    keep_first(&mut violations, study.check(spec.arm, site, &measured.history).await?);
    let mut isolation = Vec::new();
    if let Some(watches) = watches {
        let (records, found) = watches.finish(site, spec.arm.name, spec.scale.seed).await?;
        isolation = records;
        keep_first(&mut violations, found);
    }
    Ok(Judged { violations, isolation })
}

/// Lets the planner know how large the tables have become: without that, a check joins a million rows as if they were ten.
async fn count_rows(site: &Site) -> Result<(), LabError> {
    for server in site.servers.iter().filter(|server| server.cluster.is_some()) {
        let session = server.control.connect_retry(RECOVERY_LIMIT).await?;
        session.batch_execute("analyze").await.map_err(pgstrata_pg::Error::from)?;
    }
    Ok(())
}

/// How long to wait for a server that is still recovering from the last fault.
const RECOVERY_LIMIT: Duration = Duration::from_mins(1);

/// Starts each trial from the same state of the server's background work.
async fn settle_server(site: &Site) -> Result<(), LabError> {
    for server in site.servers.iter().filter(|server| server.cluster.is_some()) {
        let session = server.control.connect().await?;
        session.batch_execute("checkpoint").await.map_err(pgstrata_pg::Error::from)?;
    }
    Ok(())
}

/// What happened while the load ran.
struct Window {
    from_ns: u64,
    until_ns: u64,
    faults: Vec<FaultRecord>,
    client_cpu: Option<CpuTime>,
    server_cpu: Option<CpuTime>,
    wal_bytes: Option<u64>,
}

async fn measure(
    study: &Arc<dyn Study>,
    site: &Site,
    spec: &TrialSpec,
    interrupt: &CancellationToken,
) -> Result<Measured, LabError> {
    let load_spec = LoadSpec {
        shape: spec.load,
        seed: spec.scale.seed,
        first_operation: 0,
        duplicates: spec.faults.duplicate_share(),
        retry: RetryPolicy::default(),
    };
    let home = client_home(&spec.faults);
    let load = Load::start(study, spec.arm, site, spec.scale, load_spec, home, DRAIN_LIMIT).await?;

    let controls: Vec<_> = site.servers.iter().map(|server| server.control.clone()).collect();
    let stop = CancellationToken::new();
    let _stop_on_return = stop.clone().drop_guard();
    let waiters = tokio::spawn(mean_lock_waiters(controls.clone(), stop.clone()));
    let watcher =
        spec.evaluate_during.then(|| tokio::spawn(invariants::watch(controls, study.card().invariants, stop.clone())));

    let window = tokio::select! {
        window = window(&load, site, spec) => window,
        () = interrupt.cancelled() => Err(LabError::Interrupted),
    };
    let window = match window {
        Ok(window) => window,
        Err(error) => {
            load.give_up().await;
            return Err(error);
        }
    };
    stop.cancel();
    let mut output = load.finish().await?;
    let lock_waiters = waiters.await.ok().flatten();
    let during = match watcher {
        Some(watcher) => watcher.await.unwrap_or_default(),
        None => DuringRun::default(),
    };
    let history = History {
        seed: spec.scale.seed,
        events: std::mem::take(&mut output.events),
        observations: std::mem::take(&mut output.observations),
        measured_from_ns: window.from_ns,
        measured_until_ns: window.until_ns,
    };
    Ok(Measured { output, history, during, window, lock_waiters })
}

/// Warms up, then reads the counters, injects the faults, and reads the counters again.
async fn window(load: &Load, site: &Site, spec: &TrialSpec) -> Result<Window, LabError> {
    tokio::time::sleep(spec.warmup).await;
    let wal_before = wal_position(site).await;
    let (client_before, server_before) = (self_cpu().ok(), server_cpu(site).await);
    let from_ns = load.now_ns();
    let (faults, kills, kills_at_steps, ()) = tokio::join!(
        inject(&spec.faults, site, load.origin(), spec.scale.seed, spec.measure),
        kill_clients(load, &spec.faults, spec.measure),
        kill_clients_at_steps(load, site, &spec.faults, spec.measure),
        tokio::time::sleep(spec.measure)
    );
    let until_ns = load.now_ns();
    let (client_after, server_after) = (self_cpu().ok(), server_cpu(site).await);
    let wal_after = wal_position(site).await;
    let mut faults = faults?;
    faults.extend(kills?);
    faults.extend(kills_at_steps?);
    Ok(Window {
        from_ns,
        until_ns,
        faults,
        client_cpu: difference(client_before, client_after),
        server_cpu: difference(server_before, server_after),
        wal_bytes: wal_before.zip(wal_after).and_then(|(before, after)| after.checked_sub(before)),
    })
}

/// Clients that are going to be killed need a process of their own.
fn client_home(faults: &FaultPlan) -> ClientHome {
    if faults.needs().worker_process { ClientHome::Process } else { ClientHome::Thread }
}

/// Kills the clients' process as often as the plan says, spread over `span`.
async fn kill_clients(load: &Load, faults: &FaultPlan, span: Duration) -> Result<Vec<FaultRecord>, LabError> {
    let kills = faults.client_kills();
    let mut records = Vec::new();
    for number in 0..kills {
        // The middle of each of as many equal parts; where in an operation a kill strikes is chance enough.
        let due = load.origin() + span.mul_f64((f64::from(number) + 0.5) / f64::from(kills));
        tokio::time::sleep_until(due.into()).await;
        let (killed_ns, ready_ns) = load.kill_clients().await?;
        records.push(FaultRecord {
            fault: FaultKind::KillClient.name().to_owned(),
            at_ms: killed_ns as f64 / 1e6,
            healed_ms: Some(ready_ns as f64 / 1e6),
            achieved: "the client process was killed and another took over".to_owned(),
        });
    }
    Ok(records)
}

/// Kills the clients' process while it stands at a step, each step in turn, as often as the plan says.
async fn kill_clients_at_steps(
    load: &Load,
    site: &Site,
    faults: &FaultPlan,
    span: Duration,
) -> Result<Vec<FaultRecord>, LabError> {
    const KIND: FaultKind = FaultKind::KillClientAtStep;
    let kills = faults.client_kills_at_step();
    let mut records = Vec::new();
    for number in 0..kills {
        let Some((step, _)) = at_step::target(&site.steps, 1, number) else { break };
        let due = load.origin() + span.mul_f64((f64::from(number) + 0.5) / f64::from(kills));
        tokio::time::sleep_until(due.into()).await;
        let (awaited, _) = at_step::stand_at(&site.steps, step, KIND).await?;
        let (killed_ns, ready_ns) = load.kill_clients().await?;
        drop(awaited);
        records.push(FaultRecord {
            fault: KIND.name().to_owned(),
            at_ms: killed_ns as f64 / 1e6,
            healed_ms: Some(ready_ns as f64 / 1e6),
            achieved: format!("the client process was killed at {step} and another took over"),
        });
    }
    Ok(records)
}

/// CPU of all server processes of the site; none when one of them is not ours or is down.
async fn server_cpu(site: &Site) -> Option<CpuTime> {
    let mut total = CpuTime::default();
    for server in &site.servers {
        total += server.cluster.as_ref()?.lock().await.cpu().ok()?;
    }
    Some(total)
}

/// What was used between two readings; none when a restart made the counter smaller.
fn difference(before: Option<CpuTime>, after: Option<CpuTime>) -> Option<CpuTime> {
    let (before, after) = (before?, after?);
    (after >= before).then(|| after - before)
}

fn describe(spec: &TrialSpec, measured: Measured, violations: Vec<Violation>) -> TrialRecord {
    let counts = measured.history.counts();
    let decided = counts.decided();
    let seconds = measured.history.measured_seconds();
    let each = |total: f64, number: u64| (number > 0).then(|| total / number as f64);
    let cpu_us = |cpu: CpuTime| cpu.as_micros_f64();
    TrialRecord {
        purpose: spec.purpose,
        load: spec.load,
        seed: spec.scale.seed,
        seconds,
        counts,
        dropped: measured.output.dropped,
        retries: measured.output.retries,
        failures: measured.output.failures.into_iter().collect(),
        latency: measured.history.latency(),
        client_cpu_us_per_op: measured.window.client_cpu.and_then(|cpu| each(cpu_us(cpu), decided)),
        server_cpu_us_per_op: measured.window.server_cpu.and_then(|cpu| each(cpu_us(cpu), decided)),
        server_cpu_us_per_accepted: measured.window.server_cpu.and_then(|cpu| each(cpu_us(cpu), counts.ok)),
        wal_bytes_per_op: measured.window.wal_bytes.and_then(|bytes| each(bytes as f64, decided)),
        lock_wait_us_per_op: measured.lock_waiters.and_then(|mean| each(mean * seconds * 1e6, decided)),
        timeline: timeline(&measured.history),
        faults: measured.window.faults,
        evaluations_during: measured.during.evaluations,
        violations,
        sentinels: Vec::new(),
        isolation: Vec::new(),
        figures: measured.output.figures,
    }
}

/// How operations ended in each slice of the trial.
fn timeline(history: &History) -> Vec<(u32, u32, u32)> {
    let mut slices: Vec<(u32, u32, u32)> = Vec::new();
    for event in &history.events {
        let Ok(slice) = usize::try_from(event.finished_ns / (TIMELINE_SLICE_MS * 1_000_000)) else { continue };
        if slices.len() <= slice {
            slices.resize(slice + 1, (0, 0, 0));
        }
        match event.outcome {
            Outcome::Ok => slices[slice].0 += 1,
            Outcome::Rejected => slices[slice].1 += 1,
            Outcome::Failed | Outcome::Unknown => slices[slice].2 += 1,
        }
    }
    slices
}

impl TrialRecord {
    /// Decided operations per second of the measured window.
    #[must_use]
    pub fn decided_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.counts.decided() as f64 / self.seconds } else { 0.0 }
    }

    /// Accepted operations per second of the measured window.
    #[must_use]
    pub fn accepted_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.counts.ok as f64 / self.seconds } else { 0.0 }
    }

    /// Whether an operation is left whose outcome nobody knows.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.counts != OutcomeCounts { unknown: 0, ..self.counts }
    }
}
