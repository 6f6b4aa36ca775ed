//! `pgstrata serve`: the workbench, on a private server or an attached one.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use pgstrata_lab::error::LabError;
use pgstrata_pg::overlay;
use pgstrata_pg::{AttachPolicy, Cluster, ClusterSpec, Dirs, Endpoint, Install, Profile, StopMode};
use pgstrata_server::routes::runs::{RunPreset, RunRequest};
use pgstrata_server::{Access, Ground, Setting, Token, Workbench};
use pgstrata_units::Text;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::cli::serve::ServeArgs;
use crate::commands::ext;
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// What the private server gets beside its profile, so that everything the workbench shows can happen on it.
const SETTINGS: [(&str, &str); 5] = [
    // Prepared transactions are part of the picture.
    ("max_prepared_transactions", "16"),
    ("track_commit_timestamp", "on"),
    // Recordings read the log.
    ("wal_level", "logical"),
    // On a busy machine the exact track is some seconds behind; a checkpoint must not remove what it has not read.
    ("wal_keep_size", "256MB"),
    ("max_connections", "200"),
];

pub async fn serve(args: &ServeArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let token = args.token.as_deref().map(token_of_user).transpose()?;
    // Before a server is started: a port that is taken is found out at once.
    let listener = listen(SocketAddr::new(args.listen, args.port)).await?;
    let access = Access::new(listener.local_addr()?, token, args.name.clone());
    let install = servers::install(&args.server);
    let (ground, private) = tokio::select! {
        ground = ground(args, &install, terminal) => ground?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted.into()),
    };
    let workbench = Workbench::new(Setting {
        ground,
        install: install.ok(),
        published: args.records.clone(),
        kept: args.keep.clone().unwrap_or_else(|| Dirs::resolve().state.join("workbench")),
        history: args.history_url.as_deref().map(Endpoint::parse).transpose()?,
    });
    let outcome = run(args, listener, workbench, access, &interrupt, terminal).await;
    if let Some(mut server) = private
        && let Err(error) = server.stop(StopMode::Fast).await
    {
        tracing::warn!(error = %error, "the server did not stop in order");
    }
    outcome.map(|()| Ended::Held)
}

fn token_of_user(text: &str) -> Result<Token, LabError> {
    Token::of_user(text).map_err(|error| {
        LabError::usage(error.to_string(), "leave --token out to have one drawn, or give a longer one")
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, LabError> {
    TcpListener::bind(address).await.map_err(|source| LabError::Machine {
        action: format!("listen on {address}"),
        hint: "choose another port with --port, or 0 for any".to_owned(),
        source,
    })
}

/// The server that is looked at, and the private one if it is.
async fn ground(
    args: &ServeArgs,
    install: &Result<Install, pgstrata_pg::Error>,
    terminal: Terminal,
) -> anyhow::Result<(Ground, Option<Cluster>)> {
    if let Some(url) = &args.database_url {
        let policy = if args.allow_write { AttachPolicy::AllowWrite } else { AttachPolicy::ReadOnly };
        return Ok((Ground::attached(Endpoint::parse(url)?, policy).await?, None));
    }
    eprintln!("{}", terminal.say(Text { en: "starting PostgreSQL", zh: "正在启动 PostgreSQL" }));
    let install = match install {
        Ok(install) => install.clone(),
        // Again, for an error of our own.
        Err(_) => servers::install(&args.server)?,
    };
    let server = private(install, terminal).await?;
    Ok((Ground::private(&server.endpoint()), Some(server)))
}

/// The private server of a workbench, with the extensions that show more.
pub(crate) async fn private(install: Install, terminal: Terminal) -> anyhow::Result<Cluster> {
    let (install, is_extended) = extended(install, terminal);
    let mut spec = ClusterSpec::new(install, Profile::Durable);
    for (name, value) in SETTINGS {
        spec = spec.with_setting(name, value);
    }
    if is_extended {
        spec = spec.with_setting("shared_preload_libraries", ext::NAME);
    }
    let server = Cluster::create(spec).await?;
    make_extensions(&server.endpoint(), is_extended).await?;
    Ok(server)
}

/// The same server with `mvcc_visualizer` beside it, if that was built; else as it is, and the reader is told what he misses.
fn extended(install: Install, terminal: Terminal) -> (Install, bool) {
    if install.extensions.contains(ext::NAME) {
        return (install, true);
    }
    let made = ext::built(install.version.major).and_then(|files| overlay::make(&install, &files, &Dirs::resolve()));
    match made {
        Ok(install) => (install, true),
        Err(error) => {
            tracing::info!(error = %error, "the server runs without the extension");
            let words = Text {
                en: "without mvcc_visualizer: snapshots of other sessions and short waits cannot be seen; `./x ext` builds it",
                zh: "没有 mvcc_visualizer：看不到其他会话的快照和短暂的等待；`./x ext` 可以构建它",
            };
            eprintln!("{}", terminal.say(words));
            (install, false)
        }
    }
}

/// Makes the extensions that show more in the private server's database, as far as the server offers them.
async fn make_extensions(endpoint: &Endpoint, is_extended: bool) -> anyhow::Result<()> {
    let session = endpoint.connect().await?;
    for name in ["pageinspect"].into_iter().chain(is_extended.then_some(ext::NAME)) {
        let statement = format!("create extension if not exists {}", pgstrata_pg::quote_identifier(name));
        if let Err(error) = session.batch_execute(&statement).await {
            tracing::info!(error = %error, name, "the server has no such extension");
        }
    }
    session.close().await;
    Ok(())
}

async fn run(
    args: &ServeArgs,
    listener: TcpListener,
    workbench: Workbench,
    access: Access,
    interrupt: &CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<()> {
    if let Some(study) = &args.run {
        begin_run(&workbench, study)?;
    }
    if !pgstrata_server::has_page() {
        let missing = Text {
            en: "this program was built without the page (no Node then); the API works. `./x run` builds it",
            zh: "这个程序构建时没有 Node，因此不含页面；API 可以使用。`./x run` 会构建页面",
        };
        eprintln!("{}", terminal.say(missing));
    }
    let address = access.invitation();
    let open = terminal
        .say(Text { en: "the workbench is open; Ctrl-C ends it:", zh: "工作台已打开，按 Ctrl-C 结束：" });
    println!("{open} {address}");
    if args.open || (!args.no_open && can_show_a_browser(terminal)) {
        show(&address);
    }
    pgstrata_server::serve(listener, workbench, access, interrupt).await;
    Ok(())
}

fn begin_run(workbench: &Workbench, study: &str) -> anyhow::Result<()> {
    let request = RunRequest {
        study: study.to_owned(),
        arms: Vec::new(),
        preset: RunPreset::Smoke,
        clients: None,
        rate: None,
        faults: None,
        duration_ms: None,
        skew: None,
        seed: None,
    };
    workbench.runs().ask(request).map(drop).map_err(|problem| {
        LabError::usage(problem.detail, problem.hint.unwrap_or_else(|| "leave --run out".to_owned())).into()
    })
}

/// Whether there is somebody before a screen of this machine.
fn can_show_a_browser(terminal: Terminal) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_screen = cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    terminal.interactive && has_screen && !is_set("SSH_CONNECTION")
}

/// Has the system open an address. Whether it can is no matter: the address is on the terminal too.
fn show(address: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started =
        Command::new(program).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    match started {
        // Waited for by a thread, or it stays as a zombie for as long as the workbench is open.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::info!(error = %error, program, "no browser was opened"),
    }
}
