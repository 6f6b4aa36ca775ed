//! Hold points in the processes of a real server: stopped where asked, gone without a trace afterwards.

use std::time::Duration;

use pgstrata_pg::{Cluster, testing};
use pgstrata_scenario::hold::{Hold, HoldKind, Reached};
use tokio::time::timeout;

/// Far above what anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Called by every statement that reads a table.
const READS: &str = "GetSnapshotData";

async fn server() -> Cluster {
    testing::server().await.expect("a PostgreSQL to test with")
}

/// The tracer of a process, 0 for none.
fn tracer_of(pid: i32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("a line");
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_session_waits_while_another_one_works_and_goes_on_when_released() {
    let cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    let other = cluster.endpoint().connect().await.expect("another session");
    let pid = session.backend_pid().await.expect("its process");
    let mut hold = Hold::set(pid, READS, 0).await.expect("may trace");
    // It gives the session back: one that is dropped takes its process with it, and that is looked at below.
    let statement = tokio::spawn(async move {
        let answer = session.query_one("select count(*) from pg_class", &[]).await;
        (session, answer)
    });
    assert_eq!(timeout(LIMIT, hold.reached()).await.expect("in time").expect("held"), Reached::Held);
    assert!(hold.is_held() && !statement.is_finished());
    other.query_one("select count(*) from pg_class", &[]).await.expect("nobody else is held");
    hold.release().expect("released");
    let (_session, answer) = timeout(LIMIT, statement).await.expect("in time").expect("no panic");
    answer.expect("the statement's answer");
    assert_eq!(tracer_of(pid), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_to_pass_are_passed() {
    let cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    let pid = session.backend_pid().await.expect("its process");
    session.batch_execute("begin isolation level repeatable read; select 1").await.expect("a transaction");
    let mut hold = Hold::set(pid, "pg_export_snapshot", 2).await.expect("may trace");
    for _ in 0..2 {
        session.batch_execute("select pg_export_snapshot()").await.expect("passes");
        assert!(!hold.is_held());
    }
    let third = tokio::spawn(async move { session.batch_execute("select pg_export_snapshot()").await });
    assert_eq!(timeout(LIMIT, hold.reached()).await.expect("in time").expect("held"), Reached::Held);
    assert!(!third.is_finished());
    drop(hold);
    timeout(LIMIT, third).await.expect("in time").expect("no panic").expect("goes on after a mere drop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_point_that_is_taken_back_before_it_is_reached_leaves_no_trace() {
    let cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    let pid = session.backend_pid().await.expect("its process");
    for _ in 0..20 {
        let hold = Hold::set(pid, READS, 0).await.expect("may trace");
        hold.release().expect("released");
        assert_eq!(tracer_of(pid), "0");
        session.query_one("select count(*) from pg_class", &[]).await.expect("works on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_point_that_is_taken_back_in_the_moment_in_which_it_is_reached_does_no_harm() {
    let cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    let pid = session.backend_pid().await.expect("its process");
    for round in 0..100 {
        let hold = Hold::set(pid, READS, 0).await.expect("may trace");
        let taking_back = tokio::task::spawn_blocking(move || {
            // Different moments of the statement; which, does not matter.
            for _ in 0..round * 150 {
                std::hint::spin_loop();
            }
            hold.release()
        });
        let answer = timeout(LIMIT, session.query_one("select count(*) from pg_class", &[])).await.expect("in time");
        taking_back.await.expect("no panic").expect("released");
        answer.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
    }
    assert_eq!(tracer_of(pid), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tracer_a_wrong_name_and_a_dead_process_are_told_apart() {
    let cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    let pid = session.backend_pid().await.expect("its process");
    let error = Hold::set(pid, "PredicateLockRelatio", 0).await.expect_err("no such function");
    assert!(
        matches!(&error.kind, HoldKind::NoFunction { similar } if similar == &["PredicateLockRelation"]),
        "{error:?}"
    );
    assert!(error.hint().is_some());
    let hold = Hold::set(pid, READS, 0).await.expect("may trace");
    let error = Hold::set(pid, READS, 0).await.expect_err("traced already");
    assert!(matches!(error.kind, HoldKind::AlreadyTraced { .. }), "{error:?}");
    drop(hold);
    let error = Hold::set(i32::MAX, READS, 0).await.expect_err("no such process");
    assert!(matches!(error.kind, HoldKind::NoProcess), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_where_it_stands_makes_the_server_recover() {
    let mut cluster = server().await;
    let session = cluster.endpoint().connect().await.expect("a session");
    // The profile of tests writes the log late, and what is not written is lost with the process.
    session.batch_execute("set synchronous_commit = on; create table t (id int primary key)").await.expect("a table");
    let pid = session.backend_pid().await.expect("its process");
    let mut hold = Hold::set(pid, "heap_insert", 0).await.expect("may trace");
    let insert = tokio::spawn(async move { session.batch_execute("insert into t values (1)").await });
    assert_eq!(timeout(LIMIT, hold.reached()).await.expect("in time").expect("held"), Reached::Held);
    hold.kill().expect("killed");
    timeout(LIMIT, insert).await.expect("in time").expect("no panic").expect_err("its process is gone");
    // The postmaster restarts by itself; a start of a running server does nothing.
    cluster.start().await.expect("runs");
    let session = cluster.endpoint().connect_retry(LIMIT).await.expect("recovers");
    let count: i64 = session.query_one("select count(*) from t", &[]).await.expect("readable").get(0);
    assert_eq!(count, 0, "the insert was stopped before it did anything");
}
