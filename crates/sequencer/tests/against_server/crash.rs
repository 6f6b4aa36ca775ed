//! Lost sessions and killed servers: everybody is answered, and every answer is true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Cluster, Error, Session};
use pgstrata_sequencer::{Flush, Handle, Sequencer, Settings, SubmitError};

use crate::support::{
    Hit, Hits, PATIENCE, assert_consistent, eventually, restart, server, server_with, session, start, stored, until,
};

/// What clients were told, by key.
#[derive(Default)]
struct Told {
    accepted: Vec<i64>,
    not_written: Vec<(i64, SubmitError)>,
    unknown: Vec<i64>,
}

/// Clients that submit fresh keys until they are told to end.
struct Clients {
    tasks: Vec<tokio::task::JoinHandle<Told>>,
    ending: Arc<AtomicBool>,
}

impl Clients {
    fn start(handle: &Handle<Hits>, count: usize) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicI64::new(0));
        let tasks = (0..count).map(|_| {
            let (handle, ending, next) = (handle.clone(), Arc::clone(&ending), Arc::clone(&next));
            tokio::spawn(async move {
                let mut told = Told::default();
                while !ending.load(Ordering::Relaxed) {
                    let key = next.fetch_add(1, Ordering::Relaxed);
                    match handle.submit(Hit::new(key), None).await {
                        Ok(answered) => told.accepted.push(answered),
                        Err(SubmitError::Unknown) => told.unknown.push(key),
                        Err(SubmitError::Stopped) => break,
                        Err(error) => told.not_written.push((key, error)),
                    }
                }
                told
            })
        });
        Self { tasks: tasks.collect(), ending }
    }

    /// Ends them; that this returns is the proof that nobody was left without an answer.
    async fn end(self) -> Told {
        self.ending.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        for task in self.tasks {
            let told = tokio::time::timeout(PATIENCE, task).await.expect("each waiter is answered").expect("a client");
            all.accepted.extend(told.accepted);
            all.not_written.extend(told.not_written);
            all.unknown.extend(told.unknown);
        }
        all
    }
}

