//! A made-up record with sensible values, the same at every call. Only tests use it; no figure here was measured.

use std::collections::BTreeMap;

use pgstrata_stats::{
    Better, ClaimVerdict, LatencyHistogram, Moment, Pair, RunValidity, SentinelReading, Settings, compare,
    judge_control,
};
use pgstrata_units::{SystemId, Text};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::history::OutcomeCounts;
use crate::record::{
    ArmRecord, Build, ClaimRecord, ComparisonRecord, ControlRecord, FaultRecord, LoadShape, Machine, PairRecord,
    RECORD_FORMAT, Record, ServerRecord, TIMELINE_SLICE_MS, TrialPurpose, TrialRecord,
};
use crate::study::{ArmKind, Card, Claim, Figure, Holds, Invariant, Measure, Preset, Violation};

/// How an arm of the made-up record behaves.
struct Shape {
    name: &'static str,
    kind: ArmKind,
    per_second: f64,
    latency_ms: f64,
    /// The standard deviation of the logarithm of a latency.
    spread: f64,
    retries_per_op: f64,
    server_cpu_us: f64,
    client_cpu_us: f64,
    wal_bytes: f64,
    lock_wait_us: f64,
    clients: u32,
}

const fn shape(name: &'static str, kind: ArmKind, load: [f64; 4], cost: [f64; 4], clients: u32) -> Shape {
    let [per_second, latency_ms, spread, retries_per_op] = load;
    let [server_cpu_us, client_cpu_us, wal_bytes, lock_wait_us] = cost;
    Shape {
        name,
        kind,
        per_second,
        latency_ms,
        spread,
        retries_per_op,
        server_cpu_us,
        client_cpu_us,
        wal_bytes,
        lock_wait_us,
        clients,
    }
}

const SHAPES: [Shape; 8] = [
    shape("naive", ArmKind::Broken, [652.0, 32.0, 0.8, 0.0], [640.0, 96.0, 612.0, 18_400.0], 32),
    shape("for-update", ArmKind::Textbook, [609.0, 29.0, 0.9, 0.0], [601.0, 88.0, 540.0, 47_200.0], 32),
    shape("optimistic", ArmKind::Naive, [241.0, 65.0, 1.0, 4.7], [2_230.0, 410.0, 1_830.0, 61_900.0], 32),
    shape("conditional", ArmKind::Textbook, [1_045.0, 19.0, 0.9, 0.0], [512.0, 34.0, 498.0, 27_100.0], 32),
    shape("buckets", ArmKind::Textbook, [3_909.0, 5.6, 0.8, 0.02], [298.0, 35.0, 505.0, 3_100.0], 32),
    shape("tokens", ArmKind::Textbook, [4_821.0, 5.2, 0.6, 0.0], [341.0, 33.0, 733.0, 0.0], 32),
    shape("early-lock-release", ArmKind::Best, [5_526.0, 12.0, 0.6, 0.0], [108.0, 30.0, 551.0, 1_240.0], 96),
    shape("coalesced", ArmKind::Best, [114_016.0, 64.0, 0.25, 0.0], [3.3, 1.8, 143.0, 0.04], 8_000),
];

/// Latencies of a window at most; more would only take time.
const LATENCY_SAMPLES: u64 = 5_000;

/// Windows of each arm that were compared.
const PAIRS: usize = 8;

/// The arm that the others are compared with.
const BASELINE: &str = "optimistic";

