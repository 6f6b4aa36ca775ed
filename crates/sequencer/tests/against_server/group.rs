//! What a healthy server and its mistakes look like: coalescing, bounds, bad requests, durability of the session.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::join_all;
use pgstrata_pg::sql::SqlState;
use pgstrata_pg::{Cluster, Error, ErrorClass, Session};
use pgstrata_sequencer::{Flush, Sequencer, Settings, SubmitError};

use crate::support::{Hit, assert_consistent, eventually, server, session, start, stored};

#[tokio::test]
async fn requests_that_wait_together_share_one_commit() {
    let server = server().await;
    let sequencer = start(&server, Settings { batch_limit: 500, ..Settings::default() }).await;
    let handle = sequencer.handle();
    // One thread: all 2,000 are queued before the worker first looks.
    let answers = join_all((0..2_000).map(|key| handle.submit(Hit::new(key), None))).await;
    for (key, answer) in (0..).zip(answers) {
        assert_eq!(answer.expect("an answer"), key, "each waiter gets its own answer");
    }
    let session = session(&server).await;
    let transactions: i64 =
        session.query_one("select count(distinct xmin::text) from hit", &[]).await.expect("a count").get(0);
    let figures = sequencer.figures();
    assert_eq!((transactions, figures.batches, figures.requests), (4, 4, 2_000));
    assert_eq!((figures.max_batch, figures.queue_peak, figures.queued), (500, 2_000, 0));
    assert_consistent(&session).await;
}

#[tokio::test]
async fn one_bad_request_fails_alone() {
    let server = server().await;
    let sequencer = start(&server, Settings::default()).await;
    let handle = sequencer.handle();
    let amount = |key| i32::from(key != 617);
    let answers = join_all((0..1_000).map(|key| handle.submit(Hit { key, amount: amount(key) }, None))).await;
    for (key, answer) in (0..).zip(answers) {
        match answer {
            Ok(answered) => assert_eq!(answered, key),
            Err(SubmitError::Refused(error)) => {
                assert_eq!(key, 617, "only the bad one is refused");
                assert_eq!(error.sqlstate(), Some(&SqlState::CHECK_VIOLATION));
            }
            Err(other) => panic!("request {key}: {other}"),
        }
    }
    let figures = sequencer.figures();
    assert_eq!((figures.refused, figures.requests), (1, 999));
    assert!(figures.splits <= 10, "log2(1000) cuts, not {}", figures.splits);
    let session = session(&server).await;
    assert_eq!(stored(&session).await, (0..1_000).filter(|key| *key != 617).collect());
    assert_consistent(&session).await;
}

#[tokio::test]
async fn the_search_for_bad_requests_is_bounded() {
    let server = server().await;
    let sequencer = start(&server, Settings { isolation_limit: 5, ..Settings::default() }).await;
    let handle = sequencer.handle();
    let answers = join_all((0..1_000).map(|key| handle.submit(Hit { key, amount: 0 }, None))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(SubmitError::Refused(_)))));
    let figures = sequencer.figures();
    assert_eq!((figures.refused, figures.splits, figures.batches), (1_000, 5, 0));
    assert_eq!(handle.submit(Hit::new(1), None).await.expect("a good one afterwards"), 1);
}

#[tokio::test]
async fn a_full_queue_turns_requests_away_with_advice() {
    let server = server().await;
    let sequencer = start(&server, Settings { queue_limit: 10, ..Settings::default() }).await;
    let handle = sequencer.handle();
    let answers = join_all((0..12).map(|key| handle.submit(Hit::new(key), None))).await;
    let full = answers.iter().filter(|answer| match answer {
        Err(SubmitError::QueueFull { retry_after }) => *retry_after > Duration::ZERO,
        _ => false,
    });
    assert_eq!(full.count(), 2);
    assert!(answers[..10].iter().all(Result::is_ok), "the first ten were in time");
    assert_eq!(stored(&session(&server).await).await, (0..10).collect());
}