async fn assert_true(server: &Cluster, told: &Told) {
    let session = session(server).await;
    let stored = stored(&session).await;
    let lost: Vec<_> = told.accepted.iter().filter(|key| !stored.contains(key)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let ghosts: Vec<_> = told.not_written.iter().filter(|(key, _)| stored.contains(key)).collect();
    assert!(ghosts.is_empty(), "written although told otherwise: {ghosts:?}");
    let unexplained = stored.len() - told.accepted.len();
    assert!(unexplained <= told.unknown.len(), "what is stored was accepted or unknown");
    assert_consistent(&session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_loses_no_acknowledged_request_and_leaves_nobody_waiting() {
    let mut server = server().await;
    let sequencer = start(&server, Settings { reconnect_limit: PATIENCE, ..Settings::default() }).await;
    let clients = Clients::start(&sequencer.handle(), 50);
    for kill in 1..=8 {
        let watcher = session(&server).await;
        let before: i64 = watcher.query_one("select total from counter", &[]).await.expect("a count").get(0);
        let progress = format!("select total > {before} + 37 * {kill} from counter");
        eventually(&watcher, &progress).await;
        drop(watcher);
        restart(&mut server).await;
    }
    let watcher = session(&server).await;
    let before = sequencer.figures().requests;
    eventually(&watcher, &format!("select count(*) > {before} from hit")).await;
    let told = clients.end().await;
    assert_true(&server, &told).await;
    assert!(
        told.not_written.is_empty(),
        "a crash shorter than reconnect_limit is only a delay: {:?}",
        told.not_written
    );
    assert!(told.unknown.is_empty(), "and each commit in doubt was resolved: {:?}", told.unknown);
    assert_eq!(sequencer.figures().reconnects, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_the_session_is_only_a_delay() {
    let server = server().await;
    let sequencer = start(&server, Settings { attempt_limit: 100, ..Settings::default() }).await;
    let clients = Clients::start(&sequencer.handle(), 20);
    let watcher = session(&server).await;
    for round in 1..=30 {
        eventually(
            &watcher,
            "select count(pg_terminate_backend(pid)) > 0 from pg_stat_activity where application_name like 'pgstrata seq%'",
        )
        .await;
        // What was written before the end may be counted after it, so that progress alone does not tell that it was noticed.
        until("the session is open again", || sequencer.figures().reconnects >= round).await;
        let progress = format!("select count(*) > {} from hit", sequencer.figures().requests + round);
        eventually(&watcher, &progress).await;
    }
    let told = clients.end().await;
    assert_true(&server, &told).await;
    assert!(told.not_written.is_empty(), "{:?}", told.not_written);
    assert!(told.unknown.is_empty(), "{:?}", told.unknown);
    assert!(sequencer.figures().reconnects >= 30, "{:?}", sequencer.figures());
}

/// Whether a commit waits for a standby.
const STANDBY_IS_WAITED_FOR: &str = "select exists (select from pg_stat_activity where wait_event = 'SyncRep')";

async fn waits_for_a_standby(watcher: &Session) -> bool {
    watcher.query_one(STANDBY_IS_WAITED_FOR, &[]).await.expect("an answer").get(0)
}

/// Makes a commit hang after it is written and before it is answered: it waits for a standby that does not exist.
#[tokio::test]
async fn a_commit_that_went_through_without_an_answer_is_answered_after_reconnection() {
    let server = server().await;
    let sequencer = start(&server, Settings::default()).await;
    let watcher = session(&server).await;
    let reload = "select pg_reload_conf()";
    watcher.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.expect("a setting");
    watcher.batch_execute(reload).await.expect("a reload");
    let handle = sequencer.handle();
    let submitted = loop {
        // Until the setting has reached the session, commits go through.
        let key = i64::try_from(sequencer.figures().batches).expect("small");
        let handle = handle.clone();
        let submitted = tokio::spawn(async move { (key, handle.submit(Hit::new(key), None).await) });
        while !submitted.is_finished() && !waits_for_a_standby(&watcher).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if !submitted.is_finished() {
            break submitted;
        }
    };
    eventually(&watcher, STANDBY_IS_WAITED_FOR).await;
    watcher
        .batch_execute("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        .await
        .expect("a termination");
    watcher.batch_execute("alter system reset synchronous_standby_names").await.expect("a setting");
    watcher.batch_execute(reload).await.expect("a reload");
    let (key, answer) = submitted.await.expect("a task");
    assert_eq!(answer.expect("an answer, not Unknown"), key);
    let figures = sequencer.figures();
    assert_eq!((figures.resolved, i64::try_from(figures.batches)), (1, Ok(key)), "answered without doing it again");
    assert!(stored(&watcher).await.contains(&key));
    assert_consistent(&watcher).await;
}

/// A deferred trigger ends the session inside the first commit, before it is written.
#[tokio::test]
async fn a_commit_that_did_not_go_through_is_found_out_and_done_again() {
    let server = server().await;
    let watcher = session(&server).await;
    watcher
        .batch_execute(
            "create sequence commits;
            create function die_once() returns trigger language plpgsql as $$
            begin
                if nextval('commits') = 1 then
                    perform pg_terminate_backend(pg_backend_pid());
                    perform pg_sleep(60);
                end if;
                return null;
            end $$;
            create constraint trigger at_commit after insert on hit
            deferrable initially deferred for each row execute function die_once()",
        )
        .await
        .expect("a schema");
    let sequencer = start(&server, Settings::default()).await;
    assert_eq!(sequencer.handle().submit(Hit::new(1), None).await.expect("an answer"), 1);
    let figures = sequencer.figures();
    assert_eq!((figures.resolved, figures.reconnects, figures.requests), (1, 1, 1));
    assert_eq!(stored(&watcher).await, [1].into());
    assert_consistent(&watcher).await;
}

#[tokio::test]
async fn requests_that_kill_their_server_process_each_time_are_refused_in_the_end() {
    let server = server().await;
    let watcher = session(&server).await;
    watcher
        .batch_execute(
            "create function die() returns trigger language plpgsql as $$
            begin
                perform pg_terminate_backend(pg_backend_pid());
                perform pg_sleep(60);
                return null;
            end $$;
            create trigger at_insert before insert on hit for each row when (new.key = 13) execute function die()",
        )
        .await
        .expect("a schema");
    let sequencer = start(&server, Settings::default()).await;
    let answer = sequencer.handle().submit(Hit::new(13), None).await;
    assert!(matches!(answer, Err(SubmitError::Refused(_))), "{answer:?}");
    assert_eq!(sequencer.handle().submit(Hit::new(14), None).await.expect("an answer"), 14);
    assert_eq!(stored(&watcher).await, [14].into());
}

#[tokio::test]
async fn a_server_that_stays_away_is_said_to_be_unreachable_until_it_is_back() {
    let mut server = server().await;
    let sequencer =
        start(&server, Settings { reconnect_limit: Duration::from_millis(300), ..Settings::default() }).await;
    let handle = sequencer.handle();
    server.crash().await.expect("a crash");
    let short = handle.submit(Hit::new(1), Some(Instant::now() + Duration::from_millis(50))).await;
    assert!(matches!(short, Err(SubmitError::DeadlinePassed)), "{short:?}");
    let patient = handle.submit(Hit::new(2), None).await;
    assert!(matches!(patient, Err(SubmitError::Unreachable)), "{patient:?}");
    let refused = handle.submit(Hit::new(3), None).await;
    assert!(matches!(refused, Err(SubmitError::Unreachable)), "{refused:?}");
    server.start().await.expect("a start");
    let answer = loop {
        match handle.submit(Hit::new(4), None).await {
            Err(SubmitError::Unreachable) => tokio::time::sleep(Duration::from_millis(10)).await,
            answer => break answer,
        }
    };
    assert_eq!(answer.expect("an answer"), 4);
    assert_eq!(stored(&session(&server).await).await, [4].into());
}

/// The server hangs in the middle of a flush, as a machine does; its client must not.
#[tokio::test]
async fn a_server_that_hangs_counts_as_lost_after_the_flush_limit() {
    let server = server().await;
    let settings = Settings {
        flush_limit: Duration::from_millis(300),
        reconnect_limit: Duration::from_millis(300),
        ..Settings::default()
    };
    let sequencer = start(&server, settings).await;
    let handle = sequencer.handle();
    assert_eq!(handle.submit(Hit::new(1), None).await.expect("an answer"), 1);
    server.pause_all().expect("a pause");
    let answer = tokio::time::timeout(PATIENCE, handle.submit(Hit::new(2), None)).await.expect("an answer in time");
    assert!(matches!(answer, Err(SubmitError::Unreachable)), "nothing had been committed: {answer:?}");
    server.resume_all().expect("a resumption");
    let answer = loop {
        match handle.submit(Hit::new(3), None).await {
            Err(SubmitError::Unreachable) => tokio::time::sleep(Duration::from_millis(10)).await,
            answer => break answer,
        }
    };
    assert_eq!(answer.expect("an answer"), 3);
    assert_eq!(stored(&session(&server).await).await, [1, 3].into(), "the session that hung has written nothing");
}

/// With a deadline the wait for a commit in doubt ends too.
#[tokio::test]
async fn a_commit_in_doubt_is_unknown_when_its_deadline_passes_first() {
    let mut server = server_with(&[("synchronous_standby_names", "nobody")]).await;
    let setting_up = session(&server).await;
    setting_up.batch_execute("alter system set synchronous_standby_names = ''").await.expect("a setting");
    setting_up.batch_execute("select pg_reload_conf()").await.expect("a reload");
    let sequencer = start(&server, Settings { reconnect_limit: PATIENCE, ..Settings::default() }).await;
    setting_up.batch_execute("alter system reset synchronous_standby_names").await.expect("a setting");
    setting_up.batch_execute("select pg_reload_conf()").await.expect("a reload");
    let handle = sequencer.handle();
    let submitted = tokio::spawn(async move {
        // Commits go through until the setting has reached the session.
        for key in 1.. {
            let deadline = Instant::now() + Duration::from_millis(500);
            match handle.submit(Hit::new(key), Some(deadline)).await {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        unreachable!("keys do not run out")
    });
    eventually(&setting_up, "select exists (select from pg_stat_activity where wait_event = 'SyncRep')").await;
    server.crash().await.expect("a crash");
    let error = submitted.await.expect("a task");
    assert!(matches!(error, SubmitError::Unknown), "{error}");
    assert_eq!(sequencer.figures().unknowns, 1);
}

/// Hits whose preparation fails once, after the new epoch has begun.
struct Unprepared {
    hits: Hits,
    prepared: AtomicI64,
}

#[async_trait]
impl Flush for Unprepared {
    type Request = Hit;
    type Answer = i64;
    type Prepared = Statement;

    async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
        if self.prepared.fetch_add(1, Ordering::Relaxed) == 1 {
            session.batch_execute("select pg_terminate_backend(pg_backend_pid())").await?;
        }
        self.hits.prepare(session).await
    }

    async fn flush(&self, session: &Session, prepared: &Statement, batch: &[Hit]) -> Result<Vec<i64>, Error> {
        self.hits.flush(session, prepared, batch).await
    }
}

#[tokio::test]
async fn a_reconnection_that_breaks_halfway_does_not_depose_its_own_instance() {
    let server = server().await;
    let flush = Unprepared { hits: Hits { writer: "first" }, prepared: AtomicI64::new(0) };
    let sequencer = Sequencer::start(server.endpoint(), flush, Settings::default()).await.expect("a start");
    let watcher = session(&server).await;
    watcher
        .batch_execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgstrata seq%'",
        )
        .await
        .expect("a termination");
    assert_eq!(sequencer.handle().submit(Hit::new(1), None).await.expect("an answer"), 1);
    let epoch: i64 = watcher.query_one("select epoch from pgstrata_sequencer.shard", &[]).await.expect("a row").get(0);
    assert_eq!(epoch, sequencer.first_epoch() + 2, "one for each reconnection, the broken one too");
}
