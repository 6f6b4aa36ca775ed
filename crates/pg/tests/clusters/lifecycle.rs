//! Starting, stopping, crashing and dropping.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Cluster, ErrorClass, Kind, StopMode, testing};

use crate::support::{
    LIMIT, alive, directories_of, dirs_in, durable, fast, homes_in, open_directory, processes_of, segments_of,
    system_v_segments_of, text, wait_for_text, wait_until,
};

#[tokio::test]
async fn committed_rows_survive_stop_crash_and_restart() {
    let mut cluster = Cluster::create(durable()).await.expect("a durable server");
    let endpoint = cluster.endpoint();
    let session = endpoint.connect().await.expect("connect");
    session.batch_execute("create table kept (how text); insert into kept values ('first')").await.expect("fill");
    session.close().await;
    for mode in [StopMode::Fast, StopMode::Smart, StopMode::Immediate] {
        cluster.stop(mode).await.expect("stops");
        assert_eq!(cluster.postmaster(), None);
        cluster.stop(mode).await.expect("stopping a stopped server changes nothing");
        cluster.start().await.expect("starts again");
        cluster.start().await.expect("starting a running server changes nothing");
        let session = endpoint.connect().await.expect("the endpoint is still the same");
        session.execute("insert into kept values ($1)", &[&format!("{mode:?}")]).await.expect("insert");
        session.close().await;
    }
    for _ in 0..3 {
        let session = endpoint.connect().await.expect("connect");
        session.batch_execute("insert into kept values ('acknowledged')").await.expect("insert");
        cluster.crash().await.expect("crashes");
        cluster.start().await.expect("starts again right after the crash");
    }
    assert_eq!(text(&endpoint, "select count(*)::text from kept").await, "7");
}

#[tokio::test]
async fn a_crash_leaves_no_process_even_when_a_backend_is_busy() {
    let mut cluster = testing::server().await.expect("a server");
    let busy = cluster.endpoint().connect().await.expect("connect");
    let backend = busy.backend_pid().await.expect("a backend");
    let work = tokio::spawn(async move { busy.batch_execute("select count(*) from generate_series(1, 1e12)").await });
    let state = format!("select state from pg_stat_activity where pid = {backend}");
    wait_for_text(&cluster.endpoint(), &state, "active").await;
    let processes = processes_of(&cluster);
    assert!(processes.contains(&backend), "{processes:?}");

    cluster.crash().await.expect("crashes");

    assert_eq!(alive(&processes), Vec::<i32>::new());
    let error = pgstrata_pg::Error::from(work.await.expect("joins").expect_err("its connection is gone"));
    assert_eq!(error.class(), ErrorClass::ServerLost);
    assert_eq!(cluster.postmaster(), None);
    cluster.crash().await.expect("crashing a dead server changes nothing");
    cluster.start().await.expect("and it starts again");
}

#[tokio::test]
async fn a_dropped_cluster_leaves_neither_process_nor_directory() {
    let cluster = testing::server().await.expect("a server");
    let processes = processes_of(&cluster);
    let directories = directories_of(&cluster);
    assert!(directories.iter().all(|path| path.is_dir()), "{directories:?}");
    let session = cluster.endpoint().connect().await.expect("connect");

    drop(cluster);

    assert_eq!(alive(&processes), Vec::<i32>::new());
    assert!(directories.iter().all(|path| !path.exists()), "{directories:?}");
    session.batch_execute("select 1").await.expect_err("the server is gone");
}

#[tokio::test]
async fn a_cluster_dropped_after_a_crash_leaves_no_shared_memory() {
    let mut cluster = testing::server().await.expect("a server");
    let postmaster = cluster.postmaster().expect("it runs");
    let segments = segments_of(&cluster).await;
    assert!(!segments.is_empty() && system_v_segments_of(&[postmaster.as_raw()]) == 1);

    cluster.crash().await.expect("crashes");
    assert!(segments.iter().any(|path| path.exists()), "a killed server cannot clear up");
    drop(cluster);

    assert!(segments.iter().all(|path| !path.exists()), "{segments:?}");
    assert_eq!(system_v_segments_of(&[postmaster.as_raw()]), 0);
}

#[tokio::test]
async fn a_server_that_dies_by_itself_is_noticed_and_can_be_started_again() {
    let mut cluster = testing::server().await.expect("a server");
    let postmaster = cluster.postmaster().expect("it runs");
    kill(postmaster, Signal::SIGKILL).expect("kill it behind the cluster's back");
    wait_until("its end is noticed", || cluster.postmaster().is_none());
    let error = cluster.pause().expect_err("nobody to pause");
    assert!(matches!(error.kind(), Kind::ServerExited { status } if status.contains("SIGKILL")), "{:?}", error.kind());
    cluster.crash().await.expect("clears up the orphans");
    cluster.start().await.expect("starts again");
}

