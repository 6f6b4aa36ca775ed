//! Initialised data directories: made once for each build of the server, then cloned.
//!
//! `initdb` takes half a second, a clone of its 39 MB a tenth of that. Clones of one template share PostgreSQL's system
//! identifier; nothing of ours tells clusters apart by it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config;
use crate::dirs::{Dirs, create_enterable};
use crate::error::{Error, Kind};
use crate::home::{lock_within, remove_all};
use crate::install::{Install, digest};
use crate::spawn;
use crate::tree;
use crate::user::ServerUser;

/// Trust, because connections only come through a directory that is closed to others, until `pg_hba.conf` is replaced.
const COMMON_ARGUMENTS: [&str; 3] = ["--auth=trust", "--username=postgres", "--encoding=UTF8"];
/// The same order of strings on every machine; the second where the system has no C.UTF-8.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];
/// Counts up when what we write into a template changes.
const FORMAT: u32 = 1;
/// How long initdb may take; about half a second on an idle machine.
const INITDB_LIMIT: Duration = Duration::from_mins(2);
/// How long to wait while another process makes the same template.
const LOCK_LIMIT: Duration = Duration::from_mins(3);
/// At most so many templates are kept; the longest unused go first.
const KEPT: usize = 8;

/// A template that nobody removes while this value lives.
#[derive(Debug)]
pub(crate) struct Template {
    path: PathBuf,
    _lock: File,
}

impl Template {
    /// The template of these binaries and this user, made now if there is none. Blocks.
    pub(crate) fn ensure(install: &Install, user: &ServerUser, dirs: &Dirs) -> Result<Self, Error> {
        let templates = dirs.templates();
        create_enterable(&templates)?;
        user.require_enterable(&templates)?;
        let build = install.build_id()?;
        let key = digest(&format!("{FORMAT} {build} {} {COMMON_ARGUMENTS:?} {LOCALES:?}", user.uid()));
        let name = format!("{}-{key}", install.version);
        let path = templates.join(&name);
        let lock_path = templates.join(format!("{name}.lock"));
        // Between making it and taking the shared lock somebody may have removed it as one too many: hence a loop.
        for _ in 0..3 {
            let lock = lock_within(&lock_path, false, LOCK_LIMIT)?;
            if path.join("PG_VERSION").is_file() {
                // When it was last used decides what is removed; not being able to say so does no harm.
                let _ = lock.set_modified(SystemTime::now());
                return Ok(Self { path, _lock: lock });
            }
            drop(lock);
            let lock = lock_within(&lock_path, true, LOCK_LIMIT)?;
            if !path.join("PG_VERSION").is_file() {
                make(&path, &templates.join(format!("{name}.partial")), install, user)?;
                lock.set_modified(SystemTime::now()).ok();
            }
            drop(lock);
            remove_unused(&templates, &lock_path);
        }
        Err(Error::new("prepare a data directory", Kind::Timeout { limit_ms: LOCK_LIMIT.as_millis() }))
    }

    /// Clones it to a data directory, which must not exist, and gives that to the server's user. Blocks.
    pub(crate) fn clone_to(&self, data: &Path, user: &ServerUser) -> Result<(), Error> {
        tree::copy(&self.path, data, &tree::Rules { owner: user.owner(), ..tree::Rules::default() })
    }
}

/// Runs initdb in a directory beside the target, which takes its place only when all is in it.
fn make(path: &Path, partial: &Path, install: &Install, user: &ServerUser) -> Result<(), Error> {
    let made = fill(partial, install, user)
        .and_then(|()| fs::rename(partial, path).map_err(|source| Error::of_path("keep the template", path, source)));
    if made.is_err() {
        remove_all(&[partial]);
    }
    made
}