/// The record.
pub fn record() -> Record {
    let mut random = ChaCha8Rng::seed_from_u64(20_250_101);
    let mut arms: Vec<ArmRecord> = SHAPES.iter().map(|shape| arm(shape, &mut random)).collect();
    let comparisons = comparisons(&mut arms, &mut random);
    let control = control(&mut random);
    let claims = claims(&comparisons);
    let latest = arms.last_mut().expect("there are arms");
    latest.trials.push(claim_trial(&SHAPES[7], &mut random));
    Record {
        format: RECORD_FORMAT,
        system: SystemId::known("09-01"),
        study: "flash-sale".to_owned(),
        command: "pgstrata run flash-sale --preset full --faults kill-postmaster:3,disconnect-after-send:2 --seed 7"
            .to_owned(),
        preset: Preset::Full,
        seed: 7,
        started_at: "2025-01-01T12:00:00Z".to_owned(),
        seconds: 412.6,
        build: Build { version: "0.1.0".to_owned(), commit: "0123456789ab".to_owned(), profile: "release".to_owned() },
        machine: Machine {
            host: "example".to_owned(),
            cpus: 2,
            cpu_model: "Example CPU 3.0 GHz".to_owned(),
            memory_bytes: 8_368_709_120,
            kernel: "Linux 6.1.0".to_owned(),
            load_average: 0.31,
        },
        servers: vec![ServerRecord {
            version: "PostgreSQL 15.18 (Debian 15.18-0+deb12u1)".to_owned(),
            private: true,
            settings: settings(),
        }],
        arms,
        comparisons,
        control: Some(control),
        claims,
        validity: RunValidity::Valid,
    }
}

