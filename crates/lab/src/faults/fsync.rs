//! The fsync shim from the workbench's side: it puts the library where a server can load it and steers it while it runs.
//!
//! The library itself, the layout of the control file and what it does not cover are in `shim/fsync_shim.rs`. Both sides
//! see the same pages: the server maps the file, we read and write it, so nothing here needs `unsafe`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgstrata_pg::ServerUser;

use super::error::FaultError;
use super::scratch::{self, Scratch};

/// The library as `build.rs` compiled it.
#[cfg(target_os = "linux")]
const LIBRARY: Option<&[u8]> = Some(include_bytes!(concat!(env!("OUT_DIR"), "/fsync_shim.so")));
/// There is no library for this system.
#[cfg(not(target_os = "linux"))]
const LIBRARY: Option<&[u8]> = None;

/// The environment variable that tells the library its control file.
const CONTROL_VARIABLE: &str = "PGSTRATA_FSYNC_CONTROL";
/// What the control file begins with.
const MAGIC: [u8; 8] = *b"pgsfsyn1";
/// Eight words.
const CONTROL_BYTES: usize = 64;
/// The words of the control file, by place.
mod word {
    pub(super) const DELAY_US: u64 = 1;
    pub(super) const ERRNO: u64 = 2;
}

/// Memory, so that the kernel does not write the control file's changes to the disk that is being measured.
const SHARED_MEMORY: &str = "/dev/shm";
/// How the directories are recognised.
const PREFIX: &str = "pgstrata-fsync-";

/// A shim for one server: the files are there as long as this is.
#[derive(Debug)]
pub struct FsyncShim {
    control: File,
    directory: Scratch,
}

/// What the shim has counted since it was made, over all processes of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsyncCounts {
    /// Calls of `fsync`.
    pub fsync: u64,
    /// Calls of `fdatasync`.
    pub fdatasync: u64,
    /// Calls that were made to fail.
    pub failed: u64,
    /// Calls that were made to wait.
    pub delayed: u64,
    /// How long they waited, all together.
    pub delay: Duration,
}

impl FsyncShim {
    /// Writes library and control file where `user` can read the one and write the other.
    ///
    /// # Errors
    /// Where there is no shim for this system, or no place for the files.
    pub fn create(user: &ServerUser) -> Result<Self, FaultError> {
        let hint = "set TMPDIR to a directory that the server's user can enter";
        let fail = || FaultError::machine("write the fsync shim", hint);
        let Some(library) = LIBRARY else {
            let unsupported = io::Error::new(io::ErrorKind::Unsupported, "there is no shim for this system");
            return Err(FaultError::machine("make fsync slow or failing", "run this fault on Linux")(unsupported));
        };
        let parent = Some(PathBuf::from(SHARED_MEMORY)).filter(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir);
        for leftover in scratch::left_over(&parent, PREFIX) {
            // Whoever cannot remove it is not its owner.
            let _ = fs::remove_dir_all(leftover);
        }
        let directory = Scratch::create(&parent, PREFIX).map_err(fail())?;
        write_library(&directory.path().join("fsync_shim.so"), library).map_err(fail())?;
        let control = create_control(&directory.path().join("control"), user).map_err(fail())?;
        Ok(Self { control, directory })
    }

    /// The library to preload.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.directory.path().join("fsync_shim.so")
    }

    /// The environment variable that the server needs, as name and value.
    #[must_use]
    pub fn environment(&self) -> (String, String) {
        (CONTROL_VARIABLE.to_owned(), self.directory.path().join("control").display().to_string())
    }

    /// Makes every call from now on wait so long, to the microsecond, before it does its work.
    pub fn set_delay(&self, delay: Duration) -> Result<(), FaultError> {
        self.write(word::DELAY_US, u64::try_from(delay.as_micros()).unwrap_or(u64::MAX))
    }

    /// Makes every call from now on fail with this `errno` instead of doing its work; none lets them through.
    pub fn set_failure(&self, errno: Option<nix::errno::Errno>) -> Result<(), FaultError> {
        let number = errno.map_or(0, |errno| errno as i32);
        self.write(word::ERRNO, u64::from(number.unsigned_abs()))
    }

    /// What was counted so far.
    pub fn counts(&self) -> Result<FsyncCounts, FaultError> {
        let mut bytes = [0; CONTROL_BYTES];
        self.control
            .read_exact_at(&mut bytes, 0)
            .map_err(FaultError::machine("read the fsync shim's control", GONE))?;
        let (words, _) = bytes.as_chunks::<8>();
        let [_, _, _, fsync, fdatasync, failed, delayed, delay_ns] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|at| u64::from_ne_bytes(words[at]));
        Ok(FsyncCounts { fsync, fdatasync, failed, delayed, delay: Duration::from_nanos(delay_ns) })
    }

    fn write(&self, word: u64, value: u64) -> Result<(), FaultError> {
        let written = self.control.write_all_at(&value.to_ne_bytes(), word * 8);
        written.map_err(FaultError::machine("steer the fsync shim", GONE))
    }
}

