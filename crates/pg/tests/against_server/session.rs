//! Sessions and their errors against a real server: what each way of losing it looks like to the one who waits.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use pgstrata_pg::sql::{IsolationLevel, SqlState};
use pgstrata_pg::{Cluster, Error, ErrorClass, Kind, Pid, StopMode};

use crate::support;

/// Long enough for anything a working server does at once, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The class of what a statement ended with.
fn class_of<T: std::fmt::Debug>(result: Result<T, pgstrata_pg::sql::ClientError>) -> ErrorClass {
    Error::from(result.expect_err("the statement fails")).class()
}

#[tokio::test]
async fn each_refusal_of_a_statement_has_its_class() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let script =
        "create table t (id int primary key, amount int not null check (amount >= 0)); insert into t values (1, 5)";
    session.batch_execute(script).await.expect("a table");

    let check = [
        ("insert into t values (1, 0)", ErrorClass::UniqueViolation),
        ("insert into t values (2, -1)", ErrorClass::ConstraintViolation),
        ("insert into t values (2, null)", ErrorClass::ConstraintViolation),
        ("select 1 / 0", ErrorClass::Other),
        ("selekt", ErrorClass::Other),
        ("set statement_timeout = 20; select pg_sleep(60)", ErrorClass::Cancelled),
        ("do $$ begin raise exception using errcode = '53100'; end $$", ErrorClass::Resources),
    ];
    for (statement, expect) in check {
        let class = class_of(session.batch_execute(statement).await);
        assert_eq!(class, expect, "{statement}");
        assert!(!class.leaves_outcome_unknown(), "{statement}");
    }
    assert!(!session.is_closed());
}

#[tokio::test]
async fn mistakes_of_the_caller_do_not_look_like_a_lost_server() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let wrong_type = session.query_one("select $1::int4", &[&"text"]).await;
    assert_eq!(class_of(wrong_type), ErrorClass::Other);
    let too_few_parameters = session.query_one("select $1::int4", &[]).await;
    assert_eq!(class_of(too_few_parameters), ErrorClass::Other);
    let no_row = session.query_one("select 1 where false", &[]).await;
    assert_eq!(class_of(no_row), ErrorClass::Other);
    let nul_in_statement = session.batch_execute("select '\0'").await;
    assert_eq!(class_of(nul_in_statement), ErrorClass::Other);
    let row = session.query_one("select 'text' as word", &[]).await.expect("a row");
    assert_eq!(class_of(row.try_get::<_, i32>(0)), ErrorClass::Other);
    assert_eq!(class_of(row.try_get::<_, String>("other")), ErrorClass::Other);
}

#[tokio::test]
async fn conflicts_between_transactions_are_retryable() {
    let server = support::server(&[]).await;
    let (mut one, mut two) = (support::session(&server).await, support::session(&server).await);
    one.batch_execute("create table t (id int primary key, n int); insert into t values (1, 0), (2, 0)")
        .await
        .expect("rows");

    let first = one.build_transaction().isolation_level(IsolationLevel::Serializable).start().await.expect("begin");
    let second = two.build_transaction().isolation_level(IsolationLevel::Serializable).start().await.expect("begin");
    first.query_one("select sum(n) from t", &[]).await.expect("read");
    second.query_one("select sum(n) from t", &[]).await.expect("read");
    first.execute("update t set n = 1 where id = 1", &[]).await.expect("write");
    second.execute("update t set n = 1 where id = 2", &[]).await.expect("write");
    first.commit().await.expect("the first commits");
    assert_eq!(class_of(second.commit().await), ErrorClass::SerializationFailure);

    two.batch_execute("set lock_timeout = 20").await.expect("set");
    let holder = one.transaction().await.expect("begin");
    holder.execute("update t set n = 2 where id = 1", &[]).await.expect("lock the row");
    let class = class_of(two.execute("update t set n = 3 where id = 1", &[]).await);
    assert_eq!(class, ErrorClass::LockTimeout);
    assert!(class.is_retryable());
}

#[tokio::test]
async fn one_side_of_a_deadlock_is_told_so() {
    let server = support::server(&[]).await;
    let (one, two) = (support::session(&server).await, support::session(&server).await);
    one.batch_execute("create table t (id int primary key, n int); insert into t values (1, 0), (2, 0)")
        .await
        .expect("rows");
    for session in [&one, &two] {
        session.batch_execute("set deadlock_timeout = '20ms'; begin").await.expect("begin");
    }
    one.batch_execute("update t set n = 1 where id = 1").await.expect("first lock");
    two.batch_execute("update t set n = 1 where id = 2").await.expect("second lock");
    let (left, right) = tokio::join!(
        one.batch_execute("update t set n = 1 where id = 2; rollback"),
        two.batch_execute("update t set n = 1 where id = 1; rollback"),
    );
    let losers: Vec<_> =
        [left, right].into_iter().filter_map(Result::err).map(|error| Error::from(error).class()).collect();
    assert_eq!(losers, [ErrorClass::Deadlock]);
}

