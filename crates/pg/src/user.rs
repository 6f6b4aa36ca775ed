//! Which operating-system user the server runs as, and what that user can reach.
//!
//! PostgreSQL refuses to run as root, and root is the usual user in containers and CI. It never asks for a password and
//! never becomes root.

use std::env;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Gid, Uid, User};

use crate::dirs::{Dirs, create_enterable};
use crate::error::{Error, Kind};
use crate::install::Install;
use crate::spawn;
use crate::tree;

/// How long asking the kernel for permission by way of a small program may take.
const ASK_LIMIT: Duration = Duration::from_secs(10);

/// The user that owns data directories and runs servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUser {
    name: String,
    home: PathBuf,
    uid: Uid,
    gid: Gid,
    switch: bool,
}

impl ServerUser {
    /// Ourselves, or when we are root: `PGSTRATA_PG_USER`, else `postgres`, else `nobody`.
    ///
    /// The user needs an entry in the password database: initdb looks itself up there.
    pub fn resolve() -> Result<Self, Error> {
        let uid = nix::unistd::geteuid();
        if !uid.is_root() {
            return Ok(Self::ourselves(uid));
        }
        match env::var("PGSTRATA_PG_USER") {
            Ok(name) if !name.is_empty() => Self::named(&name),
            _ => Self::named("postgres").or_else(|_| Self::named("nobody")),
        }
    }

    fn ourselves(uid: Uid) -> Self {
        let entry = User::from_uid(uid).ok().flatten();
        let (name, home) = entry.map_or_else(|| (uid.to_string(), PathBuf::from("/")), |user| (user.name, user.dir));
        Self { name, home, uid, gid: nix::unistd::getegid(), switch: false }
    }

    fn named(name: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::new("choose a user for the server", Kind::NoServerUser { reason });
        let user = User::from_name(name)
            .map_err(|errno| refuse(format!("looking up user {name:?} failed: {errno}")))?
            .ok_or_else(|| refuse(format!("there is no user {name:?} on this machine")))?;
        if user.uid.is_root() {
            return Err(refuse(format!("{name:?} is root, which PostgreSQL refuses")));
        }
        Ok(Self { name: user.name, home: user.dir, uid: user.uid, gid: user.gid, switch: true })
    }

    /// The user's name, or its number when it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's number.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// Whether this is another user than the one we run as.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.switch
    }

    /// Makes the command run as this user, with no supplementary groups (std clears them when root gives up its user).
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env("HOME", &self.home);
        if self.switch {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw()).env("USER", &self.name);
        }
    }

    /// Gives a file or directory to this user.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Error> {
        if !self.switch {
            return Ok(());
        }
        chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(|source| Error::of_path(format!("give a path to user {}", self.name), path, source))
    }

    /// Whom copied files must be given to; `None` when they are ours anyway.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        self.switch.then(|| (self.uid.as_raw(), self.gid.as_raw()))
    }

    /// Refuses a directory that this user cannot enter, for example one under root's home.
    pub(crate) fn require_enterable(&self, directory: &Path) -> Result<(), Error> {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        if !self.switch || open_to_everyone(&directory) || self.kernel_allows("cd \"$1\"", &directory)? {
            return Ok(());
        }
        let source = io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("user {}, which runs the server, cannot enter it", self.name),
        );
        Err(Error::of_path("reach the directory", &directory, source))
    }

    /// The same binaries where this user can run them: copied to the cache when they are out of its reach.
    pub(crate) fn make_runnable(&self, install: &Install, dirs: &Dirs) -> Result<Install, Error> {
        if !self.switch || self.can_run(install)? {
            return Ok(install.clone());
        }
        let copy = copy_binaries(install, dirs, &self.name)?;
        if self.can_run(&copy)? {
            return Ok(copy);
        }
        let reason = format!("user {} cannot run them, nor a copy in {}", self.name, copy.bindir.display());
        Err(Error::new("use the server binaries", Kind::BadInstall { path: install.bindir.clone(), reason }))
    }

    fn can_run(&self, install: &Install) -> Result<bool, Error> {
        let postgres = install.program("postgres");
        let postgres = postgres.canonicalize().unwrap_or(postgres);
        // Running it also finds the libraries, which may be out of reach although the program is not.
        Ok(open_to_everyone(&postgres) || self.kernel_allows("\"$1\" --version", &postgres)?)
    }

    fn kernel_allows(&self, script: &str, path: &Path) -> Result<bool, Error> {
        let mut command = spawn::postgres_command("/bin/sh");
        command.args(["-c", script, "sh"]).arg(path);
        self.apply(&mut command);
        let finished = spawn::run(command, ASK_LIMIT).map_err(|source| {
            let reason = format!("cannot become user {} ({source})", self.name);
            Error::new("run a program as the server's user", Kind::NoServerUser { reason })
        })?;
        Ok(finished.succeeded())
    }
}

