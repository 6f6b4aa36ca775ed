//! Memory of processes: what is resident; of this process, what its allocator has given out and what it keeps for later.
//!
//! Linux alone (`proc(5)`); the allocator's account is that of glibc, since 2.33 (`mallinfo2(3)`). What is resident and in
//! neither part of that account is the program itself, the stacks of its threads, and files that are mapped.

use std::fs;

use nix::unistd::Pid;

use crate::error::{Error, Kind};

const TRIED: &str = "read a process's memory";

/// Arenas of the allocator, at most. Each keeps what it had at its fullest, and by default there are eight for each core:
/// work that moves from thread to thread would leave its greatest need in each of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;
/// Allocations from this size on, bytes, are mapped one by one and go back to the system at once. By default that size grows
/// with use, to 32 MiB: then the text of a large answer leaves a hole that is kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES: libc::c_int = 1 << 20;
/// What may lie free at the end of the heap, bytes, before it goes back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SPARE_BYTES: libc::c_int = 8 << 20;

/// How often whole pages that lie free go back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GIVE_BACK_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// The account of this process's allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Allocator {
    /// Bytes given out.
    pub in_use_bytes: u64,
    /// Bytes that were given back, and are kept for whoever asks next; pages of them may be with the system ([`give_back`]).
    pub kept_bytes: u64,
}

/// Memory of a process in the processor's hands (`VmRSS`), bytes; [`crate::Kind::NoProcess`] when it is gone. Linux only.
pub fn resident_bytes(pid: Pid) -> Result<u64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => gone(pid),
        _ => Error::new(TRIED, Kind::Io(error)),
    })?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    // A process that has ended and was not waited for has no memory.
    kibibytes.map(|kibibytes| kibibytes << 10).ok_or_else(|| gone(pid))
}

fn gone(pid: Pid) -> Error {
    Error::new(TRIED, Kind::NoProcess { pid: pid.as_raw() })
}

/// What this process's allocator says; `None` where it is not glibc's.
#[must_use]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator's account is to be had from C alone")]
pub fn allocator() -> Option<Allocator> {
    // SAFETY: it takes no pointer, and locks what it reads.
    let info = unsafe { libc::mallinfo2() };
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    // Large allocations are mapped one by one, and counted apart.
    Some(Allocator { in_use_bytes: bytes(info.uordblks + info.hblkhd), kept_bytes: bytes(info.fordblks) })
}

/// What this process's allocator says: another one than glibc's says nothing.
#[must_use]
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub const fn allocator() -> Option<Allocator> {
    None
}

/// Has this process's allocator keep less for later, at some cost when many threads allocate at once, and [`give_back`] twice a
/// minute. For programs that run long; to be called before there are threads. Does nothing where the allocator is not glibc's.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is to be told from C alone")]
pub fn keep_little() {
    let bounds =
        [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, MAPPED_BYTES), (libc::M_TRIM_THRESHOLD, SPARE_BYTES)];
    for (parameter, value) in bounds {
        // SAFETY: it takes no pointer.
        if unsafe { libc::mallopt(parameter, value) } != 1 {
            tracing::debug!(parameter, value, "the allocator does not take this bound");
        }
    }
    let giving_back = std::thread::Builder::new().name("give-back".to_owned()).spawn(|| {
        loop {
            std::thread::sleep(GIVE_BACK_EVERY);
            give_back();
        }
    });
    if let Err(error) = giving_back {
        tracing::debug!(error = %error, "pages that lie free stay with this process");
    }
}

/// Does nothing: the allocator is not glibc's.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub const fn keep_little() {}

/// Gives whole pages that lie free among what is in use back to the system (`malloc_trim(3)`). Without it they stay resident
/// for as long as one allocation behind them lives, and a program that makes and drops much of changing size takes a little
/// more with each rare peak.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is to be told from C alone")]
pub fn give_back() {
    // SAFETY: it takes no pointer, and locks what it changes.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_in_the_allocators_account_and_resident() {
        const BYTES: usize = 64 << 20;
        let before = allocator().expect("this is glibc");
        let taken = vec![1_u8; BYTES];
        let (during, resident) = (allocator().expect("still"), resident_bytes(Pid::this()).expect("we are there"));
        assert!(taken.iter().all(|byte| *byte == 1));
        // Other tests allocate too, and give back.
        assert!(during.in_use_bytes > before.in_use_bytes + (BYTES as u64) / 2, "{before:?} {during:?}");
        assert!(resident > BYTES as u64, "{resident}");
    }

    #[test]
    fn pages_that_lie_free_among_what_is_in_use_go_back_to_the_system() {
        const BYTES: usize = 64 << 20;
        // Far too small to be mapped one by one.
        let mut taken: Vec<_> = (0..BYTES / 1024).map(|_| vec![1_u8; 1000]).collect();
        let full = resident_bytes(Pid::this()).expect("we are there");
        let mut number = 0;
        taken.retain(|_| {
            number += 1;
            number % 64 == 0
        });
        give_back();
        let after = resident_bytes(Pid::this()).expect("still");
        assert!(taken.iter().flatten().all(|byte| *byte == 1));
        assert!(after + (BYTES as u64) / 2 < full, "{full} bytes before, {after} after");
    }

    #[test]
    fn a_process_that_is_not_there_has_no_memory() {
        let error = resident_bytes(Pid::from_raw(i32::MAX)).expect_err("no process has this number");
        assert!(matches!(error.kind(), Kind::NoProcess { .. }), "{error:?}");
    }
}
