//! `pgstrata ext prove` and `fuzz`: the extension's judgements of visibility against what readers see, and its reading of
//! damaged pages; each on a private server.

use std::time::Duration;

use anyhow::Context as _;
use pgstrata_lab::error::LabError;
use pgstrata_pg::overlay;
use pgstrata_pg::{ClusterSpec, Dirs, Profile};
use pgstrata_tools::mvcc::proof::fuzz::{FuzzSpec, fuzz};
use pgstrata_tools::mvcc::proof::{Proof, ProofSpec, prove};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::ext::{FilesArgs, FuzzArgs, ProveArgs};
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// How long it may take for each thousand judgements or pages; ten times what a busy machine of two cores needs.
const LIMIT_OF_A_THOUSAND: Duration = Duration::from_secs(10);
/// And how long it may take in any case.
const LEAST_LIMIT: Duration = Duration::from_mins(5);

/// Carries out a proof and says what it found; it fails if one judgement was wrong.
pub async fn perform(args: &ProveArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let server = extended(&args.files, terminal, JUDGING)?;
    let limit = limit_of(args.judgements);
    let spec = ProofSpec { server, judgements: args.judgements, seed: args.seed, limit };
    let interrupt = interrupt::token()?;
    let proof = tokio::select! {
        proof = prove(spec) => proof.context("the proof was not carried out")?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted.into()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&proof)?);
    } else {
        show(&proof, terminal);
    }
    Ok(if proof.wrong == 0 && proof.unknown == 0 { Ended::Held } else { Ended::Failed })
}

/// Has damaged pages read; an error if the server does not survive it.
pub async fn read_damaged(args: &FuzzArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let server = extended(&args.files, terminal, DAMAGING)?;
    let spec = FuzzSpec { server, pages: args.pages, seed: args.seed, limit: limit_of(args.pages) };
    let interrupt = interrupt::token()?;
    let fuzzed = tokio::select! {
        fuzzed = fuzz(spec) => fuzzed.context("the server did not read all pages")?,
        () = interrupt.cancelled() => return Err(LabError::Interrupted.into()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&fuzzed)?);
        return Ok(Ended::Held);
    }
    let say = |en, zh, number: u64| println!("{number:>10}  {}", terminal.say(Text { en, zh }));
    say("damaged pages read, and the server is still there", "个受损页面已读取，服务器仍在运行", fuzzed.pages);
    say("refused as a whole", "个整页被拒绝", fuzzed.refused);
    say("rows shown", "行被显示", fuzzed.rows);
    say("of which the tuple was refused", "行的元组被拒绝", fuzzed.problems);
    say("of which a value was refused", "行中有值被拒绝", fuzzed.damaged);
    Ok(Ended::Held)
}

/// A private server with the extension beside it; says on which version what is done.
fn extended(args: &FilesArgs, terminal: Terminal, doing: Text) -> anyhow::Result<ClusterSpec> {
    let server = servers::install(&args.server)?;
    let files = super::find(args.from.as_deref(), server.version.major)?;
    let server = overlay::make(&server, &files, &Dirs::resolve())?;
    eprintln!("PostgreSQL {} · {}", server.version, terminal.say(doing));
    Ok(ClusterSpec::new(server, Profile::FastTest))
}

fn limit_of(work: u64) -> Duration {
    let thousands = u32::try_from(work / 1000).unwrap_or(u32::MAX);
    LIMIT_OF_A_THOUSAND.saturating_mul(thousands).max(LEAST_LIMIT)
}

const DAMAGING: Text = Text { en: "the extension reads damaged pages …", zh: "扩展正在读取受损页面……" };

const JUDGING: Text = Text {
    en: "writers write, readers say what they see, another session judges …",
    zh: "写入方在写，读取方报告所见，另一个会话作出判断……",
};

fn show(proof: &Proof, terminal: Terminal) {
    let say = |en, zh, number: u64| println!("{number:>10}  {}", terminal.say(Text { en, zh }));
    say("judgements of row versions", "次对行版本的判断", proof.judgements);
    say("snapshots", "个快照", proof.snapshots);
    say("wrong", "次错误", proof.wrong);
    say("said nothing", "次无法判断", proof.unknown);
    say("wrong by the formula “no xmax, so alive”", "次：按“没有 xmax 即存活”的公式会判错", proof.wrong_by_xmax);
    say(
        "wrong without mapping subtransactions to transactions",
        "次：若不把子事务映射到其顶层事务会判错",
        proof.wrong_without_mapping,
    );
    say("transactions committed", "个事务提交", proof.committed);
    say("rolled back", "个回滚", proof.rolled_back);
    say("prepared", "个两阶段准备", proof.prepared);
    say("with more than 64 subtransactions", "个含 64 个以上子事务", proof.overflowed);
    for (reason, count) in &proof.reasons {
        println!("{count:>10}  {reason}");
    }
    for wrong in &proof.first_wrong {
        println!("{wrong:?}");
    }
}
