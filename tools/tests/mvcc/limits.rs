//! Servers that go away, tables that change under the observer, and more of everything than can be shown.

use std::time::Duration;

use pgstrata_pg::StopMode;
use pgstrata_timeline::{Cause, Item, LogLimits, Moment, Origin, RowVersion, Tier};
use pgstrata_tools::mvcc::{Follower, Limits, Observer, Options, Sample, Watch};

use crate::seats::{
    has_note, notes, observer, pid, run, seat, server, servers, sessions, until, versions, waits, watch,
};
use crate::tracks::LIMIT;

#[tokio::test]
async fn a_server_that_goes_and_comes_back_is_shown_so() {
    let mut server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key); insert into t values (1)").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(watch("t"));
    assert_eq!(versions(&observer.sample().await).len(), 1);
    server.stop(StopMode::Fast).await.expect("it stops");
    let sample = observer.sample().await;
    assert!(matches!(sample.cause, Cause::Connection { is_up: false, .. }), "{:?}", sample.cause);
    assert!(!servers(&sample)[0].is_up);
    assert!(has_note(&sample, "connection-lost"));
    assert_eq!(versions(&sample).len(), 1, "what was seen last is shown on");
    assert_eq!(observer.sample().await.cause, Cause::Sample, "it is told once");
    server.start().await.expect("it starts");
    let sample = until(&mut observer, "the server is back", |sample| servers(sample)[0].is_up).await;
    assert!(
        matches!(&sample.cause, Cause::Connection { is_up: true, reason } if reason.contains("restarted")),
        "{:?}",
        sample.cause
    );
    assert!(has_note(&sample, "server-restarted"));
    assert_eq!(versions(&sample).len(), 1);
}

#[tokio::test]
async fn an_observer_whose_session_is_killed_comes_back_by_itself() {
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.sample().await;
    run(&setup, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgstrata observer'")
        .await;
    let mut causes = Vec::new();
    until(&mut observer, "up again", |sample| {
        if let Cause::Connection { is_up, .. } = sample.cause {
            causes.push(is_up);
        }
        causes.contains(&true)
    })
    .await;
    assert_eq!(causes, [false, true]);
}

#[tokio::test]
async fn a_server_that_is_stopped_in_its_tracks_does_not_hang_the_observer() {
    let server = server().await;
    let mut observer = observer(&server.endpoint()).await;
    observer.sample().await;
    server.pause_all().expect("it stops in its tracks");
    let sample = tokio::time::timeout(Duration::from_mins(1), observer.sample()).await;
    server.resume_all().expect("it goes on");
    let sample = sample.expect("the observer comes back");
    assert!(matches!(sample.cause, Cause::Connection { is_up: false, .. }), "{:?}", sample.cause);
    until(&mut observer, "up again", |sample| servers(sample)[0].is_up).await;
}

#[tokio::test]
async fn a_table_that_is_locked_dropped_or_rewritten_is_shown_so() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t values (1, 0); update t set n = 1").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.t"));
    assert_eq!(versions(&observer.sample().await).len(), 2);
    let locker = seat(&endpoint, "locker").await;
    run(&locker, "begin; lock table t in access exclusive mode").await;
    let sample = observer.sample().await;
    assert!(has_note(&sample, "table-locked"));
    assert_eq!(versions(&sample).len(), 2, "it is shown as it was");
    run(&locker, "commit; vacuum full t").await;
    let sample = observer.sample().await;
    assert!(has_note(&sample, "table-rewritten"), "{:?}", notes(&sample));
    let on_disk = versions(&sample)
        .into_iter()
        .filter(|version| version.removed.is_none() && version.fate != pgstrata_timeline::Fate::Removed);
    assert_eq!(on_disk.map(|version| (version.block, version.offset)).collect::<Vec<_>>(), [(0, 1)]);
    run(&setup, "drop table t").await;
    assert!(has_note(&observer.sample().await, "table-dropped"));
    observer.watch(watch("public.never"));
    assert!(has_note(&observer.sample().await, "table-missing"));
}

#[tokio::test]
async fn a_table_truncated_between_looks_loses_its_pages_quietly() {
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int, filler text); insert into t select n, repeat('f', 2000) from generate_series(1, 40) n").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(watch("t"));
    assert_eq!(versions(&observer.sample().await).len(), 40);
    run(&setup, "delete from t where id > 4; vacuum t").await;
    let sample = observer.sample().await;
    let left = versions(&sample).into_iter().filter(|version| version.fate != pgstrata_timeline::Fate::Removed);
    assert_eq!(left.count(), 4);
    assert!(!has_note(&sample, "pages-refused"), "{:?}", notes(&sample));
}

#[tokio::test]
async fn partitions_are_shown_together_and_strange_tables_say_what_they_are() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create extension pageinspect; create table p(id int primary key) partition by range (id)").await;
    run(&setup, "create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20)").await;
    run(&setup, "insert into p values (1), (11), (12); create view v as select 1; create table hidden(id int); alter table hidden enable row level security, force row level security").await;
    run(&setup, "create temp table mine(id int); insert into mine values (1)").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.p"));
    let sample = observer.sample().await;
    let relations: std::collections::BTreeSet<_> =
        versions(&sample).into_iter().map(|version| version.relation).collect();
    assert_eq!((versions(&sample).len(), relations.len()), (3, 2));
    observer.watch(watch("public.v"));
    assert!(has_note(&observer.sample().await, "table-no-heap"));
    let temporary: String =
        setup.query_one("select 'mine'::regclass::oid::text", &[]).await.expect("it is there").get(0);
    observer.watch(watch(&temporary));
    let sample = observer.sample().await;
    assert!(has_note(&sample, "table-temporary"), "{:?}", notes(&sample));
    assert!(versions(&sample).is_empty());
}

