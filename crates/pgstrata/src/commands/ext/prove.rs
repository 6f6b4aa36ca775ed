//! `pgstrata ext prove`: the extension's judgements of visibility against what readers see, on a private server.

use std::time::Duration;

use anyhow::Context as _;
use pgstrata_lab::error::LabError;
use pgstrata_pg::overlay;
use pgstrata_pg::{ClusterSpec, Dirs, Profile};
use pgstrata_tools::proof::{Proof, ProofSpec, prove};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::ext::ProveArgs;
use crate::interrupt;
use crate::servers;
use crate::terminal::Terminal;

/// How long a proof may take for each thousand judgements; ten times what a busy machine of two cores needs.
const LIMIT_OF_A_THOUSAND: Duration = Duration::from_secs(10);
/// And how long it may take in any case.
const LEAST_LIMIT: Duration = Duration::from_mins(5);

/// Carries out a proof and says what it found; it fails if one judgement was wrong.
pub async fn perform(args: &ProveArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let server = servers::install(&args.files.server)?;
    let files = super::find(args.files.from.as_deref(), server.version.major)?;
    let server = overlay::make(&server, &files, &Dirs::resolve())?;
    eprintln!("PostgreSQL {} · {}", server.version, terminal.say(JUDGING));
    let thousands = u32::try_from(args.judgements / 1000).unwrap_or(u32::MAX);
    let spec = ProofSpec {
        server: ClusterSpec::new(server, Profile::FastTest),
        judgements: args.judgements,
        seed: args.seed,
        limit: LIMIT_OF_A_THOUSAND.saturating_mul(thousands).max(LEAST_LIMIT),
    };
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
