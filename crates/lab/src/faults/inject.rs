//! Carries out a plan while a load runs: when each fault strikes, on which server, and what came of it.
//!
//! Every fault has a schedule of its own, drawn from the run's seed, so that adding a fault to a plan does not move the
//! others. Faults that take a server down take turns, and so do outages of one network; otherwise faults may overlap.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Mutex;

use super::catalogue::FaultKind;
use super::error::FaultError;
use super::plan::{Count, FaultPlan, PlannedFault};
use super::{Fault, InForce, at_step, fault};
use crate::record::FaultRecord;
use crate::site::{Server, Site};

/// How long a server is left alone after it was healed, before the next fault takes it down: long enough that clients
/// find it again and commit something, which the next fault may then lose.
pub const MINIMUM_UPTIME: Duration = Duration::from_millis(300);

/// Up to so much is added to it by chance, so that strikes do not keep step with anything periodic.
pub const UPTIME_JITTER: Duration = Duration::from_millis(200);

/// What a recovery is expected to take, for estimates only (measured: 0.3 s on an idle, 2 to 3 s on a loaded machine).
const EXPECTED_RECOVERY: Duration = Duration::from_secs(1);

/// Strikes the site as the plan says, and returns when every strike is healed.
///
/// Counted faults are spread over `span` from now; when the server needs longer to come back each time, the last ones
/// come later, and all of them come. Faults that hold for the whole run begin at once and are healed last, not before
/// `span` is over. Times in the records count from `origin`. Dropping the future lifts what is in force, as far as that
/// goes without waiting; a server that was killed stays down then.
///
/// # Errors
/// If a fault cannot strike at this site, has no effect, or cannot be healed. The site may be down then.
pub async fn inject(
    plan: &FaultPlan,
    site: &Site,
    origin: Instant,
    seed: u64,
    span: Duration,
) -> Result<Vec<FaultRecord>, FaultError> {
    let gates = site.servers.iter().map(|_| Gates::default()).collect();
    let striker = Striker { site, origin, started: Instant::now(), span, gates };
    let mut standing = Vec::new();
    for planned in plan.site_faults().filter(|planned| planned.count == Count::WholeRun) {
        standing.extend(striker.begin(planned, seed).await?);
    }
    let counted = plan.site_faults().filter_map(|planned| match planned.count {
        Count::Strikes(count) => Some(striker.all_strikes(planned, count, seed)),
        Count::WholeRun => None,
    });
    let mut records: Vec<FaultRecord> = try_join_all(counted).await?.into_iter().flatten().collect();
    if !standing.is_empty() {
        tokio::time::sleep_until((striker.started + span).into()).await;
    }
    for healed in join_all(standing.into_iter().map(|strike| strike.heal(origin))).await {
        records.push(healed?);
    }
    records.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    Ok(records)
}

/// What all strikes of one run have in common.
struct Striker<'a> {
    site: &'a Site,
    origin: Instant,
    started: Instant,
    span: Duration,
    /// Those of each server.
    gates: Vec<Gates>,
}

/// Held by the fault whose turn it is.
#[derive(Default)]
struct Gates {
    server: Mutex<()>,
    network: Mutex<()>,
}

/// A fault in force, and since when.
struct Strike {
    kind: FaultKind,
    struck: Instant,
    in_force: Box<dyn InForce>,
}