/// Runs a statement that waits, does `harm` once the server runs it, and gives back the statement's error.
async fn error_of_statement_during(server: &Cluster, harm: impl AsyncFnOnce(i32)) -> Error {
    let session = support::session(server).await;
    let pid = session.backend_pid().await.expect("a pid");
    let statement = session.batch_execute("select pg_sleep(600)");
    let harmed = async {
        let watcher = support::session(server).await;
        let running =
            "select count(*) from pg_stat_activity where pid = $1 and state = 'active' and query like '%600%'";
        while watcher.query_one(running, &[&pid]).await.expect("activity").get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop(watcher);
        harm(pid).await;
    };
    let both = async { tokio::join!(statement, harmed).0 };
    let result = tokio::time::timeout(SOON, both).await.expect("the loss is noticed");
    let error = Error::from(result.expect_err("the statement fails"));
    let after = session.batch_execute("select 1").await.expect_err("the session is of no more use");
    assert_eq!(Error::from(after).class(), ErrorClass::ServerLost);
    error
}

#[tokio::test]
async fn a_terminated_backend_leaves_the_outcome_unknown() {
    let server = support::server(&[]).await;
    let error = error_of_statement_during(&server, async |pid| {
        let other = support::session(&server).await;
        other.execute("select pg_terminate_backend($1)", &[&pid]).await.expect("terminate");
    })
    .await;
    assert_eq!(error.sqlstate(), Some(&SqlState::ADMIN_SHUTDOWN));
    assert_eq!(error.class(), ErrorClass::ServerLost);
}

/// Sends a signal to the postmaster.
fn signal(server: &Cluster, signal: Signal) {
    kill(server.postmaster().expect("it runs"), signal).expect("signal the postmaster");
}

#[tokio::test]
async fn a_killed_server_leaves_the_outcome_unknown() {
    let mut server = support::server(&[]).await;
    let error = error_of_statement_during(&server, async |pid| {
        signal(&server, Signal::SIGKILL);
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill the backend");
    })
    .await;
    assert_eq!(error.sqlstate(), None, "no answer: the connection just ended");
    assert_eq!(error.class(), ErrorClass::ServerLost);
    server.crash().await.expect("nothing is left of it");
    let refused = server.endpoint().connect().await.expect_err("nobody is there");
    assert_eq!(refused.class(), ErrorClass::NotConnected);
}

#[tokio::test]
async fn a_crash_of_another_backend_leaves_the_outcome_unknown() {
    let server = support::server(&[]).await;
    let error = error_of_statement_during(&server, async |_| {
        let other = support::session(&server).await;
        let pid = other.backend_pid().await.expect("a pid");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill another backend");
    })
    .await;
    assert_eq!(error.class(), ErrorClass::ServerLost);
}

#[tokio::test]
async fn an_immediate_stop_leaves_the_outcome_unknown() {
    let server = support::server(&[]).await;
    let error = error_of_statement_during(&server, async |_| signal(&server, Signal::SIGQUIT)).await;
    assert_eq!(error.class(), ErrorClass::ServerLost);
}