#[tokio::test]
async fn a_deadline_ends_the_wait_of_a_queued_request_but_not_of_one_in_a_flush() {
    let server = server().await;
    let sequencer = start(&server, Settings::default()).await;
    let handle = sequencer.handle();
    let other = session(&server).await;
    other.batch_execute("begin; select total from counter for update").await.expect("the hot row is locked");
    let soon = Instant::now() + Duration::from_millis(300);
    let in_flush = tokio::spawn({
        let handle = handle.clone();
        async move { handle.submit(Hit::new(1), Some(soon)).await }
    });
    let watcher = session(&server).await;
    eventually(&watcher, "select exists (select from pg_locks where not granted)").await;
    // The flush hangs on the lock, so this one stays in the queue until its time is over.
    let queued = handle.submit(Hit::new(2), Some(soon)).await;
    assert!(matches!(queued, Err(SubmitError::DeadlinePassed)), "{queued:?}");
    let late = handle.submit(Hit::new(3), Some(Instant::now())).await;
    assert!(matches!(late, Err(SubmitError::DeadlinePassed)), "{late:?}");
    other.batch_execute("commit").await.expect("unlock");
    assert_eq!(in_flush.await.expect("the task").expect("an answer"), 1);
    assert_eq!(stored(&watcher).await, [1].into());
    assert_eq!(sequencer.figures().expired, 2);
}

#[tokio::test]
async fn no_work_is_done_for_a_client_that_is_gone() {
    let server = server().await;
    let sequencer = start(&server, Settings::default()).await;
    let handle = sequencer.handle();
    {
        let mut gone = Box::pin(handle.submit(Hit::new(1), None));
        assert!((&mut gone).now_or_never().is_none(), "queued");
    }
    assert_eq!(handle.submit(Hit::new(2), None).await.expect("an answer"), 2);
    assert_eq!(stored(&session(&server).await).await, [2].into());
    assert_eq!(sequencer.figures().abandoned, 1);
}

