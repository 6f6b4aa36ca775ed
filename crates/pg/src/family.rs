//! Which processes belong to one of our servers, asked of the operating system.
//!
//! Server processes leave their parent's process group and may outlive it, so neither group nor parent identifies them.
//! Their command lines do, and everybody may read those (a container's root may not read another user's `/proc/PID/cwd`):
//! the postmaster and children that have just been forked show the arguments we gave, the others the cluster's name
//! (`postgres: pgstrata-1f…: checkpointer`), which is random.

use std::collections::BTreeSet;
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

    /// Its living processes. Zombies have no command line and do not count; nor do processes that are just ending, see
    /// [`Family::wait_gone`].
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
    ///
    /// A process that ends loses its command line a moment before it lets go of its memory, and a server that starts in
    /// that moment finds its shared memory in use. So whoever was seen, here or by the caller (`known`), must have ended
    /// altogether.
    pub(crate) fn wait_gone(&self, known: &[Pid], grace: Duration, limit: Duration) -> io::Result<bool> {
        let mut seen: BTreeSet<Pid> = known.iter().copied().collect();
        if self.wait_empty(&mut seen, grace)? {
            return Ok(true);
        }
        let left = self.signal(Signal::SIGKILL)?;
        tracing::debug!(processes = left, "killed server processes that outlived their postmaster");
        self.wait_empty(&mut seen, limit)
    }

    fn wait_empty(&self, seen: &mut BTreeSet<Pid>, limit: Duration) -> io::Result<bool> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            seen.extend(self.members()?);
            seen.retain(|pid| !has_ended(*pid));
            if seen.is_empty() {
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

/// Whether a process is gone, or a zombie that only waits for its parent. (Should its number be given to a stranger in
/// this moment, we wait in vain for as long as the limit says.)
fn has_ended(pid: Pid) -> bool {
    if !cfg!(target_os = "linux") {
        return kill(pid, None) == Err(Errno::ESRCH);
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state is the first field after the name, which may hold anything: proc(5).
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, None | Some("Z" | "X" | "x"))
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
