//! The sale's own tables under watch: what the transactions of a way did to each other, by the exact dependency graph.

use pgstrata_lab::observe::{IsolationRecord, Watches, Watching};
use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::Violation;
use pgstrata_pg::{Cluster, testing};

use super::*;

/// Sells a scarce product while the transactions are watched, and judges them.
async fn sell_watched(name: &str) -> (IsolationRecord, Option<Violation>) {
    const OPERATIONS: u64 = 160;
    let spec = testing::spec().expect("PostgreSQL server binaries").with_setting("wal_level", "logical");
    let cluster = Cluster::create(spec).await.expect("a server");
    let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]).watched(Watching::default());
    let arm = arm(name);
    FlashSale.prepare(arm, &site, &scarce(OPERATIONS)).await.expect("prepared");
    let watches = Watches::begin(&site, FlashSale.watched(arm).expect("it can be watched")).await.expect("a watch");
    let rig = FlashSale.open(arm, &watches.site(&site), &scarce(OPERATIONS)).await.expect("opened");
    carry_out(&rig, 12, OPERATIONS, 1).await;
    let (mut records, mut violations) = watches.finish(&site, name, SEED).await.expect("a judgement");
    let record = records.pop().expect("a record");
    assert_eq!(record.coverage.gaps, [], "{name}: nothing is left out");
    (record, violations.pop())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_who_lock_the_row_are_as_if_each_were_alone() {
    let (record, violation) = sell_watched("for-update").await;
    assert_eq!((record.anomalies.len(), violation), (0, None));
    // Each sale reads the stock, and writes it and an order.
    assert_eq!((record.transactions, record.coverage.reads, record.coverage.versions), (80, 80, 160));
    assert_eq!(record.coverage.reads_of_initial, 1);
    assert_eq!(record.coverage.rows, 81);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_naive_way_loses_updates_and_the_witness_says_which_row() {
    let (record, violation) = sell_watched("naive").await;
    assert!(record.anomalies["lost-update"] > 0, "{:?}", record.anomalies);
    let violation = violation.expect("it is not serializable");
    assert!(violation.found.contains("lost-update"), "{}", violation.found);
    let witness = violation.witnesses.iter().find(|witness| witness["anomaly"] == "lost-update").expect("a witness");
    let because = witness["because"][0].as_str().expect("a sentence");
    assert!(because.contains("both read flash_sale.inventory(1) as"), "{because}");
    assert_eq!(witness["transactions"].as_array().map(Vec::len), Some(2));
}