#[tokio::test]
async fn a_flush_that_cannot_get_a_lock_is_tried_again_and_then_refused() {
    let server = server().await;
    let settings = Settings { lock_limit: Duration::from_millis(20), attempt_limit: 3, ..Settings::default() };
    let sequencer = start(&server, settings).await;
    let other = session(&server).await;
    other.batch_execute("begin; select total from counter for update").await.expect("the hot row is locked");
    match sequencer.handle().submit(Hit::new(1), None).await {
        Err(SubmitError::Refused(error)) => assert_eq!(error.class(), ErrorClass::LockTimeout),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(sequencer.figures().retries, 2, "three attempts");
    other.batch_execute("commit").await.expect("unlock");
    assert_eq!(sequencer.handle().submit(Hit::new(2), None).await.expect("an answer"), 2);
    assert_eq!(stored(&other).await, [2].into());
}

#[tokio::test]
async fn stopping_flushes_what_is_queued_and_gives_the_shard_back() {
    let server = server().await;
    let sequencer = start(&server, Settings { batch_limit: 10, ..Settings::default() }).await;
    let handle = sequencer.handle();
    let mut waiting = Box::pin(join_all((0..100).map(|key| handle.submit(Hit::new(key), None))));
    assert!((&mut waiting).now_or_never().is_none(), "queued");
    sequencer.stop().await;
    assert!(waiting.await.iter().all(Result::is_ok));
    let late = handle.submit(Hit::new(100), None).await;
    assert!(matches!(late, Err(SubmitError::Stopped)), "{late:?}");
    assert_eq!(stored(&session(&server).await).await, (0..100).collect());
    start(&server, Settings::default()).await.stop().await;
}

#[tokio::test]
async fn dropping_a_sequencer_answers_everybody() {
    let server = server().await;
    let sequencer = start(&server, Settings::default()).await;
    let handle = sequencer.handle();
    let mut waiting = Box::pin(join_all((0..100).map(|key| handle.submit(Hit::new(key), None))));
    assert!((&mut waiting).now_or_never().is_none(), "queued");
    drop(sequencer);
    assert!(waiting.await.iter().all(|answer| matches!(answer, Err(SubmitError::Stopped))));
    assert!(stored(&session(&server).await).await.is_empty());
}

/// Answers with what the server says about the transaction it is called in, or misbehaves.
struct Probe(Probing);

#[derive(Clone, Copy)]
enum Probing {
    /// Whether the fence's row was written by this very transaction.
    Fence,
    /// Turns `synchronous_commit` off for its transaction; a deferred trigger notes the setting at the commit.
    Setting,
    /// Swallows an error, which leaves the transaction failed.
    Swallow,
    /// Gives no answers.
    Forget,
}

#[async_trait]
impl Flush for Probe {
    type Request = ();
    type Answer = bool;
    type Prepared = ();

    async fn prepare(&self, _session: &Session) -> Result<(), Error> {
        Ok(())
    }

    async fn flush(&self, session: &Session, (): &(), batch: &[()]) -> Result<Vec<bool>, Error> {
        let answer = match self.0 {
            Probing::Fence => {
                let query = "select xmin::text = pg_current_xact_id()::xid::text from pgstrata_sequencer.shard";
                session.query_one(query, &[]).await?.get(0)
            }
            Probing::Setting => {
                session.batch_execute("set local synchronous_commit = off; insert into noted values (null)").await?;
                true
            }
            Probing::Swallow => session.batch_execute("select 1 / 0").await.is_ok(),
            Probing::Forget => return Ok(Vec::new()),
        };
        Ok(vec![answer; batch.len()])
    }
}

async fn probe(server: &Cluster, probing: Probing) -> (Sequencer<Probe>, Result<bool, SubmitError>) {
    let sequencer = Sequencer::start(server.endpoint(), Probe(probing), Settings::default()).await.expect("a start");
    let answer = sequencer.handle().submit((), None).await;
    (sequencer, answer)
}

#[tokio::test]
async fn the_statement_runs_in_the_transaction_that_the_fence_opened() {
    let server = server().await;
    assert!(probe(&server, Probing::Fence).await.1.expect("an answer"), "pipelined in order");
}

#[tokio::test]
async fn commits_are_synchronous_whatever_the_defaults_and_the_flush_say() {
    let server = server().await;
    let session = session(&server).await;
    session
        .batch_execute(
            "alter database postgres set synchronous_commit = off;
            create table noted (setting text);
            create function note() returns trigger language plpgsql as
            $$ begin update noted set setting = current_setting('synchronous_commit'); return null; end $$;
            create constraint trigger at_commit after insert on noted
            deferrable initially deferred for each row execute function note()",
        )
        .await
        .expect("a schema");
    let (sequencer, answer) = probe(&server, Probing::Setting).await;
    assert!(answer.expect("an answer"));
    assert_eq!(sequencer.durability().synchronous_commit, "on");
    assert_eq!(sequencer.durability().fsync, "off", "the test server's own; the library says so");
    let noted: String = session.query_one("select setting from noted", &[]).await.expect("a row").get(0);
    assert_eq!(noted, "on", "at the commit itself");
}

#[tokio::test]
async fn a_flush_that_swallows_an_error_is_not_acknowledged() {
    let server = server().await;
    let (_sequencer, answer) = probe(&server, Probing::Swallow).await;
    match answer {
        Err(SubmitError::Refused(error)) => assert_eq!(error.sqlstate(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION)),
        answer => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_flush_with_a_wrong_number_of_answers_ends_the_sequencer() {
    let server = server().await;
    let (sequencer, answer) = probe(&server, Probing::Forget).await;
    assert!(matches!(answer, Err(SubmitError::Unknown)), "{answer:?}");
    let later = sequencer.handle().submit((), None).await;
    assert!(matches!(later, Err(SubmitError::Stopped)), "{later:?}");
}
