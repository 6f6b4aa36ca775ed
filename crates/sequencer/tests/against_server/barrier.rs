//! Early lock release: what the barrier has acknowledged survives kill -9, and what it cannot vouch for is `Unknown`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use pgstrata_pg::{Cluster, Error, Session};
use pgstrata_sequencer::{AcknowledgeError, BarrierKind, DurabilityBarrier, Unknown};
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, eventually, restart, server, server_with, session, stored, until};

/// Without this the log writer would make an asynchronous commit durable within 200 ms, and the wake-ups of its sleep
/// would decide whether a commit is lost. The least log level, because the barrier's messages must not need more.
const LAZY_LOG_WRITER: [(&str, &str); 4] = [
    ("wal_writer_delay", "10s"),
    ("wal_writer_flush_after", "64MB"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
];

/// Kill -9 in the middle of the load, this often for each kind.
const KILLS: i64 = 5;

/// An asynchronous commit that is lost is rare luck only where the log writer is quick; here each one should be.
const ATTEMPTS_TO_LOSE: i64 = 5;

async fn insert(session: &Session, key: i64) -> Result<(), Error> {
    let sql = "insert into hit (key, amount, writer, place) values ($1, 1, 'early', 0)";
    session.execute(sql, &[&key]).await?;
    Ok(())
}

/// Inserts fresh keys until the server is gone, and gives back those that were acknowledged.
fn client(barrier: &DurabilityBarrier, next: &Arc<AtomicI64>) -> JoinHandle<Vec<i64>> {
    let (barrier, next) = (barrier.clone(), Arc::clone(next));
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        // The server may be gone already: the others make enough load for it to be killed.
        let Ok(session) = barrier.session().await else { return acknowledged };
        loop {
            let key = next.fetch_add(1, Ordering::Relaxed);
            match barrier.acknowledge(insert(&session, key)).await {
                Ok(()) => acknowledged.push(key),
                // The barrier may learn of a crash before this session does, or after it has a new one.
                Err(AcknowledgeError::Unknown(_)) if !session.is_closed() => {}
                Err(AcknowledgeError::Work(_) | AcknowledgeError::Unknown(_)) => return acknowledged,
                Err(AcknowledgeError::Unreachable) => panic!("the server came back in time"),
            }
        }
    })
}

