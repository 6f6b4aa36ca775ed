//! Which processes belong to one of our servers, asked of the operating system.
//!
//! Server processes leave their parent's process group and may outlive it, so neither group nor parent identifies them.
//! Their command lines do, and everybody may read those (a container's root may not read another user's `/proc/PID/cwd`):
//! the postmaster and children that have just been forked show the arguments we gave, the others the cluster's name
//! (`postgres: pgstrata-1f…: checkpointer`), which is random.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The longest pause between two looks at the process list.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How processes of one server are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    title: Vec<u8>,
    data: Vec<u8>,
}

impl Family {
    /// The server with this `cluster_name`, started with `-D data`.
    pub(crate) fn new(cluster_name: &str, data: &Path) -> Self {
        let title = format!("postgres: {cluster_name}: ").into_bytes();
        Self { title, data: data.as_os_str().as_encoded_bytes().to_vec() }
    }

    /// Its living processes; zombies have no command line and do not count.
    pub(crate) fn members(&self) -> io::Result<Vec<Pid>> {
        Ok(command_lines()?.into_iter().filter(|(_, line)| self.owns(line)).map(|(pid, _)| pid).collect())
    }

    fn owns(&self, command_line: &[u8]) -> bool {
        if command_line.starts_with(&self.title) {
            return true;
        }
        let mut arguments = command_line.split(|byte| *byte == 0);
        let program = arguments.next().unwrap_or_default();
        program.ends_with(b"postgres") && arguments.any(|argument| argument == self.data)
    }

    /// Sends a signal to every living process of the server; those that end meanwhile do not matter.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<usize> {
        let members = self.members()?;
        for pid in &members {
            match kill(*pid, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(members.len())
    }

    /// Waits until none is left: `grace` for those that end by themselves, after which they are killed. `false` when
    /// some are still there after `limit` more. Blocks.
    pub(crate) fn wait_gone(&self, grace: Duration, limit: Duration) -> io::Result<bool> {
        if self.wait_empty(grace)? {
            return Ok(true);
        }
        let left = self.signal(Signal::SIGKILL)?;
        tracing::debug!(processes = left, "killed server processes that outlived their postmaster");
        self.wait_empty(limit)
    }

    fn wait_empty(&self, limit: Duration) -> io::Result<bool> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if self.members()?.is_empty() {
                return Ok(true);
            }
            if began.elapsed() >= limit {
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// All processes we can see with their command lines, arguments ended by zero bytes.
#[cfg(target_os = "linux")]
fn command_lines() -> io::Result<Vec<(Pid, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the two reads.
        if let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline"))
            && !line.is_empty()
        {
            found.push((Pid::from_raw(pid), line));
        }
    }
    Ok(found)
}

/// The same from ps(1), which separates arguments by blanks: a data directory with a blank in its name is not
/// recognised here, the processes' titles are.
#[cfg(not(target_os = "linux"))]
fn command_lines() -> io::Result<Vec<(Pid, Vec<u8>)>> {
    let output = std::process::Command::new("ps").args(["-axo", "pid=,command="]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| {
        let (pid, command) = line.trim_start().split_once(' ')?;
        let separator = if command.starts_with("postgres: ") { " " } else { "\0" };
        Some((Pid::from_raw(pid.parse().ok()?), command.replace(' ', separator).into_bytes()))
    };
    Ok(text.lines().filter_map(parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_this_server_are_ours() {
        let family = Family::new("pgstrata-1f", Path::new("/data/1f"));
        let check = |line: &[u8], ours: bool| assert_eq!(family.owns(line), ours, "{}", String::from_utf8_lossy(line));
        check(b"/usr/lib/postgresql/15/bin/postgres\0-D\0/data/1f\0-k\0/tmp", true);
        check(b"postgres: pgstrata-1f: checkpointer ", true);
        check(b"postgres: pgstrata-1f: postgres shop [local] idle", true);
        check(b"postgres: pgstrata-1f0: checkpointer ", false);
        check(b"postgres: checkpointer ", false);
        check(b"/usr/bin/postgres\0-D\0/data/1f0", false);
        check(b"ls\0/data/1f", false);
        check(b"vi\0postgres: pgstrata-1f: checkpointer", false);
        check(b"", false);
    }
}
