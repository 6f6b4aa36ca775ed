//! Copies directory trees: data directories and server binaries.
//!
//! The contents go through `copy_file_range` (std's `io::copy` between files), so that file systems that can share
//! blocks do. It copies plain files, directories and symbolic links (as links), and refuses anything else.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown, symlink};
use std::path::Path;

use crate::error::Error;

/// What to copy and whom to give it to.
#[derive(Default)]
pub(crate) struct Rules<'a> {
    /// User and group numbers of the copy; `None` leaves it to us.
    pub(crate) owner: Option<(u32, u32)>,
    /// Paths (relative to the top) that are left out with everything below.
    pub(crate) skip: Option<&'a dyn Fn(&Path) -> bool>,
    /// The source is in use: a file that vanishes while we copy is not an error.
    pub(crate) in_use: bool,
}

/// Copies the directory `from` to `to`, which must not exist. What was copied before an error stays.
///
/// A directory is given away after it has been filled, so nobody else can plant links in our way.
pub(crate) fn copy(from: &Path, to: &Path, rules: &Rules) -> Result<(), Error> {
    copy_directory(from, to, Path::new(""), rules)
}

fn copy_directory(from: &Path, to: &Path, below: &Path, rules: &Rules) -> Result<(), Error> {
    let reading = |source| Error::of_path("read a directory to copy", from, source);
    let writing = |source| Error::of_path("write a copied directory", to, source);
    let mode = fs::symlink_metadata(from).map_err(reading)?.mode() & 0o777;
    DirBuilder::new().mode(mode | 0o700).create(to).map_err(writing)?;
    for entry in fs::read_dir(from).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let name = entry.file_name();
        let below = below.join(&name);
        if rules.skip.is_some_and(|skip| skip(&below)) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        let kind = entry.file_type().map_err(reading)?;
        let copied = if kind.is_dir() {
            copy_directory(&source, &target, &below, rules)
        } else if kind.is_symlink() {
            copy_link(&source, &target).map_err(|error| Error::of_path("copy a link", &target, error))
        } else {
            copy_file(&source, &target, rules)
        };
        match copied {
            Err(_) if rules.in_use && !source.exists() => {}
            other => other?,
        }
    }
    give(&File::open(to).map_err(writing)?, rules).map_err(writing)
}

fn copy_file(from: &Path, to: &Path, rules: &Rules) -> Result<(), Error> {
    let reading = |source| Error::of_path("read a file to copy", from, source);
    let writing = |source| Error::of_path("write a copied file", to, source);
    let mut input = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(from).map_err(reading)?;
    let metadata = input.metadata().map_err(reading)?;
    if !metadata.is_file() {
        return Err(reading(io::Error::new(io::ErrorKind::Unsupported, "neither a file nor a directory")));
    }
    let mut new = OpenOptions::new();
    let mut output = new.write(true).create_new(true).mode(metadata.mode() & 0o777).open(to).map_err(writing)?;
    // An error while copying is almost always one of writing (a full disk), so it names the target.
    io::copy(&mut input, &mut output).map_err(writing)?;
    give(&output, rules).map_err(writing)
}

fn copy_link(from: &Path, to: &Path) -> io::Result<()> {
    symlink(fs::read_link(from)?, to)
}

fn give(file: &File, rules: &Rules) -> io::Result<()> {
    match rules.owner {
        Some((uid, gid)) => fchown(file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Puts what was written to a directory's file system on its disk, all in one go: an `fsync` for each of a thousand files
/// takes seconds.
pub(crate) fn sync(directory: &Path) -> Result<(), Error> {
    let fail = |source| Error::of_path("write a directory to the disk", directory, source);
    let file = File::open(directory).map_err(fail)?;
    #[cfg(target_os = "linux")]
    nix::unistd::syncfs(&file).map_err(|errno| fail(errno.into()))?;
    // Elsewhere there is no such call for one file system.
    #[cfg(not(target_os = "linux"))]
    nix::unistd::sync();
    drop(file);
    Ok(())
}

/// Gives a whole tree to a user without following links.
pub(crate) fn give_all(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            give_all(&entry?.path(), uid, gid)?;
        }
    }
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_has_the_same_contents_modes_and_links() {
        let place = tempfile::tempdir().expect("a directory");
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(from.join("deep/er")).expect("directories");
        fs::write(from.join("deep/er/file"), vec![7; 100_000]).expect("a file");
        fs::write(from.join("left-out"), "x").expect("a file");
        fs::set_permissions(from.join("deep/er/file"), fs::Permissions::from_mode(0o751)).expect("a mode");
        symlink("er/file", from.join("deep/link")).expect("a link");

        let skip = |path: &Path| path == Path::new("left-out");
        copy(&from, &to, &Rules { skip: Some(&skip), ..Rules::default() }).expect("copies");

        assert_eq!(fs::read(to.join("deep/link")).expect("read"), vec![7; 100_000]);
        assert_eq!(to.join("deep/er/file").metadata().expect("metadata").mode() & 0o777, 0o751);
        assert!(to.join("deep/link").is_symlink());
        assert!(!to.join("left-out").exists());
    }

    #[test]
    fn nothing_is_overwritten() {
        let place = tempfile::tempdir().expect("a directory");
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir(&from).expect("a directory");
        fs::create_dir(&to).expect("a directory");
        let error = copy(&from, &to, &Rules::default()).expect_err("the target exists");
        assert!(matches!(error.kind(), crate::Kind::Unusable { path, .. } if *path == to));
    }
}
