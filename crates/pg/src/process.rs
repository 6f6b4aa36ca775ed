//! CPU time of processes and of the machine, and the identity of a process.
//!
//! Client and server CPU per operation, and the share of others on the machine, are computed from these readings; this
//! file only reads. Own time comes from the CPU clocks (nanoseconds); that of other processes and of the machine is to
//! be had on Linux only, from their CPU clocks and `/proc` (see `proc(5)`, `clock_getcpuclockid(3)`).

use std::fmt;
use std::fs;
use std::io;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

pub use nix::unistd::Pid;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};

use crate::error::{Error, Kind};

/// Nanoseconds in a unit of `/proc`: `USER_HZ` is 100 on every architecture this builds for (`asm-generic/param.h`).
const NANOS_PER_TICK: u64 = 10_000_000;

/// How often [`tree_cpu`] reads again when processes came or went while it was reading.
const TREE_READS_MAX: u32 = 4;

/// An amount of CPU time, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CpuTime(u64);

impl CpuTime {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// In microseconds, for "CPU µs per operation".
    #[must_use]
    pub fn as_micros_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// In seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    const fn from_ticks(ticks: u64) -> Self {
        Self(ticks.saturating_mul(NANOS_PER_TICK))
    }
}

impl From<CpuTime> for Duration {
    fn from(time: CpuTime) -> Self {
        Self::from_nanos(time.0)
    }
}

impl Add for CpuTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The time between two readings. A reading rounded down to ticks can lie just below an earlier one: then it is zero.
impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Sum for CpuTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for CpuTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Duration::from(*self), f)
    }
}

/// CPU time of all cores of the machine since it started, by what it went to; in steps of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MachineCpu {
    /// Running anything, ourselves included: user, nice, system, interrupts.
    pub busy: CpuTime,
    /// Running nothing, waiting for a disk included.
    pub idle: CpuTime,
    /// Wanted by this virtual machine and given to another by the host.
    pub steal: CpuTime,
}

/// What passed between two readings.
impl Sub for MachineCpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { busy: self.busy - earlier.busy, idle: self.idle - earlier.idle, steal: self.steal - earlier.steal }
    }
}

impl MachineCpu {
    /// The share, 0 to 1, of the time between two readings (this being their difference) that neither was idle nor went
    /// to `ours`: other processes, and other machines on the same host.
    #[must_use]
    pub fn foreign_share(self, ours: CpuTime) -> f64 {
        let all = self.busy + self.idle + self.steal;
        if all == CpuTime::ZERO {
            return 0.0;
        }
        (self.busy + self.steal - ours).as_secs_f64() / all.as_secs_f64()
    }
}

/// One process and no later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: Pid,
    /// When it started, in ticks of 10 ms since the machine did.
    pub start_ticks: u64,
}

impl ProcessIdentity {
    /// The process that has this number now; [`Kind::NoProcess`] when there is none. Linux only.
    pub fn of(pid: Pid) -> Result<Self, Error> {
        Ok(Self { pid, start_ticks: stat_of(pid)?.start_ticks })
    }

    /// Whether this very process is still there, running or not yet reaped by its parent.
    #[must_use]
    pub fn exists(self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == self)
    }
}

/// The process that started this one, or took it over; [`Kind::NoProcess`] when it is gone. Linux only.
pub fn parent_of(pid: Pid) -> Result<Pid, Error> {
    Ok(stat_of(pid)?.parent)
}

/// CPU time of this process so far, all threads, ended ones included.
pub fn self_cpu() -> Result<CpuTime, Error> {
    read_clock(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_err(|errno| failed("read our own CPU clock", errno))
}

/// CPU time of the calling thread so far.
pub fn thread_cpu() -> Result<CpuTime, Error> {
    read_clock(ClockId::CLOCK_THREAD_CPUTIME_ID).map_err(|errno| failed("read our own CPU clock", errno))
}

/// CPU time of another process so far, all its threads, without its children; [`Kind::NoProcess`] when it is gone.
#[cfg(target_os = "linux")]
pub fn of_process(pid: Pid) -> Result<CpuTime, Error> {
    let time = nix::time::clock_getcpuclockid(pid).and_then(read_clock);
    time.map_err(|errno| match errno {
        Errno::ESRCH | Errno::EINVAL => no_process(pid),
        _ => failed("read a process's CPU clock", errno),
    })
}

/// CPU time of another process: not to be had on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn of_process(_pid: Pid) -> Result<CpuTime, Error> {
    Err(failed("read a process's CPU clock", Errno::ENOSYS))
}

