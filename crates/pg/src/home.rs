//! The directories of one server, and the file that says who owns them.
//!
//! A server's home is `<state>/clusters/<id>`: the owner file, the log, and the data directory unless that was asked for
//! elsewhere. Its socket is in a short directory of its own below `/tmp`, since the path of a Unix socket is limited to
//! 107 bytes. The owner file is locked as long as the owner lives, so `crate::reclaim` can tell whose directories are
//! left over. Dropping a [`Home`] removes all of it; stopping the server first is the caller's duty.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::dirs::{Dirs, create_enterable};
use crate::error::{Error, Kind};
use crate::family::Family;
use crate::kept::Kept;
use crate::process::{Pid, ProcessIdentity};
use crate::reclaim;
use crate::user::ServerUser;

/// The file in each home that its owner keeps locked.
pub(crate) const OWNER_FILE: &str = "owner.json";
/// Held while a home appears, so that nobody takes a half-made one for a leftover.
const REGISTRY_LOCK: &str = ".lock";
/// How long to wait for others who make or look through homes; they need milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// Below here the socket directories are: the shortest directory that everybody may write to.
const SOCKET_PARENT: &str = "/tmp";
/// How many random names are tried before giving up.
const NAME_TRIES: u32 = 16;

/// Who made a home, and where its other directories are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Owner {
    /// Process id.
    pub(crate) pid: i32,
    /// When that process was started, in clock ticks since the machine was.
    pub(crate) start_ticks: Option<u64>,
    /// Which start of the machine that was.
    pub(crate) boot: Option<String>,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The directory of the socket.
    pub(crate) sockets: PathBuf,
}

impl Owner {
    fn ourselves(data: PathBuf, sockets: PathBuf) -> Self {
        let pid = Pid::this();
        let start_ticks = ProcessIdentity::of(pid).map(|identity| identity.start_ticks).ok();
        Self { pid: pid.as_raw(), start_ticks, boot: boot_id(), data, sockets }
    }

    /// Whether the process that made the home still runs: the same number, started at the same moment.
    pub(crate) fn is_alive(&self) -> bool {
        if self.boot != boot_id() {
            return false;
        }
        // Without such times on this system the lock alone has to do.
        self.start_ticks
            .is_some_and(|start_ticks| ProcessIdentity { pid: Pid::from_raw(self.pid), start_ticks }.exists())
    }
}

/// The directories of one server.
#[derive(Debug)]
pub(crate) struct Home {
    id: String,
    path: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    // Whoever has kept data leaves them where they are.
    kept: Option<Kept>,
    // Locked from creation to the end of this process; closing it unlocks.
    _owner: File,
}

impl Home {
    /// Makes the directories of a new server, all but the data directory itself, and removes those of dead owners.
    pub(crate) fn create(
        dirs: &Dirs,
        user: &ServerUser,
        data_parent: Option<&Path>,
        keep_in: Option<&Path>,
    ) -> Result<Self, Error> {
        let clusters = dirs.clusters();
        create_enterable(&clusters)?;
        user.require_enterable(&clusters)?;
        let clusters = resolve(&clusters)?;
        let data_parent = data_parent.map(resolve).transpose()?;
        if let Some(parent) = &data_parent {
            user.require_enterable(parent)?;
        }
        let mut kept = keep_in.map(|directory| Kept::claim(directory, user)).transpose()?;
        reclaim::remove_leftovers(dirs);
        if let Some(kept) = &kept {
            kept.end_orphan(user)?;
        }
        let registry = lock_registry(&clusters)?;
        let home = (0..NAME_TRIES).find_map(|_| {
            match Self::create_named(&new_id(), &clusters, data_parent.as_deref(), &mut kept, user) {
                Err(error) if already_exists(&error) => None,
                result => Some(result),
            }
        });
        drop(registry);
        home.unwrap_or_else(|| {
            let source = io::Error::new(io::ErrorKind::AlreadyExists, "no unused name was found");
            Err(Error::of_path("create a directory for the server", &clusters, source))
        })
    }

