//! The advisor's code templates, compiled and run: for each language whose tools this machine has, what `pgstrata` prints
//! is put beside a driver of `tools/trial`, and the program is held against a private server that loses connections.
//!
//! What a language needs is fetched by its own package client into `target/templates`. A language without its tools is
//! counted as skipped, with what is missing. Templates with a planted mistake are tried, too, and must be found out.

mod compile;
mod go;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

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
    /// Looks for its tools and fetches its libraries, once; an error says what is missing. What it says of itself is shown.
    prepare: fn(&Place) -> Result<Option<String>>,
    /// Makes a program of the folder's sources, and says how to start it.
    build: fn(&Place) -> Result<Vec<OsString>>,
    /// Compiles the templates of all examples, each in a folder of its own below this one.
    compile: fn(&Place, &[String]) -> Result<()>,
    /// Mistakes that a trial has to find.
    mistakes: &'static [Mistake],
}

/// A change of a template that makes it wrong.
struct Mistake {
    /// What it breaks.
    what: &'static str,
    /// The right text.
    right: &'static str,
    /// The wrong one.
    wrong: &'static str,
    /// What the trial says of it.
    says: &'static str,
}

/// What can be forgotten about retries, in the language that is started fastest.
const MISTAKES: [Mistake; 3] = [
    Mistake {
        what: "a deadlock is not tried again",
        right: "errors.SerializationFailure, errors.DeadlockDetected,",
        wrong: "errors.SerializationFailure,",
        says: "DeadlockDetected",
    },
    Mistake {
        what: "the request's key is not kept",
        right: "insert into request (key) values (%s) on conflict",
        wrong: "insert into request (key) values (coalesce(gen_random_uuid(), %s)) on conflict",
        says: "had been committed before its answer was lost, 0 were found",
    },
    Mistake {
        what: "every error is tried again",
        right: "TRY_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)",
        wrong: "TRY_AGAIN = (psycopg.Error,)",
        says: "23514 was taken for an answer",
    },
];

/// Where a language's programs are made.
struct Place {
    root: PathBuf,
    /// What all programs of the language share.
    shared: PathBuf,
    /// The sources of one program.
    sources: PathBuf,
}

