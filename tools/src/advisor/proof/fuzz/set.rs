//! One set of programs: decided, and each verdict tried.

use std::collections::BTreeSet;

use pgstrata_pg::Endpoint;
use pgstrata_sqltext::{Schema, Workload};
use pgstrata_units::Isolation;

use super::{FuzzSpec, Fuzzed, NotReproduced, Wrong};
use crate::advisor::proof::arena::Arena;
use crate::advisor::proof::claims;
use crate::advisor::proof::error::ProofError;
use crate::advisor::proof::outcome::{ShownBy, WitnessVerdict};
use crate::advisor::proof::random::Trial;
use crate::advisor::proof::script::Changes;
use crate::advisor::proof::witness::{Stand, changes, prove};
use crate::advisor::synthetic::TemplateSet;
use crate::advisor::{Allocation, Options, Report, Verdict};

/// Every so many sets promotions are searched for and tried, too: that takes longer than all else.
const PROMOTED_EVERY: u64 = 4;

/// Where sets are tried, one after the other.
pub(super) struct Bench {
    arena: Arena,
}

impl Bench {
    pub(super) async fn open(server: &Endpoint) -> Result<Self, ProofError> {
        Ok(Self { arena: Arena::open(server, false).await? })
    }

    pub(super) async fn close(self) -> Result<(), ProofError> {
        self.arena.close().await
    }

    /// Decides a set and tries each verdict.
    pub(super) async fn try_set(&mut self, set: &TemplateSet, spec: &FuzzSpec) -> Result<Fuzzed, ProofError> {
        let mut found = Fuzzed { sets: 1, ..Fuzzed::default() };
        let (schema, workload) = match spec.decider.read(set) {
            Ok(read) => read,
            Err(why) => {
                found.unreadable.push((set.seed, why));
                return Ok(found);
            }
        };
        found.programs = workload.programs.len() as u64;
        found.statements = workload.programs.iter().map(|program| program.statements.len() as u64).sum();
        self.arena.load(&set.schema).await?;
        let may_promote = set.seed.is_multiple_of(PROMOTED_EVERY);
        let report = spec.decider.decide(&workload, &schema, &Options { may_promote, ..Options::default() });
        for verdict in verdicts(&report) {
            if let Verdict::Unknown { why, .. } = verdict {
                found.unknown += 1;
                found.unknown_sets = 1;
                *found.unknown_because.entry(why.clone()).or_default() += 1;
            }
        }
        self.try_safe(set, spec, (&schema, &workload), &report, &mut found).await?;
        if spec.plays_witnesses {
            self.try_unsafe(set, (&schema, &workload), &report, &mut found).await?;
        }
        Ok(found)
    }

    async fn try_safe(
        &mut self,
        set: &TemplateSet,
        spec: &FuzzSpec,
        (schema, workload): (&Schema, &Workload),
        report: &Report,
        found: &mut Fuzzed,
    ) -> Result<(), ProofError> {
        for (of, allocation, changes) in safe(workload, report) {
            found.safe += 1;
            found.safe_below_serializable +=
                u64::from(allocation.0.values().any(|level| *level != Isolation::Serializable));
            let trial = Trial {
                of: of.clone(),
                schema,
                workload,
                allocation: &allocation,
                changes: &changes,
                seeds: "",
                schedules: spec.schedules,
                seed: set.seed,
                stop_at_first: true,
            };
            let proof = trial.run(&mut self.arena, &mut |_, _| {}).await?;
            found.schedules += proof.schedules;
            found.concurrent += proof.concurrent;
            found.aborted += proof.aborted;
            for (why, count) in proof.because {
                *found.undecided.entry(why).or_default() += count;
            }
            if let Some(anomaly) = proof.anomalies.into_iter().next() {
                found.wrong.push(Wrong { set: set.clone(), of, allocation, anomaly });
            }
        }
        Ok(())
    }

    async fn try_unsafe(
        &mut self,
        set: &TemplateSet,
        (schema, workload): (&Schema, &Workload),
        report: &Report,
        found: &mut Fuzzed,
    ) -> Result<(), ProofError> {
        let mut stand = Stand::new(&mut self.arena, schema, workload, "");
        for (number, claim) in claims(report).into_iter().enumerate() {
            let proof = prove(&mut stand, number, &claim, report, &mut |_| {}).await?;
            let not = |why: String| NotReproduced { set: set.clone(), witness: proof.witness.clone(), why };
            found.witnesses += 1;
            match &proof.verdict {
                WitnessVerdict::Reproduced { by } => {
                    found.reproduced += 1;
                    found.shown_by_outcome += u64::from(*by == ShownBy::Outcome);
                    found.shown_by_another += u64::from(proof.is_another);
                }
                WitnessVerdict::NotReproduced { why } => found.not_reproduced.push(not(why.clone())),
            }
            for (fix, replayed) in &proof.fixes {
                found.fixes += 1;
                if replayed.outcome.is_serial() {
                    found.fixes_serial += 1;
                } else {
                    found.not_fixed.push(not(format!("{fix:?}: {:?}", replayed.outcome)));
                }
            }
        }
        Ok(())
    }
}

fn verdicts(report: &Report) -> impl Iterator<Item = &Verdict> {
    let lower = report.why_not_lower.values().flat_map(std::collections::BTreeMap::values);
    std::iter::once(&report.asked).chain(report.uniform.values()).chain(lower)
}

/// All that a report calls safe: the optimal levels, one level for all, and changes with their levels.
fn safe(workload: &Workload, report: &Report) -> Vec<(String, Allocation, Changes)> {
    let mut all = vec![("the optimal levels".to_owned(), report.optimal.clone(), Changes::new())];
    let names = || workload.programs.iter().map(|program| program.name.as_str());
    for (level, verdict) in &report.uniform {
        if verdict.is_safe() {
            all.push((format!("all {level}"), Allocation::uniform(names(), *level), Changes::new()));
        }
    }
    for promoted in &report.with_promotion {
        all.push(("changed statements".to_owned(), promoted.allocation.clone(), changes(promoted)));
    }
    // The same levels are tried once. Serializable for all is PostgreSQL's own promise.
    let mut seen = BTreeSet::new();
    all.retain(|(_, allocation, changes)| {
        let is_promise = changes.is_empty() && allocation.0.values().all(|level| *level == Isolation::Serializable);
        !is_promise && seen.insert((allocation.clone(), changes.clone()))
    });
    all
}
