//! Shared memory that a killed server leaves behind, and its removal.
//!
//! A server that ends in an orderly way frees its shared memory; one that is killed does so at its next start. A cluster
//! that is thrown away after a crash has no next start, and a container's `/dev/shm` of 64 MB is full after some dozens
//! of them. What a server uses is noted while it runs: its System V segment (a few bytes that guard the data directory,
//! `src/backend/port/sysv_shmem.c`) and its POSIX segments (`dsm_impl.c` in `src/backend/storage/ipc`). Linux only; elsewhere
//! nothing is noted and nothing removed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Pid;
use crate::spawn;
use crate::user::ServerUser;

/// The file in a server's home that holds the notes, for those who clear up after us.
const NOTES_FILE: &str = "shared-memory.json";
/// Where Linux shows POSIX shared memory.
const POSIX_DIRECTORY: &str = "/dev/shm";
/// How all of PostgreSQL's segments are called, followed by a random number (function `dsm_impl_posix`).
const POSIX_PREFIX: &str = "PostgreSQL.";
/// How long a program that shows or frees segments may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait for processes that have been killed to let go of their memory.
const DETACH_LIMIT: Duration = Duration::from_secs(5);

/// The shared memory of one run of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SharedMemory {
    postmaster: i32,
    uid: u32,
    /// User and group to become in order to free segments; `None` when that is us.
    owner: Option<(u32, u32)>,
    system_v: Option<i32>,
    posix: BTreeSet<String>,
}

impl SharedMemory {
    /// What a running server uses now, by its lock file and by the memory maps of its processes.
    pub(crate) fn of(postmaster: Pid, processes: &[Pid], data: &Path, user: &ServerUser) -> Self {
        let lock_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        Self {
            postmaster: postmaster.as_raw(),
            uid: user.uid(),
            owner: user.owner(),
            system_v: segment_in(&lock_file, postmaster),
            posix: segments_in(&maps_of(processes, user)),
        }
    }

    /// Adds what a later look at the same run found.
    pub(crate) fn extend(&mut self, later: Self) {
        self.system_v = self.system_v.or(later.system_v);
        self.posix.extend(later.posix);
    }

