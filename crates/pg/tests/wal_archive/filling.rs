//! How archives are filled: by the server's own command and by a receiver, whole, once, and without gaps.

use std::fs;
use std::time::{Duration, Instant};

use pgstrata_pg::wal_archive::{WalArchive, WalReceiver};
use pgstrata_pg::{Kind, testing};
use pgstrata_wal::SegmentSize;

use crate::support::{any_archived, open_directory, read_all, session, work};

/// How long a receiver may take; far more than it needs.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn archived_segments_are_the_servers_own_without_gaps_or_leftovers() {
    let archived = any_archived().await;
    let session = session(&archived.server).await;
    for _ in 0..3 {
        work(&session, "select pg_logical_emit_message(true, 'test', repeat('x', 100000));\n").await;
        archived.archive.catch_up(&session).await.expect("archived");
    }
    let segments = archived.archive.segments().expect("an archive");
    assert!(segments.len() >= 3, "{segments:?}");
    assert_eq!(archived.archive.gaps(SegmentSize::DEFAULT).expect("gaps"), []);
    for segment in &segments {
        let bytes = archived.archive.read(*segment).expect("readable").expect("there");
        assert_eq!(bytes.len() as u64, SegmentSize::DEFAULT.bytes());
        let own = archived.server.data_dir().join("pg_wal").join(segment.to_string());
        // The server may have recycled it.
        assert!(fs::read(own).map_or(true, |own| own == bytes), "{segment}");
    }
    let files = fs::read_dir(archived.archive.directory()).expect("a directory").count();
    assert_eq!(files, segments.len(), "no partial files are left");
    let again = archived.archive.catch_up(&session).await.expect("nothing to close is fine");
    assert!(again >= segments[segments.len() - 1].start(SegmentSize::DEFAULT));
}

#[tokio::test]
async fn a_segment_that_is_there_is_not_overwritten_and_the_server_says_so() {
    let archived = any_archived().await;
    let session = session(&archived.server).await;
    archived.archive.catch_up(&session).await.expect("archived");
    // Into the next segment, since a position between two is named for the one before it until 16.
    work(&session, "select pg_logical_emit_message(true, 'test', 'x');\n").await;
    let name: String =
        session.query_one("select pg_walfile_name(pg_current_wal_insert_lsn())", &[]).await.expect("a name").get(0);
    let path = archived.archive.directory().join(&name);
    fs::write(&path, "somebody else's").expect("in the way");
    work(&session, "select pg_switch_wal();\n").await;
    let failed = "select count(*) > 0 from pg_stat_archiver where last_failed_wal = $1";
    let began = Instant::now();
    while !session.query_one(failed, &[&name]).await.expect("asked").get::<_, bool>(0) {
        assert!(began.elapsed() < LIMIT, "the archiver did not fail");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fs::read_to_string(&path).expect("there"), "somebody else's");
    work(&session, "select pg_logical_emit_message(true, 'test', 'x');\n").await;
    let error = archived.archive.catch_up(&session).await.expect_err("it cannot go on");
    assert!(matches!(error.kind(), Kind::Program { .. }), "{error:?}");
    assert!(!error.to_string().is_empty());
}

#[tokio::test]
async fn a_receiver_fills_an_archive_from_a_server_that_archives_nothing() {
    let server = pgstrata_pg::Cluster::create(testing::spec().expect("install PostgreSQL to run these tests"));
    let server = server.await.expect("a server");
    let directory = open_directory();
    let archive = WalArchive::create(&directory.path().join("received")).expect("an archive");
    assert!(
        server.install().tools.contains("pg_receivewal"),
        "install the package that has pg_receivewal (Debian: postgresql-client)"
    );
    let session = session(&server).await;
    let mut receiver =
        WalReceiver::start(server.install(), &server.endpoint(), "receiver", &archive).await.expect("starts");
    // It follows from the segment that is being written when it connects.
    let active = "select count(*) > 0 from pg_replication_slots where slot_name = 'receiver' and active";
    let began = Instant::now();
    while !session.query_one(active, &[]).await.expect("asked").get::<_, bool>(0) {
        assert!(began.elapsed() < LIMIT && receiver.is_running(), "it does not receive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    work(&session, "create table t as select 1 as n;\nselect pg_switch_wal();\n").await;
    work(&session, "insert into t values (2);\n").await;
    let end = archive.catch_up(&session).await.expect("received");
    let (records, error) = read_all(&archive);
    assert_eq!(error, None);
    assert!(records.last().expect("records").end <= end);
    drop(receiver);
    assert!(archive.segments().expect("an archive").len() >= 2);
}

#[tokio::test]
async fn a_receiver_that_is_not_installed_is_told_with_what_to_configure() {
    let mut install = testing::spec().expect("install PostgreSQL to run these tests").install;
    install.tools.remove("pg_receivewal");
    let directory = open_directory();
    let archive = WalArchive::create(directory.path()).expect("an archive");
    let endpoint = pgstrata_pg::Endpoint::parse("postgresql://localhost/postgres").expect("a URL");
    let refused = WalReceiver::start(&install, &endpoint, "receiver", &archive).await;
    let Err(error) = refused else { panic!("there is no program to start") };
    assert!(matches!(error.kind(), Kind::BadInstall { reason, .. } if reason.contains("archive_command")), "{error:?}");
}
