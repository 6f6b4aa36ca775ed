//! A recording of a real server: every moment of it is the picture that was taken, also after a crash and on another machine.

use std::time::Duration;

use pgstrata_timeline::file::{Ending, FORMAT, Header};
use pgstrata_timeline::{Cause, Item, Log, LogLimits, Moment};
use pgstrata_tools::mvcc::{MvccError, Recorder, RecorderLimits, Recording, write_html};

use crate::seats::{observer, run, seat, server, watch};

fn now_us() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 294000")
}

fn header() -> Header {
    Header {
        format: FORMAT,
        program: "pgstrata test".to_owned(),
        server: "15".to_owned(),
        database: "postgres".to_owned(),
        tiers: Vec::new(),
        table: Some("public.t".to_owned()),
        row: None,
        began_us: now_us(),
        title: Some("</script><script>alert(1)</script>".to_owned()),
    }
}

/// A log of a server on which something happens, with all its moments.
async fn some_log() -> Vec<(Moment, Option<std::sync::Arc<pgstrata_timeline::Change>>)> {
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n text); insert into t values (1, '</script><!--')").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(watch("t"));
    let mut log = Log::new(LogLimits::default());
    let mut moments = vec![(log.moment().clone(), None)];
    for step in 0..12 {
        run(&setup, &format!("update t set n = '{step}</script>'")).await;
        let sample = observer.sample().await;
        let cause = if step == 0 { Cause::Begin } else { sample.cause };
        let change = log.push(sample.items, sample.at, cause);
        assert!(change.is_some(), "an update is a difference");
        moments.push((log.moment().clone(), change));
    }
    moments
}

#[tokio::test]
async fn every_moment_of_a_recording_is_the_picture_that_was_taken() {
    let moments = some_log().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.pgstrata");
    let mut recorder =
        Recorder::create(&path, &header(), moments[0].0.clone(), RecorderLimits::default()).expect("a new file");
    let again = Recorder::create(&path, &header(), Moment::default(), RecorderLimits::default());
    assert!(matches!(again, Err(MvccError::Exists { .. })), "a recording is never overwritten");
    for (_, change) in &moments {
        if let Some(change) = change {
            assert_eq!(recorder.append(change).expect("it is written"), None);
        }
    }
    assert_eq!(recorder.finish().expect("it is closed"), Ending::Stopped);
    // As somebody else gets it.
    let other = folder.path().join("b.pgstrata");
    let sent = std::fs::read(&path).expect("the file");
    let recording = Recording::import(sent.as_slice(), &other, 1 << 20).expect("it opens");
    for (moment, _) in &moments {
        assert_eq!(&recording.moment_at(moment.seq).expect("it is there"), moment);
        let at = moment.at.map_or(0, |at| at.unix_us);
        assert_eq!(recording.seq_at(at).expect("a time"), moment.seq);
    }
    let difference = recording.difference(1, 2).expect("two moments");
    let has_version = difference.appeared.iter().any(|put| matches!(put.item, Item::Version(_)));
    assert!(has_version, "the update's new version: {difference:?}");
    let too_big = Recording::import(sent.as_slice(), &folder.path().join("c"), 100);
    assert!(matches!(too_big, Err(MvccError::TooBig { .. })));
    let garbage = Recording::import(&b"no recording"[..], &folder.path().join("c"), 100);
    assert!(garbage.is_err() && !folder.path().join("c").exists(), "what cannot be opened is not kept");
}

#[tokio::test]
async fn a_recording_can_be_read_while_it_is_made_and_after_its_program_was_killed() {
    let moments = some_log().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.pgstrata");
    let mut recorder =
        Recorder::create(&path, &header(), moments[0].0.clone(), RecorderLimits::default()).expect("a new file");
    for change in moments[..8].iter().filter_map(|(_, change)| change.as_ref()) {
        recorder.append(change).expect("it is written");
    }
    recorder.flush().expect("it is written");
    // Nothing closes it: the file is what a killed program leaves.
    let recording = Recording::open(&path).expect("it opens");
    let summary = recording.summary().expect("a summary");
    assert_eq!((summary.ending, summary.last, summary.torn_bytes), (Ending::Torn, 7, 0));
    assert_eq!(recording.moment_at(7).expect("it is there"), moments[7].0);
    let half = folder.path().join("half.pgstrata");
    let bytes = std::fs::read(&path).expect("the file");
    std::fs::write(&half, &bytes[..bytes.len() - 5]).expect("a file");
    let summary = Recording::open(&half).expect("it opens").summary().expect("a summary");
    assert!(summary.torn_bytes > 0 && summary.last < 7, "{summary:?}");
    drop(recorder);
}

#[tokio::test]
async fn a_recording_stops_by_itself_when_it_is_big_or_long_enough() {
    let moments = some_log().await;
    let folder = tempfile::tempdir().expect("a folder");
    for (name, limits, expected) in [
        ("bytes", RecorderLimits { bytes: 6_000, time: Duration::MAX }, Ending::BytesReached),
        ("time", RecorderLimits { bytes: 1 << 20, time: Duration::from_micros(1) }, Ending::TimeReached),
    ] {
        let path = folder.path().join(name);
        let header = Header { began_us: moments[1].0.at.expect("a time").unix_us, ..header() };
        let mut recorder = Recorder::create(&path, &header, moments[0].0.clone(), limits).expect("a new file");
        let mut ended = None;
        for change in moments.iter().filter_map(|(_, change)| change.as_ref()) {
            ended = recorder.append(change).expect("it is written");
            recorder.flush().expect("it is written");
        }
        assert_eq!(ended, Some(expected));
        let summary = Recording::open(&path).expect("it opens").summary().expect("a summary");
        assert_eq!((summary.ending, summary.torn_bytes), (expected, 0));
        assert!(summary.bytes <= 2 * limits.bytes, "{} bytes", summary.bytes);
    }
}

#[tokio::test]
async fn an_exported_page_holds_the_log_and_nothing_in_it_ends_the_script() {
    let moments = some_log().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.pgstrata");
    let mut recorder =
        Recorder::create(&path, &header(), moments[0].0.clone(), RecorderLimits::default()).expect("a new file");
    for change in moments.iter().filter_map(|(_, change)| change.as_ref()) {
        recorder.append(change).expect("it is written");
    }
    recorder.finish().expect("it is closed");
    let recording = Recording::open(&path).expect("it opens");
    let mut page = Vec::new();
    write_html("<html><head><title>x</title></head><body></body></html>", &recording, (3, 9), &mut page)
        .expect("a page");
    let page = String::from_utf8(page).expect("text");
    let (_, rest) =
        page.split_once(r#"<script type="application/json" id="pgstrata-recording">"#).expect("the element");
    let (inside, after) = rest.split_once("</script>").expect("its end");
    assert_eq!(after, "</head><body></body></html>", "the first end of a script is ours");
    assert!(!inside.contains('<'));
    let log: serde_json::Value = serde_json::from_str(inside).expect("it is JSON");
    assert_eq!(log["name"], "</script><script>alert(1)</script>");
    assert_eq!(log["moment"]["seq"], 3);
    let numbers: Vec<_> =
        log["changes"].as_array().expect("changes").iter().map(|change| change["seq"].as_u64()).collect();
    assert_eq!(numbers, (4..=9).map(Some).collect::<Vec<_>>());
    assert!(matches!(write_html("no page", &recording, (0, 1), &mut Vec::new()), Err(MvccError::NoPage)));
}