/// Whether the mode bits alone let everybody through, which saves asking the kernel. Access lists can only be missed in
/// the direction that makes the server itself report the refusal.
fn open_to_everyone(path: &Path) -> bool {
    path.ancestors().all(|part| part.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
}

/// Copies a self-contained installation (`bin`, `lib` and `share` below one directory) into the cache, once per build.
///
/// A wheel has further libraries beside the package, in `<package>.libs`, which programs find by the relative path: so
/// the directory above is kept in the copy, and that one comes along.
fn copy_binaries(install: &Install, dirs: &Dirs, user: &str) -> Result<Install, Error> {
    let unreachable = |reason: String| {
        Error::new("use the server binaries", Kind::BadInstall { path: install.bindir.clone(), reason })
    };
    let prefix = install.bindir.parent().filter(|prefix| prefix.join("lib").is_dir() && prefix.join("share").is_dir());
    let prefix = prefix.ok_or_else(|| {
        unreachable(format!("user {user} cannot reach them, and they cannot be copied: lib and share are elsewhere"))
    })?;
    let build = install.build_id()?;
    let target = dirs.binaries().join(format!("copy-{}-{build}", install.version));
    let package = prefix.parent().unwrap_or(prefix);
    let inside = |path: &Path| Path::new(path.file_name().unwrap_or_default()).to_owned();
    let prefix_inside = inside(package).join(inside(prefix));
    let bindir = target.join(&prefix_inside).join("bin");
    if !bindir.join("postgres").is_file() {
        // Beside those of `crate::wheels`, where nobody looks for binaries.
        let beside = dirs.binaries().join(".partial");
        create_enterable(&beside)?;
        let partial = tempfile::tempdir_in(&beside)
            .map_err(|source| Error::of_path("copy the server binaries", &beside, source))?;
        let copy = partial.path().join("copy");
        create_enterable(&copy.join(inside(package)))?;
        tree::copy(prefix, &copy.join(&prefix_inside), &tree::Rules::default())?;
        let libraries = package.with_file_name(format!("{}.libs", inside(package).display()));
        if libraries.is_dir() {
            tree::copy(&libraries, &copy.join(inside(&libraries)), &tree::Rules::default())?;
        }
        if let Err(source) = std::fs::rename(&copy, &target)
            && !bindir.join("postgres").is_file()
        {
            return Err(Error::of_path("copy the server binaries", &target, source));
        }
        tracing::info!(from = %prefix.display(), to = %target.display(), "copied server binaries");
    }
    Ok(Install { bindir, ..install.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_never_runs_as_root() {
        let user = ServerUser::resolve().expect("there is a user for the server");
        assert_ne!(user.uid(), 0);
        assert_eq!(user.is_other(), nix::unistd::geteuid().is_root());
        let error = ServerUser::named("root").expect_err("root is refused");
        assert!(matches!(error.kind(), Kind::NoServerUser { .. }));
    }

    #[test]
    fn an_unknown_user_is_refused_with_a_hint() {
        let error = ServerUser::named("no such user").expect_err("it does not exist");
        assert!(matches!(error.kind(), Kind::NoServerUser { reason } if reason.contains("no such user")));
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_directory_that_the_server_cannot_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let user = ServerUser::resolve().expect("there is a user for the server");
        let outer = tempfile::tempdir().expect("a directory");
        let inner = outer.path().join("inner");
        std::fs::create_dir(&inner).expect("a directory in it");
        let mode = |mode| std::fs::set_permissions(outer.path(), std::fs::Permissions::from_mode(mode)).expect("chmod");
        mode(0o700);
        // As root the server runs as somebody else, whom 0700 keeps out; otherwise the server is us.
        assert_eq!(user.require_enterable(&inner).is_err(), user.is_other());
        mode(0o755);
        user.require_enterable(&inner).expect("open to everyone");
    }
}
