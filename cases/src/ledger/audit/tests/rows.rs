//! Rows that were changed, removed or added after they were committed.

use std::fs;
use std::os::unix::fs::FileExt as _;

use pgstrata_pg::StopMode;

use super::support::{Audited, PAYEE, PAYER, kinds, post, the_only};
use crate::ledger::audit::FindingKind;

#[tokio::test]
async fn a_row_updated_by_a_superuser_without_triggers_is_convicted_and_located() {
    let mut audited = Audited::with_work().await;
    let sql = format!("update ledger.entries set amount = 1000 where account_id = {PAYEE} and number = 5");
    audited.meddle(&sql).await;
    audited.archive_all().await;

    let report = audited.judge().await;

    assert_eq!(kinds(&report), [FindingKind::EntryUpdated, FindingKind::RowAltered]);
    for kind in kinds(&report) {
        let finding = the_only(&report, kind);
        assert_eq!((finding.account_id, finding.number), (Some(PAYEE), Some(5)));
        assert!(finding.seq.is_some() && finding.lsn.is_some() && finding.transfer_id.is_some(), "{finding:?}");
        assert_eq!((finding.found.as_deref(), finding.expected.as_deref()), (Some("amount 1000"), Some("amount 1")));
    }
}

#[tokio::test]
async fn a_deleted_row_is_convicted_and_located() {
    let mut audited = Audited::with_work().await;
    audited.meddle(&format!("delete from ledger.entries where account_id = {PAYER} and number = 7")).await;
    audited.archive_all().await;
    let report = audited.judge().await;
    assert_eq!(kinds(&report), [FindingKind::EntryDeleted, FindingKind::RowMissing]);
    let finding = the_only(&report, FindingKind::RowMissing);
    assert_eq!((finding.account_id, finding.number), (Some(PAYER), Some(7)));
}

#[tokio::test]
async fn two_entries_that_changed_places_are_both_located() {
    let mut audited = Audited::new().await;
    post(&audited.session, 1, 10).await;
    post(&audited.session, 1, 20).await;
    let swap = "update ledger.entries as e set amount = o.amount, transfer_id = o.transfer_id \
                from ledger.entries as o where o.account_id = e.account_id and o.number = 3 - e.number";
    audited.meddle(swap).await;
    audited.archive_all().await;
    let report = audited.judge().await;
    let altered = report.findings.iter().filter(|finding| finding.kind == FindingKind::RowAltered);
    let keys: Vec<_> = altered.map(|finding| (finding.account_id, finding.number)).collect();
    assert_eq!(keys, [(Some(PAYER), Some(1)), (Some(PAYER), Some(2)), (Some(PAYEE), Some(1)), (Some(PAYEE), Some(2))]);
}

#[tokio::test]
async fn a_truncated_table_is_convicted() {
    let mut audited = Audited::with_work().await;
    audited.meddle("truncate ledger.entries").await;
    audited.archive_all().await;
    let report = audited.judge().await;
    assert_eq!(kinds(&report), [FindingKind::EntriesTruncated, FindingKind::RowMissing]);
    assert!(the_only(&report, FindingKind::EntriesTruncated).lsn.is_some());
}

#[tokio::test]
async fn a_row_inserted_while_nothing_was_logged_is_convicted_and_located() {
    let mut audited = Audited::with_work().await;
    // What is unlogged is not decoded and not in the log; a published table cannot be made so.
    audited.run("drop publication pgstrata_ledger_audit").await;
    audited.run("alter table ledger.entries set unlogged").await;
    audited
        .meddle("insert into ledger.entries values (77, 1, '00000000-0000-0000-0000-000000000077', 840, 5, 5, now())")
        .await;
    audited.run("alter table ledger.entries set logged").await;
    audited.run("create publication pgstrata_ledger_audit for table ledger.entries").await;
    post(&audited.session, 2, 1).await;
    audited.archive_all().await;

    let report = audited.judge().await;

    assert_eq!(kinds(&report), [FindingKind::RowInserted]);
    let finding = the_only(&report, FindingKind::RowInserted);
    assert_eq!((finding.account_id, finding.number), (Some(77), Some(1)));
    assert!(finding.found.expect("told").contains("amount 5"));
}

#[tokio::test]
async fn a_row_edited_on_the_disk_of_a_stopped_server_is_convicted_and_located() {
    let mut audited = Audited::new().await;
    post(&audited.session, 3, 123_456_789).await;
    audited.archive_all().await;
    let row = audited.session.query_one("select pg_relation_filepath('ledger.entries')", &[]).await.expect("a path");
    let path = audited.server.data_dir().join(row.get::<_, String>(0));
    audited.server.stop(StopMode::Fast).await.expect("stops");

    // The first row that credits the payee; its balance is the same number, eight bytes on.
    let bytes = fs::read(&path).expect("the heap");
    let amount = 123_456_789_i64.to_le_bytes();
    let at = bytes.windows(16).position(|window| window[..8] == amount && window[8..] == amount).expect("the amount");
    let file = fs::File::options().write(true).open(&path).expect("the heap");
    file.write_all_at(&999_i64.to_le_bytes(), at as u64).expect("edited");
    file.sync_all().expect("on the disk");

    audited.server.start().await.expect("starts");
    let report = audited.judge().await;
    assert_eq!(kinds(&report), [FindingKind::RowAltered]);
    let finding = the_only(&report, FindingKind::RowAltered);
    assert_eq!((finding.account_id, finding.number), (Some(PAYEE), Some(1)));
    let told = (finding.found.as_deref(), finding.expected.as_deref());
    assert_eq!(told, (Some("amount 999"), Some("amount 123456789")));
}
