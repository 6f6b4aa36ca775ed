//! The start of a server: its command line, its port, and the moment it is ready.
//!
//! `postgres` is executed directly. `pg_ctl` would fork it away from us, hide how it ended, and look every 100 ms.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, ERROR_LOG_LINES};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorClass, Kind};
use crate::home::Home;
use crate::server_process::ServerProcess;
use crate::spawn;
use crate::spec::ClusterSpec;

/// How long a start may take, recovery included; in the worst case that reads and replays a gigabyte of log.
const START_LIMIT: Duration = Duration::from_mins(5);
/// The pause between two looks at a server that is starting; a start takes 15 to 40 ms.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
/// The longest pause, for servers that recover.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// How often another port is tried when somebody took the one that had just been free.
const PORT_TRIES: u32 = 5;
/// The port without TCP: only a part of the socket's name then.
const SOCKET_PORT: u16 = 5432;
/// Longest path of a Unix socket in bytes, without the zero at its end (`sun_path` in sys/un.h).
const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Starts the server of a cluster, with another port if the one chosen by us is taken.
pub(crate) async fn start(cluster: &mut Cluster) -> Result<(), Error> {
    // A port that was asked for, or that endpoints given away already name, must not change.
    let may_change = cluster.spec.tcp && cluster.spec.port.is_none() && !cluster.has_run;
    for _ in 1..PORT_TRIES {
        match try_start(cluster).await {
            Err(error) if may_change && matches!(error.kind(), Kind::PortInUse { .. }) => {
                cluster.port = free_port()?;
            }
            result => return result,
        }
    }
    try_start(cluster).await
}

async fn try_start(cluster: &mut Cluster) -> Result<(), Error> {
    let (log, log_begin) =
        cluster.log.open().map_err(|source| Error::of_path("open the server's log", cluster.log.path(), source))?;
    let fail = |source| Error::new("start the server", Kind::Io(source));
    let mut command = command(cluster)?;
    command.stdout(log.try_clone().map_err(fail)?).stderr(log);
    let spawned = spawn::spawn(command)
        .map_err(|source| Error::of_path("start the server", &cluster.spec.install.program("postgres"), source))?;
    cluster.process = Some(ServerProcess::watch(spawned).map_err(fail)?);
    let ready = wait_until_ready(cluster, log_begin).await;
    if ready.is_err() {
        // Nothing half-started is left: the next start begins from nothing.
        cluster.crash().await?;
        return ready;
    }
    cluster.has_run = true;
    cluster.note_shared_memory();
    check_preload(cluster, log_begin)?;
    set_password(cluster).await
}

