//! A PostgreSQL server of our own: made, started, stopped, crashed, paused, and gone without a trace when dropped.
//!
//! It runs one server process tree in directories that nobody else uses (`crate::home`). It knows nothing about what is
//! stored in it, and never touches a server that it did not start.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::config;
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::home::Home;
use crate::install::Install;
use crate::launch;
use crate::process::{CpuTime, Pid, tree_cpu};
use crate::profile::Profile;
use crate::server_log::ServerLog;
use crate::server_process::ServerProcess;
use crate::shared_memory::SharedMemory;
use crate::spec::ClusterSpec;
use crate::template::Template;
use crate::tree;
use crate::user::ServerUser;
use crate::version::PgVersion;

/// The superuser of every cluster of ours.
pub const SUPERUSER: &str = "postgres";

/// How long a fast or smart stop may take; a fast one writes a checkpoint.
const STOP_LIMIT: Duration = Duration::from_mins(2);
/// How long an immediate stop may take before the rest is killed. The postmaster itself kills its children after 5 s
/// (`SIGKILL_CHILDREN_AFTER_SECS` in src/backend/postmaster/postmaster.c).
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(8);
/// After the death of the postmaster, idle children notice within a moment and end by themselves; others are killed.
const ORPHAN_GRACE: Duration = Duration::from_millis(100);
/// How long killed processes may take to disappear; one that writes to a disk cannot be interrupted.
const KILL_LIMIT: Duration = Duration::from_secs(30);
/// Lines of the log that an error carries.
pub(crate) const ERROR_LOG_LINES: usize = 12;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopMode {
    /// Ends sessions, undoes their transactions, writes a checkpoint.
    Fast,
    /// Waits until all sessions have ended by themselves, then as [`StopMode::Fast`].
    Smart,
    /// Ends at once without a checkpoint; the next start recovers. Unlike a crash it is told to all server processes.
    Immediate,
}

impl StopMode {
    fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::SIGINT,
            Self::Smart => Signal::SIGTERM,
            Self::Immediate => Signal::SIGQUIT,
        }
    }
}

/// A server of our own with its directories.
///
/// Dropping it stops the server at once and removes the directories; that blocks for some tens of milliseconds. If this
/// process is killed instead, the server gets a fast shutdown (Linux), and the next cluster made on this machine removes
/// the directories.
pub struct Cluster {
    // `Drop` ends it before any field, and so before `home` removes the directories.
    pub(crate) process: Option<ServerProcess>,
    pub(crate) spec: ClusterSpec,
    pub(crate) user: ServerUser,
    pub(crate) home: Home,
    pub(crate) log: ServerLog,
    pub(crate) port: u16,
    pub(crate) password: Option<String>,
    /// Whether the role in the database has this password.
    pub(crate) password_is_set: bool,
    /// Whether it has run, so that endpoints with its port may be about.
    pub(crate) has_run: bool,
    /// Shared memory of the current or last run.
    shared_memory: SharedMemory,
    preload: Option<PathBuf>,
    /// Processor time of earlier runs of the server.
    cpu_before: CpuTime,
    /// The largest value ever told, in nanoseconds.
    cpu_told: AtomicU64,
}

impl Cluster {
    /// Makes a cluster from a template and starts it; returns when it accepts connections.
    pub async fn create(spec: ClusterSpec) -> Result<Self, Error> {
        let mut cluster = blocking(move || {
            let mut cluster = Self::prepare(spec)?;
            cluster.fill_from_template()?;
            Ok(cluster)
        })
        .await?;
        cluster.start().await?;
        Ok(cluster)
    }

    /// Directories and names of a new cluster, with no data in it yet. Blocks.
    pub(crate) fn prepare(mut spec: ClusterSpec) -> Result<Self, Error> {
        // Refuse what cannot be written before anything is made.
        config::settings_file(spec.profile, spec.install.version, &spec.settings)?;
        let dirs = spec.dirs();
        let user = ServerUser::resolve()?;
        spec.install = user.make_runnable(&spec.install, &dirs)?;
        let home = Home::create(&dirs, &user, spec.data_parent.as_deref(), spec.keep_in.as_deref())?;
        let preload = spec.preload.as_deref().map(|library| launch::adopt_library(library, &home)).transpose()?;
        let port = launch::first_port(&spec)?;
        let password = spec.tcp.then(crate::home::random_hex::<16>).transpose()?;
        let log = ServerLog::new(home.path().join("server.log"));
        Ok(Self {
            process: None,
            spec,
            user,
            log,
            home,
            port,
            password,
            password_is_set: false,
            has_run: false,
            shared_memory: SharedMemory::default(),
            preload,
            cpu_before: CpuTime::ZERO,
            cpu_told: AtomicU64::new(0),
        })
    }

