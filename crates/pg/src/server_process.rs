//! One running postmaster: its process id, signals to it, and its end.
//!
//! A thread of its own waits for each postmaster, so its end is known at once and it never stays a zombie. Signals and
//! reaping exclude each other: a signal can never reach a stranger that was given the same process id.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use tokio::sync::watch;

use crate::process::{CpuTime, Pid, tree_cpu};
use crate::spawn::Spawned;

/// A child of ours that may still run.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    pid: Pid,
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    status: Option<ExitStatus>,
    cpu_at_end: CpuTime,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing inside panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerProcess {
    /// Watches over a child from now on.
    pub(crate) fn watch(spawned: Spawned) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let (announce, ended) = watch::channel(false);
        // The child travels through a channel so that a thread that cannot be started leaves it to its guard.
        let (hand_over, handed) = std::sync::mpsc::sync_channel::<Child>(1);
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("pgstrata-wait".to_owned()).spawn(move || {
            if let Ok(child) = handed.recv() {
                wait_and_reap(child, &theirs);
                theirs.changed.notify_all();
                // Nobody waits any more: then nobody needs to know.
                let _ = announce.send(true);
            }
        })?;
        let child = spawned.take();
        let pid = Pid::from_raw(child.id().cast_signed());
        hand_over.send(child).map_err(|_| io::Error::other("the thread that waits for the server has ended"))?;
        Ok(Self { pid, shared, ended })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.shared.lock().status
    }

    /// The processor time that it and the children it had reaped had used at its end; zero while it runs.
    pub(crate) fn cpu_at_end(&self) -> CpuTime {
        self.shared.lock().cpu_at_end
    }

    /// Sends a signal; `false` when it has already ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let state = self.shared.lock();
        if state.status.is_some() {
            return Ok(false);
        }
        // Not reaped, so the process id is still its own.
        kill(self.pid, signal)?;
        drop(state);
        Ok(true)
    }

    /// Waits for its end without blocking the thread; `None` after `limit`.
    pub(crate) async fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        // An error means that the waiting thread is gone, after which the status is final too.
        let _ = tokio::time::timeout(limit, ended.wait_for(|ended| *ended)).await;
        self.status()
    }

    /// Waits for its end, blocking the thread; `None` after `limit`.
    pub(crate) fn wait_blocking(&self, limit: Duration) -> Option<ExitStatus> {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, limit, |state| state.status.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.status
    }
}

#[cfg(target_os = "linux")]
fn wait_and_reap(mut child: Child, shared: &Shared) {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};

    let pid = Pid::from_raw(child.id().cast_signed());
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let mut state = shared.lock();
    // The zombie still tells what it and the children it had waited for have used.
    state.cpu_at_end = tree_cpu(pid).unwrap_or_default();
    // Cannot fail for a child that was never waited for; should it do so, it is not running either.
    state.status = Some(child.wait().unwrap_or_default());
}

/// Without `waitid` in the library: look a few hundred times a second, under the same lock that signals take.
#[cfg(not(target_os = "linux"))]
fn wait_and_reap(mut child: Child, shared: &Shared) {
    loop {
        let mut state = shared.lock();
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => state.status = Some(status),
            Err(_) => state.status = Some(ExitStatus::default()),
        }
        if state.status.is_some() {
            return;
        }
        drop(state);
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::spawn::{postgres_command, spawn};

    const LIMIT: Duration = Duration::from_secs(30);

    fn start(script: &str) -> ServerProcess {
        let mut command = postgres_command("/bin/sh");
        command.args(["-c", script]);
        ServerProcess::watch(spawn(command).expect("start a shell")).expect("watch it")
    }

    #[test]
    fn a_signal_ends_it_and_later_signals_reach_nobody() {
        let process = start("exec sleep 1000");
        assert_eq!(process.status(), None);
        assert_eq!(process.wait_blocking(Duration::from_millis(1)), None);
        assert!(process.signal(Signal::SIGKILL).expect("signal"));
        let status = process.wait_blocking(LIMIT).expect("it ends");
        assert_eq!(status.signal(), Some(9));
        assert!(!process.signal(Signal::SIGKILL).expect("signal"));
    }

    #[tokio::test]
    async fn its_exit_status_is_known_to_everybody_who_waits() {
        let process = start("exit 7");
        assert_eq!(process.wait(LIMIT).await.expect("it ends").code(), Some(7));
        assert_eq!(process.wait(Duration::ZERO).await.expect("still known").code(), Some(7));
        assert_eq!(process.wait_blocking(Duration::ZERO).expect("still known").code(), Some(7));
    }
}
