//! `pgstrata bench decide`: how long the decision takes for fifty programs, beside its target.
//!
//! The programs are those of `pgstrata_tools::advisor::speed`. Times are CPU time of the one thread that decides: they say
//! the same on a busy machine.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use nix::time::{ClockId, clock_gettime};
use pgstrata_tools::advisor::speed::{Speed, TARGET_S, courses};
use serde::Serialize;

use crate::Ended;

/// `pgstrata bench decide`.
#[derive(Debug, Args)]
pub struct BenchDecideArgs {
    /// How often each workload is decided; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub rounds: u32,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Measured {
    #[serde(flatten)]
    speed: Speed,
    median_s: f64,
    target_s: f64,
    held: bool,
}

/// Measures and prints; fails if the target was missed.
pub fn bench_decide(args: &BenchDecideArgs) -> anyhow::Result<Ended> {
    // A clock that cannot be read must not look like no time at all.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("could not read the thread's CPU time")?;
    let mut all = Vec::new();
    for course in courses() {
        let speed = course.measure(args.rounds, &cpu_time);
        let speed = speed.map_err(|errors| anyhow::anyhow!("{}: {errors:?}", course.name))?;
        let median_s = median(&speed.decide_s);
        all.push(Measured { median_s, target_s: TARGET_S, held: median_s <= TARGET_S, speed });
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print(&all, args.rounds);
    }
    Ok(if all.iter().all(|measured| measured.held) { Ended::Held } else { Ended::Failed })
}

fn print(all: &[Measured], rounds: u32) {
    println!("CPU seconds to decide fifty programs (median of {rounds} rounds); target: at most {TARGET_S}");
    for Measured { speed, median_s, held, .. } in all {
        let work = speed.work;
        println!(
            "{:<20} {median_s:>7.3} s  {}  reading {:.3} s; {} paths, {} combinations, {} unifications, {} steps",
            speed.name,
            if *held { "held  " } else { "missed" },
            median(&speed.read_s),
            work.paths,
            work.combinations,
            work.unifications,
            work.model_steps,
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
