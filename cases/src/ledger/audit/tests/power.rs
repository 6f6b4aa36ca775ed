//! A server that lies about durability: `fsync` off, and the power goes.
//!
//! The loss is simulated as the kernel would have it: what was written since the last sync is gone, and here nothing
//! was ever synced. The server is killed, and the log after the last archived segment, which would have been in memory
//! alone, is zeroed. A checker that cannot see this loss proves nothing.

use std::fs;
use std::os::unix::fs::FileExt as _;

use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::{DEFAULT_SKEW, Preset, Scale, Study as _};
use pgstrata_units::Lsn;
use pgstrata_wal::{SegmentName, SegmentSize, Timeline};
use uuid::Uuid;

use super::support::{Audited, PAYEE, PAYER, Unaudited, kinds, the_only};
use crate::ground::{SEED, carry_out};
use crate::ledger::audit::{AuditError, FindingKind};
use crate::ledger::{Ledger, card};

/// Settings of a server that acknowledges what is only in the memory of the kernel.
const LYING: [(&str, &str); 4] =
    [("fsync", "off"), ("synchronous_commit", "on"), ("autovacuum", "off"), ("max_connections", "50")];

/// Kills the server, zeroes the segment of the log that it was writing, and starts it.
async fn lose_power(audited: &mut Audited) {
    let row = audited.session.query_one("select pg_current_wal_lsn()::text", &[]).await.expect("a position");
    let here: Lsn = row.get::<_, String>(0).parse().expect("a position");
    audited.server.crash().await.expect("killed");
    let name = SegmentName::of(Timeline(1), SegmentSize::DEFAULT.segment_of(here), SegmentSize::DEFAULT);
    let path = audited.server.data_dir().join("pg_wal").join(name.to_string());
    let length = path.metadata().expect("the segment").len();
    let file = fs::File::options().write(true).open(&path).expect("the segment");
    file.write_all_at(&vec![0; usize::try_from(length).expect("16 MB")], 0).expect("zeroed");
    audited.server.start().await.expect("recovers what is left");
    audited.session = audited.server.endpoint().connect().await.expect("a session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_transfers_lost_with_an_unsynced_log_are_convicted_by_the_ledgers_own_check() {
    let arm = card::CARD.arm("for-update").expect("an arm");
    let scale =
        Scale { preset: Preset::Ci, operations: 0, scarce: false, skew: DEFAULT_SKEW, observed: false, seed: SEED };
    let unaudited = Unaudited::new(&LYING).await;
    let site = Site::of_servers(vec![Server::plain(unaudited.server.endpoint())]);
    Ledger.prepare(arm, &site, &scale).await.expect("prepared");
    let mut audited = unaudited.begin().await;
    audited.run("checkpoint").await;
    // What is archived was synced, let us say; what comes now is not.
    audited.archive_all().await;
    let rig = Ledger.open(arm, &site, &scale).await.expect("opened");
    let history = carry_out(&rig, 4, 200, 1).await;
    drop(rig);
    let sound = Ledger.check(arm, &site, &history).await.expect("a judgement");
    assert!(sound.iter().all(|violation| violation.invariant != "I7"), "{sound:?}");

    lose_power(&mut audited).await;

    let violations = Ledger.check(arm, &site, &history).await.expect("a judgement");
    let lost = violations.iter().find(|violation| violation.invariant == "I7").expect("the loss is seen");
    assert!(!lost.witnesses.is_empty(), "{lost:?}");
}

#[tokio::test]
async fn acknowledged_transfers_lost_with_an_unsynced_log_are_convicted_by_the_trail() {
    let mut audited = Audited::with(&LYING, 0).await;
    audited.run("checkpoint").await;
    let post = include_str!("post.sql");
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let key = Uuid::now_v7();
        audited.session.execute(post, &[&vec![key], &PAYER, &PAYEE, &1_i64]).await.expect("acknowledged");
        acknowledged.push(key);
        if number == 9 {
            audited.archive_all().await;
        }
    }
    audited.auditor.catch_up().await.expect("followed");
    let signed = audited.auditor.end();
    assert_eq!(signed.seq, 40);
    lose_power(&mut audited).await;

    // Every acknowledged transfer must be there: ten are not.
    let sql = "select count(*) from unnest($1::uuid[]) as k (transfer_id) \
               where not exists (select from ledger.transfers as t where t.transfer_id = k.transfer_id)";
    let lost: i64 = audited.session.query_one(sql, &[&acknowledged]).await.expect("counted").get(0);
    assert_eq!(lost, 10);
    // The heads outside the database still speak of them.
    audited.archive.catch_up(&audited.session).await.expect("archived");
    let report = audited.judge().await;
    assert!(!report.is_sound);
    let found = kinds(&report);
    let convicts = [FindingKind::LogNotAsSigned, FindingKind::LogEndsEarly, FindingKind::ChainRewritten];
    assert!(convicts.iter().any(|kind| found.contains(kind)), "{:#?}", report.findings);
    assert_eq!(report.entries, 20, "the log has half of what was signed");
    assert!(the_only(&report, FindingKind::ChainRewritten).lsn.is_some());
    assert!(
        matches!(audited.resume().await, Err(AuditError::Broken { .. })),
        "the trail does not go on as if nothing happened"
    );
}
