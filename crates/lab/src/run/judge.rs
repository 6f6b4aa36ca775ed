//! What a run's trials say together: comparisons, the A/A control, claims, and whether the machine stood still.

use pgstrata_stats::{
    self as stats, Better, ClaimVerdict, Measured, Moment, Pair, RunValidity, SentinelReading, Settings, Step,
    StoppingRule, compare, judge_control,
};

use crate::record::{ClaimRecord, ComparisonRecord, ControlRecord, PairRecord, Record, TrialPurpose, TrialRecord};
use crate::study::{Arm, Card, Claim, Measure};

/// The pairs of a run so far.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    compared: Vec<ComparedArm>,
}

/// The pairs of one arm with the baseline.
#[derive(Debug)]
struct ComparedArm {
    baseline: &'static str,
    arm: &'static str,
    pairs: Vec<PairRecord>,
}

impl Pairs {
    pub(super) fn add(&mut self, baseline: &'static Arm, arm: &'static Arm, windows: [&TrialRecord; 2]) {
        let [of_baseline, of_arm] = windows;
        let pair = PairRecord {
            throughput: Pair { baseline: of_baseline.decided_per_second(), candidate: of_arm.decided_per_second() },
            server_cpu_us: of_baseline
                .server_cpu_us_per_op
                .zip(of_arm.server_cpu_us_per_op)
                .map(|(baseline, candidate)| Pair { baseline, candidate }),
        };
        match self.compared.iter_mut().find(|compared| compared.arm == arm.name) {
            Some(compared) => compared.pairs.push(pair),
            None => self.compared.push(ComparedArm { baseline: baseline.name, arm: arm.name, pairs: vec![pair] }),
        }
    }

    /// Whether the arm has pairs enough; only the width of the interval decides, never where it lies.
    pub(super) fn is_settled(&self, arm: &Arm, rule: StoppingRule) -> bool {
        let Some(compared) = self.compared.iter().find(|compared| compared.arm == arm.name) else { return false };
        let pairs: Vec<Pair> = compared.pairs.iter().map(|pair| pair.throughput).collect();
        matches!(rule.next(&pairs, &Settings::new(Better::Higher)), Ok(Step::Stop { .. }))
    }

    /// Judges all pairs. An arm that did nothing in some window has no ratio and therefore no comparison.
    pub(super) fn judge(self, record: &mut Record) {
        for compared in self.compared {
            let throughput: Vec<Pair> = compared.pairs.iter().map(|pair| pair.throughput).collect();
            if compared.baseline == compared.arm {
                record.control = judge_control(&throughput, &Settings::new(Better::Higher))
                    .inspect_err(|error| tracing::warn!(arm = compared.arm, error = %error, "no control"))
                    .ok()
                    .map(|control| ControlRecord { arm: compared.arm.to_owned(), control, pairs: compared.pairs });
                continue;
            }
            match compare(&throughput, &Settings::new(Better::Higher)) {
                Ok(comparison) => {
                    let cpu: Option<Vec<Pair>> = compared.pairs.iter().map(|pair| pair.server_cpu_us).collect();
                    record.comparisons.push(ComparisonRecord {
                        arm: compared.arm.to_owned(),
                        baseline: compared.baseline.to_owned(),
                        throughput: comparison,
                        server_cpu: cpu.and_then(|pairs| compare(&pairs, &Settings::new(Better::Lower)).ok()),
                        pairs: compared.pairs,
                    });
                }
                Err(error) => tracing::warn!(arm = compared.arm, error = %error, "no comparison"),
            }
        }
        if let Some(control) = &record.control {
            for comparison in &mut record.comparisons {
                comparison.throughput.verdict = control.control.verdict.temper(comparison.throughput.verdict);
            }
        }
    }
}

