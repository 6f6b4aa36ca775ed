//! PostgreSQL's own load generator, run as the yardstick for ours.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::process::CpuTime;

/// One run of `pgbench`.
#[derive(Clone, Copy, Debug)]
pub struct PgbenchRun {
    /// Transactions it counted.
    pub transactions: u64,
    /// Transactions a second, without the time that connecting took.
    pub rate: f64,
    /// CPU of the pgbench process, user and system.
    pub cpu: CpuTime,
}

/// A script of pgbench's own (manual, *pgbench*, "What is the Transaction").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Reads one account.
    SelectOnly,
    /// Three updates, a select and an insert in a transaction.
    TpcbLike,
}

impl Script {
    const fn name(self) -> &'static str {
        match self {
            Self::SelectOnly => "select-only",
            Self::TpcbLike => "tpcb-like",
        }
    }
}

/// Makes pgbench's tables at some scale: 100 000 accounts, ten tellers and one branch each.
///
/// # Errors
/// If pgbench is missing or fails.
pub fn initialise(bindir: &Path, endpoint: &Endpoint, scale: u32) -> Result<(), Error> {
    run(bindir, endpoint, &["--initialize", "--quiet", &format!("--scale={scale}")]).map(drop)
}

/// Runs a script with prepared statements on one thread, for `duration`.
///
/// Blocks until it ends. The CPU is read from the usage of reaped children, so nothing else may be reaped meanwhile.
///
/// # Errors
/// If pgbench is missing or fails, or prints something unknown.
pub fn play(
    bindir: &Path,
    endpoint: &Endpoint,
    script: Script,
    connections: u32,
    duration: Duration,
) -> Result<PgbenchRun, Error> {
    let before = children_cpu()?;
    let output = run(
        bindir,
        endpoint,
        &[
            &format!("--builtin={}", script.name()),
            "--protocol=prepared",
            "--no-vacuum",
            "--jobs=1",
            &format!("--client={connections}"),
            &format!("--time={}", duration.as_secs().max(1)),
        ],
    )?;
    let cpu = children_cpu()? - before;
    let told = |begin: &str| output.lines().find_map(|line| line.strip_prefix(begin));
    let transactions = told("number of transactions actually processed: ")
        .and_then(|number| number.split('/').next()?.trim().parse().ok());
    let rate = told("tps = ").and_then(|number| number.split_whitespace().next()?.parse().ok());
    match (transactions, rate) {
        (Some(transactions), Some(rate)) => Ok(PgbenchRun { transactions, rate, cpu }),
        _ => Err(failed("an unknown report", &output)),
    }
}

fn run(bindir: &Path, endpoint: &Endpoint, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(bindir.join("pgbench"));
    command.args(arguments);
    if let Some(path) = endpoint.socket_path()
        && let Some(directory) = path.parent()
    {
        // The socket's name ends in the port: `.s.PGSQL.5432`.
        let port = path.extension().unwrap_or_default();
        command.env("PGHOST", directory).env("PGPORT", port);
    } else if let Some((host, port)) = endpoint.tcp_address() {
        command.env("PGHOST", host).env("PGPORT", port.to_string());
    }
    command.env("PGUSER", endpoint.user().unwrap_or("postgres"));
    command.arg(endpoint.database().unwrap_or("postgres"));
    let output = command.output().map_err(|source| {
        let path = bindir.join("pgbench");
        let kind = if source.kind() == io::ErrorKind::NotFound {
            Kind::BadInstall { path, reason: "it has no pgbench".to_owned() }
        } else {
            Kind::Unusable { path, source }
        };
        Error::new("run pgbench", kind)
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(&output.status.to_string(), &String::from_utf8_lossy(&output.stderr)))
    }
}

fn failed(status: &str, output: &str) -> Error {
    let kind =
        Kind::Program { program: "pgbench".to_owned(), status: status.to_owned(), output: output.trim().to_owned() };
    Error::new("run pgbench", kind)
}

fn children_cpu() -> Result<CpuTime, Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|errno| Error::new("read the CPU time of children", Kind::Io(errno.into())))?;
    let nanoseconds = usage.user_time().num_nanoseconds() + usage.system_time().num_nanoseconds();
    Ok(CpuTime::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}
