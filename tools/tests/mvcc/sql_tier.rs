//! What is seen of a server that has no extension: sessions, transactions, waits, circles, horizons, visible versions.

use pgstrata_timeline::{Cause, HolderKind, Item, Tier, TransactionState};
use pgstrata_tools::mvcc::{APPLICATION_NAME, Watch};

use crate::seats::{
    has_note, horizons, observer, pid, run, seat, serializable, server, servers, sessions, transactions, until,
    verdicts, versions, viewers, waits, watch,
};

#[tokio::test]
async fn a_deadlock_over_three_sessions_is_a_circle_before_the_server_breaks_it() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table account(id int primary key, balance int); insert into account select n, 0 from generate_series(1, 3) n").await;
    let mut seats = Vec::new();
    for number in 1..=3 {
        let session = seat(&endpoint, &format!("seat-{number}")).await;
        run(&session, &format!("begin; update account set balance = 1 where id = {number}")).await;
        seats.push(session);
    }
    let mut pids = Vec::new();
    for session in &seats {
        pids.push(pid(session).await);
    }
    let canceller = seats[0].canceller();
    let mut running = tokio::task::JoinSet::new();
    for (number, session) in seats.into_iter().enumerate() {
        let next = (number + 1) % 3 + 1;
        running.spawn(async move {
            session.batch_execute(&format!("update account set balance = 2 where id = {next}")).await
        });
    }
    let mut observer = observer(&endpoint).await;
    let sample = until(&mut observer, "three waits in a circle", |sample| {
        waits(sample).iter().filter(|wait| wait.is_in_cycle).count() == 3
    })
    .await;
    for wait in waits(&sample) {
        let at = pids.iter().position(|pid| *pid == wait.pid).expect("one of ours waits");
        let blockers: Vec<_> = wait.blockers.iter().map(|blocker| (blocker.pid, blocker.holds)).collect();
        assert_eq!(blockers, [(pids[(at + 1) % 3], true)], "{wait:?}");
        assert!(wait.object.contains("public.account (0,"), "{wait:?}");
        assert_eq!((wait.lock_type.as_str(), wait.mode.as_str()), ("transactionid", "ShareLock"));
    }
    canceller.cancel().await.expect("it is cancelled");
    // One gives up and one goes on; the third one waits for that, no longer in a circle.
    let sample =
        until(&mut observer, "the circle broken", |sample| waits(sample).iter().all(|wait| !wait.is_in_cycle)).await;
    assert!(waits(&sample).iter().any(|wait| wait.until_us.is_some()), "a wait that ended is shown for a while");
    running.abort_all();
}

#[tokio::test]
async fn the_observer_is_not_in_its_own_picture_nor_are_others_of_its_kind() {
    let server = server().await;
    let endpoint = server.endpoint();
    let idle = seat(&endpoint, "idle").await;
    let mut other = observer(&endpoint).await;
    other.sample().await;
    let mut observer = observer(&endpoint).await;
    let sample = observer.sample().await;
    let names: Vec<_> = sessions(&sample).into_iter().map(|session| session.name).collect();
    assert!(names.contains(&"idle".to_owned()), "{names:?}");
    assert!(!names.contains(&APPLICATION_NAME.to_owned()), "{names:?}");
    drop(idle);
}

#[tokio::test]
async fn sessions_transactions_and_subtransactions_are_told_apart() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int)").await;
    let writer = seat(&endpoint, "writer").await;
    run(&writer, "begin; insert into t values (1); savepoint a; insert into t values (2)").await;
    let top: i64 = writer.query_one("select pg_current_xact_id()::text::bigint", &[]).await.expect("it has one").get(0);
    run(&setup, "begin; insert into t values (3); prepare transaction 'later'").await;
    let mut observer = observer(&endpoint).await;
    let sample = until(&mut observer, "three transactions", |sample| transactions(sample).len() == 3).await;
    let mut states: Vec<_> = transactions(&sample)
        .into_iter()
        .map(|it| (it.xid.0.cast_signed() - top, it.top.is_some(), it.state))
        .collect();
    states.sort_by_key(|(distance, ..)| *distance);
    assert_eq!(
        states,
        [
            (0, false, TransactionState::InProgress),
            (1, true, TransactionState::InProgress),
            (2, false, TransactionState::Prepared)
        ]
    );
    let writers: Vec<_> = sessions(&sample).into_iter().filter(|session| session.name == "writer").collect();
    assert_eq!(writers.len(), 1);
    assert_eq!(writers[0].xid.map(|xid| xid.0.cast_signed()), Some(top));
    assert_eq!(writers[0].state, "idle in transaction");
}

