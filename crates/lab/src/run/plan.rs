//! What a run is going to do, as data: so that progress can be shown and a run can be read before it is made.

use std::time::Duration;

use pgstrata_stats::StoppingRule;

use crate::faults::FaultPlan;
use crate::record::LoadShape;
use crate::study::{Arm, Claim, ClientCount, DEFAULT_SKEW, Measure, Preset, Scale};

use super::LoadChoice;
use super::pace::{Planned, Sort};

/// The times of a preset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) warmup: Duration,
    pub(super) proof: Duration,
    pub(super) window: Duration,
    /// How many pairs an arm gets.
    pub(super) rule: StoppingRule,
    pub(super) claims: bool,
}

/// One step of a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The resource runs out; nothing is injected.
    SellOut(&'static Arm),
    /// The resource lasts; the faults of the run are injected.
    Faults(&'static Arm),
    /// A window of the baseline and one of the arm, in an order drawn by lot; the baseline against itself is the
    /// A/A control.
    Pair { baseline: &'static Arm, arm: &'static Arm },
    /// A window of an arm that there is nothing to compare with.
    Window(&'static Arm),
    /// A claim of the card.
    Claim(&'static Claim),
}

/// A comparison has pairs enough when its interval reaches this far from the ratio, relatively.
const PRECISION: f64 = 0.05;

/// How many arrivals may be under way in an open loop, when the arm shares sessions among clients.
const OPEN_LOOP_CLIENTS: u32 = 16_384;

/// Arrivals per second while faults are injected, for arms that share sessions: high enough for large batches,
/// low enough that the history of a hundred kills fits in memory.
const FAULT_RATE: f64 = 10_000.0;

/// What an arm with a session per client is expected to reach at most, operations per second.
const SESSIONS_PER_SECOND: f64 = 12_000.0;

/// What an arm that shares sessions is expected to reach at most, operations per second.
const MULTIPLEXED_PER_SECOND: f64 = 250_000.0;

/// A scarce resource suffices for this many operations per client: every client meets its end.
const SCARCE_OPERATIONS_PER_CLIENT: u64 = 5;

impl Timing {
    /// The times of `preset`; `duration` replaces its windows.
    pub(super) fn of(preset: Preset, duration: Option<Duration>) -> Self {
        let milliseconds = Duration::from_millis;
        let (warmup, proof, window, cap, claims) = match preset {
            Preset::Smoke => (milliseconds(200), milliseconds(1_000), milliseconds(500), 3, false),
            Preset::Ci => (milliseconds(100), milliseconds(500), milliseconds(250), 2, false),
            Preset::Full => (milliseconds(500), milliseconds(5_000), milliseconds(1_000), 12, true),
        };
        let rule = StoppingRule { half_width: PRECISION, cap };
        Self { warmup, proof: duration.unwrap_or(proof), window: duration.unwrap_or(window), rule, claims }
    }
}

impl Step {
    /// The trials that the step makes, and how long their load is going to last under these faults.
    pub(super) fn planned(&self, timing: &Timing, faults: &FaultPlan) -> Vec<Planned> {
        let trial = |arm: &'static str, sort, load| Planned { arm, sort, load };
        let faulted = |arm, faults: &FaultPlan| trial(arm, Sort::Faults, timing.proof.max(faults.estimate()));
        let window = |arm: &'static Arm| trial(arm.name, Sort::Window, timing.warmup + timing.window);
        match *self {
            Self::SellOut(arm) => vec![trial(arm.name, Sort::SellOut, timing.proof)],
            Self::Faults(arm) => vec![faulted(arm.name, faults)],
            Self::Pair { baseline, arm } => vec![window(baseline), window(arm)],
            Self::Window(arm) => vec![window(arm)],
            Self::Claim(claim) => match claim.measure {
                Measure::DecidedPerSecond { duration, .. }
                | Measure::AcceptedPerSecond { duration, .. }
                | Measure::LatencyP99 { duration, .. } => {
                    vec![trial(claim.measure.arm(), Sort::Claim, timing.warmup + duration)]
                }
                Measure::ViolationsUnderKills { kills, .. } => {
                    vec![faulted(claim.measure.arm(), &FaultPlan::kills_of_the_postmaster(kills))]
                }
                Measure::ThroughputRatio { .. } | Measure::ServerCpuPerAccepted { .. } => Vec::new(),
            },
        }
    }

    /// What a person reads while it runs.
    pub(super) fn label(&self) -> String {
        match self {
            Self::SellOut(arm) => format!("sell-out: {}", arm.name),
            Self::Faults(arm) => format!("faults: {}", arm.name),
            Self::Pair { baseline, arm } if baseline.name == arm.name => {
                format!("control: {} against itself", arm.name)
            }
            Self::Pair { baseline, arm } => format!("pair: {} and {}", baseline.name, arm.name),
            Self::Window(arm) => format!("window: {}", arm.name),
            Self::Claim(claim) => format!("claim: {}", claim.name),
        }
    }
}

/// The load of `arm` under `choice`.
pub(super) fn load_of(arm: &Arm, choice: LoadChoice) -> LoadShape {
    match choice {
        LoadChoice::OfArm => LoadShape::Closed { clients: arm.clients.get() },
        LoadChoice::Clients(clients) => LoadShape::Closed { clients },
        LoadChoice::Rate(rate) => LoadShape::Open { rate, clients: open_loop_clients(arm) },
    }
}

/// The load of `arm` while faults are injected.
pub(super) fn load_under_faults(arm: &Arm, choice: LoadChoice) -> LoadShape {
    match (choice, arm.clients) {
        (LoadChoice::OfArm, ClientCount::Multiplexed(_)) => load_of(arm, LoadChoice::Rate(FAULT_RATE)),
        _ => load_of(arm, choice),
    }
}

fn open_loop_clients(arm: &Arm) -> u32 {
    match arm.clients {
        ClientCount::Sessions(count) => count,
        ClientCount::Multiplexed(count) => count.max(OPEN_LOOP_CLIENTS),
    }
}

/// How large a trial of `arm` is whose resource lasts for `seconds` of load.
pub(super) fn abundant(arm: &Arm, load: LoadShape, seconds: f64, preset: Preset, seed: u64) -> Scale {
    let per_second = match (load, arm.clients) {
        // Half as much again as is offered: a Poisson process strays, and a backlog catches up.
        (LoadShape::Open { rate, .. }, _) => rate * 1.5,
        (LoadShape::Closed { .. }, ClientCount::Sessions(_)) => SESSIONS_PER_SECOND,
        (LoadShape::Closed { .. }, ClientCount::Multiplexed(_)) => MULTIPLEXED_PER_SECOND,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count far below 2^63")]
    let operations = (per_second * seconds).ceil() as u64;
    Scale { preset, operations, scarce: false, skew: DEFAULT_SKEW, observed: false, seed }
}

/// How large a trial is whose resource runs out.
pub(super) fn scarce(load: LoadShape, preset: Preset, seed: u64) -> Scale {
    let (LoadShape::Closed { clients } | LoadShape::Open { clients, .. }) = load;
    let operations = u64::from(clients) * SCARCE_OPERATIONS_PER_CLIENT;
    Scale { preset, operations, scarce: true, skew: DEFAULT_SKEW, observed: false, seed }
}
