//! `pgstrata bench`: what pgstrata itself costs.

use std::time::Duration;

use pgstrata_lab::calibration::{ClientCost, client_cost};
use pgstrata_units::Text;

use super::bench_check::bench_check;
use super::bench_decide::bench_decide;
use super::bench_grid::bench_grid;
use crate::Ended;
use crate::cli::{BenchCommand, PgArgs, ServerArgs};
use crate::interrupt;
use crate::progress::Bar;
use crate::servers;
use crate::terminal::Terminal;

/// The load loop may cost this much of pgbench's client CPU per statement.
const CLIENT_COST_TARGET: f64 = 1.1;

pub async fn bench(command: &BenchCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        BenchCommand::Client { rounds, connections, duration, json, server } => {
            client(*rounds, connections, *duration, *json, server, terminal).await
        }
        BenchCommand::Check(args) => bench_check(args),
        BenchCommand::Decide(args) => bench_decide(args),
        BenchCommand::Grid(args) => bench_grid(args, terminal).await,
    }
}

async fn client(
    rounds: u32,
    connections: &[u32],
    duration: Duration,
    json: bool,
    server: &PgArgs,
    terminal: Terminal,
) -> anyhow::Result<Ended> {
    let interrupt = interrupt::token()?;
    let bar = Bar::new(terminal, json);
    bar.note(
        terminal.say(Text {
            en: "measuring the load loop and pgbench in turn", zh: "正在交替测量压测循环与 pgbench"
        }),
    );
    let install = servers::install(server)?;
    let arguments = ServerArgs { pg_bin: Some(install.bindir.clone()), servers: 1, ..ServerArgs::default() };
    let site = servers::open(&arguments, 1, &"".parse()?, &interrupt).await?;
    let costs = client_cost(&site, &install.bindir, connections, rounds, duration, rand::random()).await;
    bar.finish();
    servers::close(site).await;
    let costs = costs?;
    if json {
        println!("{}", serde_json::to_string_pretty(&costs)?);
    } else {
        print_costs(&costs);
    }
    let held = costs.iter().all(|cost| cost.comparison.ratio <= CLIENT_COST_TARGET);
    Ok(if held { Ended::Held } else { Ended::Failed })
}

fn print_costs(costs: &[ClientCost]) {
    println!("client CPU per statement, µs (median of the rounds); target: at most {CLIENT_COST_TARGET}× pgbench");
    for cost in costs {
        println!(
            "{:>4} connections: pgbench {:.2}, load loop {:.2}: {}",
            cost.connections,
            median(&cost.pgbench_us),
            median(&cost.load_loop_us),
            cost.comparison
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
