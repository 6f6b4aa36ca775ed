//! Both tracks of a real server in one log: ordered, exact where it can be, and true about the past.

use std::collections::BTreeSet;
use std::time::Duration;

use pgstrata_pg::Cluster;
use pgstrata_timeline::file::{FORMAT, Header};
use pgstrata_timeline::{Cause, Change, Item, LogLimits, Moment, Origin, Verdict};
use pgstrata_tools::mvcc::{Follower, Options, Recorder, RecorderLimits, Recording};
use pgstrata_units::Lsn;

use crate::pages::really_seen;
use crate::seats::{run, seat, spec, watch};

/// How long anything may take; far more than it needs on a loaded machine.
pub const LIMIT: Duration = Duration::from_mins(2);

/// The places that verdicts call visible.
fn visible(verdicts: &[Verdict], moment: &Moment) -> BTreeSet<(u32, u16)> {
    let seen = verdicts.iter().filter(|verdict| verdict.is_visible == Some(true));
    let place = |verdict: &Verdict| match moment.items.get(&verdict.version).map(|put| &put.item) {
        Some(Item::Version(version)) => (version.block, version.offset),
        other => panic!("{verdict:?} of {other:?}"),
    };
    seen.map(place).collect()
}

async fn follow(follower: &mut Follower, log: &mut Vec<Change>, until: Lsn) {
    let told = tokio::time::timeout(LIMIT, async {
        loop {
            log.extend(follower.next().await.iter().map(|change| Change::clone(change)));
            if log.last().is_some_and(|last| last.at.lsn >= Some(until) && last.cause == Cause::Sample) {
                break;
            }
        }
    });
    told.await.expect("the log is told up to there");
}

#[tokio::test]
async fn the_log_is_ordered_exact_stays_exact_and_the_past_can_be_asked() {
    let server = Cluster::create(spec().with_setting("synchronous_commit", "on")).await.expect("a server");
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int) with (fillfactor = 50)").await;
    run(&setup, "insert into t select n, 0 from generate_series(1, 8) n").await;
    let mut follower =
        Follower::begin(&server.endpoint(), Options::default(), LogLimits::default()).await.expect("it attaches");
    assert_eq!(follower.lack(), None);
    let mut log: Vec<Change> =
        follower.watch(watch("public.t")).await.iter().map(|change| Change::clone(change)).collect();
    let mut truth = Vec::new();
    let writer = seat(&server.endpoint(), "writer").await;
    for step in 0..12 {
        run(&setup, &format!("update t set n = {step} where id % 4 = {}", step % 4)).await;
        run(
            &writer,
            &format!(
                "begin; update t set n = -1 where id = {}; delete from t where id = {}",
                step % 8 + 1,
                step % 3 + 1
            ),
        )
        .await;
        // What is committed now is what a transaction sees that begins now.
        let lsn: String = setup.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.expect("a row").get(0);
        let lsn: Lsn = lsn.parse().expect("a position");
        truth.push((lsn, really_seen(&setup, "t").await));
        run(&writer, if step % 3 == 0 { "commit" } else { "rollback" }).await;
        run(&setup, &format!("insert into t values ({}, 0)", 100 + step)).await;
        let lsn: String = setup.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.expect("a row").get(0);
        follow(&mut follower, &mut log, lsn.parse().expect("a position")).await;
    }
    check_order(&log);
    // The last moment has the table's versions exactly as they are.
    let moment = follower.tracks().moment().clone();
    let (_, verdicts) = pgstrata_tools::mvcc::seen_at(&moment, "now").expect("there is a server");
    assert_eq!(visible(&verdicts, &moment), really_seen(&setup, "t").await);
    let live = follower.seen_at(truth[5].0).expect("it is remembered");
    assert_eq!(visible(&live.1, &moment), truth[5].1, "asked of the history");
    // And a recording of it answers for every point of the past, without the server.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.pgstrata");
    record(&path, &log);
    let recording = Recording::open(&path).expect("it opens");
    for (lsn, seen) in &truth {
        let (seq, viewer, verdicts) = recording.seen_at(*lsn).expect("it reads").expect("there is a server");
        assert_eq!(viewer.id, format!("lsn:{lsn}"));
        assert_eq!(&visible(&verdicts, &recording.moment_at(seq).expect("it is there")), seen, "at {lsn}");
    }
    follower.close().await;
}

/// Numbers without gaps, times and positions that do not go back, and nothing exact that becomes less.
fn check_order(log: &[Change]) {
    let mut moment = Moment::default();
    let mut records = 0;
    for pair in log.windows(2) {
        assert!(
            pair[0].at.unix_us <= pair[1].at.unix_us && pair[0].at.lsn <= pair[1].at.lsn,
            "{:?} {:?}",
            pair[0].at,
            pair[1].at
        );
    }
    for change in log {
        records += usize::from(matches!(change.cause, Cause::Record { .. }));
        for put in &change.put {
            let was = moment.items.get(&put.key).map(|put| put.origin);
            assert!(was != Some(Origin::Exact) || put.origin == Origin::Exact, "{} by {:?}", put.key.0, change.cause);
        }
        assert!(moment.fold(change), "no gap before {}", change.seq);
    }
    let is_exact =
        moment.items.values().filter(|put| matches!(put.item, Item::Version(_)) && put.origin == Origin::Exact);
    assert!(records > 30 && is_exact.count() > 20, "{records} records");
    assert!(
        moment.items.values().any(|put| matches!(put.item, Item::Session(_))),
        "and the sampled track is there, too"
    );
}

fn record(path: &std::path::Path, log: &[Change]) {
    let header = Header {
        format: FORMAT,
        program: "pgstrata test".to_owned(),
        server: "15".to_owned(),
        database: "postgres".to_owned(),
        tiers: Vec::new(),
        table: None,
        row: None,
        began_us: log[0].at.unix_us,
        title: None,
    };
    let mut recorder =
        Recorder::create(path, &header, Moment::default(), RecorderLimits::default()).expect("a new file");
    for change in log {
        recorder.append(change).expect("it is written");
    }
    recorder.finish().expect("it is closed");
}
