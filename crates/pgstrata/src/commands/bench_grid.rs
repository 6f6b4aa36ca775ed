//! `pgstrata bench grid`: measures what each way of keeping transactions serializable achieves, over a grid of workloads.
//! The ranking of the assistant (`pgstrata advise`) is trained on it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pgstrata_lab::machine;
use pgstrata_tools::advisor::grid::{self, GridRecord, GridSpec, Journal, Pace, Strategy};
use pgstrata_tools::advisor::ranking::{RankingModel, by_rules, card_markdown};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::{PgArgs, ServerArgs};
use crate::interrupt;
use crate::progress::Bar;
use crate::servers;
use crate::terminal::Terminal;

/// `pgstrata bench grid`.
#[derive(Debug, Args)]
pub struct BenchGridArgs {
    /// Length of each slice: one strategy in one round of one cell.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::duration, default_value = "250ms")]
    pub slice: Duration,
    /// Rounds of each cell; each measures every strategy once, in an order drawn by lot.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Only so many cells, drawn by lot from all 240: a try.
    #[arg(long, value_name = "N")]
    pub cells: Option<usize>,
    /// Seed of the lots and of what transactions touch.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,
    /// Keep the grid, in `record/` or in this directory. What was measured before an interruption is there and is not
    /// measured again.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "record")]
    pub record: Option<PathBuf>,
    /// Print the grid as JSON.
    #[arg(long)]
    pub json: bool,
    /// The server.
    #[command(flatten)]
    pub server: PgArgs,
}

pub const EXAMPLES: &str = "\
Examples:
  pgstrata bench grid --cells 6                      a first look, in under a minute
  pgstrata bench grid --record                       all 240 cells: 25 minutes; Ctrl-C, and the same again goes on
  pgstrata bench grid --record --rounds 8            twice as sure, in twice the time

Exit status: 0 no write was lost, 1 a strategy lost writes, 2 wrong usage, 3 the environment failed.";

/// A fixed seed, so that an interrupted grid goes on under the same command.
const SEED: u64 = 1_101;

pub async fn bench_grid(args: &BenchGridArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    let spec = spec(args);
    // Kept only as long as it is needed, where no record is wanted.
    let scratch = tempfile::tempdir().context("could not make a temporary directory")?;
    let dir = args.record.as_deref().unwrap_or(scratch.path());
    let mut journal = Journal::open(dir, &spec.head())?;
    let interrupt = interrupt::token()?;
    let bar = Bar::new(terminal, args.json);
    bar.note(terminal.say(Text { en: "starting PostgreSQL", zh: "正在启动 PostgreSQL" }));
    let install = servers::install(&args.server)?;
    let arguments = ServerArgs { pg_bin: Some(install.bindir.clone()), servers: 1, ..ServerArgs::default() };
    let site = servers::open(&arguments, 1, &"".parse()?, &interrupt).await?;
    let outcome = grid::measure(&spec, &site, &mut journal, &bar, &interrupt).await;
    bar.finish();
    servers::close(site).await;
    let record = outcome?;
    if args.record.is_some() {
        let path = record.save(dir)?;
        journal.remove()?;
        if !args.json {
            println!("{} {}", terminal.say(Text { en: "record:", zh: "记录：" }), path.display());
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&record)?);
    } else {
        print_summary(&record);
        print_card(&record, terminal);
    }
    Ok(if record.lost_writes() == 0 { Ended::Held } else { Ended::Failed })
}

fn spec(args: &BenchGridArgs) -> GridSpec {
    let mut cells = grid::cells(args.seed);
    let mut command = "pgstrata bench grid --record".to_owned();
    let mut option = |text: String| command.push_str(&text);
    if args.slice != Pace::default().slice {
        option(format!(" --slice {}", humantime::format_duration(args.slice)));
    }
    if args.rounds != Pace::default().rounds {
        option(format!(" --rounds {}", args.rounds));
    }
    if let Some(count) = args.cells {
        cells.truncate(count);
        option(format!(" --cells {count}"));
    }
    if args.seed != SEED {
        option(format!(" --seed {}", args.seed));
    }
    GridSpec {
        cells,
        pace: Pace { slice: args.slice, rounds: args.rounds },
        seed: args.seed,
        command,
        build: machine::build(env!("CARGO_PKG_VERSION")),
    }
}

/// In how many cells each strategy is best, and what it costs to use it everywhere.
fn print_summary(record: &GridRecord) {
    let cells = record.training();
    println!("{} cells, {} rounds of {} ms", cells.len(), record.head.rounds, record.head.slice_ms);
    println!("{:<26} {:>10} {:>14}", "strategy", "best in", "mean regret");
    for strategy in Strategy::ALL {
        let regrets: Vec<f64> =
            cells.iter().filter(|cell| cell.is_complete()).map(|cell| cell.regret(strategy)).collect();
        let best = regrets.iter().filter(|regret| **regret <= 0.0).count();
        let mean = regrets.iter().sum::<f64>() / regrets.len().max(1) as f64;
        println!("{:<26} {best:>10} {:>13.1} %", strategy.name(), mean * 100.0);
    }
    println!("writes lost: {}", record.lost_writes());
}

/// What the ranking would be with these cells, where they suffice.
fn print_card(record: &GridRecord, terminal: Terminal) {
    match RankingModel::train("", record.training(), by_rules) {
        Ok(model) => println!("\n{}", card_markdown(model.card(), terminal.language)),
        Err(error) => println!("\n{error}"),
    }
}
