//! What a record says, computed once for tables, plots and pages. No text and no layout.
//!
//! All reading of the statistics' own types is here, so that the views depend on plain numbers.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_stats::{ClaimVerdict, Comparison, ControlVerdict, LatencyHistogram, RunValidity, Verdict};

use crate::history::OutcomeCounts;
use crate::record::{ArmRecord, Record, TrialPurpose, TrialRecord};
use crate::study::{ArmKind, Preset, Violation};

/// A percentile is shown only when at least this many samples lie above it; fewer are chance.
const SAMPLES_ABOVE_A_PERCENTILE: f64 = 10.0;

/// Everything the views show of one record.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// The record.
    pub record: &'a Record,
    /// The arm that the others are compared with.
    pub baseline: Option<&'a str>,
    /// One entry for each arm, in the record's order.
    pub arms: Vec<ArmSummary<'a>>,
    /// The baseline against itself.
    pub control: Option<Control<'a>>,
    /// What became of the claims.
    pub claims: Vec<Claim<'a>>,
    /// Why the figures do not count; empty if they do.
    pub invalid: Vec<String>,
}

/// What one arm did.
#[derive(Clone, Debug)]
pub struct ArmSummary<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was expected of it.
    pub kind: ArmKind,
    /// Its record.
    pub record: &'a ArmRecord,
    /// The broken invariants, in order, each once.
    pub broken: Vec<Broken<'a>>,
    /// Decided operations per second; none if an invariant broke or nothing was measured undisturbed.
    pub throughput: Option<Throughput>,
    /// Against the baseline; none for the baseline, for arms that broke an invariant or were not compared.
    pub ratio: Option<Ratio>,
    /// Latency of the undisturbed windows.
    pub latency: LatencyHistogram,
    /// Median latency, microseconds.
    pub latency_us_p50: Option<f64>,
    /// 99th percentile of latency, microseconds.
    pub latency_us_p99: Option<f64>,
    /// Retries per decided operation of the undisturbed windows.
    pub retries_per_op: Option<f64>,
    /// CPU of our own process per decided operation, microseconds.
    pub client_cpu_us_per_op: Option<f64>,
    /// CPU of the server per decided operation, microseconds.
    pub server_cpu_us_per_op: Option<f64>,
    /// WAL bytes per decided operation.
    pub wal_bytes_per_op: Option<f64>,
    /// Microseconds of waiting for heavyweight locks per decided operation.
    pub lock_wait_us_per_op: Option<f64>,
    /// How operations ended, all trials together.
    pub counts: OutcomeCounts,
    /// Faults by kind.
    pub faults: Vec<Faults<'a>>,
}

/// A broken invariant, all trials of an arm together.
#[derive(Clone, Debug)]
pub struct Broken<'a> {
    /// Its id.
    pub invariant: &'a str,
    /// Rows or events that show it, summed over the trials.
    pub count: u64,
    /// Trials that broke it.
    pub trials: usize,
    /// The violation with the most evidence.
    pub worst: &'a Violation,
}

/// Decided operations per second of the undisturbed windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Throughput {
    /// The median of the windows.
    pub median: f64,
    /// An interval for the median.
    pub interval: Interval,
    /// The windows, in the order in which they ran.
    pub windows: Vec<f64>,
}

/// The spread of windows about their median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Whether there were enough windows for 95 % confidence; otherwise it is their range.
    pub is_95_percent: bool,
}

/// A ratio with its 95 % interval and what it means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Arm over baseline.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How many pairs it comes from.
    pub pairs: usize,
    /// The smallest relative difference that this many pairs can find, as a share of one.
    pub minimal_detectable: f64,
    /// What may be said.
    pub verdict: Verdict,
}

/// The baseline against itself.
#[derive(Clone, Debug)]
pub struct Control<'a> {
    /// The arm.
    pub arm: &'a str,
    /// The ratio, which should hold 1 in its interval.
    pub ratio: Ratio,
    /// The confidence of that interval.
    pub confidence: f64,
    /// Whether it does.
    pub clean: bool,
}