#[tokio::test]
async fn more_sessions_and_waits_than_are_shown_are_counted() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int primary key); insert into t values (1); begin; select from t for update").await;
    let mut waiters = tokio::task::JoinSet::new();
    for number in 0..12 {
        let session = seat(&endpoint, &format!("waiter-{number}")).await;
        waiters.spawn(async move { session.batch_execute("select from t for update").await });
    }
    let limits = Limits { sessions: 5, waits: 4, ..Limits::default() };
    let mut observer = Observer::attach(&endpoint, Options { limits, best: None }).await.expect("it attaches");
    let sample = until(&mut observer, "twelve waits", |sample| {
        notes(sample).iter().any(|note| note.starts_with("waits-cut: 4 of 12 waits"))
    })
    .await;
    assert_eq!(sessions(&sample).len(), 5);
    assert_eq!(waits(&sample).iter().filter(|wait| wait.until_us.is_none()).count(), 4);
    assert!(
        notes(&sample).iter().any(|note| note.starts_with("sessions-cut: 5 of 13 sessions")),
        "{:?}",
        notes(&sample)
    );
    assert_eq!(servers(&sample)[0].sessions, 13);
    // Whoever waits comes before whoever idles.
    assert!(sessions(&sample).iter().all(|session| session.name.starts_with("waiter")));
    let _ = pid(&setup).await;
    waiters.abort_all();
}

#[tokio::test]
async fn a_long_chain_is_cut_at_its_old_end() {
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t values (1, 0)")
        .await;
    let old = seat(&server.endpoint(), "old").await;
    run(&old, "begin isolation level repeatable read; select from t").await;
    run(&setup, "do $$ begin for step in 1..3000 loop update t set n = step; commit; end loop; end $$").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(Watch { row: Some("1".to_owned()), max_versions: Some(100), ..watch("t") });
    let sample = until(&mut observer, "the end of the chain", |sample| versions(sample).len() == 100).await;
    assert!(has_note(&sample, "versions-cut"), "{:?}", notes(&sample));
    let newest = versions(&sample).into_iter().max_by_key(|version| version.xmin).expect("a version");
    assert_eq!(newest.next, None);
}

#[tokio::test]
async fn a_chain_of_a_hundred_thousand_versions_is_cut_and_nothing_hangs() {
    const VERSIONS: u64 = 100_000;
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t values (1, 1)")
        .await;
    let old = seat(&server.endpoint(), "old").await;
    run(&old, "begin isolation level repeatable read; select from t").await;
    // By its place: an index would lead past all the versions that the old snapshot keeps.
    let load = format!(
        "do $$ declare last tid := (select ctid from t); begin for step in 2..{VERSIONS} loop \
         update t set n = step where ctid = last returning ctid into last; commit; end loop; end $$"
    );
    run(&setup, &load).await;
    let wanted = Watch { row: Some("1".to_owned()), ..watch("public.t") };
    let number = |version: &RowVersion| version.values.as_ref()?.get("n")?.as_u64();
    // From outside, some pages a look.
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(wanted.clone());
    let most = Limits::default().versions as u64;
    let newest: Vec<u64> = (VERSIONS - most + 1..=VERSIONS).collect();
    let is_whole = |sample: &Sample| {
        let mut shown: Vec<u64> = versions(sample).iter().filter_map(number).collect();
        shown.sort_unstable();
        shown == newest
    };
    let sample = until(&mut observer, "the newest versions without a gap", is_whole).await;
    assert!(has_note(&sample, "versions-cut"), "{:?}", notes(&sample));
    let counts_all =
        |sample: &Sample| notes(sample).iter().any(|note| note.contains(&format!("of {VERSIONS} versions")));
    until(&mut observer, "how many there are", counts_all).await;
    // On both tracks, of which the exact one begins with the oldest pages, and takes in what is made from then on.
    let mut follower =
        Follower::begin(&server.endpoint(), Options::default(), LogLimits::default()).await.expect("it attaches");
    follower.watch(wanted).await;
    run(&setup, "update t set n = n + 1").await;
    let is_there = |moment: &Moment| {
        let mut versions = moment.items.values().filter_map(|put| match &put.item {
            Item::Version(version) => Some((put.origin, number(version))),
            _ => None,
        });
        versions.any(|version| version == (Origin::Exact, Some(VERSIONS + 1)))
    };
    let come = tokio::time::timeout(LIMIT, async {
        while !is_there(follower.tracks().moment()) {
            follower.next().await;
        }
    });
    come.await.expect("the version that was made last is told exactly");
    let holds = follower.holds();
    assert!(holds.iter().all(|holding| holding.most.is_none_or(|most| holding.count <= most)), "{holds:#?}");
    follower.close().await;
}

#[tokio::test]
async fn a_tier_that_is_not_wanted_is_not_used() {
    let server = server().await;
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t values (1, 0); begin; update t set n = 1; rollback").await;
    let options = Options { best: Some(Tier::Sql), ..Options::default() };
    let mut observer = Observer::attach(&server.endpoint(), options).await.expect("it attaches");
    observer.watch(watch("t"));
    let sample = observer.sample().await;
    assert_eq!(versions(&sample).len(), 1);
    assert_eq!(servers(&sample)[0].tiers, [Tier::Sql]);
}