fn settings() -> BTreeMap<String, String> {
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("wal_level", "replica"),
        ("shared_buffers", "256MB"),
        ("max_wal_size", "4GB"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn arm(shape: &Shape, random: &mut ChaCha8Rng) -> ArmRecord {
    let mut trials = vec![proof(shape, random)];
    trials.extend((0..PAIRS).map(|_| window(shape, 1.0, random)));
    ArmRecord { arm: shape.name.to_owned(), kind: shape.kind, trials }
}

/// One undisturbed window at `speed` times the arm's own throughput.
fn window(shape: &Shape, speed: f64, random: &mut ChaCha8Rng) -> TrialRecord {
    let decided = per_second(shape, speed, random);
    let rejected = decided / 40;
    TrialRecord {
        purpose: TrialPurpose::Comparison,
        load: LoadShape::Closed { clients: shape.clients },
        seed: random.next_u64() >> 32,
        seconds: 1.0,
        counts: OutcomeCounts { ok: decided - rejected, rejected, failed: 0, unknown: 0 },
        dropped: 0,
        retries: retries(shape, decided),
        failures: BTreeMap::new(),
        latency: latency(shape, decided, random),
        client_cpu_us_per_op: Some(rounded(shape.client_cpu_us * wobble(0.03, random))),
        server_cpu_us_per_op: Some(rounded(shape.server_cpu_us * wobble(0.03, random))),
        server_cpu_us_per_accepted: Some(rounded(shape.server_cpu_us * 40.0 / 39.0)),
        wal_bytes_per_op: Some(rounded(shape.wal_bytes * wobble(0.01, random))),
        lock_wait_us_per_op: Some(rounded(shape.lock_wait_us * wobble(0.1, random))),
        timeline: vec![(u32::try_from(decided - rejected).expect("small"), u32::try_from(rejected).expect("small"), 0)],
        faults: Vec::new(),
        evaluations_during: 0,
        violations: Vec::new(),
        sentinels: sentinels(),
        isolation: Vec::new(),
        figures: Vec::new(),
    }
}

/// The trial under faults: a stock that runs out, three kills of the postmaster and two cut connections.
fn proof(shape: &Shape, random: &mut ChaCha8Rng) -> TrialRecord {
    let mut trial = window(shape, 0.8, random);
    trial.purpose = TrialPurpose::Proof;
    trial.seconds = 18.0;
    trial.faults = vec![
        fault("kill-postmaster", 3_120.0, 2_310.0),
        fault("disconnect-after-send", 7_400.0, 40.0),
        fault("kill-postmaster", 8_950.0, 2_120.0),
        fault("disconnect-after-send", 12_300.0, 35.0),
        fault("kill-postmaster", 14_210.0, 2_270.0),
    ];
    trial.timeline = timeline(shape, &trial.faults, random);
    let sums = trial.timeline.iter().fold([0_u64; 3], |sum, slice| {
        [sum[0] + u64::from(slice.0), sum[1] + u64::from(slice.1), sum[2] + u64::from(slice.2)]
    });
    trial.counts =
        OutcomeCounts { ok: sums[0], rejected: sums[1], failed: sums[2] / 3, unknown: sums[2] - sums[2] / 3 };
    trial.retries = retries(shape, sums[0]);
    trial.failures = BTreeMap::from([("the server closed the connection".to_owned(), trial.counts.failed)]);
    trial.evaluations_during = 17;
    if shape.kind == ArmKind::Broken {
        trial.violations = violations();
    }
    if shape.name == "coalesced" {
        trial.figures =
            vec![Figure { name: "batch_size_mean".to_owned(), value: 2_847.0, unit: "requests".to_owned() }];
    }
    trial
}

/// The trial of the claim: an open loop at 120 000 arrivals a second.
fn claim_trial(shape: &Shape, random: &mut ChaCha8Rng) -> TrialRecord {
    let mut trial = window(shape, 1.02, random);
    trial.purpose = TrialPurpose::Claim;
    trial.load = LoadShape::Open { rate: 120_000.0, clients: 8_000 };
    trial.dropped = 311;
    trial
}

fn violations() -> Vec<Violation> {
    vec![
        Violation {
            invariant: "I1".to_owned(),
            found: "paid, reserved and available units do not add up to the initial stock".to_owned(),
            count: 1,
            witnesses: vec![json!({"product": 1, "initial": 10_000, "available": -122, "sold": 13_969})],
        },
        Violation {
            invariant: "I3".to_owned(),
            found: "acknowledged sales without exactly one order".to_owned(),
            count: 3_847,
            witnesses: (0..5)
                .map(|row| json!({"key": format!("01941f29-7c00-7{row:03}-8000-0000000004d2"), "orders": 0}))
                .collect(),
        },
    ]
}

fn fault(name: &str, at_ms: f64, recovery_ms: f64) -> FaultRecord {
    let achieved = if name == "kill-postmaster" { "9 processes ended" } else { "1 of 32 sessions cut" };
    FaultRecord { fault: name.to_owned(), at_ms, healed_ms: Some(at_ms + recovery_ms), achieved: achieved.to_owned() }
}

/// Twenty seconds: nothing is decided while the server is away, and the stock runs out after sixteen.
fn timeline(shape: &Shape, faults: &[FaultRecord], random: &mut ChaCha8Rng) -> Vec<(u32, u32, u32)> {
    let slices = 20_000 / TIMELINE_SLICE_MS;
    (0..slices)
        .map(|slice| {
            let at = (slice * TIMELINE_SLICE_MS) as f64;
            let away = faults.iter().find(|fault| {
                fault.fault == "kill-postmaster"
                    && at >= fault.at_ms
                    && fault.healed_ms.is_some_and(|healed| at < healed)
            });
            let rate = per_second(shape, 0.8, random) as f64 * TIMELINE_SLICE_MS as f64 / 1e3;
            let whole = whole(rate);
            match away {
                Some(fault) if at < fault.at_ms + 200.0 => (0, 0, shape.clients.min(96)),
                Some(_) => (0, 0, 0),
                None if at > 16_000.0 => (whole / 20, whole, 0),
                None => (whole, whole / 40, 0),
            }
        })
        .collect()
}

fn comparisons(arms: &mut [ArmRecord], random: &mut ChaCha8Rng) -> Vec<ComparisonRecord> {
    let baseline = &SHAPES[2];
    let mut comparisons = Vec::new();
    for arm in arms.iter().filter(|arm| arm.arm != BASELINE) {
        let windows = arm.trials.iter().filter(|trial| trial.purpose == TrialPurpose::Comparison);
        let pairs: Vec<PairRecord> = windows
            .map(|trial| PairRecord {
                throughput: Pair {
                    baseline: per_second(baseline, 1.0, random) as f64,
                    candidate: trial.counts.decided() as f64,
                },
                server_cpu_us: trial.server_cpu_us_per_op.map(|candidate| Pair {
                    baseline: rounded(baseline.server_cpu_us * wobble(0.03, random)),
                    candidate,
                }),
            })
            .collect();
        let throughput: Vec<Pair> = pairs.iter().map(|pair| pair.throughput).collect();
        let cpu: Vec<Pair> = pairs.iter().filter_map(|pair| pair.server_cpu_us).collect();
        comparisons.push(ComparisonRecord {
            arm: arm.arm.clone(),
            baseline: BASELINE.to_owned(),
            throughput: compare(&throughput, &Settings::new(Better::Higher)).expect("usable pairs"),
            server_cpu: compare(&cpu, &Settings::new(Better::Lower)).ok(),
            pairs,
        });
    }
    comparisons
}

fn control(random: &mut ChaCha8Rng) -> ControlRecord {
    let mut draw = || per_second(&SHAPES[2], 1.0, random) as f64;
    let pairs: Vec<Pair> = (0..PAIRS).map(|_| Pair { baseline: draw(), candidate: draw() }).collect();
    let control = judge_control(&pairs, &Settings::new(Better::Higher)).expect("usable pairs");
    let pairs = pairs.into_iter().map(|throughput| PairRecord { throughput, server_cpu_us: None }).collect();
    ControlRecord { arm: BASELINE.to_owned(), control, pairs }
}

fn claims(comparisons: &[ComparisonRecord]) -> Vec<ClaimRecord> {
    let coalesced = comparisons.last().expect("coalesced was compared").throughput;
    let claim = |name: &str, statement: &str, target, unit: &str, verdict| ClaimRecord {
        name: name.to_owned(),
        statement: statement.to_owned(),
        target,
        unit: unit.to_owned(),
        verdict,
    };
    vec![
        claim(
            "decided-per-second",
            "The coalesced arm decides at least 100 000 purchase requests a second, fsync on.",
            100_000.0,
            "req/s",
            ClaimVerdict::Held { measured: 116_258.0 },
        ),
        claim(
            "over-optimistic",
            "The coalesced arm is at least 100 times as fast as the optimistic one.",
            100.0,
            "×",
            ClaimVerdict::Held { measured: coalesced.ratio },
        ),
        claim(
            "server-cpu",
            "An accepted sale costs the server at most 3 µs of CPU.",
            3.0,
            "µs",
            ClaimVerdict::Missed { target: 3.0, measured: 3.38 },
        ),
        claim(
            "latency-p99",
            "At 20 000 arrivals a second the 99th percentile of latency is at most 25 ms.",
            25.0,
            "ms",
            ClaimVerdict::Inconclusive {
                why: "other processes took 14 % of the processors during the load".to_owned(),
            },
        ),
    ]
}

fn sentinels() -> Vec<SentinelReading> {
    let reading = |moment, fdatasync_us| SentinelReading {
        moment,
        fdatasync_us,
        timer_overshoot_us: 210.0,
        foreign_cpu_share: 0.02,
        steal_share: 0.0,
    };
    vec![reading(Moment::Before, 121.0), reading(Moment::During, 260.0), reading(Moment::After, 118.0)]
}

fn retries(shape: &Shape, decided: u64) -> BTreeMap<String, u64> {
    let retries = whole(shape.retries_per_op * decided as f64);
    if retries == 0 { BTreeMap::new() } else { BTreeMap::from([("conflict".to_owned(), u64::from(retries))]) }
}

fn per_second(shape: &Shape, speed: f64, random: &mut ChaCha8Rng) -> u64 {
    u64::from(whole(shape.per_second * speed * wobble(0.06, random)))
}

/// Latencies of a logarithmic normal distribution, on a coarse grid to keep the file small.
fn latency(shape: &Shape, count: u64, random: &mut ChaCha8Rng) -> LatencyHistogram {
    let mut histogram = LatencyHistogram::new();
    for _ in 0..count.min(LATENCY_SAMPLES) {
        let ms = shape.latency_ms * (shape.spread * normal(random)).exp();
        let step = (ms.log2() * 8.0).round() / 8.0;
        histogram.record_ns(u64::from(whole(step.exp2() * 1e3)) * 1_000);
    }
    histogram
}

fn wobble(spread: f64, random: &mut ChaCha8Rng) -> f64 {
    (spread * normal(random)).exp()
}

/// Nearly normal: the sum of twelve uniform draws. No logarithm, so every platform draws the same.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the fixture's numbers are small and positive"
)]
fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// The file that the tests of the views read, so that they need not draw the record again.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/record.json");

