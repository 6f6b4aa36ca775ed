//! Under kill -9 and with a second instance: nothing acknowledged is lost, nothing is sold twice.

use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::record::{LoadShape, TrialPurpose};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::SiteSpec;
use pgstrata_lab::trial::{self, TrialSpec};
use pgstrata_pg::install;
use pgstrata_sequencer::StartError;
use tokio_util::sync::CancellationToken;

use super::*;

/// A trial of the lab with kills of the postmaster, on a server that keeps its word.
async fn trial_under_kills(arm: &'static Arm, kills: u32) -> pgstrata_lab::record::TrialRecord {
    let plan = FaultPlan::kills_of_the_postmaster(kills);
    let install = install::find(None, None).expect("PostgreSQL");
    let site = Site::open(&SiteSpec::Private { install, servers: 1 }, &plan).await.expect("a site");
    let study: Arc<dyn Study> = Arc::new(FlashSale);
    let spec = TrialSpec {
        purpose: TrialPurpose::Proof,
        arm,
        load: LoadShape::Closed { clients: 24 },
        warmup: Duration::from_millis(50),
        measure: Duration::from_millis(300),
        faults: plan,
        scale: Scale {
            preset: Preset::Ci,
            operations: 1_000_000,
            scarce: false,
            skew: DEFAULT_SKEW,
            observed: false,
            seed: SEED,
        },
        evaluate_during: false,
    };
    let probe = SentinelProbe::new(&site).await.expect("a probe");
    let record = trial::run(&study, &site, &spec, &probe, &CancellationToken::new()).await.expect("a trial");
    site.close().await.expect("closed");
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coalesced_sales_survive_kills_of_the_server() {
    let record = trial_under_kills(arm("coalesced"), 2).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 2, "{:?}", record.counts);
    assert_eq!(record.counts.unknown, 0, "every outcome is resolved in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_lock_release_loses_nothing_that_it_acknowledged() {
    let record = trial_under_kills(arm("early-lock-release"), 2).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 2, "{:?}", record.counts);
    assert_eq!(record.counts.unknown, 0, "every outcome is resolved in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_started_by_mistake_is_refused() {
    let ground = Ground::new(1).await;
    let service = ground.shop(10, &patient()).await;
    let endpoint = ground.site.first().endpoint.clone();
    let second = Service::start(&[endpoint], &patient()).await;
    assert!(matches!(second, Err(StartError::Held { shard: 0, .. })), "{second:?}");
    service.stop().await;
    let endpoint = ground.site.first().endpoint.clone();
    Service::start(&[endpoint], &patient()).await.expect("the first one is gone").stop().await;
}
