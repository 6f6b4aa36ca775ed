//! A record's summary in the words of the wire.

use pgstrata_lab::record::Record;
use pgstrata_lab::report::difference::{ArmDifference, Change, Side};
use pgstrata_lab::report::plot::{Chart, Frame};
use pgstrata_lab::report::summary::{ArmSummary, Broken, Claim, ClaimOutcome, Summary};
use pgstrata_units::Language;

use crate::routes::records::{
    ArmComparison, ArmResult, ArmSide, BrokenInvariant, ChartName, ClaimResult, ClaimState, Difference, RecordDetail,
    RecordEntry,
};

/// What a record says.
pub fn describe(entry: RecordEntry, record: &Record) -> RecordDetail {
    let summary = Summary::new(record);
    let machine = &record.machine;
    let charts = [ChartName::Throughput, ChartName::Latency, ChartName::Timeline, ChartName::Pairs];
    let can_be_drawn =
        |chart: &ChartName| Chart::from(*chart).draw(record, Language::English, Frame::Embedded).is_some();
    RecordDetail {
        entry,
        command: record.command.clone(),
        seed: record.seed,
        seconds: record.seconds,
        version: record.build.version.clone(),
        commit: record.build.commit.clone(),
        machine: format!(
            "{} × {}, {} GiB, {}",
            machine.cpus,
            machine.cpu_model,
            machine.memory_bytes >> 30,
            machine.kernel
        ),
        servers: record.servers.iter().map(|server| server.version.clone()).collect(),
        baseline: summary.baseline.map(str::to_owned),
        arms: summary.arms.iter().map(arm).collect(),
        claims: summary.claims.iter().map(claim).collect(),
        invalid: summary.invalid.clone(),
        charts: charts.into_iter().filter(can_be_drawn).collect(),
    }
}

fn arm(arm: &ArmSummary<'_>) -> ArmResult {
    ArmResult {
        name: arm.name.to_owned(),
        kind: arm.kind.into(),
        broken: arm.broken.iter().map(broken).collect(),
        per_second: arm.throughput.as_ref().map(|throughput| throughput.median),
        per_second_interval: arm
            .throughput
            .as_ref()
            .map(|throughput| (throughput.interval.low, throughput.interval.high)),
        ratio: arm.ratio.map(|ratio| (ratio.ratio, ratio.low, ratio.high)),
        latency_us_p50: arm.latency_us_p50,
        latency_us_p99: arm.latency_us_p99,
        retries_per_op: arm.retries_per_op,
        server_cpu_us_per_op: arm.server_cpu_us_per_op,
        wal_bytes_per_op: arm.wal_bytes_per_op,
    }
}

fn broken(broken: &Broken<'_>) -> BrokenInvariant {
    BrokenInvariant {
        invariant: broken.invariant.to_owned(),
        found: broken.worst.found.clone(),
        count: broken.count,
        witnesses: broken.worst.witnesses.clone(),
    }
}

fn claim(claim: &Claim<'_>) -> ClaimResult {
    let (outcome, measured, why) = match &claim.outcome {
        ClaimOutcome::Held { measured } => (ClaimState::Held, Some(*measured), None),
        ClaimOutcome::Missed { measured } => (ClaimState::Missed, Some(*measured), None),
        ClaimOutcome::Inconclusive { why } => (ClaimState::Inconclusive, None, Some(why.clone())),
    };
    ClaimResult {
        name: claim.name.to_owned(),
        statement: claim.statement.to_owned(),
        target: claim.target,
        unit: claim.unit.to_owned(),
        outcome,
        // A figure that could not be measured has no JSON.
        measured: measured.filter(|measured| measured.is_finite()),
        why,
    }
}

/// An arm in two records.
pub fn compared(arm: ArmDifference) -> ArmComparison {
    let [before, after] = arm.sides.map(side);
    ArmComparison { arm: arm.arm, before, after, ratio: arm.ratio }
}

fn side(side: Side) -> ArmSide {
    match side {
        Side::Absent => ArmSide::Absent,
        Side::Violated(invariants) => ArmSide::Violated { invariants },
        Side::Unmeasured => ArmSide::Unmeasured,
        Side::Measured(per_second) => ArmSide::Measured { per_second },
    }
}

/// Something else that differs.
pub fn changed((what, before, after): Change) -> Difference {
    Difference { what, before, after }
}
