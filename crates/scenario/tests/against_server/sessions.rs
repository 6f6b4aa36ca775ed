//! The sessions of a script: what is said in which order, who waits for whom, and how each way of ending looks.

use std::time::Duration;

use pgstrata_pg::simple::{Reply, TransactionStatus};
use pgstrata_pg::{Cluster, Kind, testing};
use pgstrata_scenario::session::{Blocking, Seat, Sessions, Settled};

/// Long enough for anything a working server does at once, on a busy machine.
const SOON: Duration = Duration::from_mins(1);

const FIRST: Seat = Seat(0);
const SECOND: Seat = Seat(1);

async fn open(server: &Cluster) -> Sessions {
    Sessions::open(&server.endpoint(), "a script", &["s1", "s2"]).await.expect("sessions")
}

async fn run(sessions: &mut Sessions, seat: Seat, sql: &str) -> Vec<Reply> {
    sessions.run(seat, sql, SOON).await.expect("answers")
}

async fn settle(sessions: &mut Sessions, seat: Seat) -> Settled {
    sessions.settle(seat, Blocking::Allowed, SOON, &mut Vec::new()).await.expect("a look")
}

/// One word for each reply.
fn words(replies: &[Reply]) -> Vec<String> {
    let word = |reply: &Reply| match reply {
        Reply::Complete { tag, .. } => tag.clone(),
        Reply::Empty => "empty".to_owned(),
        Reply::Error(error) => format!("{} {}", error.severity, error.sqlstate),
        Reply::Notice(notice) => format!("{} {}", notice.severity, notice.message),
        Reply::Notification { channel, payload, .. } => format!("notification {channel} {payload}"),
        Reply::Ready(_) => "ready".to_owned(),
        Reply::Closed => "closed".to_owned(),
    };
    replies.iter().map(word).collect()
}

#[tokio::test]
async fn notices_rows_and_errors_keep_the_order_in_which_the_server_said_them() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut sessions = open(&server).await;
    let script =
        "select 1 as one; do $$ begin raise notice 'between'; end $$; select null as nothing; select 1/0; select 2";
    let replies = run(&mut sessions, FIRST, script).await;
    assert_eq!(words(&replies), ["SELECT 1", "NOTICE between", "DO", "SELECT 1", "ERROR 22012"]);
    let Reply::Complete { rows: Some(rows), .. } = &replies[3] else { panic!("rows: {replies:?}") };
    assert_eq!((rows.columns[0].name.as_str(), &rows.rows), ("nothing", &vec![vec![None]]));
    assert_eq!(words(&run(&mut sessions, FIRST, "").await), ["empty"]);
    sessions.close().await;
}

#[tokio::test]
async fn a_session_that_waits_for_another_one_is_blocked_until_that_one_lets_go() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut sessions = open(&server).await;
    sessions
        .run_on_control("create table t (id int primary key); insert into t values (1)", SOON)
        .await
        .expect("a table");
    run(&mut sessions, FIRST, "begin; delete from t").await;
    assert_eq!(sessions.status(FIRST), TransactionStatus::Open);
    sessions.start(SECOND, "update t set id = 2 returning id").await.expect("sent");
    assert_eq!(settle(&mut sessions, SECOND).await, Settled::Blocked);
    assert!(sessions.is_active(SECOND) && !sessions.is_active(FIRST));
    run(&mut sessions, FIRST, "rollback").await;
    assert_eq!(settle(&mut sessions, SECOND).await, Settled::Answered);
    assert_eq!(words(&sessions.finish(SECOND, SOON).await.expect("answers")), ["UPDATE 1"]);
    assert_eq!(sessions.status(SECOND), TransactionStatus::Idle);
}

#[tokio::test]
async fn a_session_that_is_only_slow_is_busy_and_can_be_cancelled() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut sessions = open(&server).await;
    sessions.start(FIRST, "begin; do $$ begin raise notice 'here'; perform pg_sleep(600); end $$").await.expect("sent");
    // The notice pushes the answer to `begin` out with it, so the text has answered, but not ended.
    assert_eq!(settle(&mut sessions, FIRST).await, Settled::Answered);
    let late = sessions.finish(FIRST, Duration::from_millis(50)).await.expect_err("it sleeps");
    assert!(matches!(late.kind(), Kind::Timeout { .. }), "{late:?}");
    sessions.start(SECOND, "select pg_sleep(600)").await.expect("sent");
    let look = sessions.settle(SECOND, Blocking::Allowed, Duration::from_millis(30), &mut Vec::new()).await;
    assert_eq!(look.expect("a look"), Settled::Busy);
    let check = [(FIRST, vec!["BEGIN", "NOTICE here", "ERROR 57014"]), (SECOND, vec!["ERROR 57014"])];
    for (seat, expect) in check {
        sessions.cancel(seat).await.expect("a request");
        assert_eq!(words(&sessions.finish(seat, SOON).await.expect("answers")), expect);
    }
    assert_eq!(sessions.status(FIRST), TransactionStatus::Failed);
}

#[tokio::test]
async fn notifications_come_behind_the_answer_and_say_who_sent_them() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut sessions = open(&server).await;
    run(&mut sessions, FIRST, "listen news").await;
    run(&mut sessions, SECOND, "notify news, 'from the second'").await;
    // The listener may have been told while it was idle, or at the end of its next statement: never before its answer.
    let mut replies = Vec::new();
    while replies.last().is_none_or(|reply| !matches!(reply, Reply::Notification { .. })) {
        replies = run(&mut sessions, FIRST, "select 1").await;
    }
    assert_eq!(words(&replies), ["SELECT 1", "notification news from the second"]);
    let Reply::Notification { backend_pid, .. } = &replies[1] else { panic!("{replies:?}") };
    assert_eq!(sessions.seat_of(*backend_pid), Some(SECOND));
}

#[tokio::test]
async fn a_session_that_the_server_ends_says_its_last_words() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let mut sessions = open(&server).await;
    let replies = run(&mut sessions, FIRST, "select pg_terminate_backend(pg_backend_pid())").await;
    assert_eq!(words(&replies), ["FATAL 57P01", "closed"]);
    assert!(sessions.is_closed(FIRST) && !sessions.is_active(FIRST));
    let refused = sessions.start(FIRST, "select 1").await.expect_err("nobody is there");
    assert!(matches!(refused.kind(), Kind::SessionClosed), "{refused:?}");
}
