//! Go: pgx 5, as Debian packages it or from the module proxy; else pgx 4 of Debian, whose calls are the same.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Place, copy_folder, said};

/// Where Debian puts the sources of Go's libraries.
const DEBIAN: &str = "/usr/share/gocode";

/// Of pgx, below that.
const PGX: &str = "src/github.com/jackc/pgx";

/// What the driver's program is called in its module.
const PROGRAM: &str = "pgstrata.example/templates";

/// The names of pgx 5 and of what pgx 4 has in their place; the longer one first.
const OLD_NAMES: [(&str, &str); 2] = [
    ("github.com/jackc/pgx/v5/pgconn", "github.com/jackc/pgconn"),
    ("github.com/jackc/pgx/v5", "github.com/jackc/pgx/v4"),
];

/// Where the library comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Library {
    /// A package of Debian with this major version.
    Debian(u32),
    /// The module proxy.
    Modules,
}

/// Looks for Go and for pgx.
pub fn prepare(place: &Place) -> Result<Option<String>> {
    let mut version = Command::new("go");
    version.arg("version");
    said(version).context("Go (apt: golang-go)")?;
    let library = match debian(Path::new(DEBIAN)) {
        Some(5) => Library::Debian(5),
        // Before the older one; asks the network.
        older => match (download(place), older) {
            (Ok(()), _) => Library::Modules,
            (Err(_), Some(major)) => Library::Debian(major),
            (Err(error), None) => {
                return Err(error.context("pgx was not found (apt: golang-github-jackc-pgx-v5-dev, or -v4-dev)"));
            }
        },
    };
    std::fs::write(mark(place), format!("{library:?}"))?;
    Ok(match library {
        Library::Debian(5) | Library::Modules => None,
        Library::Debian(major) => Some(format!(
            "pgx 5 was not found; the code is compiled with the names of pgx {major}, which has the same calls"
        )),
    })
}

/// The newest major version of pgx below this folder.
fn debian(folder: &Path) -> Option<u32> {
    [5, 4].into_iter().find(|major| folder.join(PGX).join(format!("v{major}")).is_dir())
}

/// Says which library the programs are built with.
fn mark(place: &Place) -> PathBuf {
    place.shared.join("library")
}

fn download(place: &Place) -> Result<()> {
    let folder = place.shared.join("modules");
    copy_folder(&place.root.join("tools/trial/go"), &folder)?;
    let mut download = Command::new("timeout");
    download.args(["60", "go", "mod", "download"]).current_dir(folder);
    said(download).map(drop).context("the module proxy")
}

/// Compiles and vets a program.
pub fn build(place: &Place) -> Result<Vec<OsString>> {
    let library = std::fs::read_to_string(mark(place))?;
    let program = place.sources.join("drive");
    if library == format!("{:?}", Library::Modules) {
        go(&place.sources, &["build", "-mod=mod", "-o", "drive", "."], None)?;
        go(&place.sources, &["vet", "-mod=mod", "./..."], None)?;
    } else {
        let path = place.sources.join("path");
        lay_out(place, &path.join("src").join(PROGRAM), library == format!("{:?}", Library::Debian(4)))?;
        let both = with_debian(&path);
        go(&place.sources, &["build", "-o", "drive", PROGRAM], Some(&both))?;
        go(&place.sources, &["vet", &format!("{PROGRAM}/...")], Some(&both))?;
    }
    Ok(vec![program.into()])
}

/// Compiles and vets all examples, each a package.
pub fn compile(place: &Place, examples: &[String]) -> Result<()> {
    let library = std::fs::read_to_string(mark(place))?;
    if library == format!("{:?}", Library::Modules) {
        for file in ["go.mod", "go.sum"] {
            std::fs::copy(place.shared.join("modules").join(file), place.sources.join(file))?;
        }
        return go(&place.sources, &["vet", "-mod=mod", "./..."], None);
    }
    let path = place.sources.join("path");
    for example in examples {
        let text = std::fs::read_to_string(place.sources.join(example).join("transaction.go"))?;
        let folder = path.join("src").join(PROGRAM).join(example);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("transaction.go"), named(&text, library == format!("{:?}", Library::Debian(4))))?;
    }
    // Compiles them, too.
    go(&place.sources, &["vet", &format!("{PROGRAM}/...")], Some(&with_debian(&path)))
}

/// A path with Debian's libraries.
fn with_debian(path: &Path) -> OsString {
    let mut both = path.as_os_str().to_owned();
    both.push(":");
    both.push(DEBIAN);
    both
}

/// The code with the names of the library that there is.
fn named(text: &str, is_old: bool) -> String {
    OLD_NAMES.iter().filter(|_| is_old).fold(text.to_owned(), |text, (new, old)| text.replace(new, old))
}

/// Runs a command of Go; with a path, as before there were modules.
fn go(folder: &Path, arguments: &[&str], path: Option<&OsString>) -> Result<()> {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(folder);
    if let Some(path) = path {
        command.env("GO111MODULE", "off").env("GOPATH", path).env_remove("GOFLAGS");
    }
    said(command).map(drop)
}

/// The driver and the template where a path without modules has them.
fn lay_out(place: &Place, folder: &Path, is_old: bool) -> Result<()> {
    for file in ["main.go", "transaction/transaction.go"] {
        let text = std::fs::read_to_string(place.sources.join(file))?;
        ensure!(text.contains("jackc/pgx/v5"), "{file} does not use pgx 5");
        let target = folder.join(file);
        std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
        std::fs::write(target, named(&text, is_old))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_is_taken() {
        let folder = tempfile::tempdir().expect("a directory");
        assert_eq!(debian(folder.path()), None);
        std::fs::create_dir_all(folder.path().join(PGX).join("v4")).expect("made");
        assert_eq!(debian(folder.path()), Some(4));
        std::fs::create_dir_all(folder.path().join(PGX).join("v5")).expect("made");
        assert_eq!(debian(folder.path()), Some(5));
    }
}