/// CPU time of a process, of its descendants, and of those descendants that have ended and been reaped by it or by one
/// of them. Linux only.
///
/// The living are counted to the nanosecond, the ended in ticks of 10 ms (rounded down twice a parent). A reading never
/// counts a process twice; one that ends in just this moment can be missing until the next reading, so keep the largest
/// reading where time must not run backwards.
pub fn tree_cpu(root: Pid) -> Result<CpuTime, Error> {
    let mut tree = descendants(root)?;
    for _ in 1..TREE_READS_MAX {
        let time = tree_time(root, &tree);
        let now = descendants(root)?;
        if now == tree {
            return time;
        }
        tree = now;
    }
    tree_time(root, &tree)
}

/// What all cores of the machine did since it started. Linux only.
pub fn machine_cpu() -> Result<MachineCpu, Error> {
    let text = fs::read_to_string("/proc/stat").map_err(|source| Error::new("read /proc/stat", Kind::Io(source)))?;
    parse_machine(&text).ok_or_else(|| unreadable("/proc/stat"))
}

fn tree_time(root: Pid, tree: &[ProcessIdentity]) -> Result<CpuTime, Error> {
    let mut total = CpuTime::ZERO;
    for process in tree {
        // The ended children of each process first, then the process, then (see `descendants`) its living children: the
        // other way round, a child that ends between the two readings would count twice.
        let time = stat_of(process.pid).and_then(|stat| Ok(stat.reaped_children + of_process(process.pid)?));
        match time {
            Ok(time) => total += time,
            Err(error) if process.pid == root => return Err(error),
            // It ended since the list was made; the next reading finds it among its parent's ended children.
            Err(_) => {}
        }
    }
    Ok(total)
}

/// The process and all that descend from it, parents before their children and otherwise in the order of their numbers.
fn descendants(root: Pid) -> Result<Vec<ProcessIdentity>, Error> {
    let root = ProcessIdentity::of(root)?;
    let mut others = Vec::new();
    let entries = fs::read_dir("/proc").map_err(|source| Error::new("list processes", Kind::Io(source)))?;
    for entry in entries.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A process that has ended since the directory was read is no concern of ours.
        if let Some(pid) = number.map(Pid::from_raw)
            && let Ok(stat) = stat_of(pid)
        {
            others.push((stat.parent, ProcessIdentity { pid, start_ticks: stat.start_ticks }));
        }
    }
    others.sort_by_key(|(_, process)| process.pid);
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(parent) = tree.get(next).map(|process| process.pid) {
        tree.extend(others.iter().filter(|(of, process)| *of == parent && process.pid != root.pid).map(|(_, p)| *p));
        next += 1;
    }
    Ok(tree)
}

/// The fields of `/proc/<pid>/stat` that are used here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: Pid,
    reaped_children: CpuTime,
    start_ticks: u64,
}

fn stat_of(pid: Pid) -> Result<Stat, Error> {
    let path = format!("/proc/{pid}/stat");
    match fs::read_to_string(&path) {
        Ok(text) => parse_stat(&text).ok_or_else(|| unreadable(&path)),
        // ESRCH: it ended between the opening and the reading.
        Err(source) if source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(libc::ESRCH) => {
            Err(no_process(pid))
        }
        Err(source) => Err(Error::new(format!("read {path}"), Kind::Io(source))),
    }
}

/// Field numbers as in proc(5). The second field is the program's name in parentheses and may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number: usize| field(number)?.parse::<u64>().ok();
    Some(Stat {
        parent: Pid::from_raw(field(4)?.parse().ok()?),
        reaped_children: CpuTime::from_ticks(ticks(16)?.saturating_add(ticks(17)?)),
        start_ticks: ticks(22)?,
    })
}

/// The first line of `/proc/stat`: user nice system idle iowait irq softirq steal, then times already within the first.
fn parse_machine(text: &str) -> Option<MachineCpu> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
    Some(MachineCpu {
        busy: CpuTime::from_ticks(user + nice + system + irq + softirq),
        idle: CpuTime::from_ticks(idle + iowait),
        steal: CpuTime::from_ticks(steal),
    })
}

