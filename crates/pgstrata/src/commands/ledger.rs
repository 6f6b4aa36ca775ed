//! `pgstrata ledger`: the audit trail of the financial ledger, for whoever keeps one and whoever checks it.

use anyhow::Context as _;
use pgstrata_cases::ledger;
use pgstrata_cases::ledger::audit::{AuditError, Auditor, Cadence, Evidence, Report, key, verify};
use pgstrata_pg::wal_archive::{WalArchive, WalReceiver};
use pgstrata_pg::{AttachPolicy, Attached, Endpoint};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::PgArgs;
use crate::cli::ledger::{AuditArgs, DatabaseArgs, FollowArgs, LedgerCommand};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// The slot of the receiver that the auditor starts.
const RECEIVER_SLOT: &str = "pgstrata_ledger_archive";

pub async fn ledger(command: LedgerCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        LedgerCommand::Create(args) => create(&args).await?,
        LedgerCommand::Keygen { key } => keygen(&key, terminal)?,
        LedgerCommand::Follow(args) => follow(&args, terminal).await?,
        LedgerCommand::Audit(args) => return audit(&args, terminal).await,
    }
    Ok(Ended::Held)
}

async fn writable(args: &DatabaseArgs) -> anyhow::Result<Endpoint> {
    let policy = if args.allow_write { AttachPolicy::AllowWrite } else { AttachPolicy::ReadOnly };
    let attached = Attached::open(Endpoint::parse(&args.database_url)?, policy).await?;
    Ok(attached.endpoint_for_writing()?)
}

async fn create(args: &DatabaseArgs) -> anyhow::Result<()> {
    let session = writable(args).await?.connect().await?;
    ledger::create_schema(&session).await?;
    Ok(())
}

fn keygen(path: &std::path::Path, terminal: Terminal) -> anyhow::Result<()> {
    let made = key::create(path).map_err(AuditError::from)?;
    println!("{}: {}", terminal.say(Text { en: "private key", zh: "私钥" }), path.display());
    println!("{}: {}", terminal.say(Text { en: "public key", zh: "公钥" }), key::public_path(path).display());
    println!("{}", ledger::audit::trail::hex(made.verifying_key().as_bytes()));
    Ok(())
}

async fn follow(args: &FollowArgs, terminal: Terminal) -> anyhow::Result<()> {
    let interrupt = interrupt::token()?;
    let endpoint = writable(&args.database).await?;
    let key = key::read(&args.key).map_err(AuditError::from)?;
    let _receiver = match &args.archive {
        None => None,
        Some(directory) => {
            let binaries = PgArgs { pg_bin: args.pg_bin.clone(), pg_version: None };
            let archive = WalArchive::create(directory)?;
            Some(WalReceiver::start(&servers::install(&binaries)?, &endpoint, RECEIVER_SLOT, &archive).await?)
        }
    };
    let cadence = Cadence { entries: args.entries, time: args.every };
    let mut auditor = if args.heads.exists() {
        Auditor::resume(&endpoint, key, &args.heads, cadence).await?
    } else {
        Auditor::begin(&endpoint, key, &args.heads, cadence).await?
    };
    if args.once {
        auditor.catch_up().await?;
    } else {
        let following = terminal.say(Text { en: "following; Ctrl-C ends it", zh: "正在跟踪,Ctrl-C 结束" });
        eprintln!("{following}");
        auditor.run(interrupt.cancelled()).await?;
    }
    let end = auditor.end();
    println!("{} {}", terminal.say(Text { en: "links:", zh: "链长：" }), end.seq);
    println!("{} {}", terminal.say(Text { en: "statements:", zh: "声明：" }), auditor.last_statement());
    println!("{} {}", terminal.say(Text { en: "head:", zh: "链头：" }), end.hash);
    Ok(())
}

async fn audit(args: &AuditArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let key = key::read_public(&args.public_key).map_err(AuditError::from)?;
    let archives = args.archive.iter().map(|directory| WalArchive::open(directory)).collect::<Result<_, _>>()?;
    let database = args.database_url.as_deref().map(Endpoint::parse).transpose()?;
    let evidence = Evidence { archives, statements: args.heads.clone(), key, chain: args.chain.clone(), database };
    let report = verify(&evidence).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).context("write the report as JSON")?);
    } else {
        print_report(&report, terminal);
    }
    Ok(if report.is_sound { Ended::Held } else { Ended::Failed })
}

fn print_report(report: &Report, terminal: Terminal) {
    let say = |en, zh| terminal.say(Text { en, zh });
    let count = |value: Option<usize>| value.map_or_else(|| say("not given", "未提供").to_owned(), |n| n.to_string());
    let position = |lsn: Option<pgstrata_units::Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
    let (from, until) = (position(report.from), position(report.until));
    println!("{}: {from} … {until}", say("log read", "已读日志"));
    println!("{}: {} / {}", say("segments / records", "日志段 / 记录"), report.segments, report.records);
    println!("{}: {}", say("entries in the log", "日志中的分录"), report.entries);
    println!("{}: {}", say("signed heads", "已签名的链头"), report.heads);
    println!("{}: {}", say("links of the chain", "链的环数"), count(report.links));
    println!("{}: {}", say("rows in the table", "表中的行"), count(report.rows));
    if report.rows_newer > 0 {
        println!("{}: {}", say("rows newer than the archive, not judged", "比归档更新、未判定的行"), report.rows_newer);
    }
    for finding in &report.findings {
        println!("\n{}", finding.sentence(terminal.language));
    }
    if report.findings_total > report.findings.len() {
        let more = report.findings_total - report.findings.len();
        println!("\n{} {more}", say("findings not shown:", "未列出的发现："));
    }
    println!();
    if report.is_sound {
        println!(
            "{}",
            say(
                "sound: log, signed heads and what was given beside them agree",
                "完好：日志、已签名的链头及所提供的其他内容一致"
            )
        );
    } else {
        println!("{} {}", say("not sound; findings:", "不完好，发现："), report.findings_total);
    }
}
