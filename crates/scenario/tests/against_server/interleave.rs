//! Orders of turns on a real server, judged in place: who is passed over while waiting, who runs again, what is serial.

use std::time::Duration;

use pgstrata_pg::{Cluster, testing};
use pgstrata_scenario::interleave::{Event, Interleaved, Retries, Rules, interleave};
use pgstrata_scenario::serial::{Judge, Judgement, Tables};
use pgstrata_scenario::session::{Seat, Sessions};
use pgstrata_scenario::spec::{SessionScript, Spec, Step};

/// Long enough for anything a working server does at once, on a busy machine.
const SOON: Duration = Duration::from_mins(1);

/// Two sessions that each read one row and write the other one.
fn spec(level: &str, read: &str) -> Spec {
    let session = |name: &str, reads: u8, writes: u8| {
        let sql = [
            format!("begin isolation level {level}; select v from t where id = {reads}{read}"),
            format!("update t set v = v + 1 where id = {writes}"),
            "commit".to_owned(),
        ];
        let steps = sql.into_iter().enumerate().map(|(place, sql)| Step {
            name: format!("{name}.{place}"),
            sql,
            ..Step::default()
        });
        SessionScript { name: name.to_owned(), setup: None, steps: steps.collect(), teardown: None }
    };
    Spec {
        setups: vec!["delete from t; insert into t values (1, 0), (2, 0)".to_owned()],
        teardown: None,
        sessions: vec![session("T1", 1, 2), session("T2", 2, 1)],
        permutations: Vec::new(),
        unused_steps: Vec::new(),
    }
}

/// Plays the steps in turn and judges them.
async fn check(server: &Cluster, spec: &Spec, retries: Retries) -> (Interleaved, Judgement, Vec<String>) {
    let sessions = Sessions::open(&server.endpoint(), "turns", &spec.session_names()).await.expect("sessions");
    let tables = Tables::of_schema(sessions.watcher(), "public").await.expect("the tables");
    let mut judge = Judge::in_place(spec, sessions, tables.clone());
    let turns = [0, 1, 0, 1, 0, 1].map(Seat);
    let mut heard = Vec::new();
    let mut on = |event: Event<'_>| {
        heard.push(match event {
            Event::Began(step) => format!("{}.{}", step.session.0, step.place),
            Event::Waits(step, blockers) => format!("{} waits for {:?}", step.session.0, blockers),
            Event::Answered(..) => return,
            Event::Again(seat) => format!("{} again", seat.0),
        });
    };
    let sessions = judge.sessions().as_mut().expect("sessions");
    let played = interleave(spec, sessions, &turns, Rules { step: SOON, retries }, &mut on).await.expect("a play");
    let contents = tables.read(sessions, SOON).await.expect("an answer");
    let judgement = judge.judge(&played.performed, contents).await.expect("a judgement");
    judge.sessions().take().expect("sessions").close().await;
    (played, judgement, heard)
}

#[tokio::test]
async fn a_write_skew_is_convicted_in_place_and_a_serializable_pair_runs_again_and_is_serial() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let session = server.endpoint().connect().await.expect("a session");
    session.batch_execute("create table t (id int primary key, v int)").await.expect("a table");

    let (played, judgement, _) = check(&server, &spec("repeatable read", ""), Retries::None).await;
    assert_eq!(played.committed, [Seat(0), Seat(1)]);
    assert!(judgement.is_conviction(), "{judgement:?}");

    let (played, judgement, heard) = check(&server, &spec("serializable", ""), Retries::Once).await;
    let [failure] = played.failures.as_slice() else { panic!("one of them fails: {:?}", played.failures) };
    assert_eq!((failure.error.sqlstate.as_str(), failure.retried), ("40001", true));
    assert!(heard.iter().any(|word| word.ends_with("again")), "{heard:?}");
    assert_eq!(played.committed, [Seat(0), Seat(1)]);
    assert!(matches!(judgement, Judgement::Serializable { .. }), "{judgement:?}");

    // Without the second run the other one has committed alone.
    let (played, judgement, _) = check(&server, &spec("serializable", ""), Retries::None).await;
    assert_eq!(played.committed.len(), 1);
    assert!(matches!(judgement, Judgement::Serializable { .. }), "{judgement:?}");
}

#[tokio::test]
async fn a_session_that_waits_is_passed_over_and_a_deadlock_is_waited_out() {
    let server = testing::server().await.expect("install PostgreSQL to run these tests");
    let session = server.endpoint().connect().await.expect("a session");
    session.batch_execute("create table t (id int primary key, v int)").await.expect("a table");
    let (played, judgement, heard) = check(&server, &spec("read committed", " for update"), Retries::Once).await;
    assert!(heard.iter().any(|word| word.contains("waits for")), "{heard:?}");
    let [failure] = played.failures.as_slice() else { panic!("one of them fails: {:?}", played.failures) };
    assert_eq!((failure.error.sqlstate.as_str(), failure.retried), ("40P01", true));
    assert!(matches!(judgement, Judgement::Serializable { .. }), "{judgement:?}");
}
