//! The verdict proved on a real PostgreSQL: witnesses are replayed step by step and compared with what every serial order of
//! their transactions gives on the same server, then played again with each fix; what is called safe is tried with random
//! schedules.
//!
//! The statements are the user's own, in a scratch schema that is empty at first and gone afterwards. Who is right is decided
//! by the server: an outcome is an anomaly when no serial order of the transactions that committed gives the same answers and
//! the same tables (`pgstrata_scenario::serial`). So a proof does not lean on the model that made the verdict.
//!
//! A witness that shows in no value is followed by others against the same levels, and by other rows and arguments. If none
//! of them shows, it is noted who wrote which version and who read it, and the notes are compared, too: [`ShownBy`] says
//! which it was.
//!
//! Limits. Clocks stand still, and sequences give each session numbers of its own, as no order of transactions decides them.
//! Programs that use chance may come out as undecided. A random trial that finds nothing shows little about what it did not
//! try.

mod arena;
mod bind;
mod choices;
mod companions;
mod draws;
mod error;
pub mod fuzz;
mod lots;
mod notes;
mod outcome;
mod random;
mod scan;
mod scratch;
mod script;
mod seeds;
mod still;
mod values;
mod witness;

use pgstrata_pg::Endpoint;
use pgstrata_sqltext::{Schema, Workload};
use tokio_util::sync::CancellationToken;

use crate::advisor::{Allocation, Report, Witness};

pub use error::ProofError;
pub use outcome::{
    Fix, FoundAnomaly, Outcome, Play, Player, Proof, ProofEvent, RandomProof, Replayed, ShownBy, WitnessProof,
    WitnessVerdict,
};
pub use witness::{ATTEMPTS_MAX, OTHERS_MAX};

use arena::Arena;
use script::Changes;

/// How many anomalies of random schedules are kept.
pub const FOUND_MAX: usize = 8;

/// Random schedules between two events that tell of them.
const RANDOM_TOLD_EVERY: u64 = 10;

/// What to prove, and how long to try.
#[derive(Clone, Debug)]
pub struct ProofOptions {
    /// The server may be on another machine.
    pub allow_remote: bool,
    /// Rows that the user gives, as SQL, added to those that a witness needs.
    pub seeds: String,
    /// The most witnesses that are played.
    pub witnesses_max: usize,
    /// Random schedules for each verdict "safe".
    pub random_schedules: u64,
    /// The seed of the random schedules.
    pub seed: u64,
    /// Ends the proof in order.
    pub stop: CancellationToken,
}

impl Default for ProofOptions {
    fn default() -> Self {
        Self {
            allow_remote: false,
            seeds: String::new(),
            witnesses_max: 64,
            random_schedules: 200,
            seed: 1,
            stop: CancellationToken::new(),
        }
    }
}

/// Proves the verdicts of a report on a server where schemas may be made: a private one, or what
/// `pgstrata_pg::Attached::endpoint_for_writing` gave.
///
/// `ddl` makes the tables; it goes into a scratch schema, which is removed at the end, also after an error, when
/// [`ProofOptions::stop`] is cancelled, and when the future is dropped.
///
/// Errors: [`ProofError`]. That a verdict does not hold is no error: see [`Proof::agrees`].
pub async fn prove(
    server: &Endpoint,
    ddl: &str,
    schema: &Schema,
    workload: &Workload,
    report: &Report,
    options: &ProofOptions,
    on: &mut (dyn FnMut(ProofEvent) + Send),
) -> Result<Proof, ProofError> {
    let work = async {
        let mut arena = Arena::open(server, options.allow_remote).await?;
        arena.load(ddl).await?;
        on(ProofEvent::Prepared { schema: arena.scratch.name().to_owned(), server: arena.server.clone() });
        let mut proof = Proof { server: arena.server.clone(), ..Proof::default() };
        let mut stand = witness::Stand::new(&mut arena, schema, workload, &options.seeds);
        for (number, claim) in claims(report).into_iter().take(options.witnesses_max).enumerate() {
            proof.witnesses.push(witness::prove(&mut stand, number, &claim, report, on).await?);
        }
        let planned = options.random_schedules;
        let tried = if planned > 0 { safe(report) } else { Vec::new() };
        for (of, allocation, changes) in tried {
            let trial = random::Trial {
                of: of.clone(),
                schema,
                workload,
                allocation,
                changes: &changes,
                seeds: &options.seeds,
                schedules: planned,
                seed: options.seed,
                stop_at_first: false,
            };
            let mut tell = |schedules, anomalies| {
                if schedules % RANDOM_TOLD_EVERY == 0 || schedules == planned {
                    on(ProofEvent::Random { of: of.clone(), schedules, planned, anomalies });
                }
            };
            proof.random.push(trial.run(&mut arena, &mut tell).await?);
        }
        arena.close().await?;
        on(ProofEvent::Removed);
        Ok(proof)
    };
    tokio::select! {
        biased;
        () = options.stop.cancelled() => Err(ProofError::Stopped),
        proof = work => proof,
    }
}

/// What a report calls safe: the levels that were asked about, its optimal levels, and promotions with their levels.
fn safe(report: &Report) -> Vec<(String, &Allocation, Changes)> {
    let mut safe = vec![("the recommended levels".to_owned(), &report.optimal, Changes::new())];
    if report.asked.is_safe() && report.asked_levels != report.optimal {
        safe.push(("the levels asked about".to_owned(), &report.asked_levels, Changes::new()));
    }
    for promoted in &report.with_promotion {
        safe.push(("the changed statements".to_owned(), &promoted.allocation, witness::changes(promoted)));
    }
    safe
}

/// A verdict "unsafe" of a report.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Its witness.
    pub witness: &'a Witness,
    /// The levels that it is about, of all programs.
    pub levels: Allocation,
}

/// What a report calls unsafe: what was asked about first, then each level for all, then each step below what is
/// recommended. Of verdicts with the same witness the first.
#[must_use]
pub fn claims(report: &Report) -> Vec<Claim<'_>> {
    let asked = std::iter::once((&report.asked, report.asked_levels.clone()));
    let names = || report.optimal.0.keys().map(String::as_str);
    let uniform = report.uniform.iter().map(|(level, verdict)| (verdict, Allocation::uniform(names(), *level)));
    let lower = report.why_not_lower.iter().flat_map(|(program, verdicts)| {
        verdicts.iter().map(|(level, verdict)| {
            let mut levels = report.optimal.clone();
            levels.0.insert(program.clone(), *level);
            (verdict, levels)
        })
    });
    let mut found: Vec<Claim<'_>> = Vec::new();
    for (verdict, levels) in asked.chain(uniform).chain(lower) {
        let Some(witness) = verdict.witness() else { continue };
        let is_known = found.iter().any(|known| {
            let known = known.witness;
            (&known.instances, &known.schedule, &known.rows) == (&witness.instances, &witness.schedule, &witness.rows)
        });
        if !is_known {
            found.push(Claim { witness, levels });
        }
    }
    found
}
