//! Archives with bytes changed, segments missing, or log that somebody made up.

use std::fs;

use pgstrata_pg::wal_archive::Gap;
use pgstrata_wal::{HeapOperation, Operation, Record, SegmentSize, crc_of};

use super::support::{Audited, kinds, post, the_only};
use crate::ledger::audit::FindingKind;

/// Whether a record inserts an entry: three fixed columns before the amount tell it from other tables' rows.
fn inserts_entry(record: &Record, file: u32) -> bool {
    matches!(record.operation(), Ok(Operation::Heap(HeapOperation::Insert { relation, .. })) if relation.file == file)
}

async fn file_of_entries(audited: &Audited) -> u32 {
    let sql = "select pg_relation_filenode('ledger.entries')";
    audited.session.query_one(sql, &[]).await.expect("a file").get(0)
}

#[tokio::test]
async fn a_flipped_bit_in_the_archived_log_is_located() {
    let audited = Audited::with_work().await;
    let file = file_of_entries(&audited).await;
    let records = audited.records();
    let victim = records.iter().rev().find(|record| inserts_entry(record, file)).expect("an insert");
    let (path, offset) = audited.place_of(victim.lsn);
    let mut bytes = fs::read(&path).expect("a segment");
    bytes[offset + 40] ^= 0x10;
    fs::write(&path, bytes).expect("flipped");

    let report = audited.judge().await;

    assert_eq!(kinds(&report), [FindingKind::LogDamaged]);
    let finding = the_only(&report, FindingKind::LogDamaged);
    assert_eq!(finding.lsn, Some(victim.lsn));
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(finding.found.expect("told").contains(&name));
    assert!(finding.expected.expect("told").contains("goes on at"));
    assert!(report.until.expect("read") <= victim.lsn);
}

#[tokio::test]
async fn a_record_that_was_changed_together_with_its_checksum_is_convicted_by_the_signed_heads() {
    let mut audited = Audited::new().await;
    for _ in 0..5 {
        post(&audited.session, 1, 4_242_424_242).await;
        audited.auditor.catch_up().await.expect("followed");
    }
    audited.archive_all().await;
    let file = file_of_entries(&audited).await;
    let inserts: Vec<Record> = audited.records().into_iter().filter(|record| inserts_entry(record, file)).collect();
    let amount = 4_242_424_242_i64.to_le_bytes();
    let (index, victim, path, offset) = inserts
        .iter()
        .enumerate()
        .find_map(|(index, record)| {
            let (path, offset) = audited.place_of(record.lsn);
            // Neither the first nor cut by a page.
            let within = offset % 8192 + record.header.length as usize <= 8192;
            (index >= 4 && within && record.block_data(&record.blocks[0]).windows(8).any(|part| part == amount))
                .then_some((index, record, path, offset))
        })
        .expect("such a record");
    let mut bytes = fs::read(&path).expect("a segment");
    let record = &mut bytes[offset..offset + victim.header.length as usize];
    let at = record.windows(8).position(|part| part == amount).expect("the amount");
    record[at..at + 8].copy_from_slice(&1_i64.to_le_bytes());
    let crc = crc_of(record);
    record[20..24].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).expect("forged");

    let report = audited.judge().await;

    let expected = [FindingKind::LogNotAsSigned, FindingKind::LinkAltered, FindingKind::RowAltered];
    assert!(expected.iter().all(|kind| kinds(&report).contains(kind)), "{:#?}", report.findings);
    // Heads were signed after each transaction of two entries.
    let seq = index as u64 + 1;
    assert_eq!(the_only(&report, FindingKind::LogNotAsSigned).seq, Some(seq.next_multiple_of(2)));
    assert_eq!(the_only(&report, FindingKind::LinkAltered).seq, Some(seq));
    let row = the_only(&report, FindingKind::RowAltered);
    assert!(row.expected.expect("told").contains("amount 1"), "by the forged log");
    let alone = audited.judge_log_alone().await;
    assert_eq!(kinds(&alone), [FindingKind::LogNotAsSigned], "even without the database");
}

#[tokio::test]
async fn a_missing_segment_is_convicted_whether_it_is_in_the_middle_or_the_last() {
    let audited = Audited::with_work().await;
    let segments = audited.archive.segments().expect("an archive");
    let victim = segments[segments.len() - 2];
    let away = audited.directory.path().join("away");
    fs::rename(audited.segment_path(victim), &away).expect("taken away");

    let report = audited.judge().await;
    assert_eq!(kinds(&report), [FindingKind::LogMissing]);
    let finding = the_only(&report, FindingKind::LogMissing);
    assert_eq!(finding.lsn, Some(victim.start(SegmentSize::DEFAULT)));
    assert!(finding.expected.expect("told").contains(&victim.to_string()));
    assert_eq!(audited.archive.gaps(SegmentSize::DEFAULT).expect("gaps"), [Gap { from: victim, to: victim }]);

    fs::rename(&away, audited.segment_path(victim)).expect("put back");
    assert!(audited.judge().await.is_sound);
    let last = segments[segments.len() - 1];
    fs::remove_file(audited.segment_path(last)).expect("removed");
    let report = audited.judge_log_alone().await;
    assert_eq!(kinds(&report), [FindingKind::LogEndsEarly]);
    assert!(the_only(&report, FindingKind::LogEndsEarly).seq.is_some());
}

#[tokio::test]
async fn a_segment_cut_short_or_of_another_server_is_convicted() {
    let audited = Audited::with_work().await;
    let segments = audited.archive.segments().expect("an archive");
    let path = audited.segment_path(segments[segments.len() - 2]);
    let bytes = fs::read(&path).expect("a segment");

    fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
    assert_eq!(kinds(&audited.judge_log_alone().await), [FindingKind::LogDamaged]);

    let mut foreign = bytes.clone();
    foreign[24] ^= 1;
    fs::write(&path, foreign).expect("another system's");
    let report = audited.judge_log_alone().await;
    let finding = the_only(&report, FindingKind::LogDamaged);
    assert!(finding.found.expect("told").contains("system"));
}
