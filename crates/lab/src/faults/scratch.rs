//! Directories that live as long as this process, and how a later one recognises those of a process that was killed.
//!
//! The name of such a directory says who owns it: `<prefix><pid>-<start>-<random>`, where `start` is when that process
//! started, in clock ticks since the machine did. What is in the directory is not known here.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pgstrata_pg::process::{Pid, ProcessIdentity};

/// A directory of ours; removed with everything in it when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    /// Makes a directory below `parent` that other users may enter, but not list.
    pub(super) fn create(parent: &Path, prefix: &str) -> io::Result<Self> {
        let owner = ProcessIdentity::of(Pid::this()).map_err(io::Error::other)?;
        let prefix = format!("{prefix}{}-{}-", owner.pid, owner.start_ticks);
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent)?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
        Ok(Self { directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// The directories below `parent` with this prefix whose owner is gone.
pub(super) fn left_over(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    // A parent that is not there has no leftovers; one that cannot be read is reported when it is used.
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let is_left_over = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| owner(name, prefix)).is_some_and(|owner| !owner.exists())
    };
    entries.flatten().map(|entry| entry.path()).filter(|path| is_real_directory(path)).filter(is_left_over).collect()
}

/// Somebody else's link must not lead us to remove what it points to.
fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn owner(name: &str, prefix: &str) -> Option<ProcessIdentity> {
    let mut parts = name.strip_prefix(prefix)?.split('-');
    let pid = Pid::from_raw(parts.next()?.parse().ok()?);
    let start_ticks = parts.next()?.parse().ok()?;
    parts.next()?;
    Some(ProcessIdentity { pid, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_a_living_owner_is_kept_and_others_are_found() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let living = Scratch::create(parent.path(), "pgstrata-test-").expect("a directory");
        let me = ProcessIdentity::of(Pid::this()).expect("we live");
        // Our number, but started at another time: a process that is gone.
        let gone = parent.path().join(format!("pgstrata-test-{}-{}-x", me.pid, me.start_ticks + 1));
        for path in [&gone, &parent.path().join("pgstrata-test-notes"), &parent.path().join("pgstrata-test-1")] {
            fs::create_dir(path).expect("a directory");
        }
        let link = parent.path().join(format!("pgstrata-test-{}-{}-y", me.pid, me.start_ticks + 1));
        std::os::unix::fs::symlink(living.path(), link).expect("a link");
        assert_eq!(left_over(parent.path(), "pgstrata-test-"), [gone]);
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
        assert!(left_over(Path::new("/nonexistent"), "x").is_empty());
    }
}
