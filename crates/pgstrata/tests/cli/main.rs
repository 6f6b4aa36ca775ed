//! The command line as a user meets it: the real binary, a real server, exit codes and what is left behind.

mod advise;
mod advise_bad_input;
mod advise_forms;
mod benches;
mod check;
mod ends;
mod errors;
mod gate;
mod isolation;
mod ledger;
mod mvcc;
mod runs;
mod serve;
mod servers;
mod specs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A state directory of its own for one test, which server users can reach.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pgstrata-cli-").tempdir().expect("a directory");
        // The server may run as another user, who must be able to pass.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), mode).expect("a mode");
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program, with its state here and nothing of the caller's language or configuration.
    pub(crate) fn pgstrata(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgstrata"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("PGSTRATA_STATE_DIR", self.path().join("state"))
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env_remove("PGSTRATA_LANG")
            .env_remove("PGSTRATA_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.pgstrata(arguments).output().expect("the program runs")
    }

    /// Data directories of servers below the state directory.
    pub(crate) fn data_directories(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![self.path().join("state")];
        while let Some(directory) = pending.pop() {
            // Templates are meant to stay.
            let is_template = directory.file_name().is_some_and(|name| name == "templates");
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            if directory.join("PG_VERSION").exists() && !is_template {
                found.push(directory);
                continue;
            }
            pending.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !is_template));
        }
        found
    }

    /// Processes whose command line names this state directory.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let needle = self.path().to_string_lossy().into_owned();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&needle)
        })
        .collect()
    }
}

/// Runs the same for a reader of Chinese: the exit code stays, and what had a hint has error and hint in Chinese. The words
/// of PostgreSQL's grammar stay as they are.
pub(crate) fn check_in_chinese(home: &Home, arguments: &[&str], code: Option<i32>, english: &str) {
    let output = home.pgstrata(arguments).env("LC_ALL", "zh_CN.UTF-8").output().expect("the program runs");
    let (status, _, stderr) = parts(&output);
    assert_eq!(status, code, "{arguments:?}\n{stderr}");
    if !english.contains("\nhint: ") {
        return;
    }
    let is_chinese = |sign: char| ('\u{4e00}'..='\u{9fff}').contains(&sign);
    let after = |label: &str| stderr.split_once(label).map(|(_, rest)| rest.lines().next().unwrap_or_default());
    let hint = after("提示：").unwrap_or_else(|| panic!("{arguments:?} has no hint in Chinese:\n{stderr}"));
    assert!(hint.contains(is_chinese), "{arguments:?}: {hint}");
    let error = after("错误：").unwrap_or_else(|| panic!("{arguments:?} has no error in Chinese:\n{stderr}"));
    assert!(error.contains(is_chinese) || english.contains("syntax error"), "{arguments:?}: {error}");
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output and standard error.
pub(crate) fn parts(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