/// The outcome of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimOutcome {
    /// The target was met.
    Held {
        /// What was measured.
        measured: f64,
    },
    /// The target was missed.
    Missed {
        /// What was measured.
        measured: f64,
    },
    /// Nothing can be said.
    Inconclusive {
        /// Why, in English.
        why: String,
    },
}

impl ClaimOutcome {
    /// Whether the target was met.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Whether the target was missed.
    #[must_use]
    pub const fn is_missed(&self) -> bool {
        matches!(self, Self::Missed { .. })
    }
}

/// A claim and its outcome.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Its name.
    pub name: &'a str,
    /// The claim, in English.
    pub statement: &'a str,
    /// Its target.
    pub target: f64,
    /// Its unit.
    pub unit: &'a str,
    /// What became of it.
    pub outcome: ClaimOutcome,
}

/// The faults of one kind that an arm met.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults<'a> {
    /// `kill-postmaster`.
    pub fault: &'a str,
    /// How many.
    pub count: usize,
    /// How many of them the system did not recover from within the trial.
    pub unhealed: usize,
    /// Median time from the blow to the recovery, microseconds.
    pub recovery_us_median: Option<f64>,
}

impl<'a> Summary<'a> {
    /// The summary of a record.
    #[must_use]
    pub fn new(record: &'a Record) -> Self {
        let baseline = record
            .comparisons
            .first()
            .map(|comparison| comparison.baseline.as_str())
            .or(record.control.as_ref().map(|control| control.arm.as_str()));
        Self {
            record,
            baseline,
            arms: record.arms.iter().map(|arm| ArmSummary::new(arm, record)).collect(),
            control: record.control.as_ref().map(|control| Control {
                arm: &control.arm,
                ratio: Ratio::new(&control.control.comparison),
                confidence: control.control.comparison.settings.confidence,
                clean: control.control.verdict == ControlVerdict::Clean,
            }),
            claims: record.claims.iter().map(claim).collect(),
            invalid: match &record.validity {
                RunValidity::Valid => Vec::new(),
                RunValidity::Invalid { reasons } => reasons.iter().map(ToString::to_string).collect(),
            },
        }
    }

    /// The arm with the highest throughput among those that broke nothing.
    #[must_use]
    pub fn fastest(&self) -> Option<&ArmSummary<'a>> {
        self.arms.iter().filter(|arm| arm.throughput.is_some()).max_by(|a, b| a.median().total_cmp(&b.median()))
    }

    /// Whether a claim was missed, or an invariant broke in an arm of which that was not expected.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.claims.iter().any(|claim| claim.outcome.is_missed())
            || self.arms.iter().any(|arm| arm.is_violated() && arm.kind != ArmKind::Broken)
    }

    /// The largest of the comparisons' minimal detectable effects, as a share of one.
    #[must_use]
    pub fn minimal_detectable(&self) -> Option<f64> {
        let of_arms = self.arms.iter().filter_map(|arm| arm.ratio);
        of_arms
            .chain(self.control.iter().map(|control| control.ratio))
            .map(|ratio| ratio.minimal_detectable)
            .reduce(f64::max)
    }
}

impl<'a> ArmSummary<'a> {
    fn new(record: &'a ArmRecord, whole: &'a Record) -> Self {
        let broken = broken(&record.trials);
        let windows = undisturbed(&record.trials);
        let latency = merged_latency(&windows);
        let comparison = whole.comparisons.iter().find(|comparison| comparison.arm == record.arm);
        Self {
            name: &record.arm,
            kind: record.kind,
            record,
            throughput: if broken.is_empty() { throughput(&windows) } else { None },
            ratio: comparison.filter(|_| broken.is_empty()).map(|comparison| Ratio::new(&comparison.throughput)),
            latency_us_p50: quantile_us(&latency, 0.5),
            latency_us_p99: quantile_us(&latency, 0.99),
            latency,
            retries_per_op: per_op(&windows, |trial| Some(trial.retries.values().sum::<u64>() as f64), false),
            client_cpu_us_per_op: per_op(&windows, |trial| trial.client_cpu_us_per_op, true),
            server_cpu_us_per_op: per_op(&windows, |trial| trial.server_cpu_us_per_op, true),
            wal_bytes_per_op: per_op(&windows, |trial| trial.wal_bytes_per_op, true),
            lock_wait_us_per_op: per_op(&windows, |trial| trial.lock_wait_us_per_op, true),
            counts: record.trials.iter().fold(OutcomeCounts::default(), |sum, trial| add(sum, trial.counts)),
            faults: faults(&record.trials),
            broken,
        }
    }

