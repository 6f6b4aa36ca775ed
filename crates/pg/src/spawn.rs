//! Starts programs so that they do not outlive us. Knows nothing about PostgreSQL but its name for "stop now".
//!
//! All children are started by one thread that lives as long as this process, because Linux sends the parent-death
//! signal when the *thread* that forked ends (prctl(2), `PR_SET_PDEATHSIG`): a child of a tokio worker would be stopped
//! when the runtime is. This is one of the few modules with `unsafe`: the code between fork and exec.

#![expect(unsafe_code, reason = "CommandExt::pre_exec is unsafe; see the SAFETY comment below")]

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};

use crate::error::{Error, Kind};

/// How long a poll for the end of a short program waits between two looks.
const POLL: Duration = Duration::from_millis(1);
/// At most this much of a program's output is kept, in bytes; the end says why it failed.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// A child that is killed when this value is dropped, unless it was taken.
#[derive(Debug)]
pub(crate) struct Spawned(Option<Child>);

impl Spawned {
    /// The child; from now on ending it is the caller's duty.
    pub(crate) fn take(mut self) -> Child {
        self.0.take().expect("a child is taken once, by value")
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            kill_group(&child);
            // An error means that it was reaped already.
            let _ = child.wait();
        }
    }
}

/// What a short program left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: it was killed because it took too long.
    pub(crate) status: Option<ExitStatus>,
    /// The end of its standard output and error, in the order written.
    pub(crate) output: String,
}

impl Finished {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The program's failure as an error; `place` is where it was writing.
    pub(crate) fn require_success(self, program: &str, place: &Path) -> Result<(), Error> {
        if self.succeeded() {
            return Ok(());
        }
        let context = format!("run {program}");
        // In English, because the locale is ours.
        if self.output.contains("No space left on device") || self.output.contains("Disk quota exceeded") {
            return Err(Error::new(context, Kind::NoSpace { path: place.to_owned() }));
        }
        let status = self.status_text();
        Err(Error::new(context, Kind::Program { program: program.to_owned(), status, output: self.output }))
    }

    /// The status for people.
    pub(crate) fn status_text(&self) -> String {
        self.status.map_or_else(|| "no end in time".to_owned(), |status| status.to_string())
    }
}

/// A command for one of PostgreSQL's programs, free of what the environment would tell it.
///
/// `PG*` variables (`PGPORT`, `PGDATA`, `PGOPTIONS` …) belong to the user's own servers, and messages are read by us, so
/// the locale is C. The working directory is `/`: the server's user may not be able to enter ours.
pub(crate) fn postgres_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("PGSTRATA_");
        if (text.starts_with("PG") && !ours) || text.starts_with("LC_") || text.starts_with("LANG") {
            command.env_remove(&name);
        }
    }
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
    command
}

/// Starts a program that dies with this process: on Linux it gets SIGINT (for PostgreSQL: fast shutdown) when we end in
/// whatever way. It gets a process group of its own, so that Ctrl-C on the terminal reaches us alone.
///
/// Blocks for the time of a fork and an exec.
pub(crate) fn spawn(mut command: Command) -> io::Result<Spawned> {
    end_with_us(&mut command);
    let (reply, answer) = mpsc::sync_channel(1);
    spawner()?.send(Request { command, reply }).map_err(|_| spawner_gone())?;
    answer.recv().map_err(|_| spawner_gone())?
}

/// Runs a program to its end, or kills it and its process group after `limit`. Blocks.
pub(crate) fn run(mut command: Command, limit: Duration) -> io::Result<Finished> {
    let mut output = tempfile::tempfile()?;
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let mut child = spawn(command)?.take();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() >= limit {
            kill_group(&child);
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
    };
    Ok(Finished { status, output: read_end(&mut output)? })
}

/// Kills a child that was not reaped yet, with what it started: it leads a process group (see [`spawn`]).
fn kill_group(child: &Child) {
    // An error means that nothing of the group is left.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
}

fn read_end(file: &mut File) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_LIMIT)))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

struct Request {
    command: Command,
    reply: mpsc::SyncSender<io::Result<Spawned>>,
}

fn spawner_gone() -> io::Error {
    io::Error::other("the thread that starts programs has ended")
}

/// The way to the one thread that forks; started at first use, never ended.
fn spawner() -> io::Result<mpsc::Sender<Request>> {
    static SPAWNER: Mutex<Option<mpsc::Sender<Request>>> = Mutex::new(None);
    let mut slot = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*slot {
        return Ok(sender.clone());
    }
    let (sender, requests) = mpsc::channel::<Request>();
    thread::Builder::new().name("pgstrata-spawn".to_owned()).spawn(move || {
        // Ends never: the sender in SPAWNER is never dropped.
        for mut request in requests {
            let child = request.command.spawn().map(|child| Spawned(Some(child)));
            // When nobody waits for it any more, the answer is dropped and with it the child.
            let _ = request.reply.send(child);
        }
    })?;
    *slot = Some(sender.clone());
    Ok(sender)
}

fn end_with_us(command: &mut Command) {
    command.process_group(0);
    let us = getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two system calls
    // (prctl, getppid) and builds errors from numbers, without allocating. std runs it after it has changed the user,
    // which would have cleared the parent-death signal (prctl(2)).
    unsafe {
        command.pre_exec(move || {
            #[cfg(target_os = "linux")]
            nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
            // We may have died before the call; then init is the parent, and no signal will come.
            if getppid() != us {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = postgres_command("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_ends_leaves_its_status_and_both_its_outputs() {
        let finished = run(shell("echo out; echo err >&2; exit 3"), Duration::from_secs(30)).expect("run a shell");
        assert_eq!(finished.output, "out\nerr");
        assert!(!finished.succeeded());
        assert_eq!(finished.status_text(), "exit status: 3");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_its_children() {
        let finished = run(shell("echo begun; sleep 1000 & wait"), Duration::from_millis(200)).expect("run a shell");
        assert_eq!(finished.status, None);
        assert_eq!(finished.output, "begun");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = spawn(postgres_command("/nonexistent/postgres")).expect_err("no such program");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_dropped_child_is_killed_and_reaped() {
        let spawned = spawn(shell("sleep 1000")).expect("start a shell");
        let pid = spawned.0.as_ref().expect("not taken").id().cast_signed();
        drop(spawned);
        assert_eq!(nix::sys::signal::kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH));
    }

    #[test]
    fn settings_of_the_users_own_servers_do_not_reach_ours() {
        let command = postgres_command("postgres");
        let locale = command.get_envs().find(|(name, _)| *name == "LC_ALL");
        assert_eq!(locale, Some((OsStr::new("LC_ALL"), Some(OsStr::new("C")))));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let spawned = thread::spawn(|| spawn(shell("exec sleep 1000"))).join().expect("join").expect("start a shell");
        let mut child = spawned.take();
        // With the parent-death signal bound to the ended thread, it would be gone within a moment.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(child.try_wait().expect("ask for its status"), None);
        child.kill().expect("kill it");
        child.wait().expect("reap it");
    }
}
