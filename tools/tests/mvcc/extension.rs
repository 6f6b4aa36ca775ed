//! What `mvcc_visualizer` adds: pages for other roles, exact snapshots, every wait, conflicts with the doomed one.

use pgstrata_pg::{Cluster, Session, testing};
use pgstrata_timeline::{Fate, Item, Origin, Tier};
use pgstrata_tools::mvcc::{Observer, Options, Sample, Watch};

use crate::pages::{really_seen, seen_by};
use crate::seats::{
    has_note, notes, observer, pid, run, seat, serializable, servers, until, versions, viewers, waits, watch,
};

/// A server with the extension, preloaded or not, and a session in which it was created.
async fn extended(is_preloaded: bool) -> (Cluster, Session) {
    let mut spec = testing::extended_spec()
        .expect("`cargo xtask ext` builds the extension for these tests")
        .with_setting("max_prepared_transactions", "5")
        .with_setting("autovacuum", "off");
    if is_preloaded {
        spec = spec.with_setting("shared_preload_libraries", testing::EXTENSION);
    }
    let server = Cluster::create(spec).await.expect("the server starts");
    let setup = seat(&server.endpoint(), "setup").await;
    run(&setup, "create extension mvcc_visualizer").await;
    (server, setup)
}

fn conflicts(sample: &Sample) -> Vec<pgstrata_timeline::Conflict> {
    let found = sample.items.iter().filter_map(|put| match &put.item {
        Item::Conflict(conflict) => Some(conflict.clone()),
        _ => None,
    });
    found.collect()
}

#[tokio::test]
async fn a_role_that_was_granted_the_functions_sees_dead_versions_without_being_a_superuser() {
    let (server, setup) = extended(false).await;
    run(&setup, "create table t(id int primary key, n text); insert into t values (1, 'a'); begin; update t set n = 'b'; rollback; update t set n = 'c'").await;
    run(&setup, "create role reader login; grant select on t to reader; grant execute on all functions in schema public to reader").await;
    let mut observer =
        Observer::attach(&server.endpoint().with_user("reader"), Options::default()).await.expect("it attaches");
    assert_eq!(observer.tier(), Tier::Extension);
    observer.watch(watch("public.t"));
    let sample = observer.sample().await;
    let mut found = versions(&sample);
    found.sort_by_key(|version| version.offset);
    let shown: Vec<_> = found
        .iter()
        .map(|it| {
            (it.values.as_ref().expect("values")["n"].as_str().unwrap_or_default().to_owned(), it.fate, it.row.clone())
        })
        .collect();
    let row = Some("1".to_owned());
    let expected = [
        ("a".to_owned(), Fate::Replaced, row.clone()),
        ("b".to_owned(), Fate::Aborted, row.clone()),
        ("c".to_owned(), Fate::Live, row),
    ];
    assert_eq!(shown, expected, "{:?}", notes(&sample));
    assert_eq!(found[2].parent, Some(found[0].key()));
    assert_eq!(seen_by(&sample, "new"), really_seen(&setup, "t").await);
    for code in ["preload-missing", "pageinspect-not-created"] {
        assert!(has_note(&sample, code), "{code}");
    }
}

#[tokio::test]
async fn both_ways_to_read_pages_show_the_same() {
    let (server, setup) = extended(false).await;
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t select n, 0 from generate_series(1, 9) n").await;
    run(&setup, "update t set n = 1 where id < 4; begin; delete from t where id = 5; rollback; delete from t where id = 6; vacuum t; update t set n = 2 where id = 7").await;
    let locker = seat(&server.endpoint(), "locker").await;
    run(&locker, "begin; select from t where id = 2 for share; delete from t where id = 8").await;
    let mut picture = Vec::new();
    for extension in ["pageinspect", "mvcc_visualizer"] {
        let mut observer = observer(&server.endpoint()).await;
        observer.watch(watch("public.t"));
        let sample = observer.sample().await;
        let mut found = versions(&sample);
        found.sort_by_key(|version| (version.block, version.offset));
        assert!(found.len() >= 9, "{extension}");
        picture.push((found, crate::seats::verdicts(&sample)));
        // The second look has to do without raw pages.
        run(&setup, "drop extension if exists pageinspect").await;
    }
    assert_eq!(picture[0].0, picture[1].0);
    let of_new =
        |at: usize| picture[at].1.iter().filter(|verdict| verdict.viewer == "new").cloned().collect::<Vec<_>>();
    assert_eq!(of_new(0), of_new(1));
}

