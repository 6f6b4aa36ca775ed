//! `pgstrata mvcc soak`: the workbench in a process of its own, somebody who looks at it, and load for as long as asked;
//! then what its memory did.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::{Signal, kill};
use pgstrata_pg::{Endpoint, Pid, StopMode};
use pgstrata_server::routes::memory::Memory as Told;
use pgstrata_tools::mvcc::soak::{self, Account, Memory, Reading, Soak, SoakSpec};
use pgstrata_units::Text;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::cli::mvcc::SoakArgs;
use crate::commands::serve;
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

const MIB: f64 = 1_048_576.0;
/// Parts of the memory that are smaller are not listed.
const LEAST_SHOWN_MIB: f64 = 0.1;

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
    /// Times that the workbench hung up, as it does on a viewer that takes nothing for too long, and the viewer came back.
    hung_up: u64,
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
    let account = async || match workbench.account().await {
        Ok(account) => account,
        Err(error) => {
            tracing::warn!(error = %error, "the workbench did not say what memory it takes");
            Account::default()
        }
    };
    let soak = soak::soak(&spec, interrupt, account, &mut progress).await;
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

    /// What it says of its own memory.
    async fn account(&self) -> anyhow::Result<Account> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request = format!("GET /api/memory HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("the workbench says: {body}");
        }
        let Told { in_use_bytes, kept_bytes, logs, .. } = serde_json::from_str(body)?;
        let mut account = Account { in_use_bytes, kept_bytes, ..Account::default() };
        for part in logs.into_iter().flat_map(|log| log.parts) {
            *account.held_bytes.entry(part.what).or_default() += part.bytes as u64;
        }
        Ok(account)
    }

    /// Somebody who has the page open, until `over`. Comes back when the workbench hangs up, and goes on where it was.
    async fn view(&self, over: CancellationToken) -> anyhow::Result<JoinHandle<anyhow::Result<Seen>>> {
        let address = self.address.clone();
        let mut socket = look(&address, &Place::default()).await?;
        Ok(tokio::spawn(async move {
            let (mut seen, mut place) = (Seen::default(), Place::default());
            loop {
                let message = tokio::select! {
                    message = socket.next() => message,
                    () = over.cancelled() => return Ok(seen),
                };
                match message {
                    Some(Ok(Message::Text(text))) => seen.take(&text, &mut place)?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => {
                        seen.hung_up += 1;
                        socket = look(&address, &place).await?;
                    }
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

/// Where a viewer is: the log and its last change, once it has any.
#[derive(Default)]
struct Place {
    log: Option<String>,
    last: Option<u64>,
}

/// Opens the page's WebSocket, as our own page does.
async fn look(address: &str, place: &Place) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let mut request = format!("ws://{address}/api/live").into_client_request()?;
    request.headers_mut().insert("origin", format!("http://{address}").parse()?);
    let stream = TcpStream::connect(address).await.context("could not reach the workbench")?;
    let (mut socket, _) = client_async(request, stream).await.context("could not look at the workbench")?;
    let mut watch = json!({"type": "watch", "table": soak::TABLE});
    if let (Some(log), Some(last)) = (&place.log, place.last) {
        watch["log"] = json!(log);
        watch["after"] = json!(last);
    }
    socket.send(Message::text(watch.to_string())).await?;
    Ok(socket)
}

impl Seen {
    fn take(&mut self, text: &str, place: &mut Place) -> anyhow::Result<()> {
        self.messages += 1;
        self.bytes += text.len() as u64;
        let message: Value = serde_json::from_str(text).context("the workbench has sent what is no JSON")?;
        match message["type"].as_str() {
            Some("moment") => {
                place.last = message["seq"].as_u64();
                place.log = message["log"].as_str().map(str::to_owned);
            }
            Some("change") => {
                let seq = message["seq"].as_u64();
                let follows = place.last.is_none() || seq == place.last.map(|last| last + 1);
                self.gaps += u64::from(!follows);
                place.last = seq;
                match message["is_up"].as_bool().filter(|_| message["cause"] == "connection") {
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
    let Seen { messages, gaps, lagged, hung_up, log_lost, log_back, .. } = seen;
    let (en, zh) = (
        format!(
            "{transactions} transactions in {lasted_s:.0} s (asked for {rate} a second); the viewer was sent {messages} \
             messages with {gaps} gaps, was too slow {lagged} times and had to come back {hung_up} times; the server's log was lost {log_lost} times and back \
             {log_back} times; {cores:.2} of a core"
        ),
        format!(
            "{lasted_s:.0} 秒内 {transactions} 个事务（要求每秒 {rate} 个）；观看者收到 {messages} 条消息，缺口 {gaps} 处，\
             落后 {lagged} 次，重新连接 {hung_up} 次；服务器日志丢失 {log_lost} 次，恢复 {log_back} 次；占用 {cores:.2} 个核"
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
    if let Some(last) = soak.readings.last() {
        print_account(&last.account, terminal);
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

/// What the memory is made of at the end.
fn print_account(account: &Account, terminal: Terminal) {
    let Account { in_use_bytes: Some(in_use), kept_bytes: Some(kept), held_bytes } = account else { return };
    let [in_use, kept, held] = [*in_use, *kept, held_bytes.values().sum()].map(|bytes| as_f64(bytes) / MIB);
    println!(
        "{} {in_use:.1} MiB ({} {held:.1} MiB); {} {kept:.1} MiB",
        terminal.say(Text { en: "in use", zh: "使用中" }),
        terminal.say(Text { en: "accounted for", zh: "其中已查明" }),
        terminal.say(Text { en: "kept free by the allocator", zh: "分配器保留的空闲内存" }),
    );
    let mut parts: Vec<(&str, f64)> =
        held_bytes.iter().map(|(what, bytes)| (what.as_str(), as_f64(*bytes) / MIB)).collect();
    parts.sort_by(|one, other| other.1.total_cmp(&one.1));
    for (what, mebibytes) in parts.into_iter().filter(|(_, mebibytes)| *mebibytes >= LEAST_SHOWN_MIB) {
        println!("  {what:<24} {mebibytes:8.1} MiB");
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
