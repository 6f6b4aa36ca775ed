//! PostgreSQL server binaries of one exact version from the distribution's archive, beside whatever is installed.
//!
//! Minor releases fix wrong answers, so proving a fix needs the release before it and the one after it on the same machine.
//! `apt-get download` fetches the package of that version and compares it with the archive's signed index; `dpkg -x`
//! unpacks it into the managed directory, where it appears whole or not at all. Nothing is installed into the system, no
//! script of the package runs, and no privileges are needed. What the server links against (libpq, ICU, OpenSSL) must be
//! on the machine, as it is where the distribution's own PostgreSQL of that major version is installed.
//!
//! Debian and its relatives only; other packagers keep no older versions that could be fetched without installing them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::install::{self, Install, InstallSource};
use crate::spawn::{self, Finished};
use crate::version::PgVersion;
use crate::wheels::{self, Progress};

/// How long asking apt for what it knows may take.
const ASK_LIMIT: Duration = Duration::from_mins(1);
/// How long fetching and unpacking may take; the file is 17 MB.
const FETCH_LIMIT: Duration = Duration::from_mins(10);
/// At most so many of the last lines that apt printed are shown.
const OUTPUT_LINES_MAX: usize = 12;

/// Puts the distribution's server of exactly this version into the managed directory ([`crate::Dirs::binaries`]).
///
/// Blocks for as long as apt does (seconds; at most ten minutes). Errors: [`Kind::NoPackage`] with what the archive offers
/// instead, [`Kind::Program`], [`Kind::NoSpace`], [`Kind::Unusable`], and [`Kind::BadInstall`] when the server does not
/// run here, for example because a library is missing. After an error nothing is left behind.
pub fn install(managed: &Path, version: PgVersion, progress: &dyn Fn(Progress)) -> Result<Install, Error> {
    let what = format!("install PostgreSQL {version}");
    let offered = offered(version.major);
    let Some(full) = offered.iter().find(|full| number_of(full) == Some(version)) else {
        // It may have been fetched before the archive dropped it.
        if let Some(install) = already_there(managed, version) {
            progress(Progress::AlreadyThere { bindir: install.bindir.clone() });
            return Ok(install);
        }
        return Err(Error::new(what, Kind::NoPackage { version, offered }));
    };
    let place = managed.join(format!("package-{full}"));
    let bindir = place.join(bindir_of(version));
    if place.exists() {
        progress(Progress::AlreadyThere { bindir: bindir.clone() });
        return look_at(&bindir, version, &what);
    }
    let partial = wheels::make_partial(managed)?;
    let tree = partial.path().join("tree");
    let requirement = format!("postgresql-{}={full}", version.major);
    progress(Progress::Fetching { requirement: requirement.clone(), sha256: None });
    run_apt("apt-get", &["download", &requirement], partial.path(), &what)?;
    let file = downloaded(partial.path()).ok_or_else(|| {
        let output = "no file with the ending .deb appeared".to_owned();
        Error::new(
            &what,
            Kind::Program { program: "apt-get download".to_owned(), status: "success".to_owned(), output },
        )
    })?;
    run_apt("dpkg", &[OsStr::new("-x"), file.as_os_str(), tree.as_os_str()], partial.path(), &what)?;
    progress(Progress::Trying);
    wheels::open_to_all(&tree).map_err(|source| Error::of_path(&what, &tree, source))?;
    look_at(&tree.join(bindir_of(version)), version, &what)?;
    match fs::rename(&tree, &place) {
        Ok(()) => {}
        // Another installation of the same was faster; both hold the same files.
        Err(_) if bindir.join("postgres").exists() => {}
        Err(source) => return Err(Error::of_path(&what, &place, source)),
    }
    progress(Progress::Installed { bindir: bindir.clone() });
    look_at(&bindir, version, &what)
}

/// Binaries of exactly this version: those on the machine, else fetched from the distribution's archive. Blocks.
///
/// For tests and commands that need a release before a fix and one after it; neither may stand in for the other.
pub fn ensure(managed: &Path, version: PgVersion) -> Result<Install, Error> {
    if let Some(install) = install::discover(None).into_iter().find(|install| install.version == version) {
        return Ok(install);
    }
    install(managed, version, &|_| ())
}

