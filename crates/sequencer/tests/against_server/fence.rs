//! Two instances of one shard never both write.

use std::time::Duration;

use futures_util::future::join_all;
use pgstrata_pg::Cluster;
use pgstrata_sequencer::{Handle, Sequencer, Settings, StartError, SubmitError, Takeover};

use crate::support::{Hit, Hits, PATIENCE, assert_consistent, places, server, session, start, stored};

async fn second(server: &Cluster, takeover: Takeover) -> Result<Sequencer<Hits>, StartError> {
    let settings = Settings { takeover, instance: "the second".to_owned(), ..Settings::default() };
    Sequencer::start(server.endpoint(), Hits { writer: "second" }, settings).await
}

#[tokio::test]
async fn a_second_instance_started_by_mistake_is_refused_and_told_who_has_the_shard() {
    let server = server().await;
    let first = start(&server, Settings { instance: "the first".to_owned(), ..Settings::default() }).await;
    for takeover in [Takeover::Refuse, Takeover::Wait(Duration::from_millis(50))] {
        match second(&server, takeover).await {
            Err(error @ StartError::Held { .. }) => {
                assert!(error.to_string().contains("the first"), "{error}");
                assert!(error.hint().is_some());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first.handle().submit(Hit::new(1), None).await.expect("the first is not disturbed"), 1);
    let other_shard = Settings { shard: 1, ..Settings::default() };
    start(&server, other_shard).await.stop().await;
}

#[tokio::test]
async fn a_waiting_second_instance_starts_when_the_first_has_stopped() {
    let server = server().await;
    let first = start(&server, Settings::default()).await;
    let waiting = second(&server, Takeover::Wait(PATIENCE));
    let (second, ()) = tokio::join!(waiting, first.stop());
    assert_eq!(second.expect("a start").handle().submit(Hit::new(1), None).await.expect("an answer"), 1);
}

/// Submits keys from `from` on until an error, and gives back the accepted keys and the error.
async fn load(handle: Handle<Hits>, from: i64) -> (Vec<i64>, i64, SubmitError) {
    let mut accepted = Vec::new();
    for key in from.. {
        match handle.submit(Hit::new(key), None).await {
            Ok(answered) => accepted.push(answered),
            Err(error) => return (accepted, key, error),
        }
    }
    unreachable!("keys do not run out")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_ends_the_first_instance_under_load_and_nothing_of_it_is_written_later() {
    let server = server().await;
    let first = start(&server, Settings::default()).await;
    let clients: Vec<_> = (0..20).map(|client| tokio::spawn(load(first.handle(), client * 1_000_000))).collect();
    let watcher = session(&server).await;
    crate::support::eventually(&watcher, "select count(*) > 200 from hit").await;

    let second = second(&server, Takeover::Depose(PATIENCE)).await.expect("a take-over");
    let answers = join_all((0..100).map(|key| {
        let handle = second.handle();
        async move { handle.submit(Hit::new(-1 - key), None).await }
    }));
    assert!(answers.await.iter().all(Result::is_ok), "the second serves");

    let mut accepted = Vec::new();
    let mut certainly_not_written = Vec::new();
    for client in clients {
        let (keys, last, error) = client.await.expect("a client");
        accepted.extend(keys);
        match error {
            SubmitError::Deposed => certainly_not_written.push(last),
            // The session ended while a commit was on its way, and only a session with the epoch could have asked.
            SubmitError::Unknown => {}
            other => panic!("{other}"),
        }
    }
    let stored = stored(&watcher).await;
    assert!(accepted.iter().all(|key| stored.contains(key)), "each acknowledged request is there");
    assert!(certainly_not_written.iter().all(|key| !stored.contains(key)), "nothing of a deposed request is");
    let places = places(&watcher).await;
    assert!(places["first"].1 < places["second"].0, "the hot row saw the first only before the second: {places:?}");
    assert_consistent(&watcher).await;
}

#[tokio::test]
async fn an_idle_instance_learns_that_it_was_deposed() {
    let server = server().await;
    let first = start(&server, Settings::default()).await;
    let second = second(&server, Takeover::Depose(PATIENCE)).await.expect("a take-over");
    let answer = first.handle().submit(Hit::new(1), None).await;
    assert!(matches!(answer, Err(SubmitError::Deposed)), "{answer:?}");
    let again = first.handle().submit(Hit::new(2), None).await;
    assert!(matches!(again, Err(SubmitError::Deposed)), "{again:?}");
    assert_eq!(second.handle().submit(Hit::new(3), None).await.expect("an answer"), 3);
    assert_eq!(stored(&session(&server).await).await, [3].into());
}

/// The fence alone, without the lock and without ending the first one's session: only the epoch has moved.
#[tokio::test]
async fn the_epoch_alone_keeps_a_deposed_instance_from_writing() {
    let server = server().await;
    let first = start(&server, Settings::default()).await;
    assert_eq!(first.handle().submit(Hit::new(1), None).await.expect("an answer"), 1);
    let watcher = session(&server).await;
    watcher.batch_execute("update pgstrata_sequencer.shard set epoch = epoch + 1").await.expect("a new epoch");
    let answer = first.handle().submit(Hit::new(2), None).await;
    assert!(matches!(answer, Err(SubmitError::Deposed)), "{answer:?}");
    assert_eq!(stored(&watcher).await, [1].into());
}

/// A new epoch cannot begin in the middle of a flush: it waits for the row that the flush has locked.
#[tokio::test]
async fn a_take_over_waits_for_the_flush_that_is_under_way() {
    let server = server().await;
    let first = start(&server, Settings::default()).await;
    let blocker = session(&server).await;
    blocker.batch_execute("begin; select total from counter for update").await.expect("the hot row is locked");
    let handle = first.handle();
    let in_flush = tokio::spawn(async move { handle.submit(Hit::new(1), None).await });
    let watcher = session(&server).await;
    let waiting = "select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'";
    crate::support::eventually(&watcher, waiting).await;
    let endpoint = server.endpoint();
    let taking_over = tokio::spawn(async move {
        let settings = Settings { takeover: Takeover::Depose(PATIENCE), lock_limit: PATIENCE, ..Settings::default() };
        Sequencer::start(endpoint, Hits { writer: "second" }, settings).await
    });
    crate::support::eventually(&watcher, &waiting.replace("= 1", "= 2")).await;
    blocker.batch_execute("commit").await.expect("unlock");
    assert_eq!(in_flush.await.expect("a task").expect("the flush that was first commits"), 1);
    let second = taking_over.await.expect("a task").expect("then the take-over succeeds");
    assert_eq!(second.handle().submit(Hit::new(2), None).await.expect("an answer"), 2);
}
