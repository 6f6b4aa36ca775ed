//! A throw-away PostgreSQL for the session tests: `initdb`, `postgres` on a Unix socket, gone when dropped.
//!
//! Only what these tests need; the product's own way is `pgstrata_pg::Cluster`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use pgstrata_pg::{Endpoint, Session};

/// A private server; fsync is off, since no test here asks what survives a crash of the machine.
pub struct Server {
    directory: PathBuf,
    bindir: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Makes and starts a server from the newest distribution binaries.
    pub async fn start() -> Self {
        Self::start_with_settings(&[]).await
    }

    /// The same with more server settings (`name=value`).
    pub async fn start_with_settings(settings: &[&str]) -> Self {
        let bindir = newest_bindir();
        let directory = tempfile::Builder::new().prefix("pgs-").tempdir_in("/tmp").expect("a directory in /tmp").keep();
        if let Some(user) = server_user() {
            chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("give the directory away");
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("close the directory");
        let mut server = Self { directory, bindir, child: None };
        let status = server
            .program("initdb")
            .args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(server.data())
            .status()
            .expect("run initdb (apt-get install postgresql)");
        assert!(status.success(), "initdb: {status}");
        server.launch(settings);
        server.endpoint().connect_retry(Duration::from_secs(30)).await.expect("the new server accepts a session");
        server
    }

    /// Starts `postgres` on the present data directory, without waiting for it.
    pub fn launch(&mut self, settings: &[&str]) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.directory);
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        self.child = Some(command.process_group(0).spawn().expect("run postgres"));
    }

    /// The server's superuser over the Unix socket.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(&self.directory, 5432, "postgres")
    }

    pub async fn session(&self) -> Session {
        self.endpoint().connect().await.expect("a session")
    }

    /// Sends a signal to the postmaster.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("signal the postmaster");
    }

    /// Waits until the postmaster has ended.
    pub fn wait(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().expect("wait for the postmaster");
        }
    }

    pub fn pid(&self) -> i32 {
        let child = self.child.as_ref().expect("a running postmaster");
        i32::try_from(child.id()).expect("a pid")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bindir.join(name));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(&self.directory);
        if let Some(user) = server_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
            // A stopped postmaster takes the second signal only after the first.
            let _ = kill(pid, Signal::SIGCONT);
            let _ = kill(pid, Signal::SIGQUIT);
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn server_user() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    Some(User::from_name("postgres").expect("read the users").expect("a user named postgres"))
}

fn newest_bindir() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL from the distribution (apt-get install postgresql)")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL from the distribution (apt-get install postgresql)").1
}
