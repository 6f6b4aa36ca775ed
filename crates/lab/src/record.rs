//! The JSON of one measured run: everything that tables, plots, reports and the book are made from.
//!
//! A record holds raw windows, never only summaries, so that every published number can be computed again.

use std::collections::BTreeMap;

use pgstrata_stats::{ClaimVerdict, Comparison, Control, LatencyHistogram, Pair, RunValidity, SentinelReading};
use pgstrata_units::SystemId;
use serde::{Deserialize, Serialize};

use crate::history::OutcomeCounts;
use crate::observe::IsolationRecord;
use crate::study::{ArmKind, Figure, Preset, Violation};

/// The version of this format; raised when a field changes its meaning.
pub const RECORD_FORMAT: u32 = 1;

/// One run of one study.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_FORMAT`].
    pub format: u32,
    /// The study's id.
    pub system: SystemId,
    /// The study's name, `flash-sale`.
    pub study: String,
    /// The command line that gets this record again.
    pub command: String,
    /// The preset.
    pub preset: Preset,
    /// The seed of all randomness.
    pub seed: u64,
    /// When the run started, RFC 3339, UTC.
    pub started_at: String,
    /// How long it took, seconds.
    pub seconds: f64,
    /// pgstrata's version and commit.
    pub build: Build,
    /// The machine.
    pub machine: Machine,
    /// The servers, in shard order.
    pub servers: Vec<ServerRecord>,
    /// One entry for each arm that was run, in the order of the card.
    pub arms: Vec<ArmRecord>,
    /// Comparisons with the baseline.
    pub comparisons: Vec<ComparisonRecord>,
    /// The baseline against itself.
    pub control: Option<ControlRecord>,
    /// What became of the card's claims.
    pub claims: Vec<ClaimRecord>,
    /// Whether the machine stood still enough for the figures to count.
    pub validity: RunValidity,
}

/// Which pgstrata made the record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Build {
    /// The crate version.
    pub version: String,
    /// The git commit, with `-dirty` when the tree was changed; `unknown` outside a checkout.
    pub commit: String,
    /// `release` or `debug`.
    pub profile: String,
}

/// Where it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The host's name.
    pub host: String,
    /// Logical processors.
    pub cpus: u32,
    /// The processor's model.
    pub cpu_model: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Kernel name and release.
    pub kernel: String,
    /// Load average over one minute at the start.
    pub load_average: f64,
}

/// One server of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerRecord {
    /// Its version as it prints it.
    pub version: String,
    /// Private or attached.
    pub private: bool,
    /// The settings that matter, `fsync` first among them.
    pub settings: BTreeMap<String, String>,
}

/// What one arm did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArmRecord {
    /// The arm's name.
    pub arm: String,
    /// What was expected of it.
    pub kind: ArmKind,
    /// All trials, in the order in which they ran.
    pub trials: Vec<TrialRecord>,
}

/// What a trial was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialPurpose {
    /// To see whether the invariants hold, under faults and scarcity.
    Proof,
    /// One window of a pair.
    Comparison,
    /// The measurement of a claim.
    Claim,
}

/// How load was offered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "loop")]
pub enum LoadShape {
    /// Each client sends its next operation when the last one ended.
    Closed {
        /// Clients.
        clients: u32,
    },
    /// Poisson arrivals, whatever the system does.
    Open {
        /// Arrivals per second.
        rate: f64,
        /// How many operations may be under way at once; later ones queue.
        clients: u32,
    },
}

/// One trial: one preparation, one load, one check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialRecord {
    /// What it was for.
    pub purpose: TrialPurpose,
    /// The load.
    pub load: LoadShape,
    /// Its own seed.
    pub seed: u64,
    /// Seconds of the measured window.
    pub seconds: f64,
    /// How operations ended.
    pub counts: OutcomeCounts,
    /// Open loop: arrivals that never got a client.
    pub dropped: u64,
    /// Retries by class (`serialization_failure`, `conflict`, …).
    pub retries: BTreeMap<String, u64>,
    /// Error texts of operations that failed for good, with how often each was seen (a sample).
    pub failures: BTreeMap<String, u64>,
    /// Latency of decided operations from their intended start.
    pub latency: LatencyHistogram,
    /// CPU of our own process per decided operation, microseconds.
    pub client_cpu_us_per_op: Option<f64>,
    /// CPU of the server's processes per decided operation, microseconds.
    pub server_cpu_us_per_op: Option<f64>,
    /// CPU of the server's processes per accepted operation, microseconds.
    pub server_cpu_us_per_accepted: Option<f64>,
    /// WAL bytes per decided operation.
    pub wal_bytes_per_op: Option<f64>,
    /// Microseconds that sessions waited for heavyweight locks per decided operation (sampled; Little's law).
    pub lock_wait_us_per_op: Option<f64>,
    /// Operations that ended in each slice of [`TIMELINE_SLICE_MS`], warm-up included: (accepted, rejected, failed or unknown).
    pub timeline: Vec<(u32, u32, u32)>,
    /// What was done to the system.
    pub faults: Vec<FaultRecord>,
    /// How often the invariants were evaluated while the load ran.
    pub evaluations_during: u32,
    /// Broken invariants; an arm that has any has no throughput figure.
    pub violations: Vec<Violation>,
    /// The machine before, during and after.
    pub sentinels: Vec<SentinelReading>,
    /// What came of watching the trial's transactions, for each server; empty where it was not watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub isolation: Vec<IsolationRecord>,
    /// The study's own figures.
    pub figures: Vec<Figure>,
}

/// Width of a slice of the timeline, milliseconds.
pub const TIMELINE_SLICE_MS: u64 = 100;

/// One injected fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// `kill-postmaster`.
    pub fault: String,
    /// When it struck, milliseconds since the trial's start.
    pub at_ms: f64,
    /// When the system was whole again, milliseconds since the trial's start.
    pub healed_ms: Option<f64>,
    /// What was achieved, where that may differ from what was asked (delays, above all).
    pub achieved: String,
}

/// An arm against the baseline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparisonRecord {
    /// The arm.
    pub arm: String,
    /// The baseline.
    pub baseline: String,
    /// Throughput: decided operations per second.
    pub throughput: Comparison,
    /// Server CPU per decided operation.
    pub server_cpu: Option<Comparison>,
    /// The pairs that were compared.
    pub pairs: Vec<PairRecord>,
}

/// Two adjacent windows, in an order drawn by lot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    /// Decided operations per second.
    pub throughput: Pair,
    /// Server CPU per decided operation, microseconds, where it is known.
    pub server_cpu_us: Option<Pair>,
}

/// The baseline against itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlRecord {
    /// The arm that was compared with itself.
    pub arm: String,
    /// The comparison, and whether it shows a bias of the set-up.
    pub control: Control,
    /// The pairs that were compared.
    pub pairs: Vec<PairRecord>,
}

/// What became of a claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The claim's name.
    pub name: String,
    /// The claim as a sentence, in English.
    pub statement: String,
    /// Its target.
    pub target: f64,
    /// Its unit.
    pub unit: String,
    /// The verdict.
    pub verdict: ClaimVerdict,
}
