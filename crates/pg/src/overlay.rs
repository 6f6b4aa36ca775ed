//! A server with an extension of ours beside it, made without touching the server's own folders.
//!
//! PostgreSQL finds its libraries and shared files relative to where its program really lies (`make_relative_path` in
//! src/port/path.c, after resolving links in `find_my_exec`, src/common/exec.c). So a tree of the same shape as the
//! server's, with copies of the programs and links to everything else, is a server of its own to which files can be
//! added. Such a tree is named after what is in it and never changes: what is running on one goes on when the extension
//! is built again. It makes such trees; it neither builds extensions nor starts servers.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::dirs::{Dirs, create_enterable};
use crate::error::{Error, Kind};
use crate::install::{self, BASE_FILE, Install, InstallSource, PROGRAMS, TOOLS, digest, digest_of};
use crate::user::ServerUser;

/// Counts up when the shape of a tree changes.
const FORMAT: u32 = 1;
/// Trees of one extension that are kept although nobody has asked for them lately.
const KEPT: usize = 8;
/// A tree that was asked for within this time is kept: a server may run on it.
const KEPT_FOR: Duration = Duration::from_hours(12);
/// Below the directory of trees: one link per extension and major version to the programs of the installed one.
const INSTALLED: &str = "installed";
/// Below the directory of trees: what is not complete yet.
const PARTIAL: &str = ".partial";

/// The files of one extension, built for one major version of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionFiles {
    /// Its name, as in `create extension`.
    pub name: String,
    /// The shared library.
    pub library: PathBuf,
    /// The control file, and the scripts that install and update it.
    pub shared: Vec<PathBuf>,
}

impl ExtensionFiles {
    /// Those in a directory: `NAME.so`, `NAME.control` and `NAME--*.sql`.
    ///
    /// The error is [`Kind::NoExtension`] when one of the three is missing.
    pub fn in_directory(directory: &Path, name: &str) -> Result<Self, Error> {
        let library = directory.join(format!("{name}.so"));
        let control = directory.join(format!("{name}.control"));
        let is_script = |path: &PathBuf| {
            let file = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            file.starts_with(&format!("{name}--")) && path.extension() == Some(OsStr::new("sql"))
        };
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut scripts: Vec<PathBuf> = entries.filter(is_script).collect();
        scripts.sort();
        if !library.is_file() || !control.is_file() || scripts.is_empty() {
            let kind = Kind::NoExtension { name: name.to_owned(), directory: directory.to_owned() };
            return Err(Error::new("read the extension's files", kind));
        }
        scripts.insert(0, control);
        Ok(Self { name: name.to_owned(), library, shared: scripts })
    }

    /// Tells contents apart: 16 hexadecimal digits.
    fn digest(&self) -> Result<String, Error> {
        let mut text = self.name.clone();
        for path in self.shared.iter().chain([&self.library]) {
            let bytes = fs::read(path).map_err(|source| Error::of_path("read the extension", path, source))?;
            let name = path.file_name().unwrap_or_default().display();
            // Writing to a String cannot fail.
            let _ = write!(text, " {name} {}", digest_of(&bytes));
        }
        Ok(digest(&text))
    }
}

/// The server of `base` with the extension added: made now unless a tree of exactly these files is there. Blocks for
/// some tens of milliseconds (it copies 15 MB of programs).
///
/// Errors: [`Kind::BadInstall`] when the base's libraries or shared files are not where PostgreSQL looks for them,
/// [`Kind::NoSpace`], [`Kind::Unusable`]. After an error nothing is left behind.
pub fn make(base: &Install, files: &ExtensionFiles, dirs: &Dirs) -> Result<Install, Error> {
    // Where the server's user cannot go, links lead nowhere; then a copy of the server is what is added to.
    let base = ServerUser::resolve()?.make_runnable(base, dirs)?;
    let build = base.build_id()?;
    let name = format!("{}-{}-{}", files.name, base.version, digest(&format!("{FORMAT} {build} {}", files.digest()?)));
    let place = dirs.overlays().join(name);
    let shape = Shape::of(&base)?;
    let bindir = place.join(&shape.bindir);
    if !bindir.join(BASE_FILE).is_file() {
        create_enterable(&dirs.overlays().join(PARTIAL))?;
        let partial = dirs.overlays().join(PARTIAL);
        let work = tempfile::tempdir_in(&partial).map_err(|source| Error::of_path(MAKE, &partial, source))?;
        let tree = work.path().join("tree");
        shape.build(&tree, &build, files).map_err(|(path, source)| Error::of_path(MAKE, &path, source))?;
        match fs::rename(&tree, &place) {
            Ok(()) => {}
            // Another one was faster; both hold the same files.
            Err(_) if bindir.join(BASE_FILE).is_file() => {}
            Err(source) => return Err(Error::of_path(MAKE, &place, source)),
        }
        remove_unused(dirs, &files.name);
    }
    // When it was last asked for decides what is removed; not being able to say so does no harm.
    let _ = fs::File::open(bindir.join(BASE_FILE)).and_then(|file| file.set_modified(SystemTime::now()));
    Install::at(&bindir, InstallSource::Extended)
}

