//! Holds a program that was made from a template against a real server: several workers at once; a server that refuses
//! attempts at fixed places, as one under load does by chance; and a line that is cut during commit, once after the server
//! has committed and once before it has heard of it.
//!
//! The program is any language's: it is told what to do in its environment and answers with one line of JSON. What it
//! says is compared with what is in the tables.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgstrata_pg::{Cluster, Endpoint};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::{REQUEST_TABLE, plan};
use crate::advisor::solutions::SolutionId;

/// How long a program may take; its work is done in seconds, so a longer one hangs.
const PROGRAM_LIMIT: Duration = Duration::from_mins(4);

/// Workers that transfer at the same time.
const WORKERS: u32 = 4;

/// Transfers of each worker.
const TRANSFERS: u32 = 40;

/// Transfers while the server refuses attempts: more than there are refusals, so that each is met.
const TRANSFERS_UNDER_REFUSALS: u32 = 8;

/// Which attempts the server refuses, counted from 1, and with what. Commits are counted by themselves.
const REFUSALS: [Refusal; 4] = [
    Refusal { at_commit: false, attempt: 2, code: "40001" },
    Refusal { at_commit: false, attempt: 4, code: "40P01" },
    Refusal { at_commit: false, attempt: 6, code: "55P03" },
    Refusal { at_commit: true, attempt: 3, code: "40001" },
];

/// An error that no further attempt mends: a check was violated.
const FINAL: Refusal = Refusal { at_commit: false, attempt: 1, code: "23514" };

/// Transfers over the line that is cut.
const TRANSFERS_OVER_THE_LINE: u32 = 6;

/// The commit after which the line is cut, counted from 0 over all connections.
const CUT_AFTER: u64 = 1;

/// The commit before which the line is cut: the server never hears of it.
const CUT_BEFORE: u64 = 3;

/// The solutions whose examples are transfers: what trials run.
pub const TRANSFERRING: [SolutionId; 5] = [
    SolutionId::Serializable,
    SolutionId::RepeatableRead,
    SolutionId::ForUpdate,
    SolutionId::OptimisticVersion,
    SolutionId::ConditionalUpdate,
];

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What a program says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Requests that it did.
    pub done: u64,
    /// Requests that it found done by an earlier attempt.
    pub found: u64,
    /// Requests that the business refused.
    pub refused: u64,
    /// Attempts in all.
    pub attempts: u64,
}

/// An attempt that the server refuses.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    at_commit: bool,
    attempt: i64,
    code: &'static str,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// With several workers.
    pub contended: Told,
    /// While the server refused some attempts.
    pub injected: Told,
    /// Over the line that was cut.
    pub cut: Told,
    /// What is wrong; empty where all is right.
    pub wrong: Vec<String>,
}