#[tokio::test]
async fn two_clusters_at_once_know_nothing_of_each_other() {
    let (one, two) = tokio::join!(testing::server(), testing::server());
    let (one, mut two) = (one.expect("a server"), two.expect("another"));
    let create = "create database only_in_one";
    one.endpoint().connect().await.expect("connect").batch_execute(create).await.expect(create);
    let count = "select count(*)::text from pg_database where datname = 'only_in_one'";
    assert_eq!(text(&one.endpoint(), count).await, "1");
    assert_eq!(text(&two.endpoint(), count).await, "0");
    two.crash().await.expect("crashes alone");
    assert_eq!(text(&one.endpoint(), count).await, "1");
}

#[test]
fn a_server_outlives_the_runtime_that_started_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let cluster = first.block_on(testing::server()).expect("a server");
    drop(first);
    // If its life hung on a worker thread of the runtime, it would be stopping now.
    let answer = runtime().block_on(text(&cluster.endpoint(), "select 'alive'"));
    assert_eq!(answer, "alive");
}

#[tokio::test]
async fn ctrl_c_on_the_terminal_does_not_reach_the_server() {
    let cluster = testing::server().await.expect("a server");
    let group_of = |pid| nix::unistd::getpgid(pid).expect("it runs");
    assert_ne!(group_of(cluster.postmaster()), group_of(None));
}

#[tokio::test]
async fn a_cluster_given_up_while_it_is_made_leaves_nothing() {
    let state = open_directory();
    let spec = || {
        let mut spec = fast();
        spec.dirs = Some(dirs_in(state.path()));
        spec
    };
    // The template is there afterwards, so that the waits below fall into cloning and starting.
    drop(Cluster::create(spec()).await.expect("a server"));
    for wait_ms in [0, 5, 20, 40, 60, 80, 120] {
        let made = tokio::time::timeout(Duration::from_millis(wait_ms), Cluster::create(spec())).await;
        drop(made);
    }
    wait_until("all is cleared up", || homes_in(state.path()).is_empty());
    let ours = |line: &[u8]| String::from_utf8_lossy(line).contains(&*state.path().to_string_lossy());
    wait_until("no process is left", || {
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        !entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).any(|line| {
            line.split(|byte| *byte == 0).next().is_some_and(|program| program.ends_with(b"postgres")) && ours(&line)
        })
    });
}

#[tokio::test]
async fn a_smart_stop_waits_for_sessions_and_a_fast_one_ends_them() {
    let mut cluster = testing::server().await.expect("a server");
    let session = cluster.endpoint().connect().await.expect("connect");
    let waiting = tokio::time::timeout(Duration::from_millis(100), cluster.stop(StopMode::Smart)).await;
    waiting.expect_err("it waits for the session");
    session.batch_execute("select 1").await.expect("which goes on");
    cluster.stop(StopMode::Fast).await.expect("stops");
    session.batch_execute("select 1").await.expect_err("the session was ended");
}

#[tokio::test]
async fn a_paused_postmaster_lets_nobody_in_until_it_goes_on() {
    let cluster = testing::server().await.expect("a server");
    let open = cluster.endpoint().connect().await.expect("connect");
    let impatient = cluster.endpoint().with_connect_limit(Duration::from_millis(200));

    cluster.pause().expect("pauses");
    let error = impatient.connect().await.expect_err("nobody answers");
    assert!(matches!(error.kind(), Kind::ConnectTimeout { .. }), "{error:?}");
    open.batch_execute("select 1").await.expect("open sessions go on");
    cluster.resume().expect("goes on");
    cluster.endpoint().connect_retry(LIMIT).await.expect("lets sessions in again");

    cluster.pause_all().expect("pauses everything");
    let answer = tokio::time::timeout(Duration::from_millis(200), open.batch_execute("select 1")).await;
    answer.expect_err("a paused backend does not answer");
    cluster.resume_all().expect("goes on");
    open.batch_execute("select 1").await.expect("and answers");

    cluster.pause_all().expect("pauses everything");
    let processes = processes_of(&cluster);
    drop(cluster);
    assert_eq!(alive(&processes), Vec::<i32>::new(), "even a paused server can be dropped");
}

#[tokio::test]
async fn the_servers_processor_time_grows_with_work_and_never_falls() {
    let mut cluster = testing::server().await.expect("a server");
    let work = "select count(*)::text from generate_series(1, 300000)";
    let mut last = cluster.cpu().expect("readable");
    for round in 0..3 {
        text(&cluster.endpoint(), work).await;
        let now = cluster.cpu().expect("readable");
        assert!(now > last, "round {round}: {now} after {last}");
        last = now;
        match round {
            0 => cluster.crash().await.expect("crashes"),
            1 => cluster.stop(StopMode::Fast).await.expect("stops"),
            _ => break,
        }
        let ended = cluster.cpu().expect("known for a stopped server too");
        assert!(ended >= last, "round {round}: {ended} after {last}");
        last = ended;
        cluster.start().await.expect("starts");
    }
}
