//! PostgreSQL's isolation specifications and their expected outputs, from the distribution's source package.
//!
//! They are PostgreSQL's, under its licence, so they are fetched when they are needed and are no part of this tree. The
//! ordinary `apt-get` fetches the source package of the server's major version from the archive that this machine is
//! set up with, into directories of ours, and checks it against the archive's signature; nothing is installed and the
//! machine's own lists are not touched. Versions that were looked at when this file was written are pinned by hash as
//! well. Elsewhere a directory that the user names does the same.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::archives;
use crate::dirs;
use crate::error::{Error, Kind};
use crate::spawn;
use crate::version::PgVersion;

/// A directory with `specs` and `expected` in it, for machines that cannot fetch.
pub const DIRECTORY_VARIABLE: &str = "PGSTRATA_ISOLATION_DIR";

/// How long fetching lists and package may take, each; together some 50 MB.
const FETCH_LIMIT: Duration = Duration::from_mins(10);
/// How long apt may take to tell what it knows, or tar to unpack.
const LOCAL_LIMIT: Duration = Duration::from_mins(2);

/// Below the cache.
const PLACE: &str = "isolation";
/// Below that, what is not complete yet.
const PARTIAL: &str = ".partial";
/// In the package.
const FOLDERS: [&str; 3] = ["*/src/test/isolation/specs", "*/src/test/isolation/expected", "*/COPYRIGHT"];

/// Upstream versions and the SHA-256 of their `orig.tar.bz2`, as the signed indices of the archive gave them.
const PINNED: [(&str, &str); 3] = [
    ("15.18", "11df0df97fe3ea4ba9a791faaf39cee1d2fe571e78885b5b55d8517d27c323b4"),
    ("17.11", "dd27f2b3c59e73ed14aa3324901242bf69a032a6347805f274e6260322d42979"),
    ("18.6", "555610c24d53e4316da5b7d3fc25c279d96856d5e0e23ee308c328c5fa881d9f"),
];

/// Where the specifications are, and of which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationSources {
    /// The directory that holds `specs` and `expected`.
    pub directory: PathBuf,
    /// The version of PostgreSQL they came with, unless the user named the directory.
    pub version: Option<String>,
}

/// What fetching is doing, for the one who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The archive's lists of source packages are being fetched.
    Lists,
    /// The package is being fetched and checked.
    Package {
        /// Name and version.
        package: String,
    },
    /// The specifications are being unpacked.
    Unpacking,
}

/// The specifications for a server: those of its version if they can be had, else of another one of the same major.
///
/// What was fetched before is used again. Blocks for as long as the network does (seconds; at most twenty minutes).
///
/// Errors: [`Kind::NoSources`] where there is no `apt-get` or no source package, [`Kind::HashMismatch`],
/// [`Kind::NoSpace`], [`Kind::Unusable`], [`Kind::Program`]. After an error nothing is left behind.
pub fn isolation(cache: &Path, server: PgVersion, progress: &dyn Fn(Progress)) -> Result<IsolationSources, Error> {
    if let Some(directory) = env::var_os(DIRECTORY_VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(IsolationSources { directory: PathBuf::from(directory), version: None });
    }
    let place = cache.join(PLACE);
    match fetched(&place, server) {
        Some(found) => Ok(found),
        None => Fetch { place: &place, server, progress }.perform(),
    }
}

/// What was fetched before: the server's own version, else the newest of its major.
fn fetched(place: &Path, server: PgVersion) -> Option<IsolationSources> {
    let entries = fs::read_dir(place).ok()?.flatten();
    let versions = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let version = nearest(versions.filter(|name| major_of(name) == Some(server.major)), server)?;
    let directory = place.join(&version).join("src/test/isolation");
    directory.is_dir().then_some(IsolationSources { directory, version: Some(version) })
}

/// The server's own version if it is among them, else the newest.
fn nearest(versions: impl Iterator<Item = String>, server: PgVersion) -> Option<String> {
    let own = server.to_string();
    versions.max_by_key(|version| (*version == own, minor_of(version)))
}

fn major_of(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn minor_of(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}

struct Fetch<'a> {
    place: &'a Path,
    server: PgVersion,
    progress: &'a dyn Fn(Progress),
}

