//! Where pgstrata keeps things: servers' data in the state directory, what can be made again in the cache.
//!
//! It names directories and creates them; it does not know what is put in them.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The two directories everything of ours lives under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    /// Data directories, logs and owner files of servers. On a disk, because durable numbers come from here.
    pub state: PathBuf,
    /// Templates and server binaries; may be deleted whenever no pgstrata runs.
    pub cache: PathBuf,
}

impl Dirs {
    /// The directories of this user.
    ///
    /// `PGSTRATA_STATE_DIR` and `PGSTRATA_CACHE_DIR` win. Root has `/var/lib/pgstrata` and `/var/cache/pgstrata`, since
    /// the unprivileged user that runs the server cannot enter root's home. Others follow the XDG base directory
    /// specification: `$XDG_STATE_HOME/pgstrata` (`~/.local/state`) and `$XDG_CACHE_HOME/pgstrata` (`~/.cache`).
    #[must_use]
    pub fn resolve() -> Self {
        Self::from_environment(|name| env::var_os(name).map(PathBuf::from), nix::unistd::geteuid().as_raw())
    }

    fn from_environment(variable: impl Fn(&str) -> Option<PathBuf>, uid: u32) -> Self {
        // The specification says to ignore relative paths; an empty variable counts as unset.
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        let choose = |own: &str, root: &str, xdg: &str, under_home: &str| {
            if let Some(path) = variable(own).filter(|path| !path.as_os_str().is_empty()) {
                return std::path::absolute(&path).unwrap_or(path);
            }
            if uid == 0 {
                return PathBuf::from(root);
            }
            let base = absolute(xdg).or_else(|| absolute("HOME").map(|home| home.join(under_home)));
            // No home at all: containers run as a bare number.
            base.map_or_else(|| env::temp_dir().join(format!("pgstrata-{uid}")), |base| base.join("pgstrata"))
        };
        Self {
            state: choose("PGSTRATA_STATE_DIR", "/var/lib/pgstrata", "XDG_STATE_HOME", ".local/state"),
            cache: choose("PGSTRATA_CACHE_DIR", "/var/cache/pgstrata", "XDG_CACHE_HOME", ".cache"),
        }
    }

    /// Where each running server has its directory.
    #[must_use]
    pub fn clusters(&self) -> PathBuf {
        self.state.join("clusters")
    }

    /// Where initialised data directories wait to be cloned.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.cache.join("templates")
    }

    /// Where pgstrata puts server binaries that it installed or copied itself.
    #[must_use]
    pub fn binaries(&self) -> PathBuf {
        self.cache.join("pg")
    }

    /// Where servers with an extension of ours beside them are put together.
    #[must_use]
    pub fn overlays(&self) -> PathBuf {
        self.cache.join("extended")
    }
}

/// Makes a directory and its parents, enterable for the user that runs the server whatever our umask is.
///
/// Directories that exist keep their mode: they are not ours to open.
pub(crate) fn create_enterable(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_enterable(parent)?;
    }
    let fail = |source| Error::of_path("create a directory", path, source);
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(fail),
        // Somebody else was faster.
        Err(_) if path.is_dir() => Ok(()),
        Err(source) => Err(fail(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(variables: &[(&str, &str)], uid: u32) -> (String, String) {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value));
        let dirs = Dirs::from_environment(variable, uid);
        (dirs.state.display().to_string(), dirs.cache.display().to_string())
    }

    fn check(variables: &[(&str, &str)], uid: u32, state: &str, cache: &str) {
        assert_eq!(dirs(variables, uid), (state.to_owned(), cache.to_owned()), "{variables:?} as {uid}");
    }

    #[test]
    fn root_and_others_have_their_usual_places() {
        check(&[("HOME", "/h")], 0, "/var/lib/pgstrata", "/var/cache/pgstrata");
        check(&[("HOME", "/h")], 1000, "/h/.local/state/pgstrata", "/h/.cache/pgstrata");
        let xdg = [("HOME", "/h"), ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "relative")];
        check(&xdg, 1000, "/s/pgstrata", "/h/.cache/pgstrata");
    }

    #[test]
    fn our_own_variables_win_and_empty_ones_do_not_count() {
        let own = [("PGSTRATA_STATE_DIR", "/a"), ("PGSTRATA_CACHE_DIR", "/b"), ("HOME", "/h")];
        check(&own, 0, "/a", "/b");
        check(&own, 1000, "/a", "/b");
        check(&[("PGSTRATA_STATE_DIR", "")], 0, "/var/lib/pgstrata", "/var/cache/pgstrata");
    }

    #[test]
    fn a_user_without_a_home_gets_a_temporary_directory_of_its_own() {
        let (state, cache) = dirs(&[], 1234);
        assert!(state.ends_with("pgstrata-1234") && state == cache, "{state} {cache}");
    }
}
