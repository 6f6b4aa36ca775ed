//! Clears away what owners that were killed left behind: servers that still run, and their directories.
//!
//! An owner that ends in an orderly way clears up itself (`crate::home`). A home is a leftover only when its owner file
//! can be locked *and* the process named in it is gone, so a file system without locks never costs a living server.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::dirs::Dirs;
use crate::error::Error;
use crate::family::Family;
use crate::home::{self, OWNER_FILE, Owner};
use crate::shared_memory::SharedMemory;

/// How long a leftover server has for an immediate shutdown, which cleans up its shared memory.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How long killed processes may take to disappear.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A home whose owner is gone; we hold its lock.
struct Leftover {
    id: String,
    path: PathBuf,
    owner: Option<Owner>,
    _lock: Option<File>,
}

/// Stops the servers and removes the directories of owners that are gone; gives back how many homes were removed.
///
/// Called before each new cluster. What cannot be cleared is traced and left for the next time.
pub fn remove_leftovers(dirs: &Dirs) -> usize {
    let clusters = dirs.clusters();
    if !clusters.is_dir() {
        return 0;
    }
    match find(&clusters) {
        Ok(leftovers) => leftovers.iter().filter(|leftover| leftover.remove()).count(),
        Err(error) => {
            tracing::warn!(path = %clusters.display(), error = %error, cause = %error.kind(), "cannot look for leftovers");
            0
        }
    }
}

fn find(clusters: &Path) -> Result<Vec<Leftover>, Error> {
    let fail = |source| Error::of_path("look for leftover servers", clusters, source);
    let _registry = home::lock_registry(clusters)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(clusters).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir()
            && let Some(id) = entry.file_name().to_str()
        {
            found.extend(examine(id, entry.path()));
        }
    }
    Ok(found)
}

/// Takes the lock of one home; `None` when its owner lives (or we cannot tell).
fn examine(id: &str, path: PathBuf) -> Option<Leftover> {
    let id = id.to_owned();
    let lock = match File::open(path.join(OWNER_FILE)) {
        Ok(lock) => lock,
        // Killed between making the home and its owner file (which happens under the registry's lock), or between
        // removing the one and the other.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(Leftover { id, path, owner: None, _lock: None });
        }
        Err(_) => return None,
    };
    lock.try_lock().ok()?;
    let text = fs::read_to_string(path.join(OWNER_FILE)).unwrap_or_default();
    // Unreadable: its owner was killed, or the disk was full, while it was written.
    let owner: Option<Owner> = serde_json::from_str(&text).ok();
    if owner.as_ref().is_some_and(Owner::is_alive) {
        return None;
    }
    Some(Leftover { id, path, owner, _lock: Some(lock) })
}

impl Leftover {
    fn remove(&self) -> bool {
        let Some(owner) = &self.owner else {
            home::remove_all(&[&self.path]);
            return !self.path.exists();
        };
        let family = Family::new(&home::cluster_name(&self.id), &owner.data);
        if let Err(error) = stop(&family) {
            tracing::warn!(cluster = self.id, error = %error, "a leftover server could not be stopped");
            return false;
        }
        SharedMemory::noted_in(&self.path).free();
        let (data, sockets) = (self.own_data(owner), self.own_sockets(owner));
        let others = [data, sockets].into_iter().flatten();
        for path in others {
            home::remove_all(&[path]);
        }
        home::remove_all(&[&self.path]);
        tracing::info!(cluster = self.id, owner = owner.pid, "cleared up after an owner that is gone");
        !self.path.exists()
    }

    /// The data directory, if its name is one that we give; the owner file must not make us remove anything else.
    fn own_data<'a>(&self, owner: &'a Owner) -> Option<&'a Path> {
        let ours = owner.data == self.path.join("data")
            || owner.data.file_name().is_some_and(|name| name == format!("pgstrata-{}", self.id).as_str());
        (ours && is_real_directory(&owner.data)).then_some(&owner.data)
    }

    fn own_sockets<'a>(&self, owner: &'a Owner) -> Option<&'a Path> {
        let ours = owner.sockets.file_name().is_some_and(|name| name == format!("pgs-{}", self.id).as_str());
        (ours && is_real_directory(&owner.sockets)).then_some(&owner.sockets)
    }
}

fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn stop(family: &Family) -> io::Result<()> {
    if family.members()?.is_empty() {
        return Ok(());
    }
    // It may have been paused; a stopped process does not act on anything but SIGKILL.
    family.signal(Signal::SIGCONT)?;
    family.signal(Signal::SIGQUIT)?;
    if family.wait_gone(&[], SHUTDOWN_GRACE, KILL_LIMIT)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "processes remain after SIGKILL"))
}