/// A source package as the archive lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
    upstream: String,
}

impl Fetch<'_> {
    fn perform(&self) -> Result<IsolationSources, Error> {
        let partial = self.place.join(PARTIAL);
        dirs::create_enterable(&partial)?;
        let work = tempfile::tempdir_in(&partial).map_err(|source| self.io(&partial, source))?;
        let apt = self.prepare(work.path())?;
        (self.progress)(Progress::Lists);
        // A repository without source packages makes this fail as a whole; what there is shows below.
        let update = self.run(Self::command("apt-get", &apt).arg("update"), FETCH_LIMIT)?;
        let package = self.choose(&apt, &update.output)?;
        (self.progress)(Progress::Package { package: format!("{} {}", package.name, package.version) });
        let mut source = Self::command("apt-get", &apt);
        source.args(["source", "--download-only", &format!("{}={}", package.name, package.version)]);
        self.run(source.current_dir(work.path()), FETCH_LIMIT)?.require_success("apt-get source", self.place)?;
        let archive = self.archive(work.path(), &package)?;
        (self.progress)(Progress::Unpacking);
        self.unpack(&archive, work.path(), &package)
    }

    /// Writes the list of where to look, and says how apt is to be called.
    fn prepare(&self, work: &Path) -> Result<Vec<OsString>, Error> {
        let lines = archives::lines(archives::Packages::Source, self.server.major);
        if lines.is_empty() {
            return Err(self.none("apt knows no archive of Debian, Ubuntu or PostgreSQL; `apt-get update` may help"));
        }
        archives::private_lists(work, &lines).map_err(|(path, source)| self.io(&path, source))
    }

    fn choose(&self, apt: &[OsString], update: &str) -> Result<Package, Error> {
        let name = format!("postgresql-{}", self.server.major);
        let listed = self.run(Self::command("apt-cache", apt).args(["showsrc", &name]), LOCAL_LIMIT)?.output;
        let packages = packages(&listed, &name);
        let upstream = nearest(packages.iter().map(|package| package.upstream.clone()), self.server);
        let package = packages.into_iter().find(|package| Some(&package.upstream) == upstream.as_ref());
        package.ok_or_else(|| {
            self.none(&format!("no archive has the source package {name}; apt said:\n{}", archives::end_of(update)))
        })
    }

    /// The package's own archive, checked against the pin if there is one. Apt has checked it against the index.
    fn archive(&self, work: &Path, package: &Package) -> Result<PathBuf, Error> {
        let path = work.join(format!("{}_{}.orig.tar.bz2", package.name, package.upstream));
        let bytes = fs::read(&path).map_err(|source| self.io(&path, source))?;
        let pin = PINNED.iter().find(|(version, _)| *version == package.upstream);
        if let Some((_, expected)) = pin.filter(|(_, expected)| !is_digest(expected, &Sha256::digest(&bytes))) {
            let kind = Kind::HashMismatch {
                package: format!("{} {}", package.name, package.version),
                expected: (*expected).to_owned(),
            };
            return Err(Error::new(self.what(), kind));
        }
        Ok(path)
    }

    fn unpack(&self, archive: &Path, work: &Path, package: &Package) -> Result<IsolationSources, Error> {
        let tree = work.join("tree");
        fs::create_dir(&tree).map_err(|source| self.io(&tree, source))?;
        let mut tar = Command::new("tar");
        tar.arg("-xjf").arg(archive).arg("-C").arg(&tree).args(["--strip-components=1", "--wildcards"]).args(FOLDERS);
        self.run(&mut tar, LOCAL_LIMIT)?.require_success("tar", self.place)?;
        let place = self.place.join(&package.upstream);
        match fs::rename(&tree, &place) {
            Ok(()) => {}
            // Another one was faster; both hold the same files.
            Err(_) if place.is_dir() => {}
            Err(source) => return Err(self.io(&place, source)),
        }
        let directory = place.join("src/test/isolation");
        Ok(IsolationSources { directory, version: Some(package.upstream.clone()) })
    }

    fn command(program: &str, apt: &[OsString]) -> Command {
        let mut command = Command::new(program);
        command.args(apt);
        command
    }

    fn run(&self, command: &mut Command, limit: Duration) -> Result<spawn::Finished, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut own = Command::new(command.get_program());
        own.args(command.get_args()).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some(directory) = command.get_current_dir() {
            own.current_dir(directory);
        }
        spawn::run(own, limit).map_err(|_| self.none(&format!("`{program}` cannot be run")))
    }

    fn what(&self) -> String {
        format!("fetch the isolation specifications of PostgreSQL {}", self.server.major)
    }

    fn none(&self, reason: &str) -> Error {
        let kind = Kind::NoSources { major: self.server.major, reason: reason.to_owned() };
        Error::new(self.what(), kind)
    }

    fn io(&self, path: &Path, source: std::io::Error) -> Error {
        Error::of_path(self.what(), path, source)
    }
}