/// The record as the file holds it.
pub fn load() -> Record {
    crate::archive::load(std::path::Path::new(FILE)).expect("the fixture is a record of this format")
}

/// What the sentinels say of a run on a busy machine.
pub fn invalid() -> RunValidity {
    let busy = |moment| SentinelReading { moment, foreign_cpu_share: 0.4, ..sentinels()[0] };
    RunValidity::judge(&Moment::ALL.map(busy))
}

/// A card to the record, with statements and claims in both languages.
pub const CARD: &Card = &Card {
    id: SystemId::known("09-01"),
    name: "flash-sale",
    title: text("Flash sale that cannot oversell", "不会超卖的秒杀"),
    summary: text(
        "Many people buy the same few things at the same moment; every unit is sold once.",
        "许多人在同一时刻购买同样的少量商品；每件商品只卖出一次。",
    ),
    operation: text("purchase request", "购买请求"),
    arms: &[],
    baseline: BASELINE,
    invariants: &[
        Invariant {
            id: "I1",
            statement: text(
                "Paid, reserved and available units add up to the initial stock.",
                "已付款、已预留与可售数量之和等于初始库存。",
            ),
            sql: Some(
                "select product, initial, available, sold\nfrom stock\nwhere paid + reserved + available <> initial\n   or available < 0;\n",
            ),
            holds: Holds::Always,
        },
        Invariant {
            id: "I2",
            statement: text("No product has less than nothing.", "任何商品的可售数量都不为负。"),
            sql: Some("select product, available\nfrom stock\nwhere available < 0;\n"),
            holds: Holds::Always,
        },
        Invariant {
            id: "I3",
            statement: text("Each acknowledged sale has exactly one order.", "每笔已确认的销售恰有一张订单。"),
            sql: None,
            holds: Holds::AtRest,
        },
    ],
    claims: &[Claim {
        name: "decided-per-second",
        statement: text(
            "The coalesced arm decides at least 100 000 purchase requests a second, fsync on.",
            "合并方案在 fsync 开启时每秒至少决定 100 000 个购买请求。",
        ),
        measure: Measure::ServerCpuPerAccepted { arm: "coalesced" },
        target: 100_000.0,
        unit: "req/s",
        better: Better::Higher,
    }],
};

