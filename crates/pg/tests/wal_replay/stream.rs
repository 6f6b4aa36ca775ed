//! The stream: what it tells is what `pg_walinspect` tells, and it goes on over lost connections and restarts.

use std::time::Duration;

use pgstrata_pg::replication::{Fed, FeedOptions, InspectedLog, NamedRecord, WalFeed};
use pgstrata_pg::{StopMode, testing};
use pgstrata_units::Lsn;
use pgstrata_wal::Fork;

use crate::support::{Followed, LIMIT, installs, server, session, work};

#[tokio::test]
async fn records_come_with_the_positions_and_names_that_pg_walinspect_tells() {
    for install in installs() {
        let version = install.version;
        let server = server(install, &[]).await;
        let session = session(&server).await;
        work(&session, "create extension pg_walinspect;\n").await;
        let mut followed = Followed::open(&server).await;
        let from = followed.feed().from();
        let mut inspected = InspectedLog::open(&server.endpoint(), Some(from)).await.expect("the extension");
        work(&session, include_str!("../wal_archive/work.sql").replace("40000000", "400000").as_str()).await;
        let records = followed.catch_up().await;
        assert!(records.len() > 500, "{version}: {} records", records.len());
        let last = records[records.len() - 1].lsn;
        let mut told = Vec::new();
        while told.last().is_none_or(|record: &NamedRecord| record.lsn < last) {
            told.extend(inspected.next(Duration::from_millis(1)).await.expect("records"));
        }
        told.retain(|told| told.lsn <= last);
        assert_eq!(told.len(), records.len(), "{version}");
        for (record, told) in records.iter().zip(&told) {
            assert_eq!(
                (record.lsn, record.end, record.header.xid),
                (told.lsn, told.end, told.xid),
                "{version} {told:?}"
            );
            assert_eq!(record.header.manager.to_string(), told.manager, "{version}");
            if let Some(name) = record.kind_name() {
                assert_eq!(name, told.kind, "{version} {}", record.lsn);
            }
            let main = record.blocks.iter().filter(|block| block.fork == Fork::Main);
            let blocks: Vec<_> = main.map(|block| (block.relation, block.number)).collect();
            assert_eq!(blocks, told.blocks, "{version} {told:?}");
        }
    }
}

#[tokio::test]
async fn a_feed_goes_on_where_it_was_after_a_crash_and_a_restart() {
    let mut server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut feed = WalFeed::open(&server.endpoint(), FeedOptions::default()).await.expect("a feed");
    let (mut last, mut losses) = (Lsn(0), 0);
    for (round, mode) in [StopMode::Immediate, StopMode::Fast, StopMode::Immediate].into_iter().enumerate() {
        let wanted = format!("round {round}");
        let session = session(&server).await;
        session.batch_execute("set synchronous_commit = on").await.expect("a setting");
        let emit = "select pg_logical_emit_message(true, 'test', $1)::text";
        session.query_one(emit, &[&wanted]).await.expect("a message");
        drop(session);
        server.stop(mode).await.expect("stops");
        server.start().await.expect("starts");
        loop {
            let told = tokio::time::timeout(LIMIT, feed.next()).await.expect("the feed goes on").expect("no error");
            match told.expect("no end") {
                Fed::Record(record) => {
                    assert!(record.lsn >= last, "{} came after {last}", record.lsn);
                    assert!(last == Lsn(0) || record.header.previous.0 < record.lsn.0);
                    last = record.end;
                    let content = match record.operation().expect("sound") {
                        pgstrata_wal::Operation::Message(message) => message.content.to_vec(),
                        _ => continue,
                    };
                    if content == wanted.as_bytes() {
                        break;
                    }
                }
                Fed::Lost { .. } => losses += 1,
                _ => {}
            }
        }
    }
    // The last restart's loss may be told only after its message was.
    assert!(losses >= 2, "{losses} losses were told");
}

#[tokio::test]
async fn a_slow_reader_holds_no_more_than_the_queue_and_loses_nothing() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let session = session(&server).await;
    session.batch_execute("set synchronous_commit = on").await.expect("a setting");
    let options = FeedOptions { slot: Some("slow_reader".to_owned()), ..FeedOptions::default() };
    let mut feed = WalFeed::open(&server.endpoint(), options).await.expect("a feed");
    // Twice as much as the queue and the sockets take.
    let emit = "select pg_logical_emit_message(true, 'slow', repeat('z', 1000000)) from generate_series(1, 60)";
    session.batch_execute(emit).await.expect("messages");
    let (mut messages, mut previous) = (0, None);
    while messages < 60 {
        let told = tokio::time::timeout(LIMIT, feed.next()).await.expect("the feed goes on").expect("no error");
        if let Fed::Record(record) = told.expect("no end") {
            assert!(previous.is_none_or(|lsn| lsn == record.header.previous), "{} is not the next", record.lsn);
            previous = Some(record.lsn);
            messages += usize::from(matches!(record.operation().expect("sound"), pgstrata_wal::Operation::Message(_)));
        }
    }
}

#[tokio::test]
async fn a_log_that_was_removed_is_told_as_such() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let session = session(&server).await;
    for _ in 0..4 {
        work(&session, "select pg_logical_emit_message(true, 'test', 'x');\nselect pg_switch_wal();\ncheckpoint;\n")
            .await;
    }
    let options = FeedOptions { from: Some(Lsn(16 << 20)), ..FeedOptions::default() };
    let outcome = async {
        let mut feed = WalFeed::open(&server.endpoint(), options).await?;
        while feed.next().await?.is_some() {}
        Ok::<_, pgstrata_pg::Error>(())
    };
    let error = tokio::time::timeout(LIMIT, outcome).await.expect("ends").expect_err("it is gone");
    assert!(error.hint().is_some_and(|hint| hint.contains("slot")), "{error:?}");
}

#[tokio::test]
async fn a_standby_is_followed_over_its_promotion_into_the_next_timeline() {
    let primary = testing::server().await.expect("install PostgreSQL to run these tests");
    let standby = primary.standby().await.expect("a standby");
    let mut feed = WalFeed::open(&standby.endpoint(), FeedOptions::default()).await.expect("a feed");
    let session = session(&primary).await;
    session.batch_execute("set synchronous_commit = on").await.expect("a setting");
    let emit = "select pg_logical_emit_message(true, 'test', $1)::text";
    session.query_one(emit, &[&"before"]).await.expect("a message");
    let (mut last, mut timelines) = (Lsn(0), Vec::new());
    let mut read_until = async |feed: &mut WalFeed, wanted: &str| {
        loop {
            let told = tokio::time::timeout(LIMIT, feed.next()).await.expect("the feed goes on").expect("no error");
            match told.expect("no end") {
                Fed::Record(record) => {
                    assert!(record.lsn >= last, "{} came after {last}", record.lsn);
                    last = record.end;
                    if let Ok(pgstrata_wal::Operation::Message(message)) = record.operation()
                        && message.content == wanted.as_bytes()
                    {
                        return;
                    }
                }
                Fed::Timeline { timeline, .. } => timelines.push(timeline.0),
                _ => {}
            }
        }
    };
    read_until(&mut feed, "before").await;
    let session = standby.endpoint().connect_retry(LIMIT).await.expect("a session");
    assert!(session.query_one("select pg_promote()", &[]).await.expect("an answer").get::<_, bool>(0));
    session.batch_execute("set synchronous_commit = on").await.expect("a setting");
    session.query_one(emit, &[&"after"]).await.expect("a message");
    read_until(&mut feed, "after").await;
    assert_eq!(timelines, [2]);
}