/// The versions of a package in what `apt-cache showsrc` prints.
fn packages(listed: &str, name: &str) -> Vec<Package> {
    let mut found = Vec::new();
    let mut is_it = false;
    for line in listed.lines() {
        match line.split_once(": ") {
            Some(("Package", package)) => is_it = package == name,
            Some(("Version", version)) if is_it => {
                // An epoch stands before a colon, the distribution's own revision behind the last hyphen.
                let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
                let upstream = upstream.rsplit_once('-').map_or(upstream, |(upstream, _)| upstream).to_owned();
                found.push(Package { name: name.to_owned(), version: version.to_owned(), upstream });
            }
            _ => {}
        }
    }
    found
}

/// Whether hexadecimal digits are those of a digest.
fn is_digest(digits: &str, digest: &[u8]) -> bool {
    digits.len() == 2 * digest.len()
        && digest.iter().enumerate().all(|(at, byte)| digits.get(2 * at..2 * at + 2) == Some(&format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: PgVersion = PgVersion { major: 15, minor: 18 };

    #[test]
    fn the_servers_own_version_is_taken_if_it_is_there_and_else_the_newest() {
        let listed = "Package: postgresql-15\nVersion: 15.20-0+deb12u1\n\nPackage: postgresql-15\nVersion: 15.18-0+deb12u1\n\
                      \nPackage: postgresql-15-other\nVersion: 99-1\n";
        let found = packages(listed, "postgresql-15");
        let upstream: Vec<&str> = found.iter().map(|package| package.upstream.as_str()).collect();
        assert_eq!(upstream, ["15.20", "15.18"]);
        let versions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().into_iter();
        assert_eq!(nearest(versions(&upstream), SERVER).as_deref(), Some("15.18"));
        assert_eq!(nearest(versions(&["15.9", "15.20"]), SERVER).as_deref(), Some("15.20"));
        assert_eq!(nearest(versions(&[]), SERVER), None);
    }

    #[test]
    fn what_was_fetched_before_is_found_again_by_its_major_version() {
        let cache = tempfile::tempdir().expect("a directory");
        for version in ["15.20", "17.11", PARTIAL] {
            fs::create_dir_all(cache.path().join(version).join("src/test/isolation")).expect("a directory");
        }
        let found = fetched(cache.path(), SERVER).expect("it is there");
        assert_eq!(found.version.as_deref(), Some("15.20"));
        assert_eq!(fetched(cache.path(), PgVersion { major: 18, minor: 6 }), None);
    }

    #[test]
    fn only_the_pinned_digits_are_accepted() {
        assert!(is_digest("00ff10", &[0, 255, 16]));
        assert!(!is_digest("00ff11", &[0, 255, 16]) && !is_digest("00ff", &[0, 255, 16]));
        assert!(PINNED.iter().all(|(_, digits)| digits.len() == 64));
    }

    #[test]
    fn a_machine_without_apt_is_told_what_to_do() {
        let cache = tempfile::tempdir().expect("a directory");
        let fetch = Fetch { place: cache.path(), server: SERVER, progress: &|_| {} };
        let error = fetch.run(&mut Command::new("/nowhere/apt-get"), LOCAL_LIMIT).expect_err("it is not there");
        assert!(matches!(error.kind(), Kind::NoSources { major: 15, .. }), "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains(DIRECTORY_VARIABLE)));
    }
}
