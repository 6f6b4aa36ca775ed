//! A file system so small that it can be filled: a tmpfs for the data directory, and the ballast that fills it.
//!
//! Mounting needs root. The memory used is what is really stored, ballast included. A run that was killed leaves its
//! mount behind; the next one recognises it by its name and takes it away.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pgstrata_pg::Dirs;

use super::error::FaultError;
use super::scratch::{self, Scratch};

/// How the directories are recognised.
const PREFIX: &str = "pgstrata-disk-";
/// What `mount` and `df` show as the device.
#[cfg(target_os = "linux")]
const DEVICE: &str = "pgstrata-small-disk";
/// The file that fills the file system, beside the data directory.
const BALLAST: &str = "ballast";
/// The ballast grows in steps that are halved until not even this fits.
const LEAST_STEP: u64 = 4096;
/// The first step.
const FIRST_STEP: u64 = 64 << 20;

/// A mounted small file system; unmounted when dropped, whatever still uses it.
#[derive(Debug)]
pub struct SmallDisk {
    mounted: bool,
    directory: Scratch,
}

impl SmallDisk {
    /// Mounts a tmpfs of so many bytes in the state directory, and takes away those that killed runs left.
    ///
    /// # Errors
    /// [`FaultError::Machine`] when this user may not mount, or there is no memory.
    pub fn mount(bytes: u64) -> Result<Self, FaultError> {
        let parent = Dirs::resolve().state.join("disks");
        Self::mount_in(&parent, bytes)
    }

    fn mount_in(parent: &Path, bytes: u64) -> Result<Self, FaultError> {
        if cfg!(not(target_os = "linux")) {
            let unsupported = io::Error::new(io::ErrorKind::Unsupported, "there is no tmpfs on this system");
            return Err(FaultError::machine("make a small disk", "run this fault on Linux")(unsupported));
        }
        let hint = "set PGSTRATA_STATE_DIR to a directory that you can write to and every user can enter";
        let fail = || FaultError::machine(format!("make a directory in {}", parent.display()), hint);
        fs::create_dir_all(parent).map_err(fail())?;
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).map_err(fail())?;
        remove_leftovers(parent);
        let directory = Scratch::create(parent, PREFIX).map_err(fail())?;
        let mut disk = Self { mounted: false, directory };
        system::mount(disk.path(), bytes).map_err(|source| FaultError::Machine {
            action: format!("mount a tmpfs of {} MB for the data directory", bytes >> 20),
            hint: "run as root (in a container: with CAP_SYS_ADMIN), or leave the fault `disk-full` out",
            source,
        })?;
        disk.mounted = true;
        Ok(disk)
    }

    /// The directory on which it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all space that is left; the bytes taken. May be called again when some was freed meanwhile.
    ///
    /// # Errors
    /// If it fails for another reason than that there is no space left.
    pub fn fill(&self) -> Result<u64, FaultError> {
        let fail = || FaultError::machine("fill the small disk", "run again; the disk is made anew each time");
        let ballast = OpenOptions::new().append(true).create(true).open(self.ballast()).map_err(fail())?;
        let mut taken = 0;
        let mut step = FIRST_STEP;
        while step >= LEAST_STEP {
            match system::grow(&ballast, step) {
                Ok(()) => taken += step,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => step /= 2,
                Err(error) => return Err(fail()(error)),
            }
        }
        Ok(taken)
    }

    /// Gives back what [`SmallDisk::fill`] took.
    ///
    /// # Errors
    /// If the ballast cannot be removed.
    pub fn free(&self) -> Result<(), FaultError> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FaultError::machine("remove the ballast", "run again; the disk is made anew each time")(error))
            }
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path().join(BALLAST)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted
            && let Err(error) = system::unmount(self.path())
        {
            tracing::warn!(path = %self.path().display(), %error, "the small disk could not be unmounted");
        }
        // The directory goes with the field.
    }
}

