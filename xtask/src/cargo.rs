//! Cargo and its companions as child processes: started in the root, their output passed on.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result};

/// `cargo fmt` over the workspace.
pub fn fmt(root: &Path, check: bool) -> Result<ExitStatus> {
    let mut command = command(root, &["fmt", "--all"]);
    if check {
        command.arg("--check");
    }
    status(command)
}

/// Clippy over every crate and target; a warning is an error.
pub fn clippy(root: &Path) -> Result<ExitStatus> {
    status(command(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
}

/// `pgstrata bench` of a release build.
pub fn bench(root: &Path, arguments: &[String]) -> Result<ExitStatus> {
    let mut command = command(root, &["run", "--release", "--package", "pgstrata", "--", "bench"]);
    command.args(arguments);
    status(command)
}

/// A cargo command that starts in the root.
pub fn command(root: &Path, arguments: &[&str]) -> Command {
    // Under `cargo run` the variable names the very cargo that started us.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root);
    command
}

/// Waits for a command whose output goes where ours goes.
pub fn status(mut command: Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("starting {}", command.get_program().display()))
}

/// The exit code of a task that is one command.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a command, passes its output on line by line, and returns it too, for the numbers in it.
pub fn tee(mut command: Command) -> Result<(ExitStatus, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let stderr = child.stderr.take();
    let copied = thread::spawn(move || stderr.map(|stream| copy_lines(stream, &mut std::io::stderr())));
    let stdout = child.stdout.take().map(|stream| copy_lines(stream, &mut std::io::stdout()));
    let status = child.wait().context("waiting for cargo")?;
    let stderr = copied.join().ok().flatten();
    Ok((status, [stdout, stderr].into_iter().flatten().collect()))
}

/// Passes lines on as they come, and keeps them. Bytes that are not UTF-8 are replaced.
fn copy_lines(stream: impl Read, sink: &mut dyn Write) -> String {
    let mut kept = String::new();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
        // A reader that went away (`./x test | head`) is no reason to stop testing.
        let _ = sink.write_all(&line).and_then(|()| sink.flush());
        kept.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tee_returns_both_streams_and_the_status() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 4"]);
        let (status, output) = tee(shell).expect("sh starts");
        assert_eq!(status.code(), Some(4));
        assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
    }
}