/// As [`make`], and from now on [`crate::discover`] lists it in place of an earlier one of the same major version.
pub fn install(base: &Install, files: &ExtensionFiles, dirs: &Dirs) -> Result<Install, Error> {
    let made = make(base, files, dirs)?;
    let installed = dirs.overlays().join(INSTALLED);
    create_enterable(&installed)?;
    let link = installed.join(format!("{}-{}", files.name, base.version.major));
    let fail = |source| Error::of_path("note the installed extension", &link, source);
    let work = tempfile::tempdir_in(dirs.overlays().join(PARTIAL)).map_err(fail)?;
    let fresh = work.path().join("link");
    symlink(&made.bindir, &fresh).map_err(fail)?;
    fs::rename(&fresh, &link).map_err(fail)?;
    Ok(made)
}

/// The programs of every installed tree.
pub(crate) fn installed(dirs: &Dirs) -> Vec<PathBuf> {
    let links = fs::read_dir(dirs.overlays().join(INSTALLED)).into_iter().flatten().flatten();
    let mut bindirs: Vec<PathBuf> = links.filter_map(|link| link.path().canonicalize().ok()).collect();
    bindirs.sort();
    bindirs
}

const MAKE: &str = "make a server with the extension";

/// Where things lie below the root of a tree, and where the base has them.
struct Shape {
    /// What the paths below are relative to, in the base.
    root: PathBuf,
    bindir: PathBuf,
    libraries: PathBuf,
    shared: PathBuf,
    /// Whole directories that programs find relative to themselves.
    linked: Vec<PathBuf>,
    /// A directory of further libraries whose entries are linked, when it is not the one of `libraries`.
    beside: Option<PathBuf>,
}

impl Shape {
    fn of(base: &Install) -> Result<Self, Error> {
        let bad =
            |reason: &str| Error::new(MAKE, Kind::BadInstall { path: base.bindir.clone(), reason: reason.to_owned() });
        let real = |path: PathBuf| path.canonicalize().map_err(|source| Error::of_path(MAKE, &path, source));
        let bindir = real(base.bindir.clone())?;
        let shared = install::share_of(&bindir, base.version).ok_or_else(|| bad("its shared files were not found"))?;
        let shared = real(shared)?;
        let libraries =
            install::libraries_of(&bindir, base.version).ok_or_else(|| bad("its libraries were not found"))?;
        let libraries = real(libraries)?;
        let prefix = bindir.parent().unwrap_or(&bindir);
        // A wheel has the libraries of others beside the package, found by a relative path.
        let package = prefix.parent().filter(|package| package.file_name().is_some());
        let wheel = package.map(|package| package.with_file_name(format!("{}.libs", file_name(package))));
        let wheel = wheel.filter(|libraries| libraries.is_dir());
        let root = common(&[&bindir, &shared, &libraries]);
        let root = if wheel.is_some() { root.ancestors().nth(2).unwrap_or(&root).to_owned() } else { root };
        let inside = |path: &Path| {
            path.strip_prefix(&root).map(Path::to_owned).map_err(|_| bad("its folders have nothing in common"))
        };
        let own = prefix.join("lib");
        let is_systems = [Path::new("/usr"), Path::new("/usr/local")].contains(&prefix);
        let beside = (own.is_dir() && own != libraries && !is_systems).then_some(own);
        Ok(Self {
            bindir: inside(&bindir)?,
            libraries: inside(&libraries)?,
            shared: inside(&shared)?,
            linked: wheel.iter().map(|path| inside(path)).collect::<Result<_, _>>()?,
            beside: beside.as_deref().map(inside).transpose()?,
            root,
        })
    }