fn remove_leftovers(parent: &Path) {
    for path in scratch::left_over(parent, PREFIX) {
        // Not mounted any more after the machine was started again.
        if let Err(error) = system::unmount(&path) {
            tracing::debug!(path = %path.display(), %error, "a small disk that was left behind is not mounted");
        }
        match fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "took away a small disk that a killed run left behind"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a small disk was left behind"),
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use nix::fcntl::{FallocateFlags, fallocate};
    use nix::mount::{MntFlags, MsFlags, mount as mount_file_system, umount2};

    pub(super) fn mount(path: &Path, bytes: u64) -> io::Result<()> {
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
        let options = format!("size={bytes},mode=0711");
        mount_file_system(Some(super::DEVICE), path, Some("tmpfs"), flags, Some(options.as_str()))?;
        Ok(())
    }

    /// Detaches it at once; the kernel frees the memory when the last open file is closed.
    pub(super) fn unmount(path: &Path) -> io::Result<()> {
        umount2(path, MntFlags::MNT_DETACH)?;
        Ok(())
    }

    /// Makes a file longer and takes the space for it.
    pub(super) fn grow(file: &File, bytes: u64) -> io::Result<()> {
        let out_of_range = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let length = file.metadata()?.len().try_into().map_err(out_of_range)?;
        fallocate(file, FallocateFlags::empty(), length, bytes.try_into().map_err(out_of_range)?)?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    fn unsupported<T>() -> io::Result<T> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "there is no tmpfs on this system"))
    }

    pub(super) fn mount(_path: &Path, _bytes: u64) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn unmount(_path: &Path) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn grow(_file: &File, _bytes: u64) -> io::Result<()> {
        unsupported()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const BYTES: u64 = 8 << 20;

    /// A mounted disk; none when this user may not mount, and then the refusal has been looked at.
    fn disk(parent: &Path) -> Option<SmallDisk> {
        match SmallDisk::mount_in(parent, BYTES) {
            Ok(disk) => Some(disk),
            Err(error) => {
                let FaultError::Machine { source, .. } = &error else { panic!("another error: {error}") };
                assert_eq!(source.kind(), io::ErrorKind::PermissionDenied, "{source}");
                assert!(error.hint().is_some_and(|hint| hint.contains("root")));
                assert_eq!(fs::read_dir(parent).expect("it is there").count(), 0, "nothing is left behind");
                None
            }
        }
    }

    fn is_mounted(path: &Path) -> bool {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
        mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str())
    }

    #[test]
    fn it_can_be_filled_and_emptied_or_says_that_it_needs_root() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let Some(disk) = disk(parent.path()) else { return };
        let block = vec![1; 64 << 10];
        fs::write(disk.path().join("before"), &block).expect("there is room");
        assert!(disk.fill().expect("it can be filled") > BYTES / 2);
        let refused = fs::write(disk.path().join("while"), &block).expect_err("there is none");
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        fs::remove_file(disk.path().join("before")).expect("removable");
        assert!(disk.fill().expect("what was freed can be taken") >= 64 << 10);
        disk.free().expect("it can be emptied");
        disk.free().expect("twice is not too often");
        fs::write(disk.path().join("after"), &block).expect("there is room");
    }

    #[test]
    fn it_is_gone_when_dropped_even_while_a_file_is_open() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let Some(disk) = disk(parent.path()) else { return };
        let path = disk.path().to_owned();
        assert!(is_mounted(&path));
        let open = fs::File::create(path.join("open")).expect("there is room");
        drop(disk);
        assert!(!is_mounted(&path) && !path.exists());
        drop(open);
    }

    #[test]
    fn what_a_killed_run_left_is_taken_away() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let Some(disk) = disk(parent.path()) else { return };
        let left = parent.path().join("pgstrata-disk-1-1-abc");
        fs::create_dir(&left).expect("a directory");
        system::mount(&left, BYTES).expect("root may mount");
        fs::write(left.join("data"), "x").expect("there is room");
        let next = SmallDisk::mount_in(parent.path(), BYTES).expect("a second disk");
        assert!(!left.exists() && !is_mounted(&left));
        assert!(is_mounted(disk.path()) && is_mounted(next.path()));
    }
}
