//! `cargo xtask ext`: builds the extension for one or more major versions of `PostgreSQL`, and checks its source.
//!
//! The extension has a workspace of its own, because it needs the server's header files and libclang. Which header
//! files, pgstrata is asked; it fetches them where there are none. The product's files go to
//! `extension/mvcc_visualizer/target/<major>`, one flat directory a version, where tests and `pgstrata ext` look.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::cargo;

/// Where the extension's workspace is.
const FOLDER: &str = "extension/mvcc_visualizer";
/// Its name.
const NAME: &str = "mvcc_visualizer";
/// Major versions it is made for.
const MAJORS: std::ops::RangeInclusive<u32> = 15..=18;

/// What `cargo xtask ext` can be asked.
#[derive(Args)]
pub struct Options {
    /// Build for these major versions; without it for the server found first.
    #[arg(long, value_delimiter = ',', value_name = "MAJOR", value_parser = clap::value_parser!(u32).range(15..=18))]
    pg: Vec<u32>,
}

/// What `pgstrata ext headers --json` says, as far as it is read here.
#[derive(Clone, Debug, Deserialize)]
pub struct Headers {
    pg_config: PathBuf,
    /// Such as `15.18`.
    version: String,
}

impl Headers {
    /// The major version they are of.
    pub fn major(&self) -> Result<u32> {
        let major = self.version.split('.').next().and_then(|major| major.parse().ok());
        major.with_context(|| format!("`{}` is no version", self.version))
    }
}

/// `cargo xtask ext`.
pub fn perform(root: &Path, options: &Options) -> Result<()> {
    let majors: Vec<Option<u32>> =
        if options.pg.is_empty() { vec![None] } else { options.pg.iter().copied().map(Some).collect() };
    for major in majors {
        let headers = headers(major, |arguments| {
            let mut command = cargo::command(root, &["run", "--quiet", "--package", "pgstrata", "--"]);
            command.args(arguments);
            Ok(command)
        })?;
        let place = build(root, &headers)?;
        println!("built for PostgreSQL {} in {}", headers.major()?, place.display());
    }
    Ok(())
}

/// The header files of a major version, or those of the server found first. `pgstrata` gives a command that runs it.
pub fn headers(major: Option<u32>, pgstrata: impl Fn(&[&str]) -> Result<Command>) -> Result<Headers> {
    let major = major.map(|major| major.to_string());
    let mut arguments = vec!["ext", "headers", "--json"];
    arguments.extend(major.iter().flat_map(|major| ["--pg", major.as_str()]));
    let output = pgstrata(&arguments)?.output().context("running pgstrata")?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "no header files: {}", said.lines().last().unwrap_or("pgstrata failed"));
    serde_json::from_slice(&output.stdout).context("reading `pgstrata ext headers --json`")
}

/// Builds the library and puts it with the control file and the scripts into its directory, which is returned.
pub fn build(root: &Path, headers: &Headers) -> Result<PathBuf> {
    let major = headers.major()?;
    ensure!(MAJORS.contains(&major), "the extension is made for PostgreSQL 15 to 18, not {major}");
    let mut command = command(root, headers, "build")?;
    command.arg("--release");
    ensure!(cargo::status(command)?.success(), "the extension was not built; cargo's words above say why");
    collect(&root.join(FOLDER), major)
}

/// Formatting and clippy, with warnings as errors.
pub fn lint(root: &Path, headers: &Headers) -> Result<()> {
    let mut fmt = cargo::command(&root.join(FOLDER), &["fmt", "--all", "--check"]);
    clean(&mut fmt);
    ensure!(cargo::status(fmt)?.success(), "`cargo fmt` in {FOLDER} mends it");
    let mut clippy = command(root, headers, "clippy")?;
    // As the build, so that what it needs is compiled in the same way.
    clippy.args(["--release", "--", "--deny", "warnings"]);
    ensure!(cargo::status(clippy)?.success(), "clippy's words above say what");
    Ok(())
}

fn command(root: &Path, headers: &Headers, task: &str) -> Result<Command> {
    let folder = root.join(FOLDER);
    let feature = format!("pg{}", headers.major()?);
    let mut command = cargo::command(&folder, &[task, "--locked", "--no-default-features", "--features", &feature]);
    clean(&mut command);
    command.env("PGRX_PG_CONFIG_PATH", &headers.pg_config).env("CARGO_TARGET_DIR", folder.join("target"));
    Ok(command)
}

/// Takes away what would make cargo compile everything once more, as it does for coverage.
fn clean(command: &mut Command) {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC_WRAPPER", "LLVM_PROFILE_FILE"] {
        command.env_remove(name);
    }
}

/// Puts the files together; whoever reads them meanwhile sees each whole, the old one or the new.
fn collect(folder: &Path, major: u32) -> Result<PathBuf> {
    let place = folder.join("target").join(major.to_string());
    fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
    let library = folder.join(format!("target/release/lib{NAME}.so"));
    let mut files = vec![(library, format!("{NAME}.so"))];
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_script = name.starts_with(&format!("{NAME}--")) && path.extension().is_some_and(|own| own == "sql");
        if is_script || name == format!("{NAME}.control") {
            files.push((path.clone(), name.to_owned()));
        }
    }
    if files.len() < 3 {
        bail!("{} has no control file or no script", folder.display());
    }
    let is_kept = |name: &str| files.iter().any(|(_, file)| file == name);
    for entry in fs::read_dir(&place)?.flatten() {
        // A script that is no longer in the source.
        if entry.file_name().to_str().is_some_and(|name| !is_kept(name)) {
            fs::remove_file(entry.path()).with_context(|| format!("removing {}", entry.path().display()))?;
        }
    }
    for (from, name) in &files {
        let partial = place.join(format!(".{name}"));
        fs::copy(from, &partial).with_context(|| format!("copying {}", from.display()))?;
        fs::rename(&partial, place.join(name))?;
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_one_flat_directory_without_leftovers() {
        let place = std::env::temp_dir().join(format!("xtask-ext-{}", std::process::id()));
        fs::create_dir_all(place.join("target/release")).expect("directories");
        fs::create_dir_all(place.join("target/15")).expect("directories");
        for name in ["target/release/libmvcc_visualizer.so", "mvcc_visualizer.control", "mvcc_visualizer--1.0.sql"] {
            fs::write(place.join(name), name).expect("write");
        }
        fs::write(place.join("target/15/mvcc_visualizer--0.9.sql"), "").expect("write");
        let made = collect(&place, 15).expect("collected");
        let mut names: Vec<String> =
            fs::read_dir(made).expect("made").flatten().map(|entry| entry.file_name().display().to_string()).collect();
        names.sort();
        assert_eq!(names, ["mvcc_visualizer--1.0.sql", "mvcc_visualizer.control", "mvcc_visualizer.so"]);
        fs::remove_dir_all(place).expect("removed");
    }

    #[test]
    fn a_version_is_read_from_what_pgstrata_says() {
        let said = r#"{"pg_config":"/x/pg_config","directory":"/x","version":"17.11"}"#;
        let headers: Headers = serde_json::from_str(said).expect("valid JSON");
        assert_eq!(headers.major().expect("a version"), 17);
    }
}
