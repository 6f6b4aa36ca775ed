//! How much processor time a server has used, children that have ended included.
//!
//! A server process adds itself to its postmaster when it ends (`cutime`, `cstime` in proc(5)), so the sum is: the
//! postmaster, what it has reaped, and every process below it that still runs. Times of running processes are exact
//! (`/proc/PID/schedstat`, nanoseconds), those of ended ones in clock ticks (10 ms) of their sum.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use nix::unistd::{Pid, SysconfVar, sysconf};

/// How often the sum is taken again when processes came or went meanwhile.
const TRIES: u32 = 5;

/// What `/proc/PID/stat` says about one process, in clock ticks where it is a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    own_ticks: u64,
    reaped_ticks: u64,
    start_ticks: u64,
}

/// Processor time used so far by a running postmaster, its descendants, and those of its children that have ended.
///
/// A child that ends while we look is counted once or not at all, never twice: when the set of processes changed while
/// it was read, it is read again. Who needs a value that never falls must keep the largest seen.
pub(crate) fn of_running(postmaster: Pid) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for _ in 0..TRIES {
        let before = tree(postmaster)?;
        sum = before.iter().map(|(pid, stat)| own_time(*pid, stat) + ticks(stat.reaped_ticks)).sum();
        let after = tree(postmaster)?;
        let same = before.len() == after.len()
            && before
                .iter()
                .zip(&after)
                .all(|((pid, was), (other, is))| pid == other && was.start_ticks == is.start_ticks);
        if same {
            break;
        }
    }
    Ok(sum)
}

/// Processor time of a child of ours that has ended but is not reaped yet, with what it had reaped itself; zero when
/// it cannot be read.
pub(crate) fn of_ended(pid: Pid) -> Duration {
    read_stat(pid.as_raw()).map_or(Duration::ZERO, |stat| own_time(pid.as_raw(), &stat) + ticks(stat.reaped_ticks))
}

/// When a process was started, in clock ticks since the machine was; with the process id it names one process for good.
pub(crate) fn start_ticks(pid: Pid) -> io::Result<u64> {
    read_stat(pid.as_raw()).map(|stat| stat.start_ticks)
}

/// The process and all its descendants.
fn tree(root: Pid) -> io::Result<BTreeMap<i32, Stat>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Ok(stat) = read_stat(pid) {
            all.insert(pid, stat);
        }
    }
    let mut found = BTreeMap::new();
    let mut queue = vec![root.as_raw()];
    while let Some(pid) = queue.pop() {
        // Each process is taken out once, so this ends even if process ids were reused while we read.
        if let Some(stat) = all.remove(&pid) {
            found.insert(pid, stat);
            queue.extend(all.iter().filter(|(_, child)| child.parent == pid).map(|(child, _)| *child));
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no process {root}")));
    }
    Ok(found)
}

fn read_stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("unknown format: {text}")))
}

/// The second field is the program's name in brackets, which may itself hold blanks and brackets.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    // proc(5) counts from 1, and two fields are cut off: field n is at n - 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
        start_ticks: number(22)?,
    })
}

/// The process's own time, in nanoseconds where the kernel tells them (server processes have one thread).
fn own_time(pid: i32, stat: &Stat) -> Duration {
    let exact = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok();
    let nanoseconds = exact.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanoseconds.map_or_else(|| ticks(stat.own_ticks), Duration::from_nanos)
}

fn ticks(count: u64) -> Duration {
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    Duration::from_millis(count.saturating_mul(1000) / per_second.unwrap_or(100).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_may_hold_anything() {
        let stat = parse_stat("42 (a) b) R) S 7 42 42 0 -1 4194304 1 0 0 0 10 20 30 40 20 0 1 0 12345 1 1");
        let expected = Stat { parent: 7, own_ticks: 30, reaped_ticks: 70, start_ticks: 12345 };
        assert_eq!(stat, Some(expected));
        assert_eq!(parse_stat("nonsense"), None);
        assert_eq!(parse_stat("42 (short) S 7"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_parent_is_charged_for_running_and_for_ended_children() {
        // The shell waits for a child that has worked, then works itself by way of another child that still runs.
        let work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let mut command = crate::spawn::postgres_command("/bin/sh");
        command.args(["-c", &format!("({work}); ({work}; echo done; exec sleep 1000) & wait")]);
        command.stdout(std::process::Stdio::piped());
        let mut child = crate::spawn::spawn(command).expect("start a shell").take();
        let mut line = [0; 4];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("it says done");
        let pid = Pid::from_raw(child.id().cast_signed());
        let all = of_running(pid).expect("it runs");
        let own = own_time(pid.as_raw(), &read_stat(pid.as_raw()).expect("it runs"));
        let reaped = ticks(read_stat(pid.as_raw()).expect("it runs").reaped_ticks);
        nix::sys::signal::killpg(pid, nix::sys::signal::Signal::SIGKILL).expect("kill both");
        child.wait().expect("reap it");
        assert!(reaped > Duration::ZERO, "the ended child is charged");
        assert!(all > own + reaped, "the running child is charged too: {all:?} {own:?} {reaped:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_not_there_has_no_time() {
        of_running(Pid::from_raw(i32::MAX)).expect_err("no such process");
        assert_eq!(of_ended(Pid::from_raw(i32::MAX)), Duration::ZERO);
    }
}