    /// Fills a new directory. The error is that of the path it names.
    fn build(&self, tree: &Path, build: &str, files: &ExtensionFiles) -> Result<(), (PathBuf, io::Error)> {
        let bindir = tree.join(&self.bindir);
        make_directory(&bindir)?;
        for program in PROGRAMS.iter().chain(&TOOLS) {
            let from = self.root.join(&self.bindir).join(program);
            if from.exists() {
                put(&from, &bindir.join(program), 0o755)?;
            }
        }
        let (libraries, shared) = (tree.join(&self.libraries), tree.join(&self.shared));
        let own = files.library.file_name();
        link_entries(&self.root.join(&self.libraries), &libraries, own)?;
        link_entries(&self.root.join(&self.shared), &shared, Some(OsStr::new("extension")))?;
        let (from, extension) = (self.root.join(&self.shared).join("extension"), shared.join("extension"));
        link_entries(&from, &extension, None)?;
        // After the others: they may lie in it, and a link in place of one would lead into the base.
        if let Some(beside) = &self.beside {
            link_entries(&self.root.join(beside), &tree.join(beside), None)?;
        }
        for path in &self.linked {
            link(&self.root.join(path), &tree.join(path))?;
        }
        put(&files.library, &libraries.join(own.unwrap_or_default()), 0o755)?;
        for path in &files.shared {
            put(path, &extension.join(path.file_name().unwrap_or_default()), 0o644)?;
        }
        // Last: a tree with this file is complete.
        let marker = bindir.join(BASE_FILE);
        fs::write(&marker, build).map_err(|source| (marker, source))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The deepest directory above all of them.
fn common(paths: &[&Path]) -> PathBuf {
    let Some((first, others)) = paths.split_first() else { return PathBuf::new() };
    let above = |root: &&Path| others.iter().all(|path| path.starts_with(root));
    first.ancestors().find(above).unwrap_or(Path::new("/")).to_owned()
}

fn make_directory(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    create_enterable(path).map_err(|error| (path.to_owned(), io::Error::other(error)))
}

/// Links everything in a directory, but for one name, into a new one.
fn link_entries(from: &Path, to: &Path, but: Option<&OsStr>) -> Result<(), (PathBuf, io::Error)> {
    make_directory(to)?;
    for entry in fs::read_dir(from).map_err(|source| (from.to_owned(), source))? {
        let name = entry.map_err(|source| (from.to_owned(), source))?.file_name();
        let target = to.join(&name);
        // A directory that was made before holds what belongs in it.
        if Some(name.as_os_str()) != but && !target.is_dir() {
            link(&from.join(&name), &target)?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), (PathBuf, io::Error)> {
    symlink(from, to).map_err(|source| (to.to_owned(), source))
}

/// Copies one file in place of what is there, for all to read.
fn put(from: &Path, to: &Path, mode: u32) -> Result<(), (PathBuf, io::Error)> {
    if to.is_symlink() {
        fs::remove_file(to).map_err(|source| (to.to_owned(), source))?;
    }
    fs::copy(from, to).map_err(|source| (to.to_owned(), source))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(|source| (to.to_owned(), source))
}

/// Removes the trees of an extension beyond [`KEPT`], longest unused first; none that is installed or was asked for
/// within [`KEPT_FOR`].
fn remove_unused(dirs: &Dirs, name: &str) {
    let installed = installed(dirs);
    let prefix = format!("{name}-");
    let entries = fs::read_dir(dirs.overlays()).into_iter().flatten().flatten();
    let trees = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let mut trees: Vec<(SystemTime, PathBuf)> = trees.map(|entry| (last_used(&entry.path()), entry.path())).collect();
    trees.sort();
    let beyond = trees.len().saturating_sub(KEPT);
    for (used, tree) in trees.into_iter().take(beyond) {
        let is_old = used.elapsed().is_ok_and(|age| age > KEPT_FOR);
        if is_old && !installed.iter().any(|bindir| bindir.starts_with(&tree)) {
            crate::home::remove_all(&[&tree]);
        }
    }
}

/// When a tree was last asked for: the time of its marker, which lies at the programs, at most six levels down.
fn last_used(tree: &Path) -> SystemTime {
    let mut level = vec![tree.to_owned()];
    for _ in 0..6 {
        let marked =
            level.iter().find_map(|path| path.join(BASE_FILE).metadata().and_then(|data| data.modified()).ok());
        if let Some(time) = marked {
            return time;
        }
        let below = level.iter().flat_map(|path| fs::read_dir(path).into_iter().flatten().flatten());
        level = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect();
    }
    SystemTime::UNIX_EPOCH
}