    fn create_named(
        id: &str,
        clusters: &Path,
        data_parent: Option<&Path>,
        kept: &mut Option<Kept>,
        user: &ServerUser,
    ) -> Result<Self, Error> {
        let path = clusters.join(id);
        let sockets = Path::new(SOCKET_PARENT).join(format!("pgs-{id}"));
        let data = match (&*kept, data_parent) {
            (Some(kept), _) => kept.data(),
            (None, Some(parent)) => parent.join(format!("pgstrata-{id}")),
            (None, None) => path.join("data"),
        };
        // The server's user passes through on the way to its data, and cannot list.
        let mode = if user.is_other() { 0o711 } else { 0o700 };
        let fail = |path: &Path, source| Error::of_path("create a directory for the server", path, source);
        DirBuilder::new().mode(mode).create(&path).map_err(|source| fail(&path, source))?;
        // From here on, dropping removes what was made.
        let owner_path = path.join(OWNER_FILE);
        let owner = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&owner_path);
        let mut owner = match owner {
            Ok(owner) => owner,
            Err(source) => {
                let _ = fs::remove_dir(&path);
                return Err(Error::of_path("write the owner file", &owner_path, source));
            }
        };
        let record = Owner::ourselves(data.clone(), sockets.clone());
        let locked = owner.try_lock().map_err(io::Error::from);
        let written = locked.and_then(|()| owner.write_all(serde_json::to_string(&record)?.as_bytes()));
        let home = Self { id: id.to_owned(), path, data, sockets, kept: kept.take(), _owner: owner };
        written.map_err(|source| Error::of_path("write the owner file", &owner_path, source))?;
        // The umask may have taken away the right to pass.
        let open = fs::set_permissions(&home.path, fs::Permissions::from_mode(mode));
        open.map_err(|source| fail(&home.path, source))?;
        DirBuilder::new().mode(0o700).create(&home.sockets).map_err(|source| fail(&home.sockets, source))?;
        user.give(&home.sockets)?;
        Ok(home)
    }

    /// The server's random name on this machine.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The data directory, as the kernel would name it.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The data's directory, if they stay when the server goes.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    pub(crate) fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// The `cluster_name` setting, which every server process shows in its title.
    pub(crate) fn cluster_name(&self) -> String {
        cluster_name(&self.id)
    }

    /// How the server's processes are recognised.
    pub(crate) fn family(&self) -> Family {
        Family::new(&self.cluster_name(), &self.data)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The owner file goes with the home itself, last: whoever finds it still locked stays away.
        if self.kept.is_none() {
            remove_all(&[&self.data]);
        }
        remove_all(&[&self.sockets, &self.path]);
    }
}

/// The `cluster_name` of the server with this id.
pub(crate) fn cluster_name(id: &str) -> String {
    // An identifier that needs no quotes, since it is also the name of a standby and of its slot.
    format!("pgstrata_{id}")
}

/// Removes directories with what is in them; what is not there is fine, anything else is traced.
pub(crate) fn remove_all(paths: &[&Path]) {
    for path in paths {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), error = %error, "directory could not be removed");
            }
            _ => {}
        }
    }
}

/// Takes the lock under which homes appear and are looked through.
pub(crate) fn lock_registry(clusters: &Path) -> Result<File, Error> {
    lock_within(&clusters.join(REGISTRY_LOCK), true, LOCK_LIMIT)
}

/// Opens (and makes) a lock file and locks it, waiting at most `limit`. Blocks.
pub(crate) fn lock_within(path: &Path, exclusive: bool, limit: Duration) -> Result<File, Error> {
    let fail = |source| Error::of_path("lock a file", path, source);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path).map_err(fail)?;
    let began = Instant::now();
    loop {
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(fail(source)),
            Err(TryLockError::WouldBlock) if began.elapsed() >= limit => {
                let kind = Kind::Timeout { limit_ms: limit.as_millis() };
                return Err(Error::new(format!("lock {}", path.display()), kind));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Random hexadecimal digits from the operating system, two a byte.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, Error> {
    use std::fmt::Write;
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; BYTES];
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Error::of_path("read random bytes", source, error))?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

fn new_id() -> String {
    // Without random bytes the process id and the clock have to do; the name is checked to be new anyway.
    random_hex::<4>().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("{:08x}", std::process::id() ^ now.subsec_nanos())
    })
}

fn already_exists(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unusable { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
}

fn resolve(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::of_path("use the directory", path, source))
}

fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}
