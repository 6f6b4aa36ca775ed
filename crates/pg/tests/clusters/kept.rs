//! Data that stay when their server goes: for the next server, after the program was killed, and for one program at a time.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Cluster, ClusterSpec, Kind, kept_major};

use crate::support::{dirs_in, durable, open_directory, text, wait_until};

/// Tells the second process that it is the owner, and where its directories are.
const OWNER: &str = "PGSTRATA_TEST_KEPT_OWNER";

fn spec(place: &Path) -> ClusterSpec {
    let mut spec = durable().kept_in(place.join("kept"));
    spec.dirs = Some(dirs_in(&place.join("state")));
    spec
}

#[tokio::test]
async fn kept_data_are_there_again_for_the_next_server() {
    let place = open_directory();
    assert_eq!(kept_major(&place.path().join("kept")), None);
    for round in 0..3 {
        let cluster = Cluster::create(spec(place.path())).await.expect("a server");
        let session = cluster.endpoint().connect().await.expect("connect");
        session.batch_execute("create table if not exists kept (round int)").await.expect("a table");
        let count: i64 = session.query_one("select count(*) from kept", &[]).await.expect("a count").get(0);
        assert_eq!(count, round);
        session.execute("insert into kept values ($1)", &[&i32::try_from(round).expect("small")]).await.expect("a row");
        assert_eq!(kept_major(&place.path().join("kept")), Some(cluster.version().major));
        drop(cluster);
    }
}

#[tokio::test]
async fn two_programs_never_have_the_same_data() {
    let place = open_directory();
    let first = Cluster::create(spec(place.path())).await.expect("a server");
    let error = Cluster::create(spec(place.path())).await.expect_err("they are in use");
    assert!(matches!(error.kind(), Kind::DataInUse { .. }), "{error:?}");
    assert_eq!(text(&first.endpoint(), "select 'unharmed'").await, "unharmed");
}

#[tokio::test]
async fn data_of_another_major_version_are_left_alone() {
    let place = open_directory();
    drop(Cluster::create(spec(place.path())).await.expect("a server"));
    let version = place.path().join("kept/data/PG_VERSION");
    fs::write(&version, "13\n").expect("write");
    let error = Cluster::create(spec(place.path())).await.expect_err("another version");
    assert!(matches!(error.kind(), Kind::DataOfOtherVersion { found: 13, .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&version).expect("still there"), "13\n");
}

/// In the second process: commits a row, says so, and waits to be killed.
async fn own(place: &Path) {
    let cluster = Cluster::create(spec(place)).await.expect("a server");
    let session = cluster.endpoint().connect().await.expect("connect");
    session.batch_execute("create table kept (how text); insert into kept values ('told')").await.expect("a row");
    fs::write(place.join("partial"), cluster.postmaster().expect("it runs").to_string()).expect("write");
    fs::rename(place.join("partial"), place.join("ready")).expect("rename");
    std::future::pending::<()>().await;
}

fn start_owner(test: &str, place: &Path) -> (Child, i32) {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(OWNER, place);
    let owner = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run this program again");
    wait_until("the owner's server runs", || place.join("ready").exists());
    let postmaster = fs::read_to_string(place.join("ready")).expect("its number");
    (owner, postmaster.parse().expect("a number"))
}

async fn check_survives(test: &str, also_the_postmaster: bool) {
    if let Some(place) = env::var_os(OWNER) {
        return own(Path::new(&place)).await;
    }
    let place = open_directory();
    let (mut owner, postmaster) = start_owner(test, place.path());
    if also_the_postmaster {
        kill(nix::unistd::Pid::from_raw(postmaster), Signal::SIGKILL).expect("kill the postmaster");
    }
    owner.kill().expect("kill the owner");
    owner.wait().expect("reap it");
    let next = Cluster::create(spec(place.path())).await.expect("a server");
    assert_eq!(text(&next.endpoint(), "select how from kept").await, "told");
}

#[tokio::test]
async fn what_was_committed_survives_the_death_of_the_program() {
    check_survives("kept::what_was_committed_survives_the_death_of_the_program", false).await;
}

#[tokio::test]
async fn what_was_committed_survives_the_death_of_program_and_postmaster() {
    check_survives("kept::what_was_committed_survives_the_death_of_program_and_postmaster", true).await;
}