async fn nothing_acknowledged_is_lost(kind: BarrierKind) {
    let mut server = server_with(&LAZY_LOG_WRITER).await;
    let barrier = DurabilityBarrier::start_with(server.endpoint(), kind).await.expect("a barrier");
    assert_eq!(barrier.kind(), kind);
    let next = Arc::new(AtomicI64::new(0));
    let mut acknowledged = Vec::new();
    for kill in 1..=KILLS {
        let clients: Vec<_> = (0..8).map(|_| client(&barrier, &next)).collect();
        let begun = next.load(Ordering::Relaxed);
        until("the clients make progress", || next.load(Ordering::Relaxed) >= begun + 150 + 37 * kill).await;
        restart(&mut server).await;
        for client in clients {
            let keys = tokio::time::timeout(PATIENCE, client).await.expect("each waiter is answered");
            acknowledged.extend(keys.expect("a client"));
        }
    }
    let stored = stored(&session(&server).await).await;
    let lost: Vec<_> = acknowledged.iter().filter(|key| !stored.contains(key)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(acknowledged.len() > 100, "there was a load: {}", acknowledged.len());
    let figures = barrier.figures();
    assert!(figures.flushes < figures.waits, "waiters shared flushes: {figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_loses_nothing_that_a_log_message_acknowledged() {
    nothing_acknowledged_is_lost(BarrierKind::Message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_loses_nothing_that_the_row_acknowledged() {
    nothing_acknowledged_is_lost(BarrierKind::Row).await;
}

/// Kills the server after an asynchronous commit was answered; whether it is gone then.
async fn is_lost(server: &mut Cluster, barrier: &DurabilityBarrier, key: i64) -> bool {
    let early = barrier.session().await.expect("a session");
    insert(&early, key).await.expect("an answered commit");
    restart(server).await;
    !stored(&session(server).await).await.contains(&key)
}

/// The broken arm of this file: the same commits, acknowledged at once.
#[tokio::test]
async fn without_the_barrier_an_answered_asynchronous_commit_is_lost() {
    let mut server = server_with(&LAZY_LOG_WRITER).await;
    let barrier = DurabilityBarrier::start(server.endpoint()).await.expect("a barrier");
    for key in 0..ATTEMPTS_TO_LOSE {
        if is_lost(&mut server, &barrier, key).await {
            return;
        }
    }
    panic!("none of {ATTEMPTS_TO_LOSE} asynchronous commits was lost: this server cannot show what the barrier is for");
}

/// Commit answered, crash, recovery, and only then the wait: a new flush proves nothing about the old server.
#[tokio::test]
async fn a_barrier_that_reconnected_does_not_vouch_for_a_commit_before_the_crash() {
    let mut server = server_with(&LAZY_LOG_WRITER).await;
    let barrier = DurabilityBarrier::start(server.endpoint()).await.expect("a barrier");
    let mut lost = 0;
    for key in 0..ATTEMPTS_TO_LOSE {
        let (promise, reconnects) = (barrier.promise(), barrier.figures().reconnects);
        lost += i32::from(is_lost(&mut server, &barrier, key).await);
        until("the barrier finds the new server", || barrier.figures().reconnects != reconnects).await;
        barrier.acknowledge(async { Ok(()) }).await.expect("the barrier works again");
        assert_eq!(barrier.wait(promise).await, Err(Unknown));
    }
    assert!(lost > 0, "and without the promise the answer would have been wrong");
}

#[tokio::test]
async fn waiters_share_a_flush_but_not_one_that_began_before_them() {
    let server = server().await;
    let barrier = DurabilityBarrier::start_with(server.endpoint(), BarrierKind::Row).await.expect("a barrier");
    let promise = barrier.promise();
    assert!(join_all((0..200).map(|_| barrier.wait(promise))).await.iter().all(Result::is_ok));
    assert_eq!((barrier.figures().flushes, barrier.figures().waits), (1, 200));

    let blocker = session(&server).await;
    blocker.batch_execute("begin; select from pgstrata_sequencer.barrier for update").await.expect("a lock");
    let early = tokio::spawn({
        let barrier = barrier.clone();
        async move { barrier.wait(promise).await }
    });
    let watcher = session(&server).await;
    eventually(&watcher, "select exists (select from pg_locks where not granted)").await;
    let mut late = Box::pin(barrier.wait(promise));
    assert!((&mut late).now_or_never().is_none(), "waits");
    blocker.batch_execute("commit").await.expect("unlock");
    assert_eq!(early.await.expect("a task"), Ok(()));
    assert_eq!(late.await, Ok(()));
    assert_eq!(barrier.figures().flushes, 3, "the late one had a flush of its own");
}

#[tokio::test]
async fn losing_the_session_leaves_every_waiter_with_unknown_and_later_ones_unharmed() {
    let server = server().await;
    let barrier = DurabilityBarrier::start_with(server.endpoint(), BarrierKind::Row).await.expect("a barrier");
    let blocker = session(&server).await;
    blocker.batch_execute("begin; select from pgstrata_sequencer.barrier for update").await.expect("a lock");
    let promise = barrier.promise();
    let in_flush = tokio::spawn({
        let barrier = barrier.clone();
        async move { barrier.wait(promise).await }
    });
    let watcher = session(&server).await;
    eventually(&watcher, "select exists (select from pg_locks where not granted)").await;
    let mut queued = Box::pin(barrier.wait(promise));
    assert!((&mut queued).now_or_never().is_none(), "waits");
    watcher
        .batch_execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgstrata barrier'",
        )
        .await
        .expect("a termination");
    assert_eq!(in_flush.await.expect("a task"), Err(Unknown));
    assert_eq!(queued.await, Err(Unknown));
    blocker.batch_execute("commit").await.expect("unlock");
    barrier.acknowledge(async { Ok(()) }).await.expect("the barrier works again");
    let figures = barrier.figures();
    assert_eq!((figures.unknowns, figures.reconnects), (2, 1));
}

#[tokio::test]
async fn a_failed_unit_of_work_is_passed_on() {
    let server = server().await;
    let barrier = DurabilityBarrier::start(server.endpoint()).await.expect("a barrier");
    assert_eq!(barrier.kind(), BarrierKind::Message);
    let early = barrier.session().await.expect("a session");
    let setting: String = early.query_one("show synchronous_commit", &[]).await.expect("a row").get(0);
    assert_eq!(setting, "off");
    barrier.acknowledge(insert(&early, 1)).await.expect("a first");
    match barrier.acknowledge(insert(&early, 1)).await {
        Err(AcknowledgeError::Work(error)) => assert_eq!(error.class(), pgstrata_pg::ErrorClass::UniqueViolation),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_log_messages_are_not_permitted_the_barrier_writes_a_row() {
    let server = server().await;
    DurabilityBarrier::start_with(server.endpoint(), BarrierKind::Row).await.expect("the schema");
    session(&server)
        .await
        .batch_execute(
            "create role service login;
            grant usage on schema pgstrata_sequencer to service;
            grant select, insert, update on all tables in schema pgstrata_sequencer to service;
            -- PostgreSQL 17 gave the function a fourth parameter.
            do $$
            declare
                signature regprocedure;
            begin
                for signature in select oid from pg_proc where proname = 'pg_logical_emit_message'
                loop
                    execute format('revoke execute on function %s from public', signature);
                end loop;
            end $$",
        )
        .await
        .expect("a role");
    let barrier = DurabilityBarrier::start(server.endpoint().with_user("service")).await.expect("a barrier");
    assert_eq!(barrier.kind(), BarrierKind::Row);
    barrier.acknowledge(async { Ok(()) }).await.expect("a flush");
}
