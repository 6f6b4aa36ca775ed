//! Ledgers that nobody meddled with.

use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::{DEFAULT_SKEW, Preset, Scale, Study as _};
use pgstrata_pg::StopMode;

use super::support::{Audited, PAYEE, PAYER, Unaudited, post};
use crate::ground::{SEED, carry_out};
use crate::ledger::audit::FindingKind;
use crate::ledger::{Ledger, card};

#[tokio::test]
async fn the_chain_from_the_archived_log_is_the_one_that_was_signed_and_kept() {
    let audited = Audited::with_work().await;

    let report = audited.judge().await;

    assert_eq!(report.findings, []);
    assert!(report.is_sound);
    // Nine transactions of two transfers.
    assert_eq!((report.entries, report.links, report.rows, report.rows_newer), (36, Some(36), Some(36), 0));
    assert!(report.heads >= 9 && report.segments >= 3, "{report:?}");
    let alone = audited.judge_log_alone().await;
    assert!(alone.is_sound && alone.entries == 36 && alone.links.is_none(), "{alone:?}");
}

#[tokio::test]
async fn savepoints_prepared_transactions_rollbacks_and_interleaving_give_the_same_chain() {
    let mut audited = Audited::new().await;
    let entry = |account: i64, number: i64, transfer: u8| {
        format!(
            "insert into ledger.entries values ({account}, {number}, '00000000-0000-0000-0000-0000000000{transfer:02}', \
             840, 1, 1, '2026-01-01 00:00:00.123456+08'), ({}, {number}, '00000000-0000-0000-0000-0000000000{transfer:02}', \
             840, -1, -1, '1999-12-31 00:00+00')",
            account + 1
        )
    };
    audited.run(&format!("begin; {}; savepoint a; {}; rollback to a", entry(1, 1, 1), entry(1, 2, 2))).await;
    // Another transaction begins later and commits first.
    let other = audited.server.endpoint().connect().await.expect("a session");
    other.batch_execute(&entry(3, 1, 3)).await.expect("posted");
    audited.run(&format!("savepoint b; {}; release b; {}; commit", entry(1, 3, 4), entry(1, 4, 5))).await;
    audited
        .run(&format!("begin; {}; savepoint c; {}; prepare transaction 'later'", entry(5, 1, 6), entry(5, 2, 7)))
        .await;
    audited.run(&format!("begin; {}; prepare transaction 'never'", entry(7, 1, 8))).await;
    other.batch_execute(&format!("{} on conflict do nothing", entry(9, 1, 9))).await.expect("posted");
    other.batch_execute(&format!("{} on conflict do nothing", entry(9, 1, 9))).await.expect("not posted again");
    audited.run("commit prepared 'later'").await;
    audited.run("rollback prepared 'never'").await;
    audited.run(&format!("begin; {}; rollback", entry(11, 1, 10))).await;
    audited.run("vacuum ledger.entries").await;
    audited.archive_all().await;

    let report = audited.judge().await;

    assert_eq!(report.findings, []);
    assert_eq!((report.entries, report.links, report.rows), (14, Some(14), Some(14)));
}

#[tokio::test]
async fn entries_from_before_the_trail_are_held_against_what_was_signed() {
    let mut audited = Audited::with(&[], 5).await;
    post(&audited.session, 3, 7).await;
    audited.archive_all().await;
    let report = audited.judge().await;
    assert_eq!((report.findings.as_slice(), report.entries, report.rows), (&[][..], 6, Some(16)));

    // By the log it is an update; the old row was never in it.
    audited.meddle(&format!("update ledger.entries set amount = 9 where account_id = {PAYEE} and number = 2")).await;
    audited.archive_all().await;
    let report = audited.judge().await;
    let kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::EntryUpdated, FindingKind::EarlierRowsDiffer]);
    assert_eq!((report.findings[0].account_id, report.findings[0].number), (Some(PAYEE), Some(2)));
}

#[tokio::test]
async fn an_auditor_that_was_away_while_the_server_crashed_goes_on_with_the_same_chain() {
    let mut audited = Audited::with(&[("fsync", "on"), ("synchronous_commit", "on")], 0).await;
    post(&audited.session, 2, 1).await;
    audited.auditor.catch_up().await.expect("followed");
    post(&audited.session, 2, 1).await;
    audited.server.crash().await.expect("killed");
    audited.server.start().await.expect("recovers");
    audited.session = audited.server.endpoint().connect().await.expect("a session");
    audited.run("set synchronous_commit = on").await;
    post(&audited.session, 2, 1).await;

    audited.auditor = audited.resume().await.expect("goes on");
    audited.archive_all().await;

    let report = audited.judge().await;
    assert_eq!((report.findings.as_slice(), report.entries, report.links), (&[][..], 12, Some(12)));
}

