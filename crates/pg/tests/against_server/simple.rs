//! Sessions of the simple query protocol: ways to log in and to be refused, and what they do with what they cannot do.

use std::time::Duration;

use pgstrata_pg::simple::{Reply, TransactionStatus};
use pgstrata_pg::{Cluster, ErrorClass, Kind, SimpleSession, testing};

use crate::support;

/// Long enough for anything a working server does at once, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn run(session: &mut SimpleSession, sql: &str) -> Vec<Reply> {
    tokio::time::timeout(SOON, session.run(sql)).await.expect("an end").expect("answers")
}

#[tokio::test]
async fn a_password_is_proved_over_tcp_and_a_wrong_one_is_refused_with_its_reason() {
    let mut spec = testing::spec().expect("install PostgreSQL to run these tests");
    spec.tcp = true;
    let server = Cluster::create(spec).await.expect("a server");
    let endpoint = server.tcp_endpoint().expect("it listens").with_application_name("a script");
    let mut session = SimpleSession::connect(&endpoint).await.expect("the right password");
    let replies = run(&mut session, "select pg_backend_pid(), current_setting('application_name')").await;
    let Reply::Complete { rows: Some(rows), tag } = &replies[0] else { panic!("{replies:?}") };
    let expect = vec![vec![Some(session.backend_pid().to_string()), Some("a script".to_owned())]];
    assert_eq!((&rows.rows, tag.as_str()), (&expect, "SELECT 1"));
    assert_eq!(replies.last(), Some(&Reply::Ready(TransactionStatus::Idle)));

    let wrong = SimpleSession::connect(&endpoint.with_password("wrong")).await.expect_err("refused");
    assert_eq!((wrong.class(), wrong.hint().as_deref()), (ErrorClass::NotConnected, Some("check the password")));
    let nowhere = SimpleSession::connect(&endpoint.with_database("nowhere")).await.expect_err("refused");
    assert!(matches!(nowhere.kind(), Kind::LogInRefused(refusal) if refusal.sqlstate == "3D000"), "{nowhere:?}");
}

#[tokio::test]
async fn a_running_statement_is_cancelled_and_the_session_goes_on() {
    let server = support::server(&[]).await;
    let mut session = SimpleSession::connect(&server.endpoint()).await.expect("a session");
    session.start("begin; select pg_sleep(600)").await.expect("sent");
    assert_eq!(session.next_reply_within(Duration::from_millis(20)).await.expect("no error"), None);
    session.cancel().await.expect("asked");
    let mut replies = Vec::new();
    while session.is_busy() {
        replies.push(tokio::time::timeout(SOON, session.next_reply()).await.expect("an end").expect("a reply"));
    }
    let [Reply::Complete { tag, .. }, Reply::Error(error), Reply::Ready(status)] = &replies[..] else {
        panic!("{replies:?}")
    };
    assert_eq!((tag.as_str(), error.sqlstate.as_str(), *status), ("BEGIN", "57014", TransactionStatus::Failed));
    assert_eq!(session.next_reply_at_once().expect("no error"), None);
    assert_eq!(run(&mut session, "rollback").await.len(), 2);
}

#[tokio::test]
async fn copying_is_refused_and_does_not_hang() {
    let server = support::server(&[]).await;
    let mut session = SimpleSession::connect(&server.endpoint()).await.expect("a session");
    run(&mut session, "create temporary table t (id int)").await;
    let replies = run(&mut session, "copy t from stdin").await;
    assert!(matches!(&replies[0], Reply::Error(error) if error.sqlstate == "57014"), "{replies:?}");
    let replies = run(&mut session, "copy (select 1) to stdout").await;
    assert!(matches!(&replies[0], Reply::Complete { tag, rows: None } if tag == "COPY 1"), "{replies:?}");
}

#[tokio::test]
async fn a_text_with_a_zero_byte_is_not_sent() {
    let server = support::server(&[]).await;
    let mut session = SimpleSession::connect(&server.endpoint()).await.expect("a session");
    let error = session.start("select '\0'").await.expect_err("it cannot be sent");
    assert!(matches!(error.kind(), Kind::Io(_)), "{error:?}");
    assert!(!session.is_busy());
    assert_eq!(run(&mut session, "select 1").await.len(), 2);
}