/// Why there is no trial.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The server.
    #[error("the server of the trial failed")]
    Server(#[from] pgstrata_pg::Error),
    /// A statement of the trial itself.
    #[error("could not prepare or judge the trial")]
    Sql(#[from] pgstrata_pg::sql::ClientError),
    /// The program could not be started, or the line not be made.
    #[error("could not {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It did not end well.
    #[error("the program {how}: {said}")]
    Program {
        /// How it ended.
        how: String,
        /// Its last words.
        said: String,
    },
}

/// Runs both parts on a server that takes TCP connections (`spec.tcp`), for the example of `solution`.
///
/// # Errors
/// If the server fails, or the program does not end with an answer. Wrong answers are no error: they are in the trial.
pub async fn run(cluster: &Cluster, solution: SolutionId, launch: &Launch) -> Result<Trial, TrialError> {
    let no_tcp = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the server takes no TCP connections");
    let endpoint = cluster.tcp_endpoint().ok_or_else(no_tcp).map_err(|source| io_error("find the server", source))?;
    let address = endpoint.tcp_address().unwrap_or_default();
    let mut wrong = Vec::new();

    let before = prepare(&endpoint, solution).await?;
    let contended = start(launch, &url(&endpoint, &address), WORKERS, TRANSFERS).await?;
    let asked = u64::from(WORKERS * TRANSFERS);
    judge("with several workers", &endpoint, before, contended, asked, &mut wrong).await?;
    if contended.found > 0 {
        wrong.push("with several workers: requests were found done, and no line was cut".to_owned());
    }

    let injected = under_refusals(&endpoint, solution, launch, &url(&endpoint, &address), &mut wrong).await?;

    let before = prepare(&endpoint, solution).await?;
    let line = CutLine::open(address).await.map_err(|source| io_error("open the line", source))?;
    let cut = start(launch, &url(&endpoint, &line.address), 1, TRANSFERS_OVER_THE_LINE).await?;
    judge("over the cut line", &endpoint, before, cut, u64::from(TRANSFERS_OVER_THE_LINE), &mut wrong).await?;
    if line.commits.load(Ordering::SeqCst) <= CUT_BEFORE {
        wrong.push("over the cut line: too few commits came by, so that nothing was tried".to_owned());
    }
    if cut.found != 1 {
        wrong.push(format!(
            "over the cut line: one request had been committed before its answer was lost, {} were found",
            cut.found
        ));
    }
    Ok(Trial { contended, injected, cut, wrong })
}

/// Lets the server refuse some attempts, each of which has to be made again, once; and one that must not be.
async fn under_refusals(
    endpoint: &Endpoint,
    solution: SolutionId,
    launch: &Launch,
    url: &str,
    wrong: &mut Vec<String>,
) -> Result<Told, TrialError> {
    const PART: &str = "while the server refused attempts";
    let before = prepare(endpoint, solution).await?;
    refuse(endpoint, &REFUSALS).await?;
    let told = start(launch, url, 1, TRANSFERS_UNDER_REFUSALS).await?;
    let asked = u64::from(TRANSFERS_UNDER_REFUSALS);
    judge(PART, endpoint, before, told, asked, wrong).await?;
    let needed = asked + REFUSALS.len() as u64;
    if told.done != asked || told.attempts != needed {
        wrong.push(format!(
            "{PART}: all {asked} requests are done after {needed} attempts, and the program says {told:?}"
        ));
    }

    prepare(endpoint, solution).await?;
    refuse(endpoint, &[FINAL]).await?;
    let answer = start(launch, url, 1, 1).await;
    let attempts = attempts(endpoint).await?;
    match answer {
        Err(TrialError::Program { .. }) if attempts == 1 => {}
        Err(TrialError::Program { .. }) => {
            wrong.push(format!("{PART}: what no retry mends ({}) was tried {attempts} times", FINAL.code));
        }
        Err(error) => return Err(error),
        Ok(told) => wrong.push(format!("{PART}: {} was taken for an answer: {told:?}", FINAL.code)),
    }
    Ok(told)
}

/// Has the server refuse these attempts from now on.
async fn refuse(endpoint: &Endpoint, refusals: &[Refusal]) -> Result<(), TrialError> {
    let session = endpoint.connect().await?;
    session.batch_execute(include_str!("refusals.sql")).await?;
    for one in refusals {
        session.execute(include_str!("refuse.sql"), &[&one.at_commit, &one.attempt, &one.code]).await?;
    }
    Ok(())
}

/// How many attempts the server has seen.
async fn attempts(endpoint: &Endpoint) -> Result<i64, TrialError> {
    let session = endpoint.connect().await?;
    Ok(session.query_one(include_str!("attempts.sql"), &[]).await?.try_get("attempts")?)
}

fn io_error(action: &'static str, source: io::Error) -> TrialError {
    TrialError::Io { action, source }
}

fn url(endpoint: &Endpoint, (host, port): &(String, u16)) -> String {
    let (user, password) = (endpoint.user().unwrap_or_default(), endpoint.password().unwrap_or_default());
    format!("postgresql://{user}:{password}@{host}:{port}/postgres?sslmode=disable")
}

/// Makes the tables anew, and returns the sum of all balances.
async fn prepare(endpoint: &Endpoint, solution: SolutionId) -> Result<i64, TrialError> {
    let session = endpoint.connect().await?;
    session.batch_execute(include_str!("clear.sql")).await?;
    session.batch_execute(&plan::example(solution).schema).await?;
    session.batch_execute(REQUEST_TABLE).await?;
    let (sum, _) = state(endpoint).await?;
    Ok(sum)
}

/// The sum of all balances, and how many requests were kept.
async fn state(endpoint: &Endpoint) -> Result<(i64, i64), TrialError> {
    let session = endpoint.connect().await?;
    let row = session.query_one(include_str!("state.sql"), &[]).await?;
    Ok((row.try_get("balances")?, row.try_get("requests")?))
}

/// Compares what a program says with what is in the tables.
async fn judge(
    part: &str,
    endpoint: &Endpoint,
    before: i64,
    told: Told,
    asked: u64,
    wrong: &mut Vec<String>,
) -> Result<(), TrialError> {
    let (balances, requests) = state(endpoint).await?;
    if balances != before {
        wrong.push(format!("{part}: the balances were {before} in all, and are {balances}"));
    }
    if told.done + told.found + told.refused != asked {
        wrong.push(format!("{part}: {asked} requests, and answers to {told:?}"));
    }
    if u64::try_from(requests).unwrap_or_default() != told.done + told.found {
        wrong.push(format!("{part}: {requests} requests were kept, and the program says {told:?}"));
    }
    Ok(())
}

/// Runs the program to its end and reads its last line.
async fn start(launch: &Launch, url: &str, workers: u32, transfers: u32) -> Result<Told, TrialError> {
    let running = Command::new(&launch.program)
        .args(&launch.arguments)
        .env("DATABASE_URL", url)
        .env("WORKERS", workers.to_string())
        .env("TRANSFERS", transfers.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(PROGRAM_LIMIT, running).await;
    let failed = |how: String, said: &[u8]| {
        let said = String::from_utf8_lossy(said);
        TrialError::Program { how, said: said.lines().rev().take(12).collect::<Vec<_>>().join(" | ") }
    };
    let output = match ended {
        Ok(output) => output.map_err(|source| io_error("start the program", source))?,
        Err(_) => return Err(failed(format!("did not end within {PROGRAM_LIMIT:?}"), b"")),
    };
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status), &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last).map_err(|error| failed(format!("answered with no JSON ({error})"), &output.stdout))
}

