//! What several of these tests look at: processes, directories, one value of a query.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgstrata_pg::{Cluster, ClusterSpec, Dirs, Endpoint, Profile, testing};

/// How long to wait for what another process does; far more than it needs.
pub const LIMIT: Duration = Duration::from_mins(1);

/// The first column of a query's only row, which must be text.
pub async fn text(endpoint: &Endpoint, sql: &str) -> String {
    let session = endpoint.connect().await.expect("the server accepts sessions");
    let row = session.query_one(sql, &[]).await.expect(sql);
    row.get(0)
}

/// Waits until a query's value is this one.
pub async fn wait_for_text(endpoint: &Endpoint, sql: &str, expected: &str) {
    let began = Instant::now();
    while text(endpoint, sql).await != expected {
        assert!(began.elapsed() < LIMIT, "waited too long until {sql} is {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A specification with durable settings.
pub fn durable() -> ClusterSpec {
    ClusterSpec { profile: Profile::Durable, ..fast() }
}

/// A specification with settings for tests.
pub fn fast() -> ClusterSpec {
    testing::spec().expect("install PostgreSQL 14 to 18 to run these tests")
}

/// A directory that the server's user can enter; goes with the value.
pub fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("chmod");
    directory
}

/// State in a directory of the test's own; templates where they always are.
pub fn dirs_in(state: &Path) -> Dirs {
    Dirs { state: state.to_owned(), ..Dirs::resolve() }
}

/// The postmaster and its children.
pub fn processes_of(cluster: &Cluster) -> Vec<i32> {
    let postmaster = cluster.postmaster().expect("it runs").as_raw();
    let mut found = vec![postmaster];
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        if parent == Some(postmaster) {
            found.push(pid);
        }
    }
    found
}

/// Of these processes, those that still run; zombies whose parent is slow do not.
pub fn alive(pids: &[i32]) -> Vec<i32> {
    let runs = |pid: &&i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    pids.iter().filter(runs).copied().collect()
}

/// Data, socket and home directory.
pub fn directories_of(cluster: &Cluster) -> Vec<PathBuf> {
    let socket = cluster.endpoint().socket_path().expect("a Unix socket");
    let home = cluster.log_path().parent().expect("the log is in the home");
    vec![cluster.data_dir().to_owned(), socket.parent().expect("a directory").to_owned(), home.to_owned()]
}

/// Directories of clusters below a state directory.
pub fn homes_in(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("clusters")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The memory maps of the postmaster. The server reads them for us: root in a container may not.
pub async fn maps_of(cluster: &Cluster) -> String {
    let postmaster = cluster.postmaster().expect("it runs");
    text(&cluster.endpoint(), &format!("select pg_read_file('/proc/{postmaster}/maps')")).await
}

/// POSIX shared memory segments that the postmaster maps.
pub async fn segments_of(cluster: &Cluster) -> Vec<PathBuf> {
    let maps = maps_of(cluster).await;
    let mut found: Vec<PathBuf> =
        maps.lines().filter_map(|line| line.find("/dev/shm/").map(|at| PathBuf::from(&line[at..]))).collect();
    found.dedup();
    found
}

/// How many System V segments were made by these processes.
pub fn system_v_segments_of(pids: &[i32]) -> usize {
    let table = fs::read_to_string("/proc/sysvipc/shm").expect("a table of segments");
    let creator = |line: &str| line.split_whitespace().nth(4).and_then(|field| field.parse::<i32>().ok());
    table.lines().filter_map(creator).filter(|pid| pids.contains(pid)).count()
}

/// Waits until it is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
