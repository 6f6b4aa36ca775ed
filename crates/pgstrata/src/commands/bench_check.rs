//! `pgstrata bench check`: how fast the list checker is, and how much memory it takes, beside its targets.
//!
//! Histories are simulated (see `pgstrata_history::synthetic`) and read from the binary format, as `pgstrata check`
//! does. Times are CPU time of the one thread that checks: they say the same on a busy machine.

use std::time::Duration;

use clap::Args;
use nix::time::{ClockId, clock_gettime};
use pgstrata_history::synthetic::{Simulated, Workload, ring};
use pgstrata_history::{Model, Options, binary, check_list_append};
use serde::Serialize;

use crate::Ended;

/// `pgstrata bench check`.
#[derive(Debug, Args)]
pub struct BenchCheckArgs {
    /// Transactions of the measured histories. The targets of memory need a million or more to mean something.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=50_000_000))]
    pub transactions: u32,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub rounds: u32,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Transactions of the histories that are one knot.
const KNOT_TRANSACTIONS: u32 = 100_000;

/// From this size on, time and memory of the whole are held against their targets.
const WHOLE_TRANSACTIONS: u32 = 10_000_000;

/// What a figure is held against.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    unit: &'static str,
    measured: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<bool>,
}

impl Figure {
    fn new(name: impl Into<String>, unit: &'static str, measured: f64, target: Option<Target>) -> Self {
        let held = target.map(|target| match target {
            Target::AtLeast(least) => measured >= least,
            Target::AtMost(most) => measured <= most,
        });
        Self { name: name.into(), unit, measured, target, held }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    transactions: u32,
    rounds: u32,
    figures: Vec<Figure>,
}

/// Measures and prints; fails if a target was missed.
pub fn bench_check(args: &BenchCheckArgs) -> anyhow::Result<Ended> {
    let mut figures = Vec::new();
    measure_checking(args, &mut figures)?;
    measure_recording(args, &mut figures)?;
    measure_knots(args, &mut figures)?;
    let report = Report { transactions: args.transactions, rounds: args.rounds, figures };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    let held = report.figures.iter().all(|figure| figure.held != Some(false));
    Ok(if held { Ended::Held } else { Ended::Failed })
}

fn measure_checking(args: &BenchCheckArgs, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let transactions = f64::from(args.transactions);
    let at_start = memory("VmRSS:");
    let rate = |took: Duration| transactions / took.as_secs_f64();
    let bytes = Workload::of_the_elle_paper(args.transactions, 20).record();
    figures.push(Figure::new("history on disk", "bytes/transaction", bytes.len() as f64 / transactions, None));
    let plain = median(args.rounds, || judge(&bytes, Model::Serializable))?;
    let name = "read and checked, 20 appends a key, serializable";
    figures.push(Figure::new(name, "transactions/s", rate(plain), Some(Target::AtLeast(1e6))));
    forget_peak();
    let strict = median(args.rounds, || judge(&bytes, Model::StrictSerializable))?;
    let name = "read and checked, 20 appends a key, strict-serializable";
    figures.push(Figure::new(name, "transactions/s", rate(strict), Some(Target::AtLeast(8e5))));
    if let (Some(at_start), Some(peak)) = (at_start, memory("VmHWM:")) {
        let used = peak.saturating_sub(at_start) as f64;
        let target = Some(Target::AtMost(300.0));
        figures.push(Figure::new("peak memory, the file included", "bytes/transaction", used / transactions, target));
        if args.transactions >= WHOLE_TRANSACTIONS {
            let seconds = strict.as_secs_f64();
            figures.push(Figure::new("the whole, strict-serializable", "s", seconds, Some(Target::AtMost(15.0))));
            figures.push(Figure::new("the whole, peak memory", "GB", used / 1e9, Some(Target::AtMost(4.0))));
        }
    }
    drop(bytes);
    let bytes = Workload::of_the_elle_paper(args.transactions, 100).record();
    let longer = median(args.rounds, || judge(&bytes, Model::Serializable))?;
    figures.push(Figure::new(
        "read and checked, 100 appends a key, serializable",
        "transactions/s",
        rate(longer),
        None,
    ));
    Ok(())
}

/// Reads and checks a history that has no fault.
fn judge(bytes: &[u8], model: Model) -> anyhow::Result<()> {
    let history = binary::read(bytes)?;
    let verdict = check_list_append(&history, model, &Options::default());
    anyhow::ensure!(verdict.holds && !verdict.bounded, "a strictly serializable history was convicted: a bug of ours");
    Ok(())
}

fn measure_recording(args: &BenchCheckArgs, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let transactions = args.transactions.min(KNOT_TRANSACTIONS);
    let history = Workload::of_the_elle_paper(transactions, 20).history();
    let took = median(args.rounds, || {
        std::hint::black_box(binary::write(&history));
        Ok(())
    })?;
    let each = took.as_secs_f64() * 1e9 / history.operation_count() as f64;
    figures.push(Figure::new("recorded", "ns/operation", each, Some(Target::AtMost(150.0))));
    Ok(())
}

/// A knot is a set of transactions each of which must come before each other. What it costs to judge one that spans
/// the history is bounded; this is how much.
fn measure_knots(args: &BenchCheckArgs, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let transactions = args.transactions.min(KNOT_TRANSACTIONS);
    let everything =
        Workload { isolation: Simulated::Stale, active_keys: 10, ..Workload::of_the_elle_paper(transactions, 1_000) };
    let histories = [("a ring", ring(transactions)), ("dense knots", everything.record())];
    for (name, bytes) in histories {
        let took = median(1, || {
            let history = binary::read(&bytes)?;
            let verdict = check_list_append(&history, Model::StrictSerializable, &Options::default());
            anyhow::ensure!(!verdict.holds, "a history with a cycle was not convicted: a bug of ours");
            anyhow::ensure!(verdict.largest_component >= u64::from(transactions) / 20, "the knots are too small");
            Ok(())
        })?;
        let name = format!("{name} of {transactions} transactions, strict-serializable");
        figures.push(Figure::new(name, "s", took.as_secs_f64(), Some(Target::AtMost(5.0))));
    }
    Ok(())
}

/// The median of the CPU time that this thread used.
fn median(rounds: u32, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let before = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        work()?;
        let after = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        times.push(Duration::from(after).saturating_sub(Duration::from(before)));
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// One of the figures that Linux keeps of our memory, bytes.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Lets the peak begin at what is used now (proc(5), `clear_refs`). Where that is not permitted, the peak that is
/// shown is of the whole run, which is more.
fn forget_peak() {
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        tracing::warn!(%error, "the memory that made the history counts too");
    }
}

fn print(report: &Report) {
    println!(
        "{} transactions of 1 to 5 operations on 100 active keys; CPU time of one thread, median of {}",
        report.transactions, report.rounds
    );
    for figure in &report.figures {
        let verdict = match (figure.target, figure.held) {
            (Some(Target::AtLeast(least)), Some(held)) => format!("  {} (at least {})", word(held), shown(least)),
            (Some(Target::AtMost(most)), Some(held)) => format!("  {} (at most {})", word(held), shown(most)),
            _ => String::new(),
        };
        println!("{:<58} {:>12} {:<18}{verdict}", figure.name, shown(figure.measured), figure.unit);
    }
}

const fn word(held: bool) -> &'static str {
    if held { "held" } else { "missed" }
}

/// A number with as many decimals as mean something.
fn shown(number: f64) -> String {
    if number >= 1_000.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}
