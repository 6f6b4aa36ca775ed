//! Registers: transactions that write single values and read them.
//!
//! A list shows the order of its versions, a register does not. [`check_rw_register`] infers what is certain, in time linear
//! in the history; where that finds nothing and the history is small, [`decide`] answers completely, by search over all
//! orders of versions.

pub mod decide;
mod facts;
mod infer;

use serde::Serialize;

use crate::consistency::Model;
use crate::cycles::{Limits, check_cycles};
use crate::model::History;
use crate::verdict::{Bound, Findings, Verdict};
use decide::{Decision, DecisionLimits};
use facts::Facts;

/// What may be assumed of registers, and how far to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegisterOptions {
    /// Each client meets the versions of a key in their order. Inference uses it; the complete decision assumes nothing.
    pub sequential_keys: bool,
    /// The versions of a key are met in their order in real time. Inference uses it; the complete decision assumes nothing.
    pub linearizable_keys: bool,
    /// How far the search for cycles goes.
    pub limits: Limits,
    /// How far the complete decision goes.
    pub decision: DecisionLimits,
}

/// The verdict over a history of registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegisterVerdict {
    /// What was found, by inference or by the decision.
    pub verdict: Verdict,
    /// What the complete decision said; nothing where inference had found a violation already, or the model is one for which every
    /// order will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// Judges a history of registers.
#[must_use]
pub fn check_rw_register(history: &History, model: Model, options: RegisterOptions) -> RegisterVerdict {
    let facts = Facts::of(history);
    let inferred = infer::infer(history, &facts, model.scope(), options);
    let arcs = inferred.graph.arc_count();
    let cycles = check_cycles(&inferred.graph, &options.limits);
    let mut findings = Findings::keeping(options.limits.witnesses);
    facts.faults.iter().cloned().chain(inferred.faults).for_each(|finding| findings.add(finding));
    findings.append(cycles.findings);
    let is_violated = findings.iter().any(|finding| model.forbids(finding.anomaly));
    let decision = if is_violated { None } else { decide::of_facts(history, &facts, model, options.decision) };
    match &decision {
        Some(Decision::Violated(refutation)) => findings.add(refutation.finding(model)),
        Some(Decision::Undecided { .. }) => findings.hit(Bound::Orders),
        Some(Decision::Holds { .. }) | None => {}
    }
    let mut verdict = findings.judge(model);
    verdict.transactions = history.len() as u64;
    verdict.took_effect = facts.took_effect.iter().filter(|took_effect| **took_effect).count() as u64;
    verdict.arcs = arcs as u64;
    verdict.components = cycles.components;
    verdict.largest_component = cycles.largest_component;
    RegisterVerdict { verdict, decision }
}