fn fill(partial: &Path, install: &Install, user: &ServerUser) -> Result<(), Error> {
    let fail = |source| Error::of_path("prepare a data directory", partial, source);
    let mut last = None;
    for locale in LOCALES {
        // What is there is of a maker that was killed, or of the other locale.
        remove_all(&[partial]);
        fs::create_dir(partial).map_err(fail)?;
        fs::set_permissions(partial, fs::Permissions::from_mode(0o700)).map_err(fail)?;
        user.give(partial)?;
        match initdb(partial, locale, install, user) {
            Ok(()) => {
                last = None;
                break;
            }
            Err(error) if is_unknown_locale(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = last {
        return Err(error);
    }
    if user.is_other() {
        // Ours alone from now on: we copy it with root's rights, so the server's user must not be able to change it.
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        tree::give_all(partial, uid, gid).map_err(fail)?;
    }
    let configuration = partial.join("postgresql.conf");
    let mut file = OpenOptions::new().append(true).open(configuration).map_err(fail)?;
    file.write_all(config::INCLUDE_LINE.as_bytes()).map_err(fail)?;
    fs::write(partial.join("pg_hba.conf"), config::HBA).map_err(fail)
}

fn initdb(data: &Path, locale: &str, install: &Install, user: &ServerUser) -> Result<(), Error> {
    let program = install.program("initdb");
    let mut command = spawn::postgres_command(&program);
    command.args(COMMON_ARGUMENTS).arg(format!("--locale={locale}")).arg("-D").arg(data);
    user.apply(&mut command);
    let finished =
        spawn::run(command, INITDB_LIMIT).map_err(|source| Error::of_path("run initdb", &program, source))?;
    finished.require_success("initdb", data)
}

fn is_unknown_locale(error: &Error) -> bool {
    matches!(error.kind(), Kind::Program { output, .. } if output.contains("invalid locale"))
}

/// Removes the longest unused templates beyond [`KEPT`], except those that somebody has locked.
fn remove_unused(templates: &Path, just_made: &Path) {
    let mut locks: Vec<(SystemTime, PathBuf)> = fs::read_dir(templates)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "lock") && path != just_made)
        .filter(|path| path.with_extension("").is_dir())
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    locks.sort();
    let surplus = (locks.len() + 1).saturating_sub(KEPT);
    for (_, lock_path) in locks.into_iter().take(surplus) {
        // The lock file itself stays: removing it would let two processes lock two files of one name.
        if let Ok(_lock) = lock_within(&lock_path, true, Duration::ZERO) {
            remove_all(&[&lock_path.with_extension("")]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::install;

    struct Place {
        directory: tempfile::TempDir,
        install: Install,
        user: ServerUser,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
            let install = install::find(None, None).expect("install PostgreSQL 14 to 18 to run these tests");
            Self { directory, install, user: ServerUser::resolve().expect("a user for the server") }
        }

        fn dirs(&self) -> Dirs {
            Dirs { state: self.directory.path().to_owned(), cache: self.directory.path().to_owned() }
        }

        /// Another build, whose initdb does what the script says; `$REAL` is the real one.
        fn fake_initdb(&mut self, script: &str) {
            let bindir = self.directory.path().join("fake");
            fs::create_dir_all(&bindir).expect("a directory");
            for (name, script) in [("initdb", script), ("postgres", "exit 1")] {
                let text = format!("#!/bin/sh\nREAL='{}'\n{script}\n", self.install.program("initdb").display());
                fs::write(bindir.join(name), text).expect("a script");
                fs::set_permissions(bindir.join(name), fs::Permissions::from_mode(0o755)).expect("executable");
            }
            self.install.bindir = bindir;
        }

        fn ensure(&self) -> Result<Template, Error> {
            Template::ensure(&self.install, &self.user, &self.dirs())
        }

        /// Names of directories: templates, and half-made ones if there were any.
        fn templates(&self) -> Vec<String> {
            let entries = fs::read_dir(self.dirs().templates()).expect("templates").flatten();
            let directories = entries.filter(|entry| entry.path().is_dir());
            directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
    }

    #[test]
    fn many_who_want_the_same_template_make_it_once() {
        let mut place = Place::new();
        place.fake_initdb("echo made >> \"$(dirname \"$0\")/count\"; exec \"$REAL\" \"$@\"");
        // The server's user counts.
        place.user.give(&place.install.bindir).expect("chown");
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    place.ensure().expect("a template");
                });
            }
        });
        assert_eq!(fs::read_to_string(place.install.bindir.join("count")).expect("counted"), "made\n");
        assert_eq!(place.templates().len(), 1, "{:?}", place.templates());
    }

    #[test]
    fn without_the_usual_locale_the_plain_one_does() {
        let mut place = Place::new();
        let refuse =
            "case \"$*\" in *C.UTF-8*) echo 'initdb: error: invalid locale name \"C.UTF-8\"' >&2; exit 1;; esac";
        place.fake_initdb(&format!("{refuse}; exec \"$REAL\" \"$@\""));
        let template = place.ensure().expect("a template");
        let configuration = fs::read_to_string(template.path.join("postgresql.conf")).expect("readable");
        assert!(configuration.contains("lc_messages = 'C'") || configuration.contains("lc_messages = C"));
    }

    #[test]
    fn an_initdb_that_fails_is_reported_and_leaves_no_template() {
        let mut place = Place::new();
        place.fake_initdb("echo 'it is broken' >&2; exit 3");
        let error = place.ensure().expect_err("it fails");
        let Kind::Program { program, status, output } = error.kind() else { panic!("another error: {error:?}") };
        assert_eq!((program.as_str(), status.as_str(), output.as_str()), ("initdb", "exit status: 3", "it is broken"));
        place.fake_initdb("echo 'could not write: No space left on device' >&2; exit 1");
        assert!(matches!(place.ensure().expect_err("no space").kind(), Kind::NoSpace { .. }));
        assert!(place.templates().is_empty(), "{:?}", place.templates());
    }

    #[test]
    fn the_longest_unused_templates_go_when_there_are_too_many() {
        let place = Place::new();
        let templates = place.dirs().templates();
        create_enterable(&templates).expect("a directory");
        for number in 0..KEPT + 2 {
            fs::create_dir(templates.join(format!("old-{number}"))).expect("a directory");
            let lock = File::create(templates.join(format!("old-{number}.lock"))).expect("a lock");
            let age = Duration::from_hours(100 - number as u64);
            lock.set_modified(SystemTime::now() - age).expect("a time");
        }
        // In use: may not go although it is the oldest.
        let _held = lock_within(&templates.join("old-0.lock"), false, Duration::ZERO).expect("lock");
        place.ensure().expect("a template");
        let left = place.templates();
        assert!(left.contains(&"old-0".to_owned()), "{left:?}");
        assert!(!left.contains(&"old-1".to_owned()) && !left.contains(&"old-2".to_owned()), "{left:?}");
        assert_eq!(left.len(), KEPT + 1, "the one in use is one too many: {left:?}");
    }
}
