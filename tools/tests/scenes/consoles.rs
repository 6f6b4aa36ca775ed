//! Consoles by hand: states, waiting, cancelling, limits, and saving what was done.

use std::time::Duration;

use pgstrata_pg::simple::Keep;
use pgstrata_scenario::language::{Scenario, What};
use pgstrata_scenario::{play::Stage, run};
use pgstrata_tools::mvcc::consoles::{ConsoleError, ConsoleState, Consoles, Limits, Setting, Statement};
use pgstrata_units::Isolation;

use crate::support::{server, session};

const SOON: Duration = Duration::from_mins(1);
const SETTING: Setting<'static> =
    Setting { name: "by-hand", about: "what was done", setup: "", level: Isolation::ReadCommitted };

/// Runs a text, and returns when it has ended or waits.
async fn run(consoles: &Consoles, name: &str, sql: &str) -> Statement {
    let sent = consoles.run(name, sql).await.expect("sent");
    consoles.settled(name, sent.number, SOON).await.expect("a statement")
}

fn state(consoles: &Consoles, name: &str) -> ConsoleState {
    consoles.console(name).expect("a console").state()
}

#[tokio::test]
async fn consoles_tell_how_they_stand_and_whom_they_wait_for() {
    let server = server().await;
    let consoles = Consoles::new(server.endpoint(), Limits::default());
    for name in ["T1", "第二"] {
        consoles.open(name).await.expect("a console");
    }
    assert_eq!(state(&consoles, "T1"), ConsoleState::Idle);
    run(&consoles, "T1", "create table t (id int primary key, v int); insert into t values (1, 0)").await;
    run(&consoles, "T1", "begin; update t set v = 1").await;
    assert_eq!(state(&consoles, "T1"), ConsoleState::InTransaction);
    let waiting = run(&consoles, "第二", "update t set v = v + 10").await;
    assert_eq!(waiting.waits_for, [consoles.console("T1").expect("a console").pid]);
    assert_eq!(state(&consoles, "第二"), ConsoleState::Waiting);
    let busy = consoles.run("第二", "select 1").await.expect_err("it waits");
    assert!(matches!(busy, ConsoleError::Busy { .. }), "{busy}");

    run(&consoles, "T1", "commit").await;
    let answered = consoles.ended("第二", waiting.number, SOON).await.expect("a statement");
    assert_eq!(answered.answers[0].tag, "UPDATE 1");
    assert!(answered.has_waited && answered.waits_for.is_empty());
    let failed = run(&consoles, "T1", "begin; select 1/0; select 2").await;
    assert_eq!((failed.answers.len(), failed.error.expect("an error").sqlstate.as_str()), (1, "22012"));
    assert_eq!(state(&consoles, "T1"), ConsoleState::Failed);
    run(&consoles, "T1", "rollback").await;
    assert_eq!(state(&consoles, "T1"), ConsoleState::Idle);

    let text = consoles.scenario(&SETTING).expect("a scenario");
    let scenario = Scenario::parse_file(&text).expect("a scenario").remove(0);
    assert_eq!(scenario.sessions(), ["T1", "T2"], "{text}");
    let outcomes: Vec<&What> = scenario.steps().flat_map(|step| &step.outcomes).map(|outcome| &outcome.what).collect();
    assert!(outcomes.contains(&&What::Blocks) && text.contains("T2: resumes\n  -> 1 row"), "{text}");
    consoles.close_all().await;
    session(&server).await.batch_execute("drop table t").await.expect("nobody holds it");

    let stage = Stage::new(&server.endpoint());
    let version = server.install().version;
    let outcome = run::run(&stage, &scenario, version, &[Isolation::ReadCommitted]).await.expect("played");
    assert!(!outcome.has_complaints(), "{outcome:?}\n{text}");
}

#[tokio::test]
async fn a_statement_that_waits_can_be_cancelled_and_a_console_that_waits_can_be_closed() {
    let server = server().await;
    let consoles = Consoles::new(server.endpoint(), Limits::default());
    for name in ["holds", "waits", "closed"] {
        consoles.open(name).await.expect("a console");
    }
    run(&consoles, "holds", "create table t (id int)").await;
    run(&consoles, "holds", "begin; lock table t").await;
    let waiting = run(&consoles, "waits", "select * from t").await;
    run(&consoles, "closed", "begin; select 1; select * from t").await;
    consoles.cancel("waits").await.expect("asked");
    let cancelled = consoles.ended("waits", waiting.number, SOON).await.expect("a statement");
    assert_eq!(cancelled.error.expect("an error").sqlstate, "57014");
    consoles.close("closed").await.expect("closed");
    assert!(matches!(consoles.console("closed"), Err(ConsoleError::Unknown { .. })));
    run(&consoles, "holds", "rollback").await;
    assert_eq!(run(&consoles, "waits", "select * from t").await.answers[0].tag, "SELECT 0");
    consoles.close_all().await;
}

#[tokio::test]
async fn big_answers_are_cut_and_said_to_be_cut() {
    let server = server().await;
    let limits = Limits { consoles: 1, keep: Keep { rows: 3, value_bytes: 10 }, ..Limits::default() };
    let consoles = Consoles::new(server.endpoint(), limits);
    consoles.open("T1").await.expect("a console");
    let many = run(&consoles, "T1", "select repeat('复', 9), n from generate_series(1, 100000) n").await;
    let answer = &many.answers[0];
    assert_eq!((answer.rows.len(), answer.left_out), (3, 99_997));
    assert_eq!(answer.rows[0][0].as_deref(), Some("复复复…"));
    let too_many = consoles.open("T2").await.expect_err("one is all");
    assert!(matches!(too_many, ConsoleError::TooMany { most: 1 }), "{too_many}");
    for (sql, is_expected) in [(" ; ", true), ("select '\0'", true)] {
        assert_eq!(consoles.run("T1", sql).await.is_err(), is_expected, "{sql}");
    }
    for name in ["", "a\nb", &"x".repeat(41), "T1"] {
        assert!(consoles.open(name).await.is_err(), "{name:?}");
    }
    consoles.close_all().await;
}

#[tokio::test]
async fn a_lost_connection_is_told_and_consoles_that_are_dropped_end_their_sessions() {
    let server = server().await;
    let watcher = session(&server).await;
    let consoles = Consoles::new(server.endpoint(), Limits::default());
    let mut events = consoles.subscribe();
    let console = consoles.open("doomed").await.expect("a console");
    consoles.open("other").await.expect("a console");
    let sent = consoles.run("doomed", "select pg_sleep(600)").await.expect("sent");
    watcher.query("select pg_terminate_backend($1)", &[&console.pid]).await.expect("asked");
    let ended = consoles.ended("doomed", sent.number, SOON).await.expect("a statement");
    assert_eq!(ended.error.expect("an error").sqlstate, "57P01");
    // The hanging up follows the last words.
    for _ in 0..500 {
        if state(&consoles, "doomed") == ConsoleState::Lost {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = consoles.run("doomed", "select 1").await.expect_err("it is gone");
    assert!(matches!(refused, ConsoleError::Lost { .. }), "{refused}");
    assert!(refused.hint().is_some());
    let first = events.recv().await.expect("an event");
    assert_eq!((first.console.as_str(), first.statement.sql.as_str()), ("doomed", "select pg_sleep(600)"));

    drop(consoles);
    for _ in 0..500 {
        let row =
            watcher.query_one("select count(*) from pg_stat_activity where application_name = 'other'", &[]).await;
        if row.expect("a count").get::<_, i64>(0) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the session goes on");
}