    pub(crate) fn fill_from_template(&mut self) -> Result<(), Error> {
        if let Some(kept) = self.home.kept() {
            kept.fill_once(&self.spec, &self.user)?;
            return self.write_settings();
        }
        let template = Template::ensure(&self.spec.install, &self.user, &self.spec.dirs())?;
        template.clone_to(self.home.data(), &self.user)?;
        self.write_settings()?;
        self.sync_data()
    }

    /// Does for a copied data directory what initdb does for a new one: it is on the disk before it is used. So the first
    /// commits that are measured do not write the copy.
    pub(crate) fn sync_data(&self) -> Result<(), Error> {
        if self.spec.profile == Profile::FastTest {
            return Ok(());
        }
        tree::sync(self.home.data())
    }

    /// Writes the file that `postgresql.conf` includes.
    pub(crate) fn write_settings(&self) -> Result<(), Error> {
        let text = config::settings_file(self.spec.profile, self.version(), &self.spec.settings)?;
        self.write_data_file(config::SETTINGS_FILE, &text)
    }

    /// Writes a file into the data directory and gives it to the server's user.
    pub(crate) fn write_data_file(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.home.data().join(name);
        std::fs::write(&path, text).map_err(|source| Error::of_path("write a server file", &path, source))?;
        self.user.give(&path)
    }

