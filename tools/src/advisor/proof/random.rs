//! Random schedules of what is called safe: few sessions with few rows, each outcome compared with all serial orders.

use std::collections::BTreeMap;

use pgstrata_scenario::interleave::{RETRIABLE, Retries};
use pgstrata_scenario::session::Seat;
use pgstrata_sqltext::{Program, Schema, Workload};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::arena::{Arena, Judged};
use super::error::ProofError;
use super::lots::{Domains, orders};
use super::outcome::{FoundAnomaly, Outcome, RandomProof, ShownBy};
use super::script::{Agreed, Begin, Changes, Script, Setting, settled, spec};
use super::{FOUND_MAX, seeds};
use crate::advisor::Allocation;

/// Schedules of the same sessions with the same arguments: what serial orders give is asked of the server once for them.
const ORDERS_MAX: usize = 20;

/// Casts over the same rows.
const CASTS: u64 = 6;

/// The most transactions of a schedule.
const SESSIONS_MAX: usize = 3;

/// What is tried.
pub(super) struct Trial<'a> {
    /// In words.
    pub of: String,
    pub schema: &'a Schema,
    pub workload: &'a Workload,
    pub allocation: &'a Allocation,
    pub changes: &'a Changes,
    /// Rows of the user, as SQL.
    pub seeds: &'a str,
    /// How many schedules.
    pub schedules: u64,
    pub seed: u64,
    /// Whether to end when an anomaly is found.
    pub stop_at_first: bool,
}

/// What is needed while a trial runs.
struct Drawing<'a> {
    programs: Vec<&'a Program>,
    domains: Domains,
    chance: ChaCha8Rng,
}

impl<'a> Trial<'a> {
    /// Plays until there were enough: the first half of the schedules is judged by answers and rows alone, as a user sees
    /// them, the second half by who wrote and read which version, too. `on` is told schedules and anomalies so far.
    pub(super) async fn run(
        &self,
        arena: &mut Arena,
        on: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<RandomProof, ProofError> {
        let mut proof = RandomProof {
            of: self.of.clone(),
            allocation: self.allocation.clone(),
            seed: self.seed,
            schedules: 0,
            concurrent: 0,
            aborted: 0,
            undecided: 0,
            because: BTreeMap::new(),
            anomalies: Vec::new(),
        };
        let mut drawing = Drawing {
            programs: self.workload.programs.iter().filter(|program| program.unanalysed().next().is_none()).collect(),
            domains: Domains::of(self.schema, self.workload),
            chance: ChaCha8Rng::seed_from_u64(self.seed),
        };
        if drawing.programs.is_empty() {
            return Ok(proof);
        }
        for (by, until) in [(ShownBy::Outcome, self.schedules.div_ceil(2)), (ShownBy::DependencyCycle, self.schedules)]
        {
            arena.show(by).await?;
            // Rows that the tables refuse, and casts that have no steps, count as tried.
            let mut rounds = 0;
            while proof.schedules < until && rounds < self.schedules && !self.is_over(&proof) {
                rounds += 1;
                self.round((by, until), &mut drawing, arena, &mut proof, on).await?;
            }
        }
        arena.show(ShownBy::Outcome).await?;
        Ok(proof)
    }

    fn is_over(&self, proof: &RandomProof) -> bool {
        self.stop_at_first && !proof.anomalies.is_empty()
    }

    /// Some casts over the same rows.
    async fn round(
        &self,
        (by, until): (ShownBy, u64),
        drawing: &mut Drawing<'a>,
        arena: &mut Arena,
        proof: &mut RandomProof,
        on: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), ProofError> {
        let Drawing { programs, domains, chance } = drawing;
        let rows = domains.rows(self.schema, chance);
        let (agreed, edges) = (Agreed::default(), BTreeMap::new());
        let filling =
            seeds::Filling { variant: 0, rows: seeds::Rows::ByLot, agreed: &agreed, edges: &edges, extra: self.seeds };
        let set_up = match seeds::plan(arena, self.schema, &rows, &filling).await? {
            Ok(set_up) => set_up,
            Err(why) => {
                *proof.because.entry(why).or_default() += 1;
                return Ok(());
            }
        };
        for _ in 0..CASTS {
            let count = if chance.random_ratio(1, 2) { 2 } else { SESSIONS_MAX };
            let casts = domains.casts(count, programs, self.schema, self.allocation, chance);
            let (scratch, schema, changes) = (&arena.scratch, self.schema, self.changes);
            let setting = Setting { scratch, schema, changes, begin: Begin::Joined };
            let scripts: Result<Vec<_>, _> = casts.iter().map(|cast| cast.script(setting)).collect();
            let scripts = scripts?;
            let spec = spec(&scripts, &set_up);
            let orders = orders(&spec, ORDERS_MAX, chance);
            let mut table = arena.seat(&spec, &settled(&scripts)).await?;
            for turns in orders {
                if proof.schedules >= until || self.is_over(proof) {
                    break;
                }
                let judged = table.play(&turns, Retries::None, &mut |_| {}).await?;
                count_in(proof, &judged, by, &turns, (&scripts, &set_up));
                on(proof.schedules, proof.anomalies.len() as u64);
            }
            arena.rise(table);
            if proof.schedules >= until || self.is_over(proof) {
                break;
            }
        }
        Ok(())
    }
}

fn count_in(
    proof: &mut RandomProof,
    judged: &Judged,
    by: ShownBy,
    turns: &[Seat],
    (scripts, set_up): (&[Script], &str),
) {
    proof.schedules += 1;
    proof.concurrent += u64::from(judged.interleaved.committed.len() > 1);
    let failures = judged.interleaved.failures.iter();
    proof.aborted += failures.filter(|failure| RETRIABLE.contains(&failure.error.sqlstate.as_str())).count() as u64;
    match &judged.outcome {
        Outcome::Serial { .. } => {}
        Outcome::Undecided { because } => {
            proof.undecided += 1;
            *proof.because.entry(because.clone()).or_default() += 1;
        }
        Outcome::Anomaly { .. } if proof.anomalies.len() >= FOUND_MAX => {}
        outcome @ Outcome::Anomaly { .. } => {
            let statements = |script: &Script| script.shown.iter().map(|step| step.sql.clone()).collect();
            proof.anomalies.push(FoundAnomaly {
                sessions: scripts.iter().map(|script| script.player.clone()).collect(),
                turns: turns.iter().map(|seat| seat.0).collect(),
                statements: scripts.iter().map(statements).collect(),
                seeds: set_up.to_owned(),
                by,
                outcome: outcome.clone().plainly(scripts),
            });
        }
    }
}
