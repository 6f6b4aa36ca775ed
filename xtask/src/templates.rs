//! The advisor's code templates, compiled and run: for each language whose tools this machine has, what `pgstrata` prints
//! is put beside a driver of `tools/trial`, and the program is held against a private server that loses connections.
//!
//! What a language needs is fetched by its own package client into `target/templates`. A language without its tools is
//! counted as skipped, with what is missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::report::{Counts, Failure, Outcome, Report};
use crate::{cargo, toolbox};

/// Where Debian puts the JDBC driver; `PGSTRATA_JDBC` names another file.
const JDBC: &str = "/usr/share/java/postgresql.jar";

/// A language on this machine.
struct Language {
    /// As `pgstrata` names it.
    name: &'static str,
    /// The folder of its driver below `tools/trial`.
    driver: &'static str,
    /// The file that the template becomes, from the folder of the program.
    file: &'static str,
    /// Looks for its tools and fetches its libraries, once; an error says what is missing.
    prepare: fn(&Place) -> Result<()>,
    /// Makes a program of the folder's sources, and says how to start it.
    build: fn(&Place) -> Result<Vec<OsString>>,
}

/// Where a language's programs are made.
struct Place {
    root: PathBuf,
    /// What all programs of the language share.
    shared: PathBuf,
    /// The sources of one program.
    sources: PathBuf,
}

const LANGUAGES: [Language; 6] = [
    Language { name: "python", driver: "python", file: "transaction.py", prepare: python, build: run_python },
    Language {
        name: "typescript",
        driver: "typescript",
        file: "transaction.ts",
        prepare: node,
        build: build_typescript,
    },
    Language { name: "java", driver: "java", file: "Transactions.java", prepare: java, build: build_java },
    Language { name: "go", driver: "go", file: "transaction/transaction.go", prepare: go, build: build_go },
    Language {
        name: "rust-tokio-postgres",
        driver: "rust",
        file: "src/transaction.rs",
        prepare: |_| Ok(()),
        build: |place| build_rust(place, "tokio-postgres"),
    },
    Language {
        name: "rust-sqlx",
        driver: "rust",
        file: "src/transaction.rs",
        prepare: |_| Ok(()),
        build: |place| build_rust(place, "sqlx"),
    },
];

/// `cargo xtask templates [LANGUAGE…]`.
pub fn perform(root: &Path, only: &[String], pgstrata: impl Fn(&[&str]) -> Result<Command>) -> Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| !LANGUAGES.iter().any(|language| language.name == **name)) {
        bail!("there is no template in `{unknown}` that is tried");
    }
    let chosen = LANGUAGES.iter().filter(|language| only.is_empty() || only.iter().any(|name| name == language.name));
    let mut report = Report::new(if only.is_empty() { LANGUAGES.len() } else { only.len() });
    for language in chosen {
        report.step(language.name, || check_language(root, language, &pgstrata));
    }
    Ok(report.close())
}

/// All languages as one check of the test run.
pub fn check(root: &Path, pgstrata: impl Fn(&[&str]) -> Result<Command>) -> Result<Outcome> {
    let mut all = Counts::default();
    let mut failures = Vec::new();
    for language in &LANGUAGES {
        match check_language(root, language, &pgstrata)? {
            Outcome::Counted(counts, failed) => {
                failures.extend(failed);
                println!("      {}: {} of {} passed", language.name, counts.passed, counts.passed + counts.failed);
                all.passed += counts.passed;
                all.failed += counts.failed;
            }
            Outcome::Skipped(why) => {
                println!("      {} is not tested here: {why}", language.name);
                all.skipped += 1;
            }
            Outcome::Passed => all.passed += 1,
            Outcome::Failed(why) => {
                println!("      {}: {why}", language.name);
                all.failed += 1;
            }
        }
    }
    Ok(Outcome::Counted(all, failures))
}

/// Every transfer template of one language.
fn check_language(root: &Path, language: &Language, pgstrata: &impl Fn(&[&str]) -> Result<Command>) -> Result<Outcome> {
    let shared = root.join("target/templates").join(language.driver);
    std::fs::create_dir_all(&shared)?;
    let mut place = Place { root: root.to_owned(), sources: shared.clone(), shared };
    if let Err(missing) = (language.prepare)(&place) {
        return Ok(Outcome::Skipped(format!("{missing:#}")));
    }
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for solution in said(pgstrata(&["__templates", "list"])?)?.lines() {
        // One folder for Rust's, so that cargo compiles the libraries once and each program as a change of the last.
        place.sources = place.shared.join(if language.driver == "rust" { "program" } else { solution });
        let code = said(pgstrata(&["__templates", "code", language.name, solution])?)?;
        lay_out(language, &place, &code)?;
        let tried = (language.build)(&place).and_then(|program| {
            let mut command = pgstrata(&["__templates", "try", solution, "--"])?;
            command.args(program).stdin(Stdio::null());
            let output = command.output()?;
            let (answer, complaint) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            ensure!(output.status.success(), "{}{}", answer.trim(), complaint.trim());
            Ok(answer.trim().to_owned())
        });
        match tried {
            Ok(answer) => {
                println!("      {} {solution}: {answer}", language.name);
                counts.passed += 1;
            }
            Err(error) => {
                println!("      {} {solution} FAILED: {error:#}", language.name);
                counts.failed += 1;
                failures.push(Failure {
                    name: format!("{} {solution}", language.name),
                    said: format!("{error:#}"),
                    again: Some(format!("cargo xtask templates {}", language.name)),
                });
            }
        }
    }
    ensure!(counts.passed + counts.failed > 0, "pgstrata lists no templates to try");
    Ok(Outcome::Counted(counts, failures))
}

