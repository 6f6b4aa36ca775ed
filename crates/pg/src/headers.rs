//! The server's header files, which an extension is built with, for a server that may have come without them.
//!
//! A distribution's development package would have to be of exactly the installed release, and installing it can pull in
//! an upgrade of the server. So where the headers are not there already, the package is fetched with the ordinary
//! `apt-get` and unpacked beside the system, for the server's own release if the archive has it, else for another one of
//! the same major version (extensions are compatible within one: `PG_MODULE_MAGIC` in src/include/fmgr.h holds no
//! minor). Nothing is installed, no script of the package runs, and no privileges are needed. Debian and its relatives.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archives;
use crate::dirs::{Dirs, create_enterable};
use crate::error::{Error, Kind};
use crate::install::{self, Install};
use crate::packages::{run_apt, versions_in};
use crate::spawn;
use crate::version::PgVersion;
use crate::wheels::open_to_all;

/// How long asking for what is known may take.
const ASK_LIMIT: Duration = Duration::from_mins(1);
/// How long fetching the archive's lists may take; some 20 MB.
const FETCH_LIMIT: Duration = Duration::from_mins(10);
/// Below the cache.
const PLACE: &str = "headers";
/// Below that, what is not complete yet.
const PARTIAL: &str = ".partial";
/// The program, ours or PostgreSQL's.
const PG_CONFIG: &str = "pg_config";

/// Header files of one release, and the program that tells builds where they are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Headers {
    /// The program that says where they are, in the manner of PostgreSQL's `pg_config`.
    pub pg_config: PathBuf,
    /// The directory that holds `postgres.h`.
    pub directory: PathBuf,
    /// The release they are of.
    pub version: PgVersion,
}

/// What fetching is doing, for the one who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The archive's lists of packages are being fetched.
    Lists,
    /// The package is being fetched and unpacked.
    Package {
        /// Name and version.
        package: String,
    },
}

/// The headers for a server: those beside it, those fetched before, or fetched now. Blocks for as long as that takes
/// (seconds to minutes; at most twenty).
///
/// Errors: [`Kind::NoHeaders`] where there are none and none can be had, [`Kind::NoSpace`], [`Kind::Unusable`],
/// [`Kind::Program`]. After an error nothing is left behind.
pub fn ensure(server: &Install, dirs: &Dirs, progress: &dyn Fn(Progress)) -> Result<Headers, Error> {
    let place = dirs.cache.join(PLACE);
    if let Some(found) = beside(server).or_else(|| fetched(&place, server.version)) {
        return Ok(found);
    }
    Fetch { place: &place, server, progress }.perform()
}

/// Those that are there already, fetched or with the server.
#[must_use]
pub fn find(server: &Install, dirs: &Dirs) -> Option<Headers> {
    beside(server).or_else(|| fetched(&dirs.cache.join(PLACE), server.version))
}

/// Those that the server's own `pg_config` names, if they are really there.
fn beside(server: &Install) -> Option<Headers> {
    let pg_config = server.program(PG_CONFIG);
    let mut command = spawn::postgres_command(&pg_config);
    command.arg("--includedir-server");
    let said = spawn::run(command, ASK_LIMIT).ok().filter(spawn::Finished::succeeded)?;
    let directory = PathBuf::from(said.output.trim());
    let version = version_of(&directory)?;
    (version.major == server.version.major).then_some(Headers { pg_config, directory, version })
}

/// Those fetched before: of the server's own release, else the newest of its major version.
fn fetched(place: &Path, server: PgVersion) -> Option<Headers> {
    let entries = fs::read_dir(place).ok()?.flatten();
    let all = entries.filter_map(|entry| {
        let directory = entry.path().join(directory_of(server));
        let version = version_of(&directory)?;
        Some(Headers { pg_config: entry.path().join(PG_CONFIG), directory, version })
    });
    let fits = all.filter(|headers| headers.version.major == server.major && headers.pg_config.is_file());
    fits.max_by_key(|headers| (headers.version == server, headers.version))
}

/// Where Debian's packages have them (debian/rules: `--includedir`).
fn directory_of(version: PgVersion) -> PathBuf {
    PathBuf::from(format!("usr/include/postgresql/{}/server", version.major))
}