const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// As many trials as a full run has at most, with latencies on the histogram's own grid.
pub fn full_size() -> Record {
    let mut record = load();
    for (arm, shape) in record.arms.iter_mut().zip(&SHAPES) {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut latency = LatencyHistogram::new();
        // One window of two seconds; above ten thousand values hardly a bucket is new.
        for _ in 0..u64::from(whole(shape.per_second * 2.0)).min(LATENCY_SAMPLES) {
            let ms = shape.latency_ms * (shape.spread * normal(&mut random)).exp();
            latency.record_ns(u64::from(whole(ms * 1e6)));
        }
        let mut window = arm.trials[1].clone();
        window.latency = latency;
        window.timeline = vec![(3_900, 100, 0); 25];
        arm.trials = vec![window; 32];
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixture_is_what_the_generator_makes() {
        let fresh = crate::archive::to_json(&record()).expect("a record is JSON");
        if std::env::var_os("PGSTRATA_WRITE_FIXTURES").is_some() {
            std::fs::write(FILE, &fresh).expect("the fixture can be written");
        }
        let kept = std::fs::read(FILE).unwrap_or_default();
        assert!(
            kept == fresh,
            "fixtures/record.json is stale; write it with PGSTRATA_WRITE_FIXTURES=1 cargo test -p pgstrata-lab fixture"
        );
    }
}