    /// The superuser's way in through the Unix socket, database `postgres`. Stays the same over restarts.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.home.sockets(), self.port, SUPERUSER)
    }

    /// The same through 127.0.0.1 with a password, when the specification asked for TCP.
    #[must_use]
    pub fn tcp_endpoint(&self) -> Option<Endpoint> {
        let password = self.password.as_deref()?;
        Some(Endpoint::tcp("127.0.0.1", self.port, SUPERUSER).with_password(password))
    }

    /// The postmaster's process id while it runs.
    #[must_use]
    pub fn postmaster(&self) -> Option<Pid> {
        self.running().map(ServerProcess::pid)
    }

    /// Its random name on this machine: the setting `cluster_name`, and for a standby the name that the primary knows it
    /// by in `pg_stat_replication` and `pg_replication_slots`. Letters, digits and underscores.
    #[must_use]
    pub fn name(&self) -> String {
        self.home.cluster_name()
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> PgVersion {
        self.spec.install.version
    }

    /// The binaries it runs, which may be a copy of those asked for.
    #[must_use]
    pub fn install(&self) -> &Install {
        &self.spec.install
    }

    /// What it was made from.
    #[must_use]
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// The user its processes run as.
    #[must_use]
    pub fn user(&self) -> &ServerUser {
        &self.user
    }

    /// The data directory (`PGDATA`).
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.home.data()
    }

    /// The last lines of the server's log, oldest first.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> Vec<String> {
        self.log.tail(lines)
    }

    /// The server's log file.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Starts the server and waits until it accepts connections; does nothing when it runs.
    ///
    /// After a crash this includes recovery. Errors: [`Kind::ServerExited`] with the log's last lines,
    /// [`Kind::PortInUse`], [`Kind::NoSpace`], [`Kind::Timeout`].
    pub async fn start(&mut self) -> Result<(), Error> {
        if self.running().is_some() {
            return Ok(());
        }
        self.forget_process();
        launch::start(self).await
    }

    /// Stops the server and waits for its end; does nothing when it does not run.
    ///
    /// When a smart stop has to wait too long, the error is [`Kind::Timeout`] and the server goes on stopping. When the
    /// server ends in another way than asked for, the error is [`Kind::ServerExited`].
    pub async fn stop(&mut self, mode: StopMode) -> Result<(), Error> {
        let Some(process) = self.running() else { return Ok(()) };
        let fail = |source| Error::new("stop the server", Kind::Io(source));
        process.signal(mode.signal()).map_err(fail)?;
        // A paused server would not notice.
        self.home.family().signal(Signal::SIGCONT).map_err(fail)?;
        let limit = if mode == StopMode::Immediate { IMMEDIATE_LIMIT } else { STOP_LIMIT };
        let Some(status) = process.wait(limit).await else {
            if mode == StopMode::Immediate {
                return self.crash().await;
            }
            let kind = Kind::Timeout { limit_ms: limit.as_millis() };
            return Err(Error::new("stop the server", kind).with_log(self.log_tail(ERROR_LOG_LINES)));
        };
        self.clear_processes(Vec::new()).await?;
        self.forget_process();
        // An immediate stop may end with any status.
        if mode == StopMode::Immediate || status.success() {
            return Ok(());
        }
        Err(self.exited("stop the server", status))
    }

    /// Kills the postmaster as a power cut would, and returns when it is reaped and no process of the server is left.
    ///
    /// Server processes that outlive their postmaster get a moment to notice its death (a commit that one of them is
    /// writing may still succeed, and be acknowledged); then they are killed too. Starting right away is safe.
    pub async fn crash(&mut self) -> Result<(), Error> {
        let mut known = Vec::new();
        if let Some(process) = self.running() {
            // What the children have used so far is only known now: nobody will reap them for us.
            if let Err(error) = self.cpu() {
                tracing::debug!(error = %error, "the server's processor time is not known");
            }
            // So is the memory that they share.
            known = self.home.family().members().unwrap_or_default();
            let now = SharedMemory::of(process.pid(), &known, self.home.data(), &self.user);
            let fail = |source| Error::new("crash the server", Kind::Io(source));
            process.signal(Signal::SIGKILL).map_err(fail)?;
            if process.wait(KILL_LIMIT).await.is_none() {
                return Err(Error::new("crash the server", Kind::Timeout { limit_ms: KILL_LIMIT.as_millis() }));
            }
            self.shared_memory.extend(now);
        }
        self.clear_processes(known).await?;
        self.forget_process();
        Ok(())
    }

    /// Stops the postmaster from running (SIGSTOP): no new sessions, while open ones go on.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal_postmaster(Signal::SIGSTOP, "pause the postmaster")
    }

    /// Lets the postmaster run again.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal_postmaster(Signal::SIGCONT, "resume the postmaster")
    }

    /// Stops all processes of the server from running; to clients it looks like a machine that hangs.
    pub fn pause_all(&self) -> Result<(), Error> {
        // The postmaster first, so that it forks no more while the others are looked up.
        self.pause()?;
        self.signal_all(Signal::SIGSTOP, "pause the server")
    }

    /// Lets all processes of the server run again.
    pub fn resume_all(&self) -> Result<(), Error> {
        self.signal_all(Signal::SIGCONT, "resume the server")
    }

    /// Processor time of all server processes since the cluster was made, restarts and ended processes included.
    ///
    /// Never falls. Processes that outlived a killed postmaster count up to the moment of the crash. Resolution: see
    /// [`tree_cpu`], from which this comes. Linux only.
    pub fn cpu(&self) -> Result<CpuTime, Error> {
        let now = match self.running().map(|process| tree_cpu(process.pid())) {
            // It ended in this moment: its last word is with the process.
            Some(Err(error)) if matches!(error.kind(), Kind::NoProcess { .. }) => CpuTime::ZERO,
            Some(time) => time?,
            None => CpuTime::ZERO,
        };
        let ended = self.process.as_ref().map_or(CpuTime::ZERO, ServerProcess::cpu_at_end);
        let total = (self.cpu_before + now.max(ended)).as_nanos();
        Ok(CpuTime::from_nanos(self.cpu_told.fetch_max(total, Ordering::Relaxed).max(total)))
    }

    pub(crate) fn running(&self) -> Option<&ServerProcess> {
        self.process.as_ref().filter(|process| process.status().is_none())
    }

    pub(crate) fn preload(&self) -> Option<&Path> {
        self.preload.as_deref()
    }

    /// Notes what would have to be freed if this run were killed and never followed by another.
    pub(crate) fn note_shared_memory(&mut self) {
        if let Some(pid) = self.postmaster() {
            self.shared_memory = SharedMemory::of(pid, &[pid], self.home.data(), &self.user);
            self.shared_memory.note_in(self.home.path());
        }
    }

    /// Logs in by TCP as on another cluster, of which this is going to be a copy.
    pub(crate) fn take_password_of(&mut self, other: &Self) {
        self.password.clone_from(&other.password);
        self.password_is_set = other.password_is_set;
    }

    /// The error of a server that ended, with the last words of its log.
    pub(crate) fn exited(&self, context: &str, status: ExitStatus) -> Error {
        let kind = Kind::ServerExited { status: status.to_string() };
        Error::new(context, kind).with_log(self.log_tail(ERROR_LOG_LINES))
    }

    fn signal_postmaster(&self, signal: Signal, context: &str) -> Result<(), Error> {
        let process = self.require_running(context)?;
        match process.signal(signal) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.not_running(context)),
            Err(source) => Err(Error::new(context, Kind::Io(source))),
        }
    }

    fn signal_all(&self, signal: Signal, context: &str) -> Result<(), Error> {
        self.require_running(context)?;
        self.home.family().signal(signal).map_err(|source| Error::new(context, Kind::Io(source)))?;
        Ok(())
    }

    fn require_running(&self, context: &str) -> Result<&ServerProcess, Error> {
        self.running().ok_or_else(|| self.not_running(context))
    }

    fn not_running(&self, context: &str) -> Error {
        let ended = self.process.as_ref().and_then(ServerProcess::status);
        let status = ended.map_or_else(|| "it was not started".to_owned(), |status| status.to_string());
        Error::new(context, Kind::ServerExited { status }).with_log(self.log_tail(ERROR_LOG_LINES))
    }

    /// Waits until no process of the server is left, and kills those that stay.
    async fn clear_processes(&self, known: Vec<Pid>) -> Result<(), Error> {
        let family = self.home.family();
        let late = || {
            let kind = Kind::Timeout { limit_ms: KILL_LIMIT.as_millis() };
            Error::new("wait until all server processes are gone", kind)
        };
        blocking(move || match family.wait_gone(&known, ORPHAN_GRACE, KILL_LIMIT) {
            Ok(true) => Ok(()),
            Ok(false) => Err(late()),
            Err(source) => Err(Error::new("look for server processes", Kind::Io(source))),
        })
        .await?;
        // A process that was forked while we looked, and was just ending when we looked again, was never seen; its hold
        // on the shared memory is.
        let began = Instant::now();
        while self.shared_memory.is_attached() {
            if began.elapsed() >= KILL_LIMIT {
                return Err(late());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Puts an ended process away, keeping what it used.
    fn forget_process(&mut self) {
        let told = CpuTime::from_nanos(self.cpu_told.load(Ordering::Relaxed));
        if let Some(process) = self.process.take() {
            self.cpu_before = (self.cpu_before + process.cpu_at_end()).max(told);
        }
    }

    /// Ends the server without asking; for `Drop`. Blocks.
    fn end_now(&mut self) -> io::Result<()> {
        let family = self.home.family();
        if let Some(process) = self.running() {
            // Tells all server processes, and frees shared memory, which killing would leave behind.
            process.signal(Signal::SIGQUIT)?;
            family.signal(Signal::SIGCONT)?;
            if process.wait_blocking(IMMEDIATE_LIMIT).is_none() {
                process.signal(Signal::SIGKILL)?;
                process.wait_blocking(KILL_LIMIT);
            }
        }
        if family.wait_gone(&[], ORPHAN_GRACE, KILL_LIMIT)? {
            self.shared_memory.free();
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.end_now() {
            tracing::warn!(cluster = self.home.id(), error = %error, "the server could not be stopped");
        }
        // The directories go with `home`.
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("id", &self.home.id())
            .field("version", &self.version())
            .field("postmaster", &self.postmaster().map(Pid::as_raw))
            .field("data_dir", &self.data_dir())
            .finish_non_exhaustive()
    }
}

/// Runs something that blocks on a thread for such things. If the caller goes away, it still runs to its end, and what
/// it made is dropped.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being shut down.
        Err(error) => Err(Error::new("run a blocking task", Kind::Io(io::Error::other(error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles, or does not.
    fn can_move_to_another_thread<T: Send>(_: &T) {}

    #[tokio::test]
    async fn a_cluster_can_be_shared_by_tasks() {
        let spec = crate::testing::spec().expect("install PostgreSQL 14 to 18 to run these tests");
        let create = Cluster::create(spec);
        can_move_to_another_thread(&create);
        let mut cluster = create.await.expect("a server");
        can_move_to_another_thread(&&cluster);
        can_move_to_another_thread(&cluster.standby());
        can_move_to_another_thread(&cluster.crash());
        can_move_to_another_thread(&cluster.stop(StopMode::Fast));
        can_move_to_another_thread(&cluster.start());
        let shown = format!("{cluster:?}");
        assert!(shown.contains(cluster.home.id()) && !shown.contains("password"), "{shown}");
    }
}
