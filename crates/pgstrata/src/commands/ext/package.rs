//! The archive for servers elsewhere: the extension's files, what to do with them, and their checksums.
//!
//! The same files give the same archive, byte for byte. It is packed by the ordinary `tar`.

use std::env::consts;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use pgstrata_lab::error::LabError;
use pgstrata_pg::Install;
use pgstrata_pg::overlay::ExtensionFiles;

/// What the archive says about its use, in both languages.
const INSTALL: &str = include_str!("INSTALL.txt");

/// Time of every file in the archive: the same files give the same archive.
const FILE_TIME: &str = "2000-01-01 00:00:00Z";

/// Writes the archive into a directory; gives its path.
pub fn write(files: &ExtensionFiles, server: &Install, output: &Path) -> anyhow::Result<PathBuf> {
    let version = default_version(files)?;
    let major = server.version.major;
    let name = format!("{}-{version}-pg{major}-{}-{}", files.name, consts::OS, consts::ARCH);
    fs::create_dir_all(output).with_context(|| format!("could not make {}", output.display()))?;
    let archive = output.join(format!("{name}.tar.gz"));
    let work = tempfile::tempdir().context("could not make a temporary directory")?;
    let inside = work.path().join(&name);
    fs::create_dir(&inside)?;
    let text = INSTALL.replace("{NAME}", &files.name).replace("{MAJOR}", &major.to_string());
    fs::write(inside.join("INSTALL"), text)?;
    for path in files.shared.iter().chain([&files.library]) {
        let copy = inside.join(path.file_name().context("a file has a name")?);
        fs::copy(path, copy).with_context(|| format!("could not copy {}", path.display()))?;
    }
    fs::write(inside.join("SHA256SUMS"), checksums(&inside)?)?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+r,go-w"])
        .arg(format!("--mtime={FILE_TIME}"))
        .args(["--use-compress-program", "gzip --no-name --best", "--create", "--file"])
        .arg(std::path::absolute(&archive)?)
        .arg("--directory")
        .arg(work.path())
        .arg(&name);
    let ended = tar.output().context("could not run tar")?;
    if !ended.status.success() {
        bail!("tar failed: {}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(archive)
}

/// The version that `create extension` makes, as the control file says.
fn default_version(files: &ExtensionFiles) -> anyhow::Result<String> {
    let control = files.shared.first().context("there is a control file")?;
    let text = fs::read_to_string(control).with_context(|| format!("could not read {}", control.display()))?;
    let value = text.lines().find_map(|line| line.strip_prefix("default_version")?.trim().strip_prefix('='));
    let value = value.map(|value| value.trim().trim_matches('\'').to_owned());
    value.ok_or_else(|| {
        LabError::usage(format!("{} names no default_version", control.display()), "build it again with `./x ext`")
            .into()
    })
}

/// One line a file as `sha256sum --check` reads them.
fn checksums(directory: &Path) -> anyhow::Result<String> {
    let mut names: Vec<_> = fs::read_dir(directory)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let bytes = fs::read(directory.join(&name))?;
        writeln!(text, "{}  {}", pgstrata_pg::install::sha256(&bytes), name.display())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> ExtensionFiles {
        for (name, text) in [("x.so", "library"), ("x.control", "default_version = '1.0'\n"), ("x--1.0.sql", "-- x")] {
            fs::write(directory.join(name), text).expect("write");
        }
        ExtensionFiles::in_directory(directory, "x").expect("all are there")
    }

    #[test]
    fn an_archive_unpacks_to_files_whose_checksums_agree_and_is_the_same_each_time() {
        let place = tempfile::tempdir().expect("a directory");
        let server = pgstrata_pg::find(None, None).expect("install PostgreSQL 14 to 18 to run these tests");
        let files = files(place.path());
        let archive = write(&files, &server, &place.path().join("a")).expect("packed");
        let again = write(&files, &server, &place.path().join("b")).expect("packed");
        assert_eq!(fs::read(&archive).expect("read"), fs::read(again).expect("read"));

        let script = "tar -xzf \"$1\" && cd x-1.0-pg* && sha256sum --check --strict SHA256SUMS";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(&archive).current_dir(place.path());
        let ended = shell.output().expect("sh");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success() && said.lines().count() == 4, "{said}");
        let name = archive.file_name().expect("a name").to_string_lossy().replace(".tar.gz", "");
        ExtensionFiles::in_directory(&place.path().join(&name), "x").expect("it can be installed from there");
        let text = fs::read_to_string(place.path().join(name).join("INSTALL")).expect("INSTALL");
        assert!(!text.contains('{') && text.contains(&server.version.major.to_string()), "{text}");
    }
}