#[tokio::test]
async fn a_session_known_to_be_closed_sends_nothing() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    session.ensure_open().expect("open");
    let _ = session.batch_execute("select pg_terminate_backend(pg_backend_pid())").await;
    tokio::time::timeout(SOON, async {
        while !session.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("the end of the connection is noticed");
    let error = session.ensure_open().expect_err("closed");
    assert_eq!(error.class(), ErrorClass::NotConnected);
}

#[tokio::test]
async fn refused_log_ins_are_not_connected_and_not_tried_again() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    session.batch_execute("create role limited login connection limit 0").await.expect("a role");
    let check = [
        (server.endpoint().with_database("nowhere"), SqlState::INVALID_CATALOG_NAME),
        (server.endpoint().with_user("nobody at all"), SqlState::INVALID_AUTHORIZATION_SPECIFICATION),
        (server.endpoint().with_user("limited"), SqlState::TOO_MANY_CONNECTIONS),
        (server.endpoint().with_options("-c no_such_setting=1"), SqlState::UNDEFINED_OBJECT),
    ];
    for (endpoint, state) in check {
        // With a deadline of an hour, an attempt that was repeated would hang here.
        let attempt = tokio::time::timeout(SOON, endpoint.connect_retry(Duration::from_hours(1)));
        let error = attempt.await.expect("at once").expect_err("refused");
        assert_eq!(error.sqlstate(), Some(&state), "{error:?}");
        assert_eq!(error.class(), ErrorClass::NotConnected);
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_server_that_is_starting_is_waited_for() {
    let mut server = support::server(&[]).await;
    let endpoint = server.endpoint();
    server.stop(StopMode::Immediate).await.expect("it stops");
    let waiting = tokio::spawn(async move { endpoint.connect_retry(SOON).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    server.start().await.expect("it starts");
    let session = waiting.await.expect("no panic").expect("the server comes back");
    session.query_one("select 1", &[]).await.expect("and answers");
}

#[tokio::test]
async fn a_stopped_server_is_an_error_after_the_limit() {
    let server = support::server(&[]).await;
    server.pause().expect("it is stopped");
    let limit = Duration::from_millis(50);
    let error = server.endpoint().with_connect_limit(limit).connect().await.expect_err("nobody answers");
    assert!(matches!(error.kind(), Kind::ConnectTimeout { limit_ms: 50 }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::NotConnected);
    server.resume().expect("it goes on");
}

#[tokio::test]
async fn a_statement_can_be_cancelled_from_outside() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let canceller = session.canceller();
    let cancelling = async {
        // A cancel request that comes before the statement starts does nothing, so ask until one has worked.
        loop {
            canceller.cancel().await.expect("the request is taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = session.batch_execute("select pg_sleep(600)") => assert_eq!(class_of(result), ErrorClass::Cancelled),
        () = cancelling => unreachable!("it asks for ever"),
    }
}

/// Waits until the server knows of no session with this application name.
async fn gone(server: &Cluster, name: &str) {
    let watcher = support::session(server).await;
    let count = "select count(*) from pg_stat_activity where application_name = $1";
    tokio::time::timeout(SOON, async {
        while watcher.query_one(count, &[&name]).await.expect("activity").get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the server lets the session go");
}

#[tokio::test]
async fn dropping_an_idle_session_ends_it_on_the_server() {
    let server = support::server(&[]).await;
    let endpoint = server.endpoint().with_application_name("dropped idle");
    drop(endpoint.connect().await.expect("a session"));
    gone(&server, "dropped idle").await;
    endpoint.connect().await.expect("a session").close().await;
    gone(&server, "dropped idle").await;
}

#[tokio::test]
async fn dropping_a_session_hangs_up_on_a_statement_that_never_ends() {
    let server = support::server(&[]).await;
    // The server looks at the socket while it runs a statement only when told to (PostgreSQL 14).
    let endpoint = server
        .endpoint()
        .with_application_name("dropped busy")
        .with_setting("client_connection_check_interval", "20ms");
    let session = endpoint.connect().await.expect("a session");
    let waited = tokio::time::timeout(Duration::from_millis(30), session.batch_execute("select pg_sleep(600)")).await;
    assert!(waited.is_err(), "the statement is still running");
    drop(session);
    gone(&server, "dropped busy").await;
}

#[tokio::test]
async fn settings_and_names_of_the_endpoint_reach_the_server() {
    let server = support::server(&[]).await;
    let odd = r"two words \ and 'quotes' = x";
    let endpoint = server
        .endpoint()
        .with_application_name("pgstrata test")
        .with_options("-c work_mem=4MB -c statement_timeout=1000")
        .with_setting("statement_timeout", "2000")
        .with_setting("pgstrata.odd", odd);
    let session = endpoint.connect().await.expect("a session");
    let shown = "select current_setting('application_name'), current_setting('work_mem'), \
                 current_setting('statement_timeout'), current_setting('pgstrata.odd')";
    let row = session.query_one(shown, &[]).await.expect("a row");
    let values: Vec<String> = (0..4).map(|index| row.get(index)).collect();
    assert_eq!(values, ["pgstrata test", "4MB", "2s", odd]);
}

#[tokio::test]
async fn the_backend_pid_is_that_of_the_server_process() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    let pid = session.backend_pid().await.expect("a pid");
    assert_eq!(pid, session.backend_pid().await.expect("the same again"));
    let asked: i32 = session.query_one("select pg_backend_pid()", &[]).await.expect("a row").get(0);
    assert_eq!(pid, asked);
}