#[tokio::test]
async fn a_table_that_was_rewritten_is_followed_into_its_new_files() {
    let mut audited = Audited::new().await;
    post(&audited.session, 2, 1).await;
    audited.auditor.catch_up().await.expect("followed");
    audited.run("vacuum full ledger.entries").await;
    post(&audited.session, 2, 1).await;
    audited.auditor.catch_up().await.expect("followed");
    // Rewrites row by row, with a record for each.
    audited.run("alter table ledger.entries alter column currency type smallint using currency + 0::smallint").await;
    post(&audited.session, 1, 1).await;
    audited.auditor.catch_up().await.expect("followed");
    audited.run("cluster ledger.entries using entries_pkey").await;
    post(&audited.session, 1, 1).await;
    audited.archive_all().await;
    let report = audited.judge().await;
    assert_eq!((report.findings.as_slice(), report.entries, report.rows), (&[][..], 12, Some(12)));
}

#[tokio::test]
async fn rows_that_are_newer_than_the_archive_are_told_and_not_judged() {
    let mut audited = Audited::with_work().await;
    post(&audited.session, 4, 1).await;
    let report = audited.judge().await;
    assert_eq!((report.is_sound, report.rows_newer, report.rows), (true, 8, Some(44)));

    // Once a head speaks of them, the archive must have them.
    audited.auditor.catch_up().await.expect("followed");
    let report = audited.judge().await;
    assert!(report.findings.iter().all(|finding| finding.kind == FindingKind::LogEndsEarly), "{report:?}");
    assert!(!report.is_sound);
    // The server's own directory has the segment that is being written.
    let mut evidence = audited.evidence(Some(audited.server.endpoint()));
    let live = audited.server.data_dir().join("pg_wal");
    evidence.archives.push(pgstrata_pg::wal_archive::WalArchive::open(&live).expect("the log of the server"));
    let report = crate::ledger::audit::verify(&evidence).await.expect("a report");
    assert_eq!((report.findings.as_slice(), report.entries), (&[][..], 44));
}

#[tokio::test]
async fn a_stopped_server_needs_no_more_than_its_archive_to_be_audited() {
    let mut audited = Audited::with_work().await;
    audited.server.stop(StopMode::Fast).await.expect("stops");
    let report = audited.judge_log_alone().await;
    assert_eq!((report.findings.as_slice(), report.entries), (&[][..], 36));
    assert_ne!(PAYER, PAYEE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_that_the_sequencer_keeps_by_the_batch_are_chained_in_the_order_of_the_log() {
    let arm = card::CARD.arm("sequencer").expect("an arm");
    let scale =
        Scale { preset: Preset::Ci, operations: 0, scarce: false, skew: DEFAULT_SKEW, observed: false, seed: SEED };
    let unaudited = Unaudited::new(&[("max_connections", "50")]).await;
    let site = Site::of_servers(vec![Server::plain(unaudited.server.endpoint())]);
    Ledger.prepare(arm, &site, &scale).await.expect("prepared");
    let mut audited = unaudited.begin().await;
    let rig = Ledger.open(arm, &site, &scale).await.expect("opened");
    let history = carry_out(&rig, 64, 1_500, 1).await;
    drop(rig);
    audited.archive_all().await;

    let report = audited.judge().await;

    assert_eq!(report.findings, []);
    assert!(
        report.entries > 1_000 && report.links == Some(usize::try_from(report.entries).expect("few")),
        "{report:?}"
    );
    assert!(report.rows.expect("rows") as u64 > report.entries, "accounts were opened before");
    let batches = "select max(n) from (select count(*) as n from ledger_audit.chain group by xid) as transactions";
    let largest: i64 = audited.session.query_one(batches, &[]).await.expect("a number").get(0);
    assert!(largest > 2, "no batch had more than one transfer");
    assert_eq!(Ledger.check(arm, &site, &history).await.expect("a judgement"), []);
}

#[tokio::test]
async fn entries_that_are_copied_in_share_records_and_keep_their_order() {
    let mut audited = Audited::new().await;
    let sink = audited.session.copy_in::<_, bytes::Bytes>("copy ledger.entries from stdin").await.expect("copy");
    let mut sink = Box::pin(sink);
    let mut lines = String::new();
    for number in 1..=400 {
        let key = format!("00000000-0000-0000-0000-{number:012}");
        lines.push_str(&format!("1\t{number}\t{key}\t840\t-3\t-3\t2026-01-01 00:00:00+00\n"));
        lines.push_str(&format!("2\t{number}\t{key}\t840\t3\t3\t2026-01-01 00:00:00+00\n"));
    }
    futures_util::SinkExt::send(&mut sink, bytes::Bytes::from(lines)).await.expect("sent");
    sink.as_mut().finish().await.expect("copied");
    audited.archive_all().await;
    let report = audited.judge().await;
    assert_eq!((report.findings.as_slice(), report.entries, report.rows), (&[][..], 800, Some(800)));
    // Far fewer records than rows, so that rows did share them.
    let records = audited.records();
    let shared = records.iter().filter(|record| {
        matches!(record.operation(), Ok(pgstrata_wal::Operation::Heap(pgstrata_wal::HeapOperation::MultiInsert { rows, .. })) if rows.len() > 50)
    });
    assert!(shared.count() > 3);
}