/// The driver's files, and the template as `pgstrata` printed it.
fn lay_out(language: &Language, place: &Place, code: &str) -> Result<()> {
    copy_folder(&place.root.join("tools/trial").join(language.driver), &place.sources)?;
    let file = place.sources.join(language.file);
    std::fs::create_dir_all(file.parent().unwrap_or(&place.sources))?;
    // What has not changed keeps its time, so that cargo does not build it again.
    if std::fs::read_to_string(&file).ok().as_deref() != Some(code) {
        std::fs::write(&file, code)?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What a command prints; an error where it fails.
fn said(mut command: Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{name} was not found"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = complaint.lines().rev().take(8).collect();
    let answer = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{name} failed: {} {}", last.join(" | "), answer.trim());
    Ok(answer.into_owned())
}

fn python(place: &Place) -> Result<()> {
    let python = place.shared.join("venv/bin/python");
    let requirements = place.root.join("tools/trial/python/requirements.txt");
    if !python.is_file() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(place.shared.join("venv"));
        said(venv).context("a virtual environment of Python")?;
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    said(pip).map(drop).context("psycopg")
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways, of which the others can fail")]
fn run_python(place: &Place) -> Result<Vec<OsString>> {
    Ok(vec![place.shared.join("venv/bin/python").into(), place.sources.join("drive.py").into()])
}

fn node(place: &Place) -> Result<()> {
    let npm = toolbox::npm()?;
    let folder = place.root.join("tools/trial/typescript");
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(folder.join(file), place.shared.join(file))?;
    }
    let mut install = Command::new(npm);
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&place.shared);
    said(install).map(drop)
}

fn build_typescript(place: &Place) -> Result<Vec<OsString>> {
    // Node and the compiler look for packages in the folders above, too.
    let mut compile = Command::new(place.shared.join("node_modules/.bin/tsc"));
    compile.args(["--project", "."]).current_dir(&place.sources);
    said(compile)?;
    Ok(vec!["node".into(), place.sources.join("built/drive.js").into()])
}

fn jdbc() -> Result<OsString> {
    let jar = std::env::var_os("PGSTRATA_JDBC").unwrap_or_else(|| JDBC.into());
    ensure!(
        Path::new(&jar).is_file(),
        "the JDBC driver was not found (apt: libpostgresql-jdbc-java, or PGSTRATA_JDBC names its file)"
    );
    Ok(jar)
}

fn java(_: &Place) -> Result<()> {
    let mut version = Command::new("javac");
    version.arg("-version");
    said(version)?;
    jdbc().map(drop)
}

fn build_java(place: &Place) -> Result<Vec<OsString>> {
    let mut compile = Command::new("javac");
    compile.args(["-Werror", "-Xlint:all,-serial", "-d", "built", "Transactions.java", "Drive.java"]);
    said({
        compile.current_dir(&place.sources);
        compile
    })?;
    let mut path = jdbc()?;
    path.push(":");
    path.push(place.sources.join("built"));
    Ok(vec!["java".into(), "-cp".into(), path, "Drive".into()])
}

fn go(place: &Place) -> Result<()> {
    let mut version = Command::new("go");
    version.arg("version");
    said(version)?;
    copy_folder(&place.root.join("tools/trial/go"), &place.shared.join("libraries"))?;
    let mut download = Command::new("go");
    download.args(["mod", "download"]).current_dir(place.shared.join("libraries"));
    said(download).map(drop).context("pgx")
}

fn build_go(place: &Place) -> Result<Vec<OsString>> {
    let mut build = Command::new("go");
    build.args(["build", "-mod=mod", "-o", "drive", "."]).current_dir(&place.sources);
    said(build)?;
    let mut vet = Command::new("go");
    vet.args(["vet", "-mod=mod", "./..."]).current_dir(&place.sources);
    said(vet)?;
    Ok(vec![place.sources.join("drive").into()])
}

fn build_rust(place: &Place, feature: &str) -> Result<Vec<OsString>> {
    let target = place.shared.join(feature);
    let mut build = cargo::command(&place.sources, &["build", "--quiet", "--features", feature, "--target-dir"]);
    // Coverage of pgstrata is no business of another workspace's program.
    build
        .arg(&target)
        .env("RUSTFLAGS", "-D warnings")
        .env_remove("LLVM_PROFILE_FILE")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    said(build)?;
    Ok(vec![target.join("debug/pgstrata-templates").into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_its_driver_in_the_tree() {
        let root = crate::tree::root();
        for language in &LANGUAGES {
            let folder = root.join("tools/trial").join(language.driver);
            assert!(folder.is_dir(), "{}", language.name);
        }
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let error = said(Command::new("no-such-compiler")).expect_err("not there");
        assert!(format!("{error:#}").starts_with("no-such-compiler was not found"), "{error:#}");
    }
}
