//! Under kill -9 and with a second instance: nothing acknowledged is lost, nothing is sold twice.

use pgstrata_sequencer::StartError;

use super::*;
use crate::ground::trial_under_kills;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coalesced_sales_survive_kills_of_the_server() {
    let record = trial_under_kills(Arc::new(FlashSale), arm("coalesced"), 2, false).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 2, "{:?}", record.counts);
    assert_eq!(record.counts.unknown, 0, "every outcome is resolved in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_lock_release_loses_nothing_that_it_acknowledged() {
    let record = trial_under_kills(Arc::new(FlashSale), arm("early-lock-release"), 2, false).await;
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