impl Striker<'_> {
    /// Begins a fault that holds for the whole run, on every server.
    async fn begin(&self, planned: &PlannedFault, seed: u64) -> Result<Vec<Strike>, FaultError> {
        let mut victims = rng(seed, planned.kind, Purpose::Victims);
        let Some(fault) = fault(planned) else { return Ok(Vec::new()) };
        let mut strikes = Vec::new();
        for server in &self.site.servers {
            strikes.push(strike(planned.kind, &*fault, server, &mut victims).await?);
        }
        Ok(strikes)
    }

    /// Every strike of one counted fault, one after the other, each on a server drawn by lot.
    async fn all_strikes(&self, planned: &PlannedFault, count: u32, seed: u64) -> Result<Vec<FaultRecord>, FaultError> {
        if planned.kind.info().needs.steps {
            return self.all_strikes_at_steps(planned, count, seed).await;
        }
        let mut schedule = rng(seed, planned.kind, Purpose::Schedule);
        let mut victims = rng(seed, planned.kind, Purpose::Victims);
        let Some(fault) = fault(planned) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for number in 0..count {
            let due = self.started + moment(number, count, self.span, schedule.random());
            let server = schedule.random_range(0..self.site.servers.len());
            let uptime = MINIMUM_UPTIME + UPTIME_JITTER.mul_f64(schedule.random());
            tokio::time::sleep_until(due.into()).await;
            let gate = match turn(planned.kind) {
                Some(Turn::Server) => Some(self.gates[server].server.lock().await),
                Some(Turn::Network) => Some(self.gates[server].network.lock().await),
                None => None,
            };
            let strike = strike(planned.kind, &*fault, &self.site.servers[server], &mut victims).await?;
            tokio::time::sleep(planned.hold).await;
            let record = strike.heal(self.origin).await?;
            tracing::info!(fault = record.fault, at_ms = record.at_ms, achieved = record.achieved, "fault healed");
            records.push(record);
            tokio::time::sleep(uptime).await;
            drop(gate);
        }
        Ok(records)
    }

    /// Every strike of a fault that waits for a step; none at a system without steps.
    async fn all_strikes_at_steps(
        &self,
        planned: &PlannedFault,
        count: u32,
        seed: u64,
    ) -> Result<Vec<FaultRecord>, FaultError> {
        let mut schedule = rng(seed, planned.kind, Purpose::Schedule);
        let mut records = Vec::new();
        for number in 0..count {
            let Some((step, server)) = at_step::target(&self.site.steps, self.site.servers.len(), number) else {
                break;
            };
            let due = self.started + moment(number, count, self.span, schedule.random());
            tokio::time::sleep_until(due.into()).await;
            let _gate = match turn(planned.kind) {
                Some(_) => Some(self.gates[server].server.lock().await),
                None => None,
            };
            let struck = at_step::strike(planned.kind, self.site, step, server).await?;
            let at_ms = self.since_origin_ms();
            let achieved = struck.heal().await?;
            tracing::info!(fault = planned.kind.name(), at_ms, achieved, "fault healed");
            let fault = planned.kind.name().to_owned();
            records.push(FaultRecord { fault, at_ms, healed_ms: Some(self.since_origin_ms()), achieved });
            if turn(planned.kind).is_some() {
                tokio::time::sleep(MINIMUM_UPTIME).await;
            }
        }
        Ok(records)
    }

    fn since_origin_ms(&self) -> f64 {
        self.origin.elapsed().as_secs_f64() * 1e3
    }
}

async fn strike(
    kind: FaultKind,
    fault: &dyn Fault,
    server: &Server,
    rng: &mut ChaCha8Rng,
) -> Result<Strike, FaultError> {
    let struck = Instant::now();
    let in_force = fault.strike(server, rng).await?;
    Ok(Strike { kind, struck, in_force })
}

impl Strike {
    async fn heal(self, origin: Instant) -> Result<FaultRecord, FaultError> {
        let achieved = self.in_force.heal().await?;
        let ms = |instant: Instant| instant.saturating_duration_since(origin).as_secs_f64() * 1e3;
        Ok(FaultRecord {
            fault: self.kind.name().to_owned(),
            at_ms: ms(self.struck),
            healed_ms: Some(ms(Instant::now())),
            achieved,
        })
    }
}

/// What random numbers are for. How often a victim has to be drawn depends on the run, the schedule must not.
#[derive(Clone, Copy)]
enum Purpose {
    Schedule,
    Victims,
}

