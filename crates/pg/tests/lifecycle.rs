//! Starting, stopping, crashing and dropping real servers. What is checked about a server here is checked from outside:
//! by SQL, by the process list, and by the file system.

use std::path::PathBuf;

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Pid, Profile, StopMode, testing};

async fn text(endpoint: &Endpoint, sql: &str) -> String {
    let session = endpoint.connect().await.expect("the server accepts sessions");
    let row = session.query_one(sql, &[]).await.expect(sql);
    row.get(0)
}

/// Processes below the postmaster, itself included, while it runs.
fn processes_of(postmaster: Pid) -> Vec<i32> {
    let mut found = vec![postmaster.as_raw()];
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1).map(str::to_owned));
        if parent.as_deref() == Some(postmaster.to_string().as_str()) {
            found.push(pid);
        }
    }
    found
}

/// Of these process ids, those that still run (zombies of other parents do not).
fn alive(pids: &[i32]) -> Vec<i32> {
    let runs = |pid: &&i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    pids.iter().filter(runs).copied().collect()
}

fn directories_of(cluster: &Cluster) -> Vec<PathBuf> {
    let socket = cluster.endpoint().socket_path().expect("a Unix socket");
    let home = cluster.log_path().parent().expect("the log is in the home");
    vec![cluster.data_dir().to_owned(), socket.parent().expect("a directory").to_owned(), home.to_owned()]
}

async fn durable() -> Cluster {
    let spec = testing::spec().expect("install PostgreSQL to run these tests");
    Cluster::create(ClusterSpec::new(spec.install, Profile::Durable)).await.expect("a durable cluster starts")
}

#[tokio::test]
async fn committed_rows_survive_stop_crash_and_restart() {
    let mut cluster = durable().await;
    let endpoint = cluster.endpoint();
    let session = endpoint.connect().await.expect("connect");
    session.batch_execute("create table kept (how text)").await.expect("create");
    session.batch_execute("insert into kept values ('before')").await.expect("insert");
    session.close().await;
    for mode in [StopMode::Fast, StopMode::Smart, StopMode::Immediate] {
        cluster.stop(mode).await.expect("stops");
        assert_eq!(cluster.postmaster(), None);
        cluster.start().await.expect("starts again");
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
    let work = tokio::spawn(async move { busy.batch_execute("select count(*) from generate_series(1, 1e12)").await });
    let asked = "select count(*)::text from pg_stat_activity where query like '%generate_series%' and state = 'active'";
    while text(&cluster.endpoint(), asked).await != "2" {}
    let postmaster = cluster.postmaster().expect("it runs");
    let processes = processes_of(postmaster);
    assert!(processes.len() > 5, "{processes:?}");

    cluster.crash().await.expect("crashes");

    assert_eq!(alive(&processes), Vec::<i32>::new());
    work.await.expect("joins").expect_err("its connection is gone");
    assert_eq!(cluster.postmaster(), None);
    cluster.crash().await.expect("crashing a dead server changes nothing");
}

#[tokio::test]
async fn a_dropped_cluster_leaves_neither_process_nor_directory() {
    let cluster = testing::server().await.expect("a server");
    let processes = processes_of(cluster.postmaster().expect("it runs"));
    let directories = directories_of(&cluster);
    assert!(directories.iter().all(|path| path.is_dir()), "{directories:?}");
    let session = cluster.endpoint().connect().await.expect("connect");

    drop(cluster);

    assert_eq!(alive(&processes), Vec::<i32>::new());
    assert!(directories.iter().all(|path| !path.exists()), "{directories:?}");
    session.batch_execute("select 1").await.expect_err("the server is gone");
}

#[tokio::test]
async fn two_clusters_at_once_know_nothing_of_each_other() {
    let (one, two) = tokio::join!(testing::server(), testing::server());
    let (one, two) = (one.expect("a server"), two.expect("another"));
    let create = "create database only_in_one";
    one.endpoint().connect().await.expect("connect").batch_execute(create).await.expect(create);
    let count = "select count(*)::text from pg_database where datname = 'only_in_one'";
    assert_eq!(text(&one.endpoint(), count).await, "1");
    assert_eq!(text(&two.endpoint(), count).await, "0");
}

#[tokio::test]
async fn the_durable_profile_waits_for_the_disk_and_the_test_profile_does_not() {
    for (profile, expected) in [(Profile::Durable, "on"), (Profile::FastTest, "off")] {
        let spec = testing::spec().expect("install PostgreSQL to run these tests");
        let cluster = Cluster::create(ClusterSpec::new(spec.install, profile)).await.expect("starts");
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            assert_eq!(
                text(&cluster.endpoint(), &format!("show {setting}")).await,
                expected,
                "{setting} in {profile:?}"
            );
        }
    }
}