#[tokio::test]
async fn whoever_holds_the_horizon_is_named_worst_first() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int); insert into t values (1)").await;
    let old = seat(&endpoint, "old").await;
    run(&old, "begin isolation level repeatable read; select * from t").await;
    run(&setup, "begin; insert into t values (2); prepare transaction 'later'").await;
    run(&setup, "insert into t values (3)").await;
    let young = seat(&endpoint, "young").await;
    run(&young, "begin; insert into t values (4)").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.t"));
    let sample =
        until(&mut observer, "three holders", |sample| horizons(sample).iter().any(|it| it.holders.len() == 3)).await;
    let horizon = horizons(&sample).remove(0);
    let kinds: Vec<_> = horizon.holders.iter().map(|holder| (holder.kind, holder.pid)).collect();
    let expected = [
        (HolderKind::Session, Some(pid(&old).await)),
        (HolderKind::Prepared, None),
        (HolderKind::Session, Some(pid(&young).await)),
    ];
    // The old snapshot and the prepared transaction hold to the same id; who is at it longer is first.
    assert_eq!(kinds, expected, "{horizon:?}");
    assert_eq!(horizon.xid, horizon.holders[0].xmin);
    assert_eq!(horizon.name, "public.t");
}

#[tokio::test]
async fn without_an_extension_the_visible_versions_are_shown_and_the_rest_is_said() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int primary key, name text); insert into t values (1, 'a'), (2, 'b'); update t set name = 'c' where id = 1").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("t"));
    let sample = observer.sample().await;
    let mut rows: Vec<_> = versions(&sample).into_iter().map(|it| (it.row.unwrap_or_default(), it.offset)).collect();
    rows.sort();
    assert_eq!(rows, [("1".to_owned(), 3), ("2".to_owned(), 2)]);
    assert!(verdicts(&sample).iter().all(|verdict| verdict.viewer == "new" && verdict.is_visible == Some(true)));
    for code in ["versions-by-sql", "extension-not-installed", "pageinspect-not-created"] {
        assert!(has_note(&sample, code), "{code} in {:?}", servers(&sample));
    }
    assert_eq!(servers(&sample)[0].tiers, [Tier::Sql, Tier::Wal]);
    observer.watch(Watch { row: Some("2".to_owned()), ..watch("t") });
    let sample = observer.sample().await;
    assert_eq!(versions(&sample).len(), 1);
    assert_eq!(versions(&sample)[0].values.as_ref().expect("values")["name"], "b");
}

#[tokio::test]
async fn a_snapshot_taken_while_nothing_else_happened_is_found_out_from_outside() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int); insert into t values (1)").await;
    let writer = seat(&endpoint, "writer").await;
    run(&writer, "begin; insert into t values (2)").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.t"));
    observer.sample().await;
    let reader = seat(&endpoint, "reader").await;
    run(&reader, "begin isolation level repeatable read").await;
    let taken: String = reader.query_one("select pg_current_snapshot()::text", &[]).await.expect("a row").get(0);
    let id = format!("pid:{}", pid(&reader).await);
    let sample =
        until(&mut observer, "the reader", |sample| viewers(sample).iter().any(|viewer| viewer.id == id)).await;
    let viewer = viewers(&sample).into_iter().find(|viewer| viewer.id == id).expect("it was there");
    assert_eq!((viewer.snapshot.to_string(), viewer.is_own), (taken.clone(), false));
    // It stays what it is while others go on.
    run(&writer, "commit").await;
    run(&setup, "insert into t values (3)").await;
    let sample = observer.sample().await;
    let viewer = viewers(&sample).into_iter().find(|viewer| viewer.id == id).expect("it still is");
    assert_eq!(viewer.snapshot.to_string(), taken);
    let now = viewers(&sample).into_iter().find(|viewer| viewer.id == "new").expect("it always is");
    assert_ne!(now.snapshot.to_string(), taken);
}

#[tokio::test]
async fn serializable_transactions_are_seen_by_their_predicate_locks() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int)").await;
    let reader = seat(&endpoint, "reader").await;
    run(&reader, "begin isolation level serializable; select * from t").await;
    let mut observer = observer(&endpoint).await;
    let sample = observer.sample().await;
    let found = serializable(&sample);
    assert_eq!(found.iter().map(|it| it.pid).collect::<Vec<_>>(), [pid(&reader).await]);
    assert!(has_note(&sample, "serializable-by-locks"));
    let levels: Vec<_> = sessions(&sample).into_iter().filter_map(|session| session.isolation).collect();
    assert_eq!(levels, ["serializable"]);
}

#[tokio::test]
async fn two_looks_at_a_server_where_nothing_happens_are_the_same_but_for_the_server_itself() {
    let server = server().await;
    let endpoint = server.endpoint();
    let setup = seat(&endpoint, "setup").await;
    run(&setup, "create table t(id int); insert into t values (1)").await;
    let mut observer = observer(&endpoint).await;
    observer.watch(watch("public.t"));
    observer.sample().await;
    let (first, second) = (observer.sample().await, observer.sample().await);
    let without_server = |items: &[pgstrata_timeline::PutItem]| {
        items.iter().filter(|put| !matches!(put.item, Item::Server(_))).cloned().collect::<Vec<_>>()
    };
    assert_eq!(without_server(&first.items), without_server(&second.items));
    assert_eq!(second.cause, Cause::Sample);
}
