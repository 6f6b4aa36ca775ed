//! Every field and flag against `pageinspect`.

use pgstrata_pg::Session;
use pgstrata_tuple::{LineState, TupleHeader};

use crate::support::{installs, parsed, raw_pages, server, session};
use crate::work::Work;

/// Steps of the random work.
const STEPS: usize = 400;
/// Rows of the wide part, so that one version sees this many tuples; each installation is asked.
const ROWS: i32 = 40_000;

#[tokio::test]
async fn every_value_of_the_infomasks_has_the_names_that_pageinspect_gives_it() {
    for install in installs() {
        let server = server(install).await;
        let rows = session(&server).await.query(include_str!("all_flags.sql"), &[]).await.expect("flags");
        assert_eq!(rows.len(), 65_536);
        for row in rows {
            let mask: i32 = row.get(0);
            let infomask = u16::try_from(mask).expect("16 bits");
            let header = header_with(infomask, u16::MAX - infomask);
            assert_eq!(header.raw_flags().collect::<Vec<_>>(), row.get::<_, Vec<&str>>(1), "{infomask:04x}");
            assert_eq!(header.combined_flags().collect::<Vec<_>>(), row.get::<_, Vec<&str>>(2), "{infomask:04x}");
        }
    }
}

fn header_with(infomask: u16, infomask2: u16) -> TupleHeader {
    let mut header = TupleHeader::parse(&[0; TupleHeader::BYTES]).expect("enough bytes");
    (header.infomask, header.infomask2) = (infomask, infomask2);
    header
}

#[tokio::test]
async fn headers_and_line_pointers_are_those_that_pageinspect_reads_on_a_hundred_thousand_tuples() {
    let mut tuples = 0;
    for install in installs() {
        let server = server(install).await;
        let mut work = Work::begin(&server, 7).await;
        work.watcher.execute(include_str!("more.sql"), &[&ROWS]).await.expect("rows");
        for _ in 0..STEPS {
            work.step().await;
        }
        let session = session(&server).await;
        for bytes in raw_pages(&session, "item").await {
            tuples += compare(&session, &bytes).await;
        }
    }
    assert!(tuples >= 100_000 || installs().len() < 3, "only {tuples} tuples were compared");
}

/// Compares one page; how many tuples it has.
async fn compare(session: &Session, bytes: &[u8]) -> usize {
    let Some(page) = parsed(bytes) else { return 0 };
    let told = session.query_one(include_str!("page_header.sql"), &[&bytes]).await.expect("a header");
    let header = page.header();
    assert_eq!(header.lsn.to_string(), told.get::<_, &str>(0));
    let fields = [header.flags, header.lower, header.upper, header.special].map(i32::from);
    assert_eq!(fields, [2, 3, 4, 5].map(|column| told.get::<_, i32>(column)));
    assert_eq!(i64::from(header.prune_xid), told.get::<_, i64>(6));

    let rows = session.query(include_str!("page_items.sql"), &[&bytes]).await.expect("items");
    assert_eq!(rows.len(), usize::from(page.line_count()));
    let mut tuples = 0;
    for row in rows {
        let offset = u16::try_from(row.get::<_, i32>(0)).expect("a line pointer");
        let line = page.line(offset).expect("a line pointer");
        let (at, state, length) = match line.state {
            LineState::Unused => (0, 0, 0),
            LineState::Normal { at, bytes } => (at, 1, bytes),
            LineState::Redirect(to) => (to, 2, 0),
            LineState::Dead { at, bytes } => (at, 3, bytes),
        };
        let found = [i32::from(at), state, i32::from(length)];
        assert_eq!(found, [1, 2, 3].map(|column| row.get::<_, i32>(column)), "line {offset}");
        let Some(tuple) = page.tuple(offset) else {
            assert_eq!(row.get::<_, i64>(4), -1, "line {offset} has no tuple");
            continue;
        };
        let header = tuple.expect("the server's own tuple").header;
        let found = [header.xmin, header.xmax, header.command].map(i64::from);
        assert_eq!(found, [4, 5, 6].map(|column| row.get::<_, i64>(column)), "line {offset}");
        assert_eq!(header.ctid.to_string(), row.get::<_, &str>(7));
        let found = [i32::from(header.infomask2), i32::from(header.infomask), i32::from(header.hoff)];
        assert_eq!(found, [8, 9, 10].map(|column| row.get::<_, i32>(column)), "line {offset}");
        assert_eq!(header.raw_flags().collect::<Vec<_>>(), row.get::<_, Vec<&str>>(11));
        assert_eq!(header.combined_flags().collect::<Vec<_>>(), row.get::<_, Vec<&str>>(12));
        let again = TupleHeader::parse(&header.to_bytes()).expect("as many bytes");
        assert_eq!(again, header);
        tuples += 1;
    }
    tuples
}
