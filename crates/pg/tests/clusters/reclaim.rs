//! Owners that are killed: their servers end, and the next owner clears up. The owner to be killed is this same test,
//! run again in a process of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Cluster, Pid, reclaim};

use crate::support::{
    alive, directories_of, dirs_in, fast, homes_in, open_directory, processes_of, segments_of, system_v_segments_of,
    wait_until,
};

/// Tells the second process that it is the owner, and where its state directory is.
const OWNER: &str = "PGSTRATA_TEST_OWNER";

/// What the owner leaves behind when it is killed.
struct Left {
    postmaster: i32,
    processes: Vec<i32>,
    directories: Vec<PathBuf>,
    segments: Vec<PathBuf>,
}

/// In the second process: makes a cluster, writes down what it consists of, and waits to be killed.
async fn own(state: &Path, paused: bool) {
    let mut spec = fast();
    spec.dirs = Some(dirs_in(state));
    let cluster = Cluster::create(spec).await.expect("a server");
    let join = |paths: Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
    let processes: Vec<String> = processes_of(&cluster).iter().map(ToString::to_string).collect();
    let segments = segments_of(&cluster).await;
    let text = [processes.join(" "), join(directories_of(&cluster)), join(segments)].join("\n");
    if paused {
        cluster.pause_all().expect("pauses");
    }
    fs::write(state.join("partial"), text).expect("write");
    fs::rename(state.join("partial"), state.join("ready")).expect("rename");
    std::future::pending::<()>().await;
}

/// In the first process: starts the second, and returns when its server runs.
fn start_owner(test: &str, state: &Path) -> (Child, Left) {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(OWNER, state);
    let owner = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run this program again");
    wait_until("the owner's server runs", || state.join("ready").exists());
    let written = fs::read_to_string(state.join("ready")).expect("what it consists of");
    let mut lines = written.lines().map(|line| line.split_whitespace());
    let mut next = || lines.next().expect("a line");
    let processes: Vec<i32> = next().map(|pid| pid.parse().expect("a pid")).collect();
    let left = Left {
        postmaster: processes[0],
        processes,
        directories: next().map(PathBuf::from).collect(),
        segments: next().map(PathBuf::from).collect(),
    };
    assert!(left.processes.len() > 3 && left.directories.iter().all(|path| path.is_dir()));
    (owner, left)
}

fn kill_owner(mut owner: Child) {
    owner.kill().expect("kill the owner");
    owner.wait().expect("reap it");
}

async fn check_cleared_by_the_next(state: &Path, left: &Left) {
    let mut spec = fast();
    spec.dirs = Some(dirs_in(state));
    let next = Cluster::create(spec).await.expect("a server");
    assert_eq!(alive(&left.processes), Vec::<i32>::new());
    assert!(left.directories.iter().all(|path| !path.exists()), "{:?}", left.directories);
    assert!(left.segments.iter().all(|path| !path.exists()), "{:?}", left.segments);
    assert_eq!(system_v_segments_of(&[left.postmaster]), 0);
    assert_eq!(homes_in(state).len(), 1, "only the living one's");
    drop(next);
}

#[tokio::test]
async fn the_server_of_a_killed_owner_ends_and_its_directories_are_reclaimed() {
    if let Some(state) = env::var_os(OWNER) {
        return own(Path::new(&state), false).await;
    }
    let state = open_directory();
    let name = "reclaim::the_server_of_a_killed_owner_ends_and_its_directories_are_reclaimed";
    let (owner, left) = start_owner(name, state.path());
    assert_eq!(reclaim::remove_leftovers(&dirs_in(state.path())), 0, "a living owner's are left alone");
    kill_owner(owner);
    if cfg!(target_os = "linux") {
        wait_until("the server has ended by itself", || alive(&left.processes).is_empty());
    }
    check_cleared_by_the_next(state.path(), &left).await;
}

#[tokio::test]
async fn a_paused_server_of_a_killed_owner_is_stopped_by_the_next_owner() {
    if let Some(state) = env::var_os(OWNER) {
        return own(Path::new(&state), true).await;
    }
    let state = open_directory();
    let name = "reclaim::a_paused_server_of_a_killed_owner_is_stopped_by_the_next_owner";
    let (owner, left) = start_owner(name, state.path());
    kill_owner(owner);
    assert_eq!(alive(&[left.postmaster]), [left.postmaster], "a stopped process does not act on signals");
    check_cleared_by_the_next(state.path(), &left).await;
}

#[tokio::test]
async fn shared_memory_of_a_server_killed_with_its_owner_is_freed() {
    if let Some(state) = env::var_os(OWNER) {
        return own(Path::new(&state), true).await;
    }
    let state = open_directory();
    let name = "reclaim::shared_memory_of_a_server_killed_with_its_owner_is_freed";
    let (owner, left) = start_owner(name, state.path());
    // All at once, as when a container is out of memory: nobody can clear up.
    for pid in &left.processes {
        let killed = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        // The session that listed the segments may have been ending then.
        assert!(matches!(killed, Ok(()) | Err(Errno::ESRCH)), "{killed:?}");
    }
    kill_owner(owner);
    wait_until("all are gone", || alive(&left.processes).is_empty());
    assert!(left.segments.iter().any(|path| path.exists()));
    check_cleared_by_the_next(state.path(), &left).await;
}

#[test]
fn nothing_but_our_own_directories_is_ever_removed() {
    let state = open_directory();
    let precious = state.path().join("precious");
    fs::create_dir(&precious).expect("a directory");
    let home = state.path().join("clusters/0badcafe");
    fs::create_dir_all(&home).expect("a directory");
    // An owner that is long gone, whose file names directories that are not of our making.
    let owner = serde_json::json!({
        "pid": 1, "start_ticks": 1, "boot": "another", "data": precious, "sockets": precious,
    });
    fs::write(home.join("owner.json"), owner.to_string()).expect("an owner file");
    assert_eq!(reclaim::remove_leftovers(&dirs_in(state.path())), 1);
    assert!(precious.is_dir());
    assert!(!home.exists());
}

#[test]
fn a_home_that_was_never_finished_is_reclaimed() {
    let state = open_directory();
    for (id, owner) in [("00000001", None), ("00000002", Some("")), ("00000003", Some("{ half"))] {
        let home = state.path().join("clusters").join(id);
        fs::create_dir_all(&home).expect("a directory");
        if let Some(text) = owner {
            fs::write(home.join("owner.json"), text).expect("an owner file");
        }
    }
    assert_eq!(reclaim::remove_leftovers(&dirs_in(state.path())), 3);
    assert_eq!(homes_in(state.path()), Vec::<PathBuf>::new());
    assert_eq!(reclaim::remove_leftovers(&dirs_in(Path::new("/nonexistent"))), 0);
}