#[tokio::test]
async fn preloaded_the_exact_snapshot_of_every_session_is_shown_however_late_we_come() {
    let (server, setup) = extended(true).await;
    let endpoint = server.endpoint();
    run(&setup, "create extension pageinspect; create table t(id int primary key, n int); insert into t select n, 0 from generate_series(1, 10) n").await;
    let mut sessions = Vec::new();
    for step in 0..3 {
        let reader = seat(&endpoint, &format!("reader-{step}")).await;
        run(&reader, "begin isolation level repeatable read; select from t").await;
        let taken: String = reader.query_one("select pg_current_snapshot()::text", &[]).await.expect("a row").get(0);
        sessions.push((reader, Some(taken)));
        run(&setup, &format!("update t set n = {step} where id % 3 = {step}; begin; delete from t; rollback")).await;
    }
    let writer = seat(&endpoint, "writer").await;
    run(&writer, "begin; savepoint a; update t set n = 50 where id = 4; savepoint b; delete from t where id = 5; rollback to b; release a").await;
    sessions.push((writer, None));
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.t"));
    let sample = observer.sample().await;
    assert_eq!(observer.tier(), Tier::Preloaded, "{:?}", servers(&sample));
    for (session, taken) in &sessions {
        let id = format!("pid:{}", pid(session).await);
        let viewer = viewers(&sample).into_iter().find(|viewer| viewer.id == id).expect("it judges");
        if let Some(taken) = taken {
            assert_eq!((viewer.snapshot.to_string(), viewer.is_own), (taken.clone(), true));
        }
        assert_eq!(seen_by(&sample, &id), really_seen(session, "t").await, "{id}");
    }
}

#[tokio::test]
async fn preloaded_a_wait_that_came_and_went_between_two_looks_is_shown() {
    let (server, setup) = extended(true).await;
    let endpoint = server.endpoint();
    run(&setup, "create table t(id int primary key); insert into t values (1)").await;
    let mut observer = observer(&endpoint).await;
    observer.sample().await;
    run(&setup, "begin; select from t for update").await;
    let waiter = seat(&endpoint, "waiter").await;
    let waiter_pid = pid(&waiter).await;
    let waiting = tokio::spawn(async move { waiter.batch_execute("select from t for update").await });
    // Nobody looks while it waits but the worker inside the server.
    let since = "select count(*) > 0 from mvcc_wait_ring() where pid = $1 and clock_timestamp() - since > '50 ms'";
    while !setup.query_one(since, &[&waiter_pid]).await.expect("a row").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    run(&setup, "commit").await;
    waiting.await.expect("it ends").expect("it gets its lock");
    let sample = until(&mut observer, "the wait that nobody saw", |sample| {
        waits(sample).iter().any(|wait| wait.pid == waiter_pid && wait.until_us.is_some())
    })
    .await;
    let wait = waits(&sample).into_iter().find(|wait| wait.pid == waiter_pid).expect("it is there");
    assert!(wait.until_us.is_some_and(|until| until - wait.since_us >= 50_000), "{wait:?}");
    assert_eq!(wait.blockers.iter().map(|blocker| blocker.pid).collect::<Vec<_>>(), [pid(&setup).await]);
}

#[tokio::test]
async fn the_doomed_transaction_of_a_write_skew_is_shown_before_its_error() {
    let (server, setup) = extended(false).await;
    let endpoint = server.endpoint();
    run(
        &setup,
        "create table doctor(id int primary key, on_call bool); insert into doctor values (1, true), (2, true)",
    )
    .await;
    let (alice, bob) = (seat(&endpoint, "alice").await, seat(&endpoint, "bob").await);
    let bob_pid = pid(&bob).await;
    for (session, id) in [(&alice, 1), (&bob, 2)] {
        run(session, "begin isolation level serializable; select count(*) from doctor where on_call").await;
        run(session, &format!("update doctor set on_call = false where id = {id}")).await;
    }
    let mut observer = observer(&endpoint).await;
    let sample = until(&mut observer, "both conflicts", |sample| conflicts(sample).len() == 2).await;
    assert!(conflicts(&sample).iter().all(|conflict| conflict.is_dangerous), "{:?}", conflicts(&sample));
    assert!(!serializable(&sample).iter().any(|transaction| transaction.is_doomed));
    run(&alice, "commit").await;
    let sample = until(&mut observer, "the doomed one", |sample| {
        serializable(sample).iter().any(|transaction| transaction.is_doomed && transaction.pid == bob_pid)
    })
    .await;
    assert!(
        sample.items.iter().all(|put| put.origin != Origin::Inferred || !matches!(put.item, Item::Serializable(_)))
    );
    let error = bob.batch_execute("commit").await.expect_err("one of both must fail");
    assert_eq!(error.code().map(pgstrata_pg::sql::SqlState::code), Some("40001"));
}

#[tokio::test]
async fn a_row_of_a_big_table_is_found_by_its_index() {
    let (server, setup) = extended(false).await;
    run(&setup, "create table t(id int primary key, filler text); insert into t select n, repeat('f', 900) from generate_series(1, 600) n").await;
    run(&setup, "update t set filler = 'g' where id = 590").await;
    let mut observer = observer(&server.endpoint()).await;
    observer.watch(Watch { row: Some("590".to_owned()), ..watch("public.t") });
    let sample = observer.sample().await;
    assert_eq!(versions(&sample).len(), 2, "in one look: {:?}", notes(&sample));
}