const GONE: &str = "somebody removed the control file; run again";

impl FsyncCounts {
    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.fsync + self.fdatasync
    }

    /// What was counted since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            fsync: self.fsync.saturating_sub(earlier.fsync),
            fdatasync: self.fdatasync.saturating_sub(earlier.fdatasync),
            failed: self.failed.saturating_sub(earlier.failed),
            delayed: self.delayed.saturating_sub(earlier.delayed),
            delay: self.delay.saturating_sub(earlier.delay),
        }
    }

    /// The mean delay of the calls that were made to wait; none when there were none.
    #[must_use]
    pub fn mean_delay(&self) -> Option<Duration> {
        (self.delayed > 0).then(|| self.delay.div_f64(self.delayed as f64))
    }
}

fn write_library(path: &Path, library: &[u8]) -> io::Result<()> {
    fs::write(path, library)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The control file, which nobody but the server's user (and root) can touch.
fn create_control(path: &Path, user: &ServerUser) -> io::Result<File> {
    let control = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let mut words = [0; CONTROL_BYTES];
    words[..MAGIC.len()].copy_from_slice(&MAGIC);
    control.write_all_at(&words, 0)?;
    if user.is_other() {
        std::os::unix::fs::fchown(&control, Some(user.uid()), None)?;
    }
    Ok(control)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Output};
    use std::time::Instant;

    use nix::errno::Errno;

    use super::*;

    fn shim() -> FsyncShim {
        let user = ServerUser::resolve().expect("an unprivileged user (root: create one named postgres)");
        FsyncShim::create(&user).expect("a shim")
    }

    /// Has `dd` write and sync a block under the shim; `conversion` is `fsync` or `fdatasync`.
    fn sync_a_block(shim: &FsyncShim, conversion: &str) -> Output {
        let target = tempfile::NamedTempFile::new().expect("a temporary file");
        let (name, value) = shim.environment();
        Command::new("dd")
            .args(["if=/dev/zero", "bs=8k", "count=1", &format!("conv={conversion}")])
            .arg(format!("of={}", target.path().display()))
            .env("LD_PRELOAD", shim.library())
            .env(name, value)
            .env("LC_ALL", "C")
            .output()
            .expect("dd, of coreutils, runs")
    }

    #[test]
    fn calls_are_counted_by_kind_and_pass() {
        let shim = shim();
        assert!(sync_a_block(&shim, "fdatasync").status.success());
        assert!(sync_a_block(&shim, "fsync").status.success());
        assert!(sync_a_block(&shim, "fsync").status.success());
        let counts = shim.counts().expect("readable");
        assert_eq!(counts, FsyncCounts { fsync: 2, fdatasync: 1, ..FsyncCounts::default() });
        assert_eq!(counts.calls(), 3);
    }

    #[test]
    fn a_delay_is_never_shorter_than_asked_and_can_be_lifted() {
        let shim = shim();
        let asked = Duration::from_millis(1_020);
        shim.set_delay(asked).expect("writable");
        let start = Instant::now();
        assert!(sync_a_block(&shim, "fdatasync").status.success());
        assert!(start.elapsed() >= asked);
        shim.set_delay(Duration::ZERO).expect("writable");
        assert!(sync_a_block(&shim, "fdatasync").status.success());
        let counts = shim.counts().expect("readable");
        assert_eq!((counts.fdatasync, counts.delayed, counts.failed), (2, 1, 0));
        assert!(counts.mean_delay().expect("one was delayed") >= asked);
    }

    #[test]
    fn a_failure_has_the_errno_asked_for_and_can_be_lifted() {
        let shim = shim();
        for (errno, text) in [(Errno::EIO, "Input/output error"), (Errno::ENOSPC, "No space left on device")] {
            shim.set_failure(Some(errno)).expect("writable");
            let output = sync_a_block(&shim, "fsync");
            assert!(!output.status.success());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(text), "{said}");
        }
        shim.set_failure(None).expect("writable");
        assert!(sync_a_block(&shim, "fsync").status.success());
        assert_eq!(shim.counts().expect("readable").failed, 2);
    }

    #[test]
    fn without_a_control_file_everything_passes() {
        let shim = shim();
        let status = Command::new("dd")
            .args(["if=/dev/zero", "of=/dev/null", "bs=1", "count=1", "status=none"])
            .env("LD_PRELOAD", shim.library())
            .env(CONTROL_VARIABLE, "/nonexistent")
            .status()
            .expect("dd, of coreutils, runs");
        assert!(status.success());
        assert_eq!(shim.counts().expect("readable").calls(), 0);
    }

    #[test]
    fn the_files_go_when_the_shim_does() {
        let shim = shim();
        let library = shim.library();
        assert!(library.exists());
        drop(shim);
        assert!(!library.parent().expect("a directory").exists());
    }
}
