//! Data that outlive their server: a directory that is filled once, and used again by the next run of the program.
//!
//! Only one program at a time has them: a lock file beside the data says so, and a server that a killed program left behind
//! on them is ended before the next one starts. Nothing here removes data.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::dirs::create_enterable;
use crate::error::{Error, Kind};
use crate::family::Family;
use crate::home::{lock_within, remove_all};
use crate::process::Pid;
use crate::shared_memory::SharedMemory;
use crate::spec::ClusterSpec;
use crate::template::Template;
use crate::tree;
use crate::user::ServerUser;

/// The data directory's name within the kept directory.
const DATA: &str = "data";
/// Where a new data directory is filled before it takes its place.
const PARTIAL: &str = "data.partial";
/// Held by the program whose server uses the data.
const LOCK: &str = ".lock";
/// How long to wait for another program that is just ending.
const CLAIM_LIMIT: Duration = Duration::from_secs(5);
/// How long a server that was left behind has to end by itself: it was told to when its program died.
const ORPHAN_GRACE: Duration = Duration::from_secs(10);
/// How long it may take to disappear when it was killed.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// A directory of kept data, ours for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Kept {
    directory: PathBuf,
    _lock: File,
}

impl Kept {
    /// Takes the directory, which is made if it is not there. Blocks. The error is [`Kind::DataInUse`] when another
    /// program has it.
    pub(crate) fn claim(directory: &Path, user: &ServerUser) -> Result<Self, Error> {
        create_enterable(directory)?;
        user.require_enterable(directory)?;
        let directory =
            directory.canonicalize().map_err(|source| Error::of_path("use the directory", directory, source))?;
        let lock = lock_within(&directory.join(LOCK), true, CLAIM_LIMIT).map_err(|error| match error.kind() {
            Kind::Timeout { .. } => Error::new("use kept data", Kind::DataInUse { path: directory.clone() }),
            _ => error,
        })?;
        Ok(Self { directory, _lock: lock })
    }

    /// The data directory, which may not be there yet.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join(DATA)
    }

    /// Ends a server that a killed program left behind on these data: the lock is ours, so nobody else wants it.
    pub(crate) fn end_orphan(&self, user: &ServerUser) -> Result<(), Error> {
        let fail = |source| Error::new("end a server that was left behind", Kind::Io(source));
        let late = || fail(io::Error::new(io::ErrorKind::TimedOut, "processes remain after SIGKILL"));
        // The name of a cluster that never was: it is recognised by its data directory alone.
        let family = Family::new("\0", &self.data());
        if !family.wait_gone(&[], ORPHAN_GRACE, KILL_LIMIT).map_err(fail)? {
            return Err(late());
        }
        let lock_file = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&lock_file).unwrap_or_default();
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok()) else { return Ok(()) };
        // Children may outlive their postmaster for a moment, and they write to the data.
        let memory = SharedMemory::of(Pid::from_raw(pid), &[], &self.data(), user);
        let began = Instant::now();
        while memory.is_attached() {
            if began.elapsed() >= KILL_LIMIT {
                return Err(late());
            }
            thread::sleep(Duration::from_millis(5));
        }
        // A killed postmaster whose parent died too may stay as a zombie where nobody reaps, and its number may be a
        // stranger's by now: the next server would take either for a living one. Elsewhere than on Linux we cannot tell.
        if cfg!(target_os = "linux") {
            fs::remove_file(&lock_file)
                .map_err(|source| Error::of_path("remove a stale lock file", &lock_file, source))?;
        }
        Ok(())
    }

    /// Whether there are data already; then they must be of this major version.
    fn is_filled(&self, major: u32) -> Result<bool, Error> {
        match kept_major(&self.directory) {
            None => Ok(false),
            Some(found) if found == major => Ok(true),
            Some(found) => {
                let kind = Kind::DataOfOtherVersion { path: self.data(), found, wanted: major };
                Err(Error::new("use kept data", kind))
            }
        }
    }

    /// Fills the data directory from a template, unless that was done before.
    pub(crate) fn fill_once(&self, spec: &ClusterSpec, user: &ServerUser) -> Result<(), Error> {
        if self.is_filled(spec.install.version.major)? {
            return Ok(());
        }
        let template = Template::ensure(&spec.install, user, &spec.dirs())?;
        self.fill(|partial| {
            template.clone_to(partial, user)?;
            tree::sync(partial)
        })
    }

    /// Has the data directory made by `fill`, all of it or nothing: whoever is killed meanwhile leaves no half of one.
    fn fill(&self, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let (partial, data) = (self.directory.join(PARTIAL), self.data());
        remove_all(&[&partial]);
        fill(&partial)?;
        let fail = |source| Error::of_path("keep the data directory", &data, source);
        fs::rename(&partial, &data).map_err(fail)?;
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(fail)
    }
}

/// The major version whose data are kept in this directory, if there are any.
#[must_use]
pub fn kept_major(directory: &Path) -> Option<u32> {
    fs::read_to_string(directory.join(DATA).join("PG_VERSION")).ok()?.trim().parse().ok()
}