    /// Whether an invariant broke.
    #[must_use]
    pub fn is_violated(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The ids of the broken invariants, `I1, I3`.
    #[must_use]
    pub fn broken_ids(&self) -> String {
        self.broken.iter().map(|broken| broken.invariant).collect::<Vec<_>>().join(", ")
    }

    /// The median throughput, or zero where there is none.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.throughput.as_ref().map_or(0.0, |throughput| throughput.median)
    }

    /// Latency at a percentile given as a share of one, microseconds; none if too few samples lie above it.
    #[must_use]
    pub fn latency_us(&self, quantile: f64) -> Option<f64> {
        quantile_us(&self.latency, quantile)
    }
}

impl Ratio {
    fn new(comparison: &Comparison) -> Self {
        Self {
            ratio: comparison.ratio,
            low: comparison.interval.low,
            high: comparison.interval.high,
            pairs: comparison.n,
            minimal_detectable: comparison.minimal_detectable_effect,
            verdict: comparison.verdict,
        }
    }
}

/// The name of a preset, as on the command line.
#[must_use]
pub const fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Smoke => "smoke",
        Preset::Ci => "ci",
        Preset::Full => "full",
    }
}

/// Windows that no fault disturbed: those of the comparison, or where there is none those of the claims.
pub(super) fn undisturbed(trials: &[TrialRecord]) -> Vec<&TrialRecord> {
    let of = |purpose| {
        trials.iter().filter(move |trial| trial.purpose == purpose && trial.seconds > 0.0).collect::<Vec<_>>()
    };
    let compared = of(TrialPurpose::Comparison);
    if compared.is_empty() { of(TrialPurpose::Claim) } else { compared }
}

fn throughput(windows: &[&TrialRecord]) -> Option<Throughput> {
    let windows: Vec<f64> = windows.iter().map(|trial| trial.counts.decided() as f64 / trial.seconds).collect();
    let mut sorted = windows.clone();
    sorted.sort_by(f64::total_cmp);
    let median = median(&sorted)?;
    Some(Throughput { median, interval: median_interval(&sorted)?, windows })
}

/// The median of sorted values.
#[must_use]
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    if sorted.is_empty() {
        None
    } else if sorted.len().is_multiple_of(2) {
        Some(f64::midpoint(sorted[middle - 1], sorted[middle]))
    } else {
        Some(sorted[middle])
    }
}

/// The distribution-free interval of the median: the narrowest pair of order statistics that holds it with at
/// least 95 % confidence (David and Nagaraja, Order Statistics, 3rd ed., §7.1). It takes the windows as
/// independent, so it describes spread; only the paired comparison judges.
fn median_interval(sorted: &[f64]) -> Option<Interval> {
    let last = sorted.len().checked_sub(1)?;
    let total = sorted.len() as f64;
    let mut rank = None;
    // The binomial probability of at most `k` of the windows below the median, term by term.
    let mut term = 0.5_f64.powf(total);
    let mut below = term;
    for k in 0..sorted.len() / 2 {
        if below > 0.025 {
            break;
        }
        rank = Some(k);
        term *= (total - k as f64) / (k as f64 + 1.0);
        below += term;
    }
    let from = rank.unwrap_or(0);
    Some(Interval { low: sorted[from], high: sorted[last - from], is_95_percent: rank.is_some() })
}

fn merged_latency(windows: &[&TrialRecord]) -> LatencyHistogram {
    let mut merged = LatencyHistogram::new();
    for trial in windows {
        merged.merge(&trial.latency);
    }
    merged
}

fn quantile_us(histogram: &LatencyHistogram, quantile: f64) -> Option<f64> {
    let above = histogram.count() as f64 * (1.0 - quantile);
    histogram.quantile_ns(quantile).filter(|_| above >= SAMPLES_ABOVE_A_PERCENTILE).map(|ns| ns as f64 / 1e3)
}