/// A line to the server that is cut at two commits.
struct CutLine {
    address: (String, u16),
    commits: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for CutLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CutLine {
    async fn open((host, port): (String, u16)) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = ("127.0.0.1".to_owned(), listener.local_addr()?.port());
        let commits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&commits);
        let task = tokio::spawn(async move {
            // Ends with the line: its owner aborts it.
            while let Ok((client, _)) = listener.accept().await {
                let (host, counted) = (host.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect((host.as_str(), port)).await {
                        // An error is the end of the connection, which both sides notice.
                        let _ = carry(client, server, &counted).await;
                    }
                });
            }
        });
        Ok(Self { address, commits, task })
    }
}

/// Carries bytes both ways until one side ends, or a commit comes by at which the line is cut.
async fn carry(mut client: TcpStream, mut server: TcpStream, commits: &AtomicU64) -> io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                let cut = is_commit(&asked[..read]).then(|| commits.fetch_add(1, Ordering::SeqCst));
                if cut == Some(CUT_BEFORE) {
                    return Ok(());
                }
                server.write_all(&asked[..read]).await?;
                if cut == Some(CUT_AFTER) {
                    // The server answers when it has committed; the client never hears of it.
                    let _answer = server.read(&mut answered).await?;
                    return Ok(());
                }
            }
            read = server.read(&mut answered) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&answered[..read]).await?;
            }
        }
    }
}

/// Whether a client's bytes hold the statement `commit`, in whichever message of the protocol.
fn is_commit(bytes: &[u8]) -> bool {
    const COMMIT: &[u8] = b"commit";
    bytes
        .windows(COMMIT.len() + 1)
        .any(|window| window[..COMMIT.len()].eq_ignore_ascii_case(COMMIT) && matches!(window[COMMIT.len()], 0 | b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_seen_in_any_case_and_a_level_is_not_taken_for_one() {
        assert!(is_commit(b"Q\0\0\0\x0bCOMMIT\0") && is_commit(b"P\0\0\0\x0e\0commit\0\0\0"));
        assert!(!is_commit(b"Q\0\0\0\x1abegin isolation level read committed\0"));
    }
}
