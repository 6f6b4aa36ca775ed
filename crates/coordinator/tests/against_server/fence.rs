//! A coordinator that was deposed can neither decide nor commit after its successor resolved; peers leave each other be.

use std::sync::Arc;
use std::time::Duration;

use pgstrata_coordinator::{Act, Coordinator, OpenError, Peers, Settings, Step};
use pgstrata_pg::{Cluster, testing};
use uuid::Uuid;

use crate::support::{Ground, Strike, Trap, happened, number, quiet, transfer};

/// The first coordinator stands at a step while a successor takes over and resolves; then it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_coordinator_changes_nothing_after_its_successor_resolved() {
    for step in
        Step::OF_TWO.into_iter().filter(|step| !matches!(step, Step::Before(Act::Forget) | Step::After(Act::Forget)))
    {
        let ground = Ground::new().await;
        let trap = Trap::at(step, Strike::Hold);
        let settings =
            Settings { bystander: Some(Arc::clone(&trap) as _), finish_limit: Duration::from_millis(500), ..quiet() };
        let first = Arc::new(ground.open(settings).await);
        let working = tokio::spawn({
            let first = Arc::clone(&first);
            async move { transfer(&first, Uuid::now_v7(), 10).await }
        });
        trap.reached.notified().await;
        let successor = ground.open(quiet()).await;
        ground.resolve_all(&successor).await;
        let resolved = happened(&ground, 10).await;
        trap.let_go.notify_one();
        let outcome = working.await.expect("a task");
        assert_eq!(happened(&ground, 10).await, resolved, "{step}: {outcome:?}");
        assert_eq!(ground.prepared().await, 0, "{step}: nothing was prepared late");
        assert!(outcome.is_err() || resolved, "{step}: what was undone is not called committed");
        let again =
            first.begin(Uuid::now_v7(), pgstrata_units::Isolation::ReadCommitted, None).await.open(0).await.is_err();
        assert!(again && first.is_deposed(), "{step}: it is let in no more");
        transfer(&successor, Uuid::now_v7(), 1).await.expect("the successor works");
        successor.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_side_by_side_leave_each_others_transactions_alone() {
    let ground = Ground::new().await;
    let peers = Peers::Beside { grace: Duration::from_hours(1) };
    let trap = Trap::at(Step::Before(Act::Decide), Strike::Hold);
    let first = Arc::new(ground.open(Settings { peers, bystander: Some(Arc::clone(&trap) as _), ..quiet() }).await);
    let working = tokio::spawn({
        let first = Arc::clone(&first);
        async move { transfer(&first, Uuid::now_v7(), 10).await }
    });
    trap.reached.notified().await;
    let second = ground.open(Settings { peers, ..quiet() }).await;
    let look = second.resolve().await.expect("a look");
    assert_eq!((look.left, look.rolled_back), (2, 0), "prepared by a peer that lives");
    trap.let_go.notify_one();
    working.await.expect("a task").expect("committed");
    assert!(happened(&ground, 10).await);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_sessions_are_gone_is_resolved_after_the_grace() {
    let ground = Ground::new().await;
    let peers = Peers::Beside { grace: Duration::ZERO };
    let trap = Trap::at(Step::Before(Act::Decide), Strike::Hold);
    let first = ground.open(Settings { peers, bystander: Some(Arc::clone(&trap) as _), ..quiet() }).await;
    tokio::select! {
        () = trap.reached.notified() => {}
        _ = transfer(&first, Uuid::now_v7(), 10) => panic!("not held"),
    }
    drop(first);
    let second = ground.open(Settings { peers, ..quiet() }).await;
    // The servers notice the end of a session a moment after it.
    while ground.prepared().await > 0 {
        second.resolve().await.expect("a look");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!happened(&ground, 10).await);
    second.close().await;
}

#[tokio::test]
async fn a_server_without_slots_is_refused_before_anything_is_made() {
    let ground = Ground::new().await;
    let plain = testing::spec().expect("PostgreSQL").with_setting("max_prepared_transactions", "0");
    let plain = Cluster::create(plain).await.expect("a server");
    let endpoints = [ground.endpoints[0].clone(), plain.endpoint()];
    let error = Coordinator::open(&endpoints, quiet()).await.expect_err("refused");
    assert!(matches!(error, OpenError::NoPreparedTransactions { shard: 1 }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("max_prepared_transactions")));
    let made = "select count(*) from pg_namespace where nspname = 'pgstrata_coordinator'";
    assert_eq!(number(&ground.session(0).await, made).await, 0, "nothing was made on the good one either");
}