/// A generator for one fault of one run, independent of the other faults in the plan.
fn rng(seed: u64, kind: FaultKind, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(2 * kind as u64 + purpose as u64);
    rng
}

/// When a strike is due: somewhere (`draw`, 0 to 1) in its own one of `count` equal parts of the span.
fn moment(number: u32, count: u32, span: Duration, draw: f64) -> Duration {
    span.mul_f64((f64::from(number) + draw) / f64::from(count))
}

/// What a fault must have for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The server: sessions end or stall, or it goes down.
    Server,
    /// The way between clients and server: nothing passes, so that a second outage would be none.
    Network,
}

fn turn(kind: FaultKind) -> Option<Turn> {
    match kind {
        FaultKind::KillPostmaster
        | FaultKind::KillBackend
        | FaultKind::TerminateBackend
        | FaultKind::KillPostmasterAtStep
        | FaultKind::KillBackendAtStep
        | FaultKind::Pause
        | FaultKind::FailingFsync
        | FaultKind::DiskFull => Some(Turn::Server),
        FaultKind::NetDrop | FaultKind::NetCut | FaultKind::NetHalfOpen => Some(Turn::Network),
        FaultKind::DisconnectAfterSend
        | FaultKind::NetDelay
        | FaultKind::SlowFsync
        | FaultKind::DuplicateRequest
        | FaultKind::KillClient
        | FaultKind::KillClientAtStep
        | FaultKind::DisconnectAtStep => None,
    }
}

impl FaultPlan {
    /// How long the plan's counted strikes are expected to take at least, one after the other; for progress and for the
    /// size of a trial. Nothing for faults that hold for the whole run.
    #[must_use]
    pub fn estimate(&self) -> Duration {
        let of_fault = |planned: &PlannedFault| match planned.count {
            Count::Strikes(count) => {
                let is_down = turn(planned.kind) == Some(Turn::Server);
                let recovery = if is_down { EXPECTED_RECOVERY } else { Duration::ZERO };
                (planned.hold + recovery + MINIMUM_UPTIME + UPTIME_JITTER / 2).saturating_mul(count)
            }
            Count::WholeRun => Duration::ZERO,
        };
        self.site_faults().map(of_fault).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strikes_are_spread_each_over_its_own_part_of_the_span(
            count in 1u32..1000, draw in 0.0f64..1.0, span_ms in 0u64..100_000
        ) {
            let span = Duration::from_millis(span_ms);
            for number in 0..count {
                let due = moment(number, count, span, draw);
                let part = |n: u32| span.mul_f64(f64::from(n) / f64::from(count));
                // A nanosecond for rounding.
                let nanosecond = Duration::from_nanos(1);
                prop_assert!(due + nanosecond >= part(number) && due <= part(number + 1) + nanosecond);
            }
        }
    }

    #[test]
    fn the_schedule_of_a_fault_depends_on_the_seed_and_on_nothing_else_in_the_plan() {
        let draw = |seed, kind, purpose| rng(seed, kind, purpose).random::<u64>();
        let first = draw(7, FaultKind::Pause, Purpose::Schedule);
        assert_eq!(first, draw(7, FaultKind::Pause, Purpose::Schedule));
        assert_ne!(first, draw(8, FaultKind::Pause, Purpose::Schedule));
        assert_ne!(first, draw(7, FaultKind::NetCut, Purpose::Schedule));
        assert_ne!(first, draw(7, FaultKind::Pause, Purpose::Victims));
    }

    #[test]
    fn an_estimate_grows_with_the_count_and_ignores_faults_of_the_whole_run() {
        let estimate = |text: &str| text.parse::<FaultPlan>().expect("a plan").estimate();
        assert_eq!(estimate("net-delay=20ms,duplicate-request"), Duration::ZERO);
        assert_eq!(estimate("kill-postmaster:100"), 100 * estimate("kill-postmaster"));
        assert_eq!(estimate("pause=5s"), estimate("kill-postmaster") + Duration::from_secs(5));
    }
}