/// A mean over windows weighted by their decided operations; `already_per_op` says what `figure` gives.
fn per_op(windows: &[&TrialRecord], figure: impl Fn(&TrialRecord) -> Option<f64>, already_per_op: bool) -> Option<f64> {
    let mut total = 0.0;
    let mut operations = 0.0;
    for trial in windows {
        let decided = trial.counts.decided() as f64;
        let Some(value) = figure(trial) else { continue };
        total += if already_per_op { value * decided } else { value };
        operations += decided;
    }
    (operations > 0.0).then(|| total / operations)
}

fn add(a: OutcomeCounts, b: OutcomeCounts) -> OutcomeCounts {
    OutcomeCounts {
        ok: a.ok + b.ok,
        rejected: a.rejected + b.rejected,
        failed: a.failed + b.failed,
        unknown: a.unknown + b.unknown,
    }
}

fn broken(trials: &[TrialRecord]) -> Vec<Broken<'_>> {
    let mut found: BTreeMap<&str, Broken<'_>> = BTreeMap::new();
    for trial in trials {
        let mut seen = BTreeSet::new();
        for violation in &trial.violations {
            let entry = found.entry(&violation.invariant).or_insert(Broken {
                invariant: &violation.invariant,
                count: 0,
                trials: 0,
                worst: violation,
            });
            entry.count += violation.count;
            entry.trials += usize::from(seen.insert(violation.invariant.as_str()));
            if violation.count > entry.worst.count {
                entry.worst = violation;
            }
        }
    }
    let mut found: Vec<Broken<'_>> = found.into_values().collect();
    found.sort_by_key(|broken| in_counting_order(broken.invariant));
    found
}

/// Ids as people count them: `I9` before `I12`.
fn in_counting_order(id: &str) -> (&str, u64, &str) {
    let (letters, number) = id.split_at(id.find(|sign: char| sign.is_ascii_digit()).unwrap_or(id.len()));
    (letters, number.parse().unwrap_or(u64::MAX), number)
}

fn faults(trials: &[TrialRecord]) -> Vec<Faults<'_>> {
    let mut kinds: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
    for fault in trials.iter().flat_map(|trial| &trial.faults) {
        kinds.entry(&fault.fault).or_default().push(fault.healed_ms.map(|healed| (healed - fault.at_ms) * 1e3));
    }
    kinds
        .into_iter()
        .map(|(fault, recoveries)| {
            let mut healed: Vec<f64> = recoveries.iter().copied().flatten().collect();
            healed.sort_by(f64::total_cmp);
            Faults {
                fault,
                count: recoveries.len(),
                unhealed: recoveries.len() - healed.len(),
                recovery_us_median: median(&healed),
            }
        })
        .collect()
}

fn claim(record: &crate::record::ClaimRecord) -> Claim<'_> {
    Claim {
        name: &record.name,
        statement: &record.statement,
        target: record.target,
        unit: &record.unit,
        outcome: match &record.verdict {
            ClaimVerdict::Held { measured } => ClaimOutcome::Held { measured: *measured },
            ClaimVerdict::Missed { measured, .. } => ClaimOutcome::Missed { measured: *measured },
            ClaimVerdict::Inconclusive { why } => ClaimOutcome::Inconclusive { why: why.clone() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_the_median_uses_the_ranks_of_the_binomial_table() {
        let sorted: Vec<f64> = (1..=20).map(f64::from).collect();
        // The classical table: n = 20 gives the 6th and the 15th value at 95.9 %.
        assert_eq!(median_interval(&sorted), Some(Interval { low: 6.0, high: 15.0, is_95_percent: true }));
        assert_eq!(median_interval(&sorted[..6]), Some(Interval { low: 1.0, high: 6.0, is_95_percent: true }));
    }

    #[test]
    fn five_windows_are_too_few_for_an_interval() {
        let sorted = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(median_interval(&sorted), Some(Interval { low: 1.0, high: 5.0, is_95_percent: false }));
        assert_eq!(median_interval(&[]), None);
    }
}
