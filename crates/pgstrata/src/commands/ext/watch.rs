//! `pgstrata ext capture` and `pgstrata ext bench`: does the preloaded part see every wait, and what does observing cost.

use pgstrata_lab::error::LabError;
use pgstrata_pg::{ClusterSpec, Dirs, Profile, overlay, sources};
use pgstrata_scenario::suite;
use pgstrata_tools::mvcc::capture::{Captured, capture};
use pgstrata_tools::mvcc::cost::{Cost, CostSpec, Observed, Throughput, ThroughputSpec, measure, throughput};
use pgstrata_units::Text;
use serde::Serialize;

use crate::Ended;
use crate::cli::ext::{BenchArgs, CaptureArgs, FilesArgs};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// Found waits that must be captured, per cent.
const LEAST_PERCENT: f64 = 99.0;
/// What publishing a snapshot may cost, nanoseconds a statement.
const HOOK_NS_MOST: f64 = 200.0;
/// What the worker may use of a core, per cent.
const WORKER_PERCENT_MOST: f64 = 1.0;

/// A private server with the extension beside it.
fn server(files: &FilesArgs, profile: Profile) -> anyhow::Result<ClusterSpec> {
    let server = servers::install(&files.server)?;
    let found = super::find(files.from.as_deref(), server.version.major)?;
    Ok(ClusterSpec::new(overlay::make(&server, &found, &Dirs::resolve())?, profile))
}

/// Runs PostgreSQL's specifications and says which of their waits were captured; fails below 99 %.
pub async fn capture_waits(args: &CaptureArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let server = server(&args.files, Profile::FastTest)?;
    let found = sources::isolation(&Dirs::resolve().cache, server.install.version, &|_| ())?;
    let mut files = suite::load(&found.directory)?;
    if !args.only.is_empty() {
        files.retain(|file| args.only.contains(&file.name));
    }
    let count = files.len();
    let at = std::sync::atomic::AtomicUsize::new(0);
    let progress = |name: &str| {
        let number = at.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        eprintln!("[{number}/{count}] {name}");
    };
    let interrupt = interrupt::token()?;
    let captured = tokio::select! {
        captured = capture(server, &files, &progress) => captured?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted.into()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&captured)?);
    } else {
        show_captured(&captured, terminal);
    }
    let held = captured.percent().is_some_and(|percent| percent >= LEAST_PERCENT);
    Ok(if held { Ended::Held } else { Ended::Failed })
}

fn show_captured(captured: &Captured, terminal: Terminal) {
    let say = |en, zh, number: usize| println!("{number:>8}  {}", terminal.say(Text { en, zh }));
    println!("PostgreSQL {}", captured.server);
    say("specification files", "个测试规范文件", captured.files);
    say(
        "lines with <waiting ...>, those that only a marker asks for included",
        "行 <waiting ...>（含仅由标记要求的）",
        captured.lines,
    );
    say("steps that the server said are waiting", "个步骤被服务器判定为等待", captured.found);
    say("of them captured", "个被捕获", captured.captured);
    say("waits kept in all", "次等待被记录（总数）", captured.kept);
    if let Some(percent) = captured.percent() {
        println!("{percent:>8.2} %");
    }
    for name in &captured.missed {
        println!("          {}{name}", terminal.say(Text { en: "missed in ", zh: "遗漏于 " }));
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Costs<'a> {
    #[serde(flatten)]
    cost: &'a Cost,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput: Option<&'a Throughput>,
}

/// Measures hook, worker and load on private servers; fails when one costs more than promised.
pub async fn bench(args: &BenchArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let server = server(&args.files, Profile::Durable)?;
    let interrupt = interrupt::token()?;
    let spec =
        CostSpec { server: server.clone(), statements: args.statements, pairs: args.pairs, watched: args.watched };
    let measured = async {
        let cost = measure(spec).await?;
        if args.windows == 0 {
            return Ok((cost, None));
        }
        let spec = ThroughputSpec { server, pairs: args.windows, window: args.window, seed: args.seed };
        let pairs = spec.all_pairs();
        let mut progress = |done: usize| {
            if terminal.interactive {
                eprint!("\r[{}/{pairs}] pgbench ", done + 1);
            }
        };
        let throughput = throughput(&spec, &mut progress).await?;
        if terminal.interactive {
            eprintln!();
        }
        anyhow::Ok((cost, Some(throughput)))
    };
    let (cost, throughput) = tokio::select! {
        measured = Box::pin(measured) => measured?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted.into()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Costs { cost: &cost, throughput: throughput.as_ref() })?);
    } else {
        show_cost(&cost, terminal);
        if let Some(throughput) = &throughput {
            show_throughput(throughput, terminal);
        }
    }
    let worker = [cost.worker_idle_percent, cost.worker_load_percent, cost.worker_waits_percent];
    let held = cost.hook_ns_median < HOOK_NS_MOST
        && worker.iter().all(|percent| *percent < WORKER_PERCENT_MOST)
        && !throughput.is_some_and(|throughput| ways(&throughput).iter().any(|(_, observed)| observed.is_slower()));
    Ok(if held { Ended::Held } else { Ended::Failed })
}

