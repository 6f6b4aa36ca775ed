//! `pgstrata mvcc soak`: the workbench in a process of its own, somebody who looks at it, and load for as long as asked;
//! then what its memory did.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Endpoint, Pid, StopMode};
use pgstrata_tools::mvcc::soak::{self, Memory, Reading, Soak, SoakSpec};
use pgstrata_units::Text;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::cli::mvcc::SoakArgs;
use crate::commands::serve;
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

const MIB: f64 = 1_048_576.0;

/// What the viewer was sent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Seen {
    /// Messages.
    messages: u64,
    /// Their bytes.
    bytes: u64,
    /// Changes whose number does not follow on the one before.
    gaps: u64,
    /// Times that it was too slow, and was sent a moment instead of changes.
    lagged: u64,
    /// Times that the exact track was lost, and times that it was back.
    log_lost: u64,
    log_back: u64,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report {
    server: String,
    seen: Seen,
    #[serde(flatten)]
    soak: Soak,
}

pub async fn soak(args: &SoakArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let install = servers::install(&args.server)?;
    let mut server = serve::private(install, terminal).await?;
    let endpoint = server.endpoint();
    let outcome = beside(args, &endpoint, &interrupt, terminal).await;
    let version = server.version().to_string();
    server.stop(StopMode::Fast).await?;
    let (soak, seen) = outcome?;
    let memory = soak.memory;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Report { server: version, seen, soak })?);
    } else {
        print(&version, &soak, seen, terminal);
    }
    Ok(if memory == Memory::Rising { Ended::Failed } else { Ended::Held })
}

/// Runs the workbench, its viewer and the load on a server that is there.
async fn beside(
    args: &SoakArgs,
    endpoint: &Endpoint,
    interrupt: &CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<(Soak, Seen)> {
    soak::set_up(endpoint).await?;
    let kept = tempfile::tempdir().context("could not make a directory for the workbench")?;
    let workbench = Workbench::start(endpoint, kept.path()).await?;
    let process = workbench.process()?;
    let over = interrupt.child_token();
    let viewer = workbench.view(over.clone()).await?;
    let spec =
        SoakSpec { endpoint: endpoint.clone(), process, duration: args.duration, rate: args.rate, seed: args.seed };
    let mut progress = |reading: &Reading, transactions: u64| {
        if terminal.interactive && !args.json {
            let mebibytes = as_f64(reading.resident_bytes) / MIB;
            eprint!("\r{:.0} s, {transactions}, {mebibytes:.1} MiB ", reading.at_s);
        }
    };
    let soak = soak::soak(&spec, interrupt, &mut progress).await;
    over.cancel();
    let seen = viewer.await.context("the viewer has ended badly")??;
    workbench.stop().await?;
    if terminal.interactive && !args.json {
        eprintln!();
    }
    Ok((soak?, seen))
}

/// The workbench, in a process of this program.
struct Workbench {
    child: Child,
    /// `127.0.0.1:port`.
    address: String,
}

impl Workbench {
    async fn start(endpoint: &Endpoint, kept: &std::path::Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("could not find this program")?;
        let mut command = Command::new(program);
        command.args(["serve", "--no-open", "--port", "0", "--lang", "en", "--database-url", &endpoint.to_string()]);
        command.arg("--keep").arg(kept).arg("--records").arg(kept);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("could not start the workbench")?;
        let Some(stdout) = child.stdout.take() else { bail!("the workbench has no output") };
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.split(['/', '?']).next().unwrap_or_default().to_owned();
                return Ok(Self { child, address });
            }
        }
        bail!("the workbench has ended before it was open; it says why above")
    }

    fn process(&self) -> anyhow::Result<Pid> {
        let pid = self.child.id().context("the workbench has ended")?;
        Ok(Pid::from_raw(i32::try_from(pid)?))
    }

    /// Somebody who has the page open, until `over`.
    async fn view(&self, over: CancellationToken) -> anyhow::Result<JoinHandle<anyhow::Result<Seen>>> {
        let mut request = format!("ws://{}/api/live", self.address).into_client_request()?;
        request.headers_mut().insert("origin", format!("http://{}", self.address).parse()?);
        let stream = TcpStream::connect(&self.address).await.context("could not reach the workbench")?;
        let (mut socket, _) = client_async(request, stream).await.context("could not look at the workbench")?;
        socket.send(Message::text(json!({"type": "watch", "table": soak::TABLE}).to_string())).await?;
        Ok(tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut last = None;
            loop {
                let message = tokio::select! {
                    message = socket.next() => message,
                    () = over.cancelled() => return Ok(seen),
                };
                match message {
                    Some(Ok(Message::Text(text))) => seen.take(&text, &mut last)?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => bail!("the workbench has hung up on its viewer"),
                    Some(Ok(_)) => {}
                }
            }
        }))
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        kill(self.process()?, Signal::SIGTERM).context("could not end the workbench")?;
        self.child.wait().await.context("could not wait for the workbench")?;
        Ok(())
    }
}

impl Seen {
    fn take(&mut self, text: &str, last: &mut Option<u64>) -> anyhow::Result<()> {
        self.messages += 1;
        self.bytes += text.len() as u64;
        let message: Value = serde_json::from_str(text).context("the workbench has sent what is no JSON")?;
        match message["type"].as_str() {
            Some("moment") => *last = message["seq"].as_u64(),
            Some("change") => {
                let seq = message["seq"].as_u64();
                let follows = last.is_none() || seq == last.map(|last| last + 1);
                self.gaps += u64::from(!follows);
                *last = seq;
                match message["cause"]["is_up"].as_bool() {
                    Some(false) => self.log_lost += 1,
                    Some(true) => self.log_back += 1,
                    None => {}
                }
            }
            Some("lagged") => self.lagged += 1,
            Some("problem") => bail!("the workbench says: {}", message["problem"]["detail"]),
            _ => {}
        }
        Ok(())
    }
}

fn print(version: &str, soak: &Soak, seen: Seen, terminal: Terminal) {
    let Soak { lasted_s, rate, transactions, cores, .. } = soak;
    println!("PostgreSQL {version}");
    let Seen { messages, gaps, lagged, log_lost, log_back, .. } = seen;
    let (en, zh) = (
        format!(
            "{transactions} transactions in {lasted_s:.0} s (asked for {rate} a second); the viewer was sent {messages} \
             messages with {gaps} gaps, was too slow {lagged} times; the server's log was lost {log_lost} times and back \
             {log_back} times; {cores:.2} of a core"
        ),
        format!(
            "{lasted_s:.0} 秒内 {transactions} 个事务（要求每秒 {rate} 个）；观看者收到 {messages} 条消息，缺口 {gaps} 处，\
             落后 {lagged} 次；服务器日志丢失 {log_lost} 次，恢复 {log_back} 次；占用 {cores:.2} 个核"
        ),
    );
    println!("{}", if terminal.language == pgstrata_units::Language::Chinese { zh } else { en });
    if let Some(resident) = soak.resident {
        println!(
            "{:.1} MiB, {:+.2} MiB/h [{:+.2}, {:+.2}]",
            resident.mean / MIB,
            resident.slope / MIB,
            resident.interval.low / MIB,
            resident.interval.high / MIB,
        );
    }
    println!(
        "{}",
        terminal.say(match soak.memory {
            Memory::Flat => Text { en: "memory is flat", zh: "内存平稳" },
            Memory::Rising => Text { en: "MEMORY RISES", zh: "内存持续上升" },
            Memory::Undecided =>
                Text { en: "too short to say what memory does", zh: "时间太短，无法判断内存走势" },
        })
    );
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