    /// Reads the notes of a home; none when there are none.
    pub(crate) fn noted_in(home: &Path) -> Self {
        let text = fs::read_to_string(home.join(NOTES_FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes the notes. A full disk only means that a later owner cannot free what a killed one left.
    pub(crate) fn note_in(&self, home: &Path) {
        let written = serde_json::to_string(self).map(|text| fs::write(home.join(NOTES_FILE), text));
        if !matches!(written, Ok(Ok(()))) {
            tracing::debug!(home = %home.display(), "shared memory not noted");
        }
    }

    /// Whether a process still uses the System V segment; a server that starts would refuse to (it asks for the same
    /// number, function `PGSharedMemoryAttach`).
    pub(crate) fn is_attached(&self) -> bool {
        self.users().is_some_and(|users| users > 0)
    }

    fn users(&self) -> Option<i64> {
        let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        attached_to(&segments, self.system_v?, self.postmaster)
    }

    /// Frees what is left, once no process of the server lives. What the server has freed itself is no error. Blocks for
    /// as long as processes take to end that were killed just now.
    pub(crate) fn free(&self) {
        for name in self.posix.iter().filter(|name| is_segment_name(name)) {
            let path = Path::new(POSIX_DIRECTORY).join(name);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.uid() == self.uid) {
                // Somebody else may be faster; what remains is a leak of a megabyte, not an error.
                let _ = fs::remove_file(&path);
            }
        }
        let began = Instant::now();
        while self.is_attached() && began.elapsed() < DETACH_LIMIT {
            thread::sleep(Duration::from_millis(1));
        }
        if let Some(id) = self.system_v.filter(|_| self.users() == Some(0)) {
            let mut command = spawn::postgres_command("ipcrm");
            command.arg("-m").arg(id.to_string());
            if let Some((uid, gid)) = self.owner {
                // Only its owner may, or root with a right that it lacks in a container.
                command.uid(uid).gid(gid);
            }
            let freed = spawn::run(command, PROGRAM_LIMIT);
            tracing::debug!(id, freed = freed.is_ok_and(|end| end.succeeded()), "freed an abandoned segment");
        }
    }
}

/// Line 7 of the lock file holds key and id (`LOCK_FILE_LINE_SHMEM_KEY` in src/include/utils/pidfile.h).
fn segment_in(lock_file: &str, postmaster: Pid) -> Option<i32> {
    let mut lines = lock_file.lines();
    if lines.next()? != postmaster.to_string() {
        return None;
    }
    lines.nth(5)?.split_whitespace().nth(1)?.parse().ok()
}

/// How many processes use the segment with this id that was made by that process: `shmid`, `cpid` and `nattch` in
/// `/proc/sysvipc/shm` (sysvipc(7)); `None` when there is no such segment.
fn attached_to(table: &str, id: i32, creator: i32) -> Option<i64> {
    table.lines().find_map(|line| {
        let fields: Vec<i64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
        let is_it = fields.len() > 6 && fields[1] == i64::from(id) && fields[4] == i64::from(creator);
        is_it.then(|| fields[6])
    })
}

/// The memory maps of the processes as one text. They may be read by the same user; root in a container may not (it
/// lacks `CAP_SYS_PTRACE`), so then the server's own user is asked to.
fn maps_of(processes: &[Pid], user: &ServerUser) -> String {
    let paths: Vec<String> = processes.iter().map(|pid| format!("/proc/{pid}/maps")).collect();
    let direct: String = paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    if !direct.is_empty() || paths.is_empty() || !cfg!(target_os = "linux") {
        return direct;
    }
    let mut command = spawn::postgres_command("grep");
    command.args(["-h", POSIX_DIRECTORY]).args(&paths);
    user.apply(&mut command);
    spawn::run(command, PROGRAM_LIMIT).map(|finished| finished.output).unwrap_or_default()
}

fn segments_in(maps: &str) -> BTreeSet<String> {
    let begins_with = format!("{POSIX_DIRECTORY}/");
    let names = maps.lines().filter_map(|line| line.split_once(&begins_with));
    // A segment that was removed while mapped is shown as "… (deleted)".
    names.map(|(_, name)| name.to_owned()).filter(|name| is_segment_name(name)).collect()
}

fn is_segment_name(name: &str) -> bool {
    let number = name.strip_prefix(POSIX_PREFIX);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_read_from_the_memory_maps() {
        let maps = "7f00-7f01 rw-s 00000000 00:19 6   /dev/shm/PostgreSQL.1408060268\n\
                    7f01-7f02 rw-s 00000000 00:19 7   /dev/shm/PostgreSQL.7 (deleted)\n\
                    7f02-7f03 rw-s 00000000 00:19 8   /dev/shm/something-else\n\
                    7f03-7f04 r-xp 00000000 08:01 9   /usr/lib/libc.so.6\n";
        assert_eq!(segments_in(maps), BTreeSet::from(["PostgreSQL.1408060268".to_owned()]));
    }

    #[test]
    fn only_names_of_segments_are_ever_removed() {
        for name in ["PostgreSQL.", "PostgreSQL.1/../x", "PostgreSQL.1 ", "../etc", "other"] {
            assert!(!is_segment_name(name), "{name}");
        }
    }

    #[test]
    fn the_lock_file_of_another_process_says_nothing_about_this_one() {
        let file = "42\n/data\n1700000000\n5432\n/tmp/pgs-1\n\n  5432001    131078\nready   \n";
        assert_eq!(segment_in(file, Pid::from_raw(42)), Some(131_078));
        assert_eq!(segment_in(file, Pid::from_raw(43)), None);
        assert_eq!(segment_in("", Pid::from_raw(42)), None);
    }

    #[test]
    fn users_of_a_segment_are_counted_when_its_creator_is_the_one() {
        let table = "  key shmid perms size cpid lpid nattch uid\n 10092545 131078 600 56 16629 16657 0 101\n \
                     10027021 32810 600 56 17919 31441 6 101\n";
        assert_eq!(attached_to(table, 131_078, 16_629), Some(0));
        assert_eq!(attached_to(table, 32_810, 17_919), Some(6));
        assert_eq!(attached_to(table, 131_078, 1), None, "another creator");
        assert_eq!(attached_to(table, 1, 16_629), None, "no such segment");
    }
}