/// The ways of observing, each with its name.
fn ways(throughput: &Throughput) -> [(Text, &Observed); 3] {
    [
        (Text { en: "extension preloaded", zh: "预加载扩展" }, &throughput.preloaded),
        (
            Text {
                en: "both tracks recorded, of a table that is idle", zh: "录制两条轨道，所看的表无负载"
            },
            &throughput.recorded_idle,
        ),
        (
            Text {
                en: "both tracks recorded, of a table that every transaction changes",
                zh: "录制两条轨道，所看的表被每个事务修改",
            },
            &throughput.recorded_busy,
        ),
    ]
}

fn show_throughput(throughput: &Throughput, terminal: Terminal) {
    let say = |number: f64, unit: &str, en, zh| {
        println!("{number:>10.0} {unit:<2} {}", terminal.say(Text { en, zh }));
    };
    say(throughput.bare_rate, "", "pgbench transactions a second, nobody observes", "无人观察时 pgbench 每秒事务数");
    say(
        throughput.bare_cpu_us,
        "us",
        "processor time of the server for each, nobody observes",
        "无人观察时服务器每个事务的处理器时间",
    );
    for (name, observed) in ways(throughput) {
        println!("{}", terminal.say(name));
        let rate = Text {
            en: "transactions a second (at least 0.98 promised)", zh: "每秒事务数（承诺不低于 0.98）"
        };
        println!("  {}  {}", observed.rate, terminal.say(rate));
        let cpu = Text { en: "processor time of the server for each", zh: "服务器每个事务的处理器时间" };
        println!("  {}  {}", observed.server_cpu, terminal.say(cpu));
    }
}

fn show_cost(cost: &Cost, terminal: Terminal) {
    let say = |number: f64, unit: &str, en, zh| {
        println!("{number:>10.2} {unit:<2} {}", terminal.say(Text { en, zh }));
    };
    println!("PostgreSQL {}", cost.server);
    say(
        cost.statement_ns,
        "ns",
        "processor time of a statement without publishing",
        "不发布快照时每条语句的处理器时间",
    );
    say(
        cost.hook_ns_median,
        "ns",
        "added by publishing its snapshot, middle of all pairs (below 200 promised)",
        "发布快照所增加（各对的中位数；承诺低于 200）",
    );
    say(cost.hook_ns.first().copied().unwrap_or(f64::NAN), "ns", "the least", "最小");
    say(cost.hook_ns.last().copied().unwrap_or(f64::NAN), "ns", "the most", "最大");
    say(
        cost.worker_idle_percent,
        "%",
        "of a core for the worker, nobody at work (below 1 promised)",
        "后台进程占单核，空闲时（承诺低于 1）",
    );
    say(cost.worker_load_percent, "%", "while clients read as fast as they can", "客户端全速读取时");
    say(cost.worker_waits_percent, "%", "while sessions wait for a lock", "有会话等待锁时");
}