const LANGUAGES: [Language; 6] = [
    Language {
        name: "python",
        driver: "python",
        file: "transaction.py",
        prepare: python,
        build: run_python,
        compile: compile::python,
        mistakes: &MISTAKES,
    },
    Language {
        name: "typescript",
        driver: "typescript",
        file: "transaction.ts",
        prepare: node,
        build: build_typescript,
        compile: compile::typescript,
        mistakes: &[],
    },
    Language {
        name: "java",
        driver: "java",
        file: "Transactions.java",
        prepare: java,
        build: build_java,
        compile: compile::java,
        mistakes: &[],
    },
    Language {
        name: "go",
        driver: "go",
        file: "transaction/transaction.go",
        prepare: go::prepare,
        build: go::build,
        compile: go::compile,
        mistakes: &[],
    },
    Language {
        name: "rust-tokio-postgres",
        driver: "rust",
        file: "src/transaction.rs",
        prepare: |_| Ok(None),
        build: |place| build_rust(place, "tokio-postgres"),
        compile: |place, examples| compile::rust(place, examples, "tokio-postgres"),
        mistakes: &[],
    },
    Language {
        name: "rust-sqlx",
        driver: "rust",
        file: "src/transaction.rs",
        prepare: |_| Ok(None),
        build: |place| build_rust(place, "sqlx"),
        compile: |place, examples| compile::rust(place, examples, "sqlx"),
        mistakes: &[],
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

/// Every transfer template of one language, and its mistakes.
fn check_language(root: &Path, language: &Language, pgstrata: &impl Fn(&[&str]) -> Result<Command>) -> Result<Outcome> {
    let shared = root.join("target/templates").join(language.driver);
    std::fs::create_dir_all(&shared)?;
    let mut place = Place { root: root.to_owned(), sources: shared.clone(), shared };
    match (language.prepare)(&place) {
        Ok(Some(remark)) => println!("      {}: {remark}", language.name),
        Ok(None) => {}
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    }
    let mut tally = Tally { language: language.name, counts: Counts::default(), failures: Vec::new() };
    let list = said(pgstrata(&["__templates", "list"])?)?;
    for solution in list.lines() {
        // One folder for Rust's, so that cargo compiles the libraries once and each program as a change of the last.
        place.sources = place.shared.join(if language.driver == "rust" { "program" } else { solution });
        let code = said(pgstrata(&["__templates", "code", language.name, solution])?)?;
        tally.add(solution, attempt(language, &place, solution, &code, pgstrata));
    }
    tally.add("all examples", compile_all(language, &mut place, pgstrata));
    tally.add("programs of one's own", compile_own(language, &mut place, pgstrata));
    // Any of them will do: what the mistakes break is in the frame that all have in common.
    let Some(solution) = list.lines().last() else { bail!("pgstrata lists no templates to try") };
    for (number, mistake) in language.mistakes.iter().enumerate() {
        place.sources = place.shared.join(format!("mistake-{number}"));
        let code = said(pgstrata(&["__templates", "code", language.name, solution])?)?;
        ensure!(code.contains(mistake.right), "the template in {} has no `{}`", language.name, mistake.right);
        let code = code.replace(mistake.right, mistake.wrong);
        let found = match attempt(language, &place, solution, &code, pgstrata).map_err(|error| format!("{error:#}")) {
            Ok(_) => Err(anyhow!("nobody noticed")),
            Err(said) if said.contains(mistake.says) => Ok("found out".to_owned()),
            Err(said) => Err(anyhow!("another one was found: {said}")),
        };
        tally.add(&format!("with a mistake ({})", mistake.what), found);
    }
    Ok(Outcome::Counted(tally.counts, tally.failures))
}

/// Compiles what is printed for every solution that has an example of its own.
fn compile_all(
    language: &Language,
    place: &mut Place,
    pgstrata: &impl Fn(&[&str]) -> Result<Command>,
) -> Result<String> {
    place.sources = place.shared.join(format!("all-{}", language.name));
    let list = said(pgstrata(&["__templates", "list", "--all"])?)?;
    let examples: Vec<String> = list.lines().map(str::to_owned).collect();
    let file = Path::new(language.file).file_name().context("a language's file has no name")?;
    for example in &examples {
        let folder = place.sources.join(example);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(file), said(pgstrata(&["__templates", "code", language.name, example])?)?)?;
    }
    (language.compile)(place, &examples)?;
    Ok(format!("{} compiled", examples.len()))
}

/// Compiles what is printed for programs that the templates do not know: those of the built-in workloads, read from SQL.
fn compile_own(
    language: &Language,
    place: &mut Place,
    pgstrata: &impl Fn(&[&str]) -> Result<Command>,
) -> Result<String> {
    place.sources = place.shared.join(format!("own-{}", language.name));
    std::fs::create_dir_all(&place.sources)?;
    let folder = place.sources.to_str().context("the folder's name is no text")?;
    let list = said(pgstrata(&["__templates", "own", language.name, folder])?)?;
    let programs: Vec<String> = list.lines().map(str::to_owned).collect();
    ensure!(programs.len() > 20, "only {} programs were written", programs.len());
    (language.compile)(place, &programs)?;
    Ok(format!("{} compiled", programs.len()))
}

/// Lays a program out, builds it, and holds it against a server.
fn attempt(
    language: &Language,
    place: &Place,
    solution: &str,
    code: &str,
    pgstrata: &impl Fn(&[&str]) -> Result<Command>,
) -> Result<String> {
    lay_out(language, place, code)?;
    let program = (language.build)(place)?;
    let mut command = pgstrata(&["__templates", "try", solution, "--"])?;
    command.args(program).stdin(Stdio::null());
    let output = command.output()?;
    let (answer, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}{}", answer.trim(), complaint.trim());
    Ok(answer.trim().to_owned())
}

/// What became of one language's programs.
struct Tally {
    language: &'static str,
    counts: Counts,
    failures: Vec<Failure>,
}

impl Tally {
    fn add(&mut self, what: &str, came: Result<String>) {
        match came {
            Ok(answer) => {
                println!("      {} {what}: {answer}", self.language);
                self.counts.passed += 1;
            }
            Err(error) => {
                println!("      {} {what} FAILED: {error:#}", self.language);
                self.counts.failed += 1;
                self.failures.push(Failure {
                    name: format!("{} {what}", self.language),
                    said: format!("{error:#}"),
                    again: Some(format!("cargo xtask templates {}", self.language)),
                });
            }
        }
    }
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

fn python(place: &Place) -> Result<Option<String>> {
    let python = place.shared.join("venv/bin/python");
    let requirements = place.root.join("tools/trial/python/requirements.txt");
    if !python.is_file() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(place.shared.join("venv"));
        said(venv).context("a virtual environment of Python")?;
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    said(pip).context("psycopg").map(|_| None)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways, of which the others can fail")]
fn run_python(place: &Place) -> Result<Vec<OsString>> {
    Ok(vec![place.shared.join("venv/bin/python").into(), place.sources.join("drive.py").into()])
}

fn node(place: &Place) -> Result<Option<String>> {
    let npm = toolbox::npm()?;
    let folder = place.root.join("tools/trial/typescript");
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(folder.join(file), place.shared.join(file))?;
    }
    let mut install = Command::new(npm);
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&place.shared);
    said(install).map(|_| None)
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

fn java(_: &Place) -> Result<Option<String>> {
    let mut version = Command::new("javac");
    version.arg("-version");
    said(version).context("a Java Development Kit (apt: default-jdk-headless)")?;
    jdbc().map(|_| None)
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

fn build_rust(place: &Place, feature: &str) -> Result<Vec<OsString>> {
    let target = place.shared.join(feature);
    cargo_build(&place.sources, feature, &target, "-D warnings")?;
    Ok(vec![target.join("debug/pgstrata-templates").into()])
}

/// Builds the package in a folder with the libraries of one template.
fn cargo_build(folder: &Path, feature: &str, target: &Path, flags: &str) -> Result<()> {
    let mut build = cargo::command(folder, &["build", "--quiet", "--features", feature, "--target-dir"]);
    // Coverage of pgstrata is no business of another workspace's program.
    build.arg(target).env("RUSTFLAGS", flags).env_remove("LLVM_PROFILE_FILE").env_remove("CARGO_ENCODED_RUSTFLAGS");
    said(build).map(drop)
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
