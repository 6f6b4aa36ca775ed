//! `pgstrata isolation hunt`: hunts until the time is over or the user has enough, and reports in any case.

use std::fs;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget};
use pgstrata_scenario::hunt::{self, Find, HuntSpec, Hunted, InLists, StopAt, Tally};
use pgstrata_units::{Language, Text};
use tokio::sync::watch;

use super::Playground;
use crate::Ended;
use crate::cli::isolation::{First, HuntArgs};
use crate::interrupt;
use crate::terminal::Terminal;

pub async fn hunt(args: &HuntArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let playground = Playground::open(&args.server).await?;
    let spec = HuntSpec {
        endpoint: playground.endpoint.clone(),
        level: args.level,
        duration: args.duration,
        clients: args.clients as usize,
        seed: args.seed.unwrap_or_else(rand::random),
        stop_at: args.stop_at_first.map_or(StopAt::Never, |first| match first {
            First::Forbidden => StopAt::FirstForbidden,
            First::Any => StopAt::FirstFind,
        }),
    };
    let (stop, stopped) = watch::channel(false);
    let waiter = tokio::spawn(async move {
        interrupt.cancelled().await;
        let _ = stop.send(true);
        // Keeps the channel open until the hunt is over.
        stop.closed().await;
    });
    let bar = bar(terminal, args.json);
    let hunted = hunt::hunt(&spec, stopped, &mut |tally, find| report(&bar, tally, find, terminal)).await;
    bar.finish_and_clear();
    waiter.abort();
    let version = playground.version;
    playground.close().await;
    let hunted = hunted?;
    if let Some(file) = &args.witness_scenario {
        let texts: Vec<&str> = hunted.finds.iter().map(|find| find.scenario.as_str()).collect();
        fs::write(file, texts.join("\n")).with_context(|| format!("could not write {}", file.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&hunted)?);
    } else {
        println!("PostgreSQL {version}, {}, seed {}", hunted.level, hunted.seed);
        print(&hunted, terminal);
    }
    Ok(if hunted.promise_is_kept() { Ended::Held } else { Ended::Failed })
}

fn bar(terminal: Terminal, quiet: bool) -> ProgressBar {
    let hidden = quiet || !terminal.interactive;
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(4) };
    ProgressBar::with_draw_target(None, target)
}

fn report(bar: &ProgressBar, tally: Tally, find: Option<&Find>, terminal: Terminal) {
    bar.set_message(tally_words(tally, terminal));
    if let Some(find) = find {
        let text = format!("{} {:.1} s: {}", find.anomaly, find.after_s, find.because.join("; "));
        bar.suspend(|| eprintln!("{text}"));
    }
}

fn tally_words(tally: Tally, terminal: Terminal) -> String {
    let Tally { programs, committed, list_transactions, list_anomalies, suspects, not_repeated } = tally;
    match terminal.language {
        Language::English => format!(
            "{programs} programs with {committed} committed transactions, {list_transactions} transactions on lists \
             with {list_anomalies} anomalies, {suspects} suspects, {not_repeated} of them not repeated"
        ),
        Language::Chinese => format!(
            "{programs} 个程序共提交 {committed} 个事务，列表上 {list_transactions} 个事务、{list_anomalies} 处异常，可疑 {suspects} 次，其中 {not_repeated} 次未能重现"
        ),
    }
}

fn print(hunted: &Hunted, terminal: Terminal) {
    println!("{:.1} s: {}", hunted.lasted_s, tally_words(hunted.tally, terminal));
    for InLists { anomaly, count, first_ms } in &hunted.list_anomalies {
        let words = terminal.say(Text { en: "in the lists, the first after", zh: "(列表),首次出现于" });
        println!("{anomaly} × {count} {words} {first_ms} ms");
    }
    for find in &hunted.finds {
        let kind = if find.is_forbidden {
            Text { en: "FORBIDDEN at this level", zh: "该级别所禁止" }
        } else {
            Text { en: "which this level allows", zh: "该级别所允许" }
        };
        println!("\n{} ({:.1} s), {}", find.anomaly, find.after_s, terminal.say(kind));
        let because = match terminal.language {
            Language::Chinese => &find.because_zh,
            Language::English => &find.because,
        };
        for sentence in because {
            println!("  {sentence}");
        }
        println!();
        print!("{}", find.scenario);
    }
    let text = if hunted.promise_is_kept() {
        Text { en: "the level kept its promise", zh: "该级别信守承诺" }
    } else {
        Text { en: "the level broke its promise", zh: "该级别违背了承诺" }
    };
    println!("\n{}", terminal.say(text));
}
