//! The lab against a real server: load, faults, invariants and judgement, on a study of its own.

mod clinic;
mod counter;
mod lying;
mod observe;
mod oracle;

use std::sync::Arc;
use std::time::Duration;

use counter::{Counter, NAP};
use pgstrata_lab::error::LabError;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::machine;
use pgstrata_lab::record::{LoadShape, TrialPurpose, TrialRecord};
use pgstrata_lab::run::{LoadChoice, Progress, RunSpec, run};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_lab::study::{DEFAULT_SKEW, Preset, Scale, Study};
use pgstrata_lab::trial::{self, TrialSpec};
use tokio_util::sync::CancellationToken;

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize, _: Duration) {}
    fn trial(&self, _: &str) {}
    fn trial_done(&self) {}
}

async fn site(plan: &FaultPlan) -> Site {
    let install = pgstrata_pg::find(None, None).expect("PostgreSQL server binaries (apt-get install postgresql)");
    Site::open(&SiteSpec::Private { install, servers: 1 }, plan).await.expect("a private server")
}

const SEED: u64 = 42;

async fn trial(arm: &str, load: LoadShape, faults: &str) -> TrialRecord {
    let plan: FaultPlan = faults.parse().expect("a plan");
    let site = site(&plan).await;
    let study: Arc<dyn Study> = Arc::new(Counter);
    let spec = TrialSpec {
        purpose: TrialPurpose::Proof,
        arm: study.card().arm(arm).expect("an arm"),
        load,
        warmup: Duration::from_millis(100),
        measure: Duration::from_millis(600),
        faults: plan,
        scale: Scale {
            preset: Preset::Ci,
            operations: 100_000,
            scarce: false,
            skew: DEFAULT_SKEW,
            observed: false,
            seed: SEED,
        },
        evaluate_during: true,
    };
    let probe = SentinelProbe::new(&site).await.expect("a probe");
    let record = trial::run(&study, &site, &spec, &probe, &CancellationToken::new()).await.expect("a trial");
    site.close().await.expect("closed");
    record
}

const EIGHT: LoadShape = LoadShape::Closed { clients: 8 };

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_arm_is_not_accused_and_its_costs_are_measured() {
    let record = trial("sound", EIGHT, "").await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.counts.unknown == 0 && record.counts.failed == 0, "{:?}", record.counts);
    assert!(record.wal_bytes_per_op.is_some_and(|bytes| bytes > 50.0), "{:?}", record.wal_bytes_per_op);
    assert!(record.lock_wait_us_per_op.is_some_and(|wait| wait > 0.0), "eight clients on one row wait for each other");
    assert!(record.evaluations_during > 0);
    assert!(record.latency.quantile_ns(0.5).is_some_and(|ns| ns > 10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_that_loses_updates_is_convicted_with_witness_rows() {
    let record = trial("lost-update", EIGHT, "").await;
    let violation = record.violations.first().expect("a violation");
    assert_eq!(violation.invariant, "C1");
    let witness = violation.witnesses.first().expect("a witness row");
    assert!(witness["value"].as_i64() < witness["operations"].as_i64(), "{witness}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_that_acknowledges_what_it_did_not_do_is_convicted() {
    let record = trial("liar", EIGHT, "").await;
    assert!(record.violations.iter().any(|violation| violation.invariant == "C2"), "{:?}", record.violations);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_nothing_that_was_acknowledged_and_leaves_nothing_unknown() {
    let record = trial("sound", EIGHT, "kill-postmaster:2").await;
    assert_eq!(record.faults.len(), 2);
    assert_eq!(record.violations, []);
    assert_eq!(record.counts.unknown, 0, "{:?}", record.retries);
    assert!(record.retries.contains_key("server_lost"), "{:?}", record.retries);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_share_their_key_and_count_once() {
    let record = trial("sound", EIGHT, "duplicate-request=50%").await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_counts_the_time_that_operations_queue_for_a_client() {
    // One client serves at most fifty a second and two hundred arrive: in a closed loop every latency is the nap.
    let record = trial("slow", LoadShape::Open { rate: 200.0, clients: 1 }, "").await;
    let median = Duration::from_nanos(record.latency.quantile_ns(0.5).expect("a latency"));
    assert!(median > 2 * NAP, "{median:?}");
    assert!(record.dropped > 0, "what was still queued at the end is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_compares_sound_arms_controls_itself_and_gives_the_caught_ones_no_figure() {
    let plan = FaultPlan::default();
    let site = site(&plan).await;
    let study: Arc<dyn Study> = Arc::new(Counter);
    let arms = ["sound", "lost-update", "slow"].map(|name| study.card().arm(name).expect("an arm"));
    let spec = RunSpec {
        study: Arc::clone(&study),
        arms: arms.to_vec(),
        preset: Preset::Ci,
        load: LoadChoice::OfArm,
        duration: None,
        faults: plan,
        skew: DEFAULT_SKEW,
        seed: SEED,
        command: "test".to_owned(),
        build: machine::build("0"),
    };
    let record = run(&spec, &site, &Silent, &CancellationToken::new()).await.expect("a run");
    site.close().await.expect("closed");
    let compared: Vec<&str> = record.comparisons.iter().map(|comparison| comparison.arm.as_str()).collect();
    assert_eq!(compared, ["slow"]);
    assert!(record.comparisons[0].throughput.ratio < 1.0);
    assert_eq!(record.control.as_ref().expect("a control").arm, "sound");
    assert!(record.held(false), "a broken arm that is caught is what is expected");
    assert!(!record.held(true), "a broken arm that is asked for by name counts");
    assert_eq!(record.servers[0].settings["fsync"], "on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_ends_with_that_and_leaves_no_server() {
    let plan = FaultPlan::default();
    let site = site(&plan).await;
    let study: Arc<dyn Study> = Arc::new(Counter);
    let spec = RunSpec {
        study: Arc::clone(&study),
        arms: vec![study.card().arm("sound").expect("an arm")],
        preset: Preset::Ci,
        load: LoadChoice::OfArm,
        duration: Some(Duration::from_mins(10)),
        faults: plan,
        skew: DEFAULT_SKEW,
        seed: SEED,
        command: "test".to_owned(),
        build: machine::build("0"),
    };
    let interrupt = CancellationToken::new();
    let later = interrupt.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        later.cancel();
    });
    let outcome = run(&spec, &site, &Silent, &interrupt).await;
    assert!(matches!(outcome, Err(LabError::Interrupted)), "{outcome:?}");
    let data_dir = site.first().cluster.as_ref().expect("private").lock().await.data_dir().to_owned();
    site.close().await.expect("closed");
    assert!(!data_dir.exists(), "{}", data_dir.display());
}
