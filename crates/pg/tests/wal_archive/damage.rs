//! The end of a log told from damage in it, on segments that a server wrote.

use pgstrata_units::Lsn;
use pgstrata_wal::{Fault, ReadError, Reader, Record, SegmentSize, Step};

use crate::support::{any_archived, read_all, session, work};

const SIZE: SegmentSize = SegmentSize::DEFAULT;

/// One archived segment, with its records.
async fn a_segment() -> (u64, Vec<u8>, Vec<Record>) {
    let archived = any_archived().await;
    let session = session(&archived.server).await;
    archived.archive.catch_up(&session).await.expect("archived");
    work(
        &session,
        "create table t (n int, note text);\ninsert into t select g, 'row ' || g from generate_series(1, 3000) as g;\n",
    )
    .await;
    archived.archive.catch_up(&session).await.expect("archived");
    let (records, error) = read_all(&archived.archive);
    assert_eq!(error, None);
    let name = *archived.archive.segments().expect("an archive").last().expect("a segment");
    let bytes = archived.archive.read(name).expect("readable").expect("there");
    let number = name.number(SIZE);
    let inside = records.into_iter().filter(|record| SIZE.segment_of(record.lsn) == number).collect();
    (number, bytes, inside)
}

/// Reads one segment to its end; gives how many records there were and what ended it.
fn read(number: u64, bytes: &[u8]) -> (usize, Result<u64, ReadError>) {
    let mut reader = Reader::at_segment(number, SIZE);
    let mut count = 0;
    loop {
        match reader.next_step() {
            Ok(Step::Record(_)) => count += 1,
            Ok(Step::NeedSegment(wanted)) if wanted == number => {
                if let Err(error) = reader.give(number, bytes.to_vec()) {
                    return (count, Err(error));
                }
            }
            Ok(Step::NeedSegment(wanted)) => return (count, Ok(wanted)),
            Err(error) => return (count, Err(error)),
        }
    }
}

fn index(lsn: Lsn) -> usize {
    usize::try_from(SIZE.offset_of(lsn)).expect("an offset")
}

#[tokio::test]
async fn every_kind_of_damage_is_told_at_its_record_and_a_torn_end_is_told_as_one() {
    let (number, bytes, records) = a_segment().await;
    assert_eq!(read(number, &bytes), (records.len(), Ok(number + 1)), "undamaged");
    assert!(records.len() > 3000, "{}", records.len());

    // One bit, anywhere in a record: header, body, checksum.
    for (place, step) in [(700, 0), (1200, 4), (1500, 9), (2000, 17), (2300, 21), (2800, 30)] {
        let victim = &records[place];
        let mut damaged = bytes.clone();
        let at = index(victim.lsn) + step;
        damaged[at] ^= 0x04;
        let (count, error) = read(number, &damaged);
        let error = error.expect_err("damaged");
        assert_eq!((count, error.lsn), (place, victim.lsn), "{error}");
        assert!(!error.may_be_the_end(), "{error}");
        assert!(error.followed_by.expect("goes on") > victim.lsn);
    }

    // Zeros from the middle of a record on: what a server that lost its power leaves.
    let victim = &records[1000];
    let mut torn = bytes.clone();
    torn[index(victim.lsn) + 30..].fill(0);
    let (count, error) = read(number, &torn);
    let error = error.expect_err("torn");
    assert_eq!((count, error.lsn, error.may_be_the_end()), (1000, victim.lsn, true), "{error}");
    assert!(!error.is_clean_end() && matches!(error.fault, Fault::Crc { .. } | Fault::Continuation { .. }), "{error}");

    // Zeros from the beginning of a record on: nothing was lost.
    let mut ended = bytes.clone();
    ended[index(victim.lsn)..].fill(0);
    let (count, error) = read(number, &ended);
    assert_eq!((count, error.expect_err("ended").is_clean_end()), (1000, true));

    // A page of zeros in the middle: a hole, not an end.
    let mut holed = bytes.clone();
    let page = index(records[1500].lsn) / 8192 * 8192;
    holed[page..page + 8192].fill(0);
    let error = read(number, &holed).1.expect_err("a hole");
    assert!(!error.may_be_the_end(), "{error}");

    let mut cut = bytes.clone();
    cut.truncate(index(records[900].lsn) + 5);
    let error = read(number, &cut).1.expect_err("cut");
    assert!(error.may_be_the_end() && error.lsn == records[900].lsn, "{error}");
}

#[tokio::test]
async fn reading_goes_on_behind_damage() {
    let (number, mut bytes, records) = a_segment().await;
    let at = index(records[500].lsn) + 26;
    bytes[at] ^= 0x80;
    let mut reader = Reader::at_segment(number, SIZE);
    assert!(matches!(reader.next_step(), Ok(Step::NeedSegment(_))));
    reader.give(number, bytes).expect("its header is sound");
    let mut read = Vec::new();
    let error = loop {
        match reader.next_step() {
            Ok(Step::Record(record)) => read.push(record.lsn),
            Ok(Step::NeedSegment(_)) => panic!("the damage was not seen"),
            Err(error) => break error,
        }
    };
    reader.skip_to(error.followed_by.expect("goes on"));
    while let Ok(Step::Record(record)) = reader.next_step() {
        read.push(record.lsn);
    }
    let expected: Vec<_> = records.iter().map(|record| record.lsn).filter(|lsn| *lsn != records[500].lsn).collect();
    assert_eq!(read, expected);
}