/// The versions of the server package that the archive offers, as the package manager writes them, newest first. Empty
/// where there is no apt.
#[must_use]
pub fn offered(major: u32) -> Vec<String> {
    let mut command = spawn::postgres_command("apt-cache");
    command.args(["madison", &format!("postgresql-{major}")]);
    let Ok(finished) = spawn::run(command, ASK_LIMIT) else { return Vec::new() };
    if finished.succeeded() { versions_in(&finished.output) } else { Vec::new() }
}

/// The second column of `apt-cache madison`: `postgresql-15 | 15.20-0+deb12u1 | http://… Packages`.
pub(crate) fn versions_in(listing: &str) -> Vec<String> {
    let second = |line: &str| Some(line.split('|').nth(1)?.trim().to_owned());
    listing.lines().filter(|line| line.ends_with("Packages")).filter_map(second).collect()
}

/// The version of PostgreSQL in that of a package: 15.20 in `15.20-0+deb12u1` and in `1:15.20-1`.
pub(crate) fn number_of(package_version: &str) -> Option<PgVersion> {
    let (_, upstream) = package_version.split_once(':').unwrap_or(("", package_version));
    upstream.parse().ok()
}

/// Where Debian's packages have the programs (debian/rules of postgresql-15: `--bindir`).
fn bindir_of(version: PgVersion) -> PathBuf {
    PathBuf::from(format!("usr/lib/postgresql/{}/bin", version.major))
}

fn already_there(managed: &Path, version: PgVersion) -> Option<Install> {
    let mut places = fs::read_dir(managed).ok()?.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_str().and_then(|name| name.strip_prefix("package-")).and_then(number_of) == Some(version)
    });
    places.find_map(|entry| Install::at(&entry.path().join(bindir_of(version)), InstallSource::Managed).ok())
}

pub(crate) fn downloaded(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    files.into_iter().find(|path| path.extension() == Some(OsStr::new("deb")))
}

/// Runs one of the package tools in a directory.
pub(crate) fn run_apt<A: AsRef<OsStr>>(
    program: &str,
    arguments: &[A],
    directory: &Path,
    what: &str,
) -> Result<(), Error> {
    let mut command = spawn::postgres_command(program);
    command.args(arguments).current_dir(directory);
    let ended: Finished =
        spawn::run(command, FETCH_LIMIT).map_err(|source| Error::of_path(what, Path::new(program), source))?;
    if ended.succeeded() {
        return Ok(());
    }
    if ended.output.contains("No space left on device") {
        return Err(Error::new(what, Kind::NoSpace { path: directory.to_owned() }));
    }
    let lines: Vec<&str> = ended.output.lines().collect();
    let output = lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n");
    Err(Error::new(what, Kind::Program { program: program.to_owned(), status: ended.status_text(), output }))
}

fn look_at(bindir: &Path, version: PgVersion, what: &str) -> Result<Install, Error> {
    let install = Install::at(bindir, InstallSource::Managed).map_err(|error| error.in_context(what))?;
    if install.version == version {
        return Ok(install);
    }
    let reason = format!("it is {} instead of {version}", install.version);
    Err(Error::new(what, Kind::BadInstall { path: bindir.to_owned(), reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_apt_prints() {
        let listing = "postgresql-15 | 15.20-0+deb12u1 | http://archive.example/debian-security bookworm-security/main amd64 Packages\n\
                       postgresql-15 | 15.18-0+deb12u1 | http://archive.example/debian bookworm/main amd64 Packages\n\
                       postgresql-15 | 15.18-0+deb12u1 | http://archive.example/debian bookworm/main Sources\n";
        assert_eq!(versions_in(listing), ["15.20-0+deb12u1", "15.18-0+deb12u1"]);
        assert_eq!(number_of("15.20-0+deb12u1"), Some(PgVersion { major: 15, minor: 20 }));
        assert_eq!(number_of("1:17.2-1.pgdg120+1"), Some(PgVersion { major: 17, minor: 2 }));
        assert_eq!(number_of("none"), None);
    }

    #[test]
    fn a_version_that_no_archive_has_is_refused_and_what_there_is_is_named() {
        let managed = tempfile::tempdir().expect("a directory");
        let version = PgVersion { major: 15, minor: 9_999 };
        let error = install(managed.path(), version, &|_| ()).expect_err("there is no such release");
        assert!(matches!(error.kind(), Kind::NoPackage { version: named, .. } if *named == version), "{error:?}");
        assert!(error.hint().expect("a hint").contains("snapshot.debian.org"));
    }
}