/// Writes down what became of a claim whose trial has just been made.
///
/// A miss on a machine that did not stand still says nothing about the claim; reaching the number says it all the same.
pub(super) fn settle_claim(record: &mut Record, claim: &Claim, measured: f64, trial: Option<&TrialRecord>) {
    let mut verdict = goal(claim).judge(Measured { value: measured, interval: None });
    if let (ClaimVerdict::Missed { .. }, Some(trial)) = (&verdict, trial) {
        let validity = RunValidity::judge(&trial.sentinels);
        if !validity.is_valid() {
            verdict = ClaimVerdict::Inconclusive {
                why: format!("measured {measured:.1} {} while the machine did not stand still: {validity}", claim.unit),
            };
        }
    }
    add_claim(record, claim, verdict);
}

/// Judges the claims that compare arms; they are read off the comparisons.
pub(super) fn ratio_claims(record: &mut Record, card: &Card) {
    for claim in card.claims {
        let Measure::ThroughputRatio { arm, over } = claim.measure else { continue };
        if record.arm(arm).is_none() || record.arm(over).is_none() {
            continue;
        }
        let found = record.comparisons.iter().find(|comparison| comparison.arm == arm && comparison.baseline == over);
        let mut verdict = match found {
            Some(comparison) => goal(claim)
                .judge(Measured { value: comparison.throughput.ratio, interval: Some(comparison.throughput.interval) }),
            None => ClaimVerdict::Inconclusive { why: "the two were not compared".to_owned() },
        };
        if let Some(control) = &record.control {
            verdict = control.control.verdict.temper_claim(verdict);
        }
        add_claim(record, claim, verdict);
    }
}

fn goal(claim: &Claim) -> stats::Claim {
    stats::Claim { target: claim.target, unit: claim.unit, better: claim.better }
}

fn add_claim(record: &mut Record, claim: &Claim, verdict: ClaimVerdict) {
    record.claims.push(ClaimRecord {
        name: claim.name.to_owned(),
        statement: claim.statement.en.to_owned(),
        target: claim.target,
        unit: claim.unit.to_owned(),
        verdict,
    });
}

/// Whether the machine stood still: each moment is judged by the median over the measured trials, so that one bad
/// second of one window does not condemn the run, and a machine that is busy most of the time does. Proofs count only
/// where nothing was measured: their faults disturb the machine on purpose.
pub(super) fn validity(record: &mut Record) {
    let trials = || record.arms.iter().flat_map(|arm| &arm.trials);
    let is_measured = |trial: &&TrialRecord| trial.purpose != TrialPurpose::Proof;
    let has_measured = trials().any(|trial| is_measured(&trial));
    let judged = trials().filter(|trial| !has_measured || is_measured(trial));
    let readings: Vec<SentinelReading> = judged.flat_map(|trial| trial.sentinels.iter().copied()).collect();
    let typical: Vec<SentinelReading> =
        Moment::ALL.into_iter().filter_map(|moment| median(&readings, moment)).collect();
    record.validity = RunValidity::judge(&typical);
}

fn median(readings: &[SentinelReading], moment: Moment) -> Option<SentinelReading> {
    let of_moment: Vec<&SentinelReading> = readings.iter().filter(|reading| reading.moment == moment).collect();
    let middle = |value: fn(&SentinelReading) -> f64| {
        let mut values: Vec<f64> = of_moment.iter().map(|reading| value(reading)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some(SentinelReading {
        moment,
        fdatasync_us: middle(|reading| reading.fdatasync_us)?,
        timer_overshoot_us: middle(|reading| reading.timer_overshoot_us)?,
        foreign_cpu_share: middle(|reading| reading.foreign_cpu_share)?,
        steal_share: middle(|reading| reading.steal_share)?,
    })
}

/// Broken invariants of an arm over all its trials.
pub(super) fn violations_of(record: &Record, arm: &str) -> f64 {
    record.arm(arm).map_or(0, |arm| arm.violations().count()) as f64
}

/// The median server CPU per accepted operation over an arm's comparison windows, µs.
pub(super) fn server_cpu_at_saturation(record: &Record, arm: &str) -> Option<f64> {
    let windows = record.arm(arm)?.trials.iter().filter(|trial| trial.purpose == TrialPurpose::Comparison);
    let mut values: Vec<f64> = windows.filter_map(|trial| trial.server_cpu_us_per_accepted).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