fn read_clock(clock: ClockId) -> Result<CpuTime, Errno> {
    let time = Duration::from(clock_gettime(clock)?);
    Ok(CpuTime(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
}

fn no_process(pid: Pid) -> Error {
    Error::new("read a process's CPU time", Kind::NoProcess { pid: pid.as_raw() })
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(what, Kind::Io(errno.into()))
}

fn unreadable(path: &str) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, "the fields are not as proc(5) has them");
    Error::new(format!("read {path}"), Kind::Io(source))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Uses this much CPU time of this thread.
    fn burn(amount: CpuTime) {
        let began = thread_cpu().expect("a clock");
        while thread_cpu().expect("a clock") - began < amount {
            black_box(0);
        }
    }

    const SOME: CpuTime = CpuTime::from_nanos(30_000_000);

    #[test]
    fn work_shows_up_in_the_thread_the_process_and_the_machine() {
        let me = Pid::this();
        let before = (thread_cpu().expect("a clock"), self_cpu().expect("a clock"), of_process(me).expect("a clock"));
        let machine = machine_cpu().expect("/proc/stat");
        burn(SOME);
        assert!(thread_cpu().expect("a clock") - before.0 >= SOME);
        assert!(self_cpu().expect("a clock") - before.1 >= SOME);
        assert!(of_process(me).expect("a clock") - before.2 >= SOME);
        let passed = machine_cpu().expect("/proc/stat") - machine;
        assert!(passed.busy + passed.idle + passed.steal > CpuTime::ZERO);
    }

    #[test]
    fn a_thread_that_has_ended_still_counts_in_its_process_and_not_in_this_thread() {
        let (thread, process) = (thread_cpu().expect("a clock"), self_cpu().expect("a clock"));
        std::thread::spawn(|| burn(SOME)).join().expect("no panic");
        assert!(self_cpu().expect("a clock") - process >= SOME);
        assert!(thread_cpu().expect("a clock") - thread < SOME);
    }

    #[test]
    fn a_tree_counts_the_living_and_those_its_members_reaped() {
        // A grandchild burns and is reaped by the child, which then burns itself and lives on until told to end.
        let script = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; i=0; \
                      while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("run sh");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let identity = ProcessIdentity::of(pid).expect("it lives");
        let mut said = [0; 4];
        io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut said).expect("it says done");

        let own = of_process(pid).expect("it lives");
        let tree = tree_cpu(pid).expect("it lives");
        assert!(own > CpuTime::ZERO);
        assert_eq!(parent_of(pid).expect("it lives"), Pid::this());
        assert!(tree > own, "the reaped grandchild counts: {tree} > {own}");
        assert!(tree_cpu(Pid::this()).expect("we live") >= tree, "and all of it is part of this process's tree");
        assert!(identity.exists());

        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert!(!identity.exists());
        assert!(matches!(of_process(pid).expect_err("it is gone").kind(), Kind::NoProcess { .. }));
        assert!(matches!(tree_cpu(pid).expect_err("it is gone").kind(), Kind::NoProcess { .. }));
    }

    #[test]
    fn another_start_time_is_another_process() {
        let me = ProcessIdentity::of(Pid::this()).expect("we live");
        assert!(me.exists());
        assert!(!ProcessIdentity { start_ticks: me.start_ticks + 1, ..me }.exists());
    }

    #[test]
    fn the_machine_line_is_read_as_proc_5_says() {
        let text = "cpu  100 20 30 4000 500 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        let ticks = CpuTime::from_ticks;
        let expect = MachineCpu { busy: ticks(163), idle: ticks(4500), steal: ticks(80) };
        assert_eq!(parse_machine(text), Some(expect));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
        assert_eq!(parse_machine(""), None);
    }

    #[test]
    fn the_foreign_share_is_what_is_neither_idle_nor_ours() {
        let second = CpuTime::from_nanos(1_000_000_000);
        let passed = MachineCpu { busy: second + second, idle: second, steal: second };
        assert!((passed.foreign_share(second) - 0.5).abs() < 1e-9);
        assert!(passed.foreign_share(second + second + second + second).abs() < 1e-9, "never below zero");
        assert!(MachineCpu::default().foreign_share(second).abs() < 1e-9);
    }

    #[test]
    fn differences_of_cpu_time_never_wrap() {
        let (small, large) = (CpuTime::from_nanos(1), CpuTime::from_nanos(u64::MAX));
        assert_eq!(small - large, CpuTime::ZERO);
        assert_eq!(large + small, large);
        assert_eq!(CpuTime::from_nanos(1_500_000).to_string(), "1.5ms");
    }

    proptest! {
        #[test]
        fn any_program_name_leaves_the_other_fields_readable(name in "[^\0]{0,15}", parent in 0..i32::MAX, start: u64) {
            let text = format!("7 ({name}) S {parent} 7 7 0 -1 4194304 100 0 0 0 1 2 3 4 20 0 1 0 {start} 31 390\n");
            let expect = Stat { parent: Pid::from_raw(parent), reaped_children: CpuTime::from_ticks(7), start_ticks: start };
            prop_assert_eq!(parse_stat(&text), Some(expect));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,200}") {
            let _ = (parse_stat(&text), parse_machine(&text));
        }
    }
}
