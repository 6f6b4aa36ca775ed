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