fn command(cluster: &Cluster) -> Result<Command, Error> {
    let home = &cluster.home;
    let socket = home.sockets().join(format!(".s.PGSQL.{}", cluster.port));
    if socket.as_os_str().len() > SOCKET_PATH_LIMIT {
        let reason = std::io::Error::new(std::io::ErrorKind::InvalidFilename, "too long for a Unix socket");
        return Err(Error::of_path("place the server's socket", &socket, reason));
    }
    let mut command = spawn::postgres_command(cluster.spec.install.program("postgres"));
    command.arg("-D").arg(home.data()).arg("-k").arg(home.sockets()).arg("-p").arg(cluster.port.to_string());
    let listen = if cluster.spec.tcp { "127.0.0.1" } else { "" };
    command.arg("-c").arg(format!("listen_addresses={listen}"));
    command.arg("-c").arg(format!("cluster_name={}", home.cluster_name()));
    // Unless it is asked for otherwise the log is our file, whatever a setting says: there its end is looked for.
    match &cluster.spec.collected_log {
        None => command.args(["-c", "logging_collector=off", "-c", "log_destination=stderr"]),
        Some(formats) => command
            .args(["-c", "logging_collector=on", "-c", "log_directory=log", "-c"])
            .arg(format!("log_destination={formats}")),
    };
    command.envs(cluster.spec.environment.iter().map(|(name, value)| (name, value)));
    if let Some(library) = cluster.preload() {
        command.env(if cfg!(target_os = "macos") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" }, library);
    }
    cluster.user.apply(&mut command);
    Ok(command)
}

/// Looks until the server answers a statement.
///
/// The status line of `postmaster.pid` only says when asking begins to make sense (each refused attempt costs the server
/// a fork and a line in its log); that it is ready is judged by a connection.
async fn wait_until_ready(cluster: &Cluster, log_begin: u64) -> Result<(), Error> {
    let Some(process) = cluster.process.as_ref() else { unreachable!("the caller has just started it") };
    let endpoint = cluster.endpoint();
    let pid_file = cluster.home.data().join("postmaster.pid");
    let pid = process.pid().as_raw().to_string();
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut refusal = None;
    while began.elapsed() < START_LIMIT {
        if let Some(status) = process.status() {
            return Err(why_exited(cluster, status, log_begin));
        }
        if says_ready(&pid_file, &pid) {
            match ask(&endpoint).await {
                Ok(()) => return Ok(()),
                Err(error) if error.class() == ErrorClass::NotConnected || error.class() == ErrorClass::ServerLost => {
                    refusal = Some(error);
                }
                Err(error) => return Err(error.with_log(cluster.log.tail_since(log_begin, ERROR_LOG_LINES))),
            }
        }
        tokio::time::sleep(pause).await;
        // Slower after a quarter of a second: it is recovering.
        if began.elapsed() > Duration::from_millis(250) {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    let log = cluster.log.tail_since(log_begin, ERROR_LOG_LINES);
    let late = Error::new("start the server", Kind::Timeout { limit_ms: START_LIMIT.as_millis() });
    Err(refusal.unwrap_or(late).with_log(log))
}

async fn ask(endpoint: &Endpoint) -> Result<(), Error> {
    let session = endpoint.connect().await?;
    session.batch_execute("select 1").await?;
    Ok(())
}

/// Whether the running server says that it accepts connections: lines 1 and 8 of its lock file
/// (`LOCK_FILE_LINE_PM_STATUS` in src/include/utils/pidfile.h). A file of another process is a leftover of a crash.
fn says_ready(pid_file: &Path, pid: &str) -> bool {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some(pid) && lines.nth(6).is_some_and(|status| status.trim_end() == "ready")
}

/// Tells the cause of an early end apart by what the server logged (in English: we set its locale).
fn why_exited(cluster: &Cluster, status: std::process::ExitStatus, log_begin: u64) -> Error {
    let lines = cluster.log.tail_since(log_begin, usize::MAX);
    let says = |text: &str| lines.iter().any(|line| line.contains(text));
    let kind = if says("Address already in use") && cluster.spec.tcp {
        Kind::PortInUse { port: cluster.port }
    } else if says("No space left on device") || says("Disk quota exceeded") {
        Kind::NoSpace { path: cluster.home.data().to_owned() }
    } else {
        Kind::ServerExited { status: status.to_string() }
    };
    let tail = lines[lines.len().saturating_sub(ERROR_LOG_LINES)..].to_vec();
    Error::new("start the server", kind).with_log(tail)
}

/// The loader goes on without a library that it cannot load, and only says so.
fn check_preload(cluster: &Cluster, log_begin: u64) -> Result<(), Error> {
    let Some(library) = cluster.preload() else { return Ok(()) };
    let complaint = cluster.log.tail_since(log_begin, usize::MAX).into_iter().find(|line| line.contains("LD_PRELOAD"));
    match complaint {
        None => Ok(()),
        Some(line) => {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, line);
            Err(Error::of_path("preload a library into the server", library, source))
        }
    }
}

/// Gives the superuser the password that TCP asks for, as a verifier: the password itself must not get into a log.
async fn set_password(cluster: &mut Cluster) -> Result<(), Error> {
    let Some(password) = cluster.password.as_deref().filter(|_| !cluster.password_is_set) else { return Ok(()) };
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let session = cluster.endpoint().connect().await?;
    // The verifier holds letters, digits and "$:=/+" only (RFC 5803 and base64), so it needs no escaping.
    session.batch_execute(&format!("alter role {} password '{verifier}'", crate::cluster::SUPERUSER)).await?;
    cluster.password_is_set = true;
    Ok(())
}

/// The port a new cluster begins with.
pub(crate) fn first_port(spec: &ClusterSpec) -> Result<u16, Error> {
    match spec.port {
        Some(port) => Ok(port),
        None if spec.tcp => free_port(),
        None => Ok(SOCKET_PORT),
    }
}

/// A port that nobody uses at this moment; who takes it before our server does makes it try the next one.
fn free_port() -> Result<u16, Error> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|source| Error::new("find a free TCP port", Kind::Io(source)))
}

/// Copies a library to where the server's user can read it: build directories are often in a closed home.
pub(crate) fn adopt_library(library: &Path, home: &Home) -> Result<PathBuf, Error> {
    let fail = |source| Error::of_path("copy the library to preload", library, source);
    let name = library.file_name().ok_or_else(|| fail(std::io::ErrorKind::InvalidFilename.into()))?;
    let copy = home.path().join(name);
    fs::copy(library, &copy).map_err(fail)?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&copy, everybody).map_err(fail)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_port_taken_just_before_the_start_is_replaced_by_another() {
        let mut spec = testing::spec().expect("install PostgreSQL 14 to 18 to run these tests");
        spec.tcp = true;
        let mut cluster = Cluster::prepare(spec).expect("directories");
        cluster.fill_from_template().expect("a data directory");
        let chosen = cluster.port;
        let _taken = TcpListener::bind(("127.0.0.1", chosen)).expect("somebody takes it");
        cluster.start().await.expect("starts all the same");
        let endpoint = cluster.tcp_endpoint().expect("tcp was asked for");
        assert_ne!(endpoint.tcp_address().map(|(_, port)| port), Some(chosen));
        endpoint.connect().await.expect("and lets us in there");
    }

    #[test]
    fn a_lock_file_of_another_process_or_state_does_not_say_ready() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("postmaster.pid");
        let check = |pid: &str, status: &str, expected: bool| {
            let text = format!("{pid}\n/data\n1700000000\n5432\n/tmp\n\n  5432001 1\n{status}\n");
            fs::write(&file, text).expect("write");
            assert_eq!(says_ready(&file, "42"), expected, "{pid} {status}");
        };
        check("42", "ready   ", true);
        check("42", "starting", false);
        check("42", "standby ", false);
        check("43", "ready   ", false);
        assert!(!says_ready(Path::new("/nonexistent"), "42"));
    }
}