/// The release that header files are of (`PG_VERSION` in `pg_config.h`).
fn version_of(directory: &Path) -> Option<PgVersion> {
    // A server's folder can hold some headers without the one that matters.
    directory.join("postgres.h").is_file().then_some(())?;
    let text = fs::read_to_string(directory.join("pg_config.h")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("#define PG_VERSION \""))?;
    line.trim_end_matches('"').parse().ok()
}

struct Fetch<'a> {
    place: &'a Path,
    server: &'a Install,
    progress: &'a dyn Fn(Progress),
}

impl Fetch<'_> {
    fn perform(&self) -> Result<Headers, Error> {
        let partial = self.place.join(PARTIAL);
        create_enterable(&partial)?;
        let work = tempfile::tempdir_in(&partial).map_err(|source| self.io(&partial, source))?;
        let own_lists = self.choose(&[]);
        let (options, version) = match own_lists {
            Some(version) => (Vec::new(), version),
            None => self.elsewhere(work.path())?,
        };
        let requirement = format!("{}={version}", self.package());
        (self.progress)(Progress::Package { package: requirement.clone() });
        let mut arguments = options;
        arguments.extend([OsString::from("download"), OsString::from(&requirement)]);
        run_apt("apt-get", &arguments, work.path(), &self.what())?;
        let archive = crate::packages::downloaded(work.path())
            .ok_or_else(|| self.none(&format!("`apt-get download {requirement}` left no file")))?;
        let tree = work.path().join("tree");
        run_apt("dpkg", &[OsStr::new("-x"), archive.as_os_str(), tree.as_os_str()], work.path(), &self.what())?;
        self.keep(&tree, &version)
    }

    /// The package of the machine's own lists (or those that the options name): for the server's release, else the
    /// newest.
    fn choose(&self, options: &[OsString]) -> Option<String> {
        let mut command = spawn::postgres_command("apt-cache");
        command.args(options).args(["madison", &self.package()]);
        let listed = spawn::run(command, ASK_LIMIT).ok().filter(spawn::Finished::succeeded)?;
        let versions = versions_in(&listed.output);
        let own = |version: &&String| crate::packages::number_of(version) == Some(self.server.version);
        versions.iter().find(own).or(versions.first()).cloned()
    }

    /// The same from the suite of Debian that carries this major version, with lists of our own.
    fn elsewhere(&self, work: &Path) -> Result<(Vec<OsString>, String), Error> {
        (self.progress)(Progress::Lists);
        let lines = archives::lines(archives::Packages::Binary, self.server.version.major);
        if lines.is_empty() {
            return Err(self.none("apt knows no archive of Debian, Ubuntu or PostgreSQL; `apt-get update` may help"));
        }
        let options = archives::private_lists(work, &lines).map_err(|(path, source)| self.io(&path, source))?;
        let mut update = spawn::postgres_command("apt-get");
        update.args(&options).arg("update");
        // An archive that is not reached shows below, by what it does not have.
        let said = spawn::run(update, FETCH_LIMIT).map_err(|_| self.none("`apt-get` cannot be run"))?.output;
        let version = self.choose(&options);
        let version = version.ok_or_else(|| {
            self.none(&format!("no archive has {}; apt said:\n{}", self.package(), archives::end_of(&said)))
        })?;
        Ok((options, version))
    }

    fn keep(&self, tree: &Path, version: &str) -> Result<Headers, Error> {
        let place = self.place.join(version.replace(':', "_"));
        let directory = directory_of(self.server.version);
        let of = version_of(&tree.join(&directory)).ok_or_else(|| self.none("the package holds no header files"))?;
        let pg_config = tree.join(PG_CONFIG);
        let script = stand_in(self.server, &place.join(&directory), of);
        fs::write(&pg_config, script).map_err(|source| self.io(&pg_config, source))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&pg_config, mode).map_err(|source| self.io(&pg_config, source))?;
        open_to_all(tree).map_err(|source| self.io(tree, source))?;
        match fs::rename(tree, &place) {
            Ok(()) => {}
            // Another one was faster; both hold the same files.
            Err(_) if place.is_dir() => {}
            Err(source) => return Err(self.io(&place, source)),
        }
        Ok(Headers { pg_config: place.join(PG_CONFIG), directory: place.join(directory), version: of })
    }

    fn package(&self) -> String {
        format!("postgresql-server-dev-{}", self.server.version.major)
    }

    fn what(&self) -> String {
        format!("get the header files of PostgreSQL {}", self.server.version.major)
    }

    fn none(&self, reason: &str) -> Error {
        let kind = Kind::NoHeaders { major: self.server.version.major, reason: reason.to_owned() };
        Error::new(self.what(), kind)
    }

    fn io(&self, path: &Path, source: std::io::Error) -> Error {
        Error::of_path(self.what(), path, source)
    }
}

/// A script that answers as PostgreSQL's own `pg_config` does, as far as builds of extensions ask.
fn stand_in(server: &Install, headers: &Path, version: PgVersion) -> String {
    let bindir = &server.bindir;
    let libraries = install::libraries_of(bindir, version).unwrap_or_default();
    let shared = install::share_of(bindir, version).unwrap_or_default();
    let include = headers.parent().unwrap_or(headers);
    let answers = [
        ("bindir", bindir.as_path()),
        ("includedir-server", headers),
        ("includedir", include),
        ("pkgincludedir", include),
        ("libdir", &libraries),
        ("pkglibdir", &libraries),
        ("sharedir", &shared),
        ("configure", Path::new("")),
        ("cppflags", Path::new("-D_GNU_SOURCE")),
    ];
    let mut script = format!(
        "#!/bin/sh\n# Written by pgstrata: where the header files are that it unpacked beside the system.\n\
         case \"$1\" in\n  --version) echo 'PostgreSQL {version}' ;;\n"
    );
    for (name, answer) in answers {
        script.push_str("  --");
        script.push_str(name);
        script.push_str(") echo '");
        script.push_str(&answer.display().to_string().replace('\'', "'\\''"));
        script.push_str("' ;;\n");
    }
    script.push_str("  *) echo \"this pg_config does not know $1\" >&2; exit 1 ;;\nesac\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::InstallSource;

    fn planted(place: &Path, name: &str, version: &str) {
        let directory = place.join(name).join("usr/include/postgresql/17/server");
        fs::create_dir_all(&directory).expect("directories");
        fs::write(directory.join("postgres.h"), "").expect("write");
        let text = format!("/* x */\n#define PG_VERSION \"{version}\"\n#define PG_VERSION_NUM 1\n");
        fs::write(directory.join("pg_config.h"), text).expect("write");
        fs::write(place.join(name).join(PG_CONFIG), "").expect("write");
    }

    #[test]
    fn headers_of_the_servers_own_release_are_taken_and_else_the_newest_of_its_major() {
        let place = tempfile::tempdir().expect("a directory");
        for version in ["17.9", "17.11", "17.10"] {
            planted(place.path(), &format!("{version}-1"), version);
        }
        let found = |major, minor| fetched(place.path(), PgVersion { major, minor }).map(|it| it.version.to_string());
        assert_eq!(found(17, 10).as_deref(), Some("17.10"));
        assert_eq!(found(17, 2).as_deref(), Some("17.11"));
        assert_eq!(found(18, 0), None);
    }

    #[test]
    fn the_stand_in_answers_what_builds_ask_and_refuses_the_rest() {
        let place = tempfile::tempdir().expect("a directory");
        let version = PgVersion { major: 17, minor: 11 };
        let server = Install {
            bindir: place.path().join("it's here"),
            version,
            source: InstallSource::Managed,
            extensions: std::collections::BTreeSet::new(),
            tools: std::collections::BTreeSet::new(),
        };
        let script = place.path().join(PG_CONFIG);
        fs::write(&script, stand_in(&server, Path::new("/h/17/server"), version)).expect("write");
        let ask = |what: &str| {
            let mut command = spawn::postgres_command("sh");
            command.arg(&script).arg(what);
            spawn::run(command, ASK_LIMIT).expect("sh")
        };
        assert_eq!(ask("--version").output.trim(), "PostgreSQL 17.11");
        assert_eq!(ask("--includedir-server").output.trim(), "/h/17/server");
        assert_eq!(ask("--bindir").output.trim(), server.bindir.display().to_string());
        assert!(!ask("--ldflags").succeeded());
    }
}
