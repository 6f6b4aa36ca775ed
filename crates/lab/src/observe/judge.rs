//! From what was watched to a violation with its witness, and to what a record keeps of it.

use std::path::Path;

use pgstrata_history::binary;
use pgstrata_history::exact::{Coverage, Judgement, Record, check, portable};
use pgstrata_history::{Finding, Limits, Model};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Watching;
use crate::error::LabError;
use crate::study::{Violation, WITNESS_LIMIT};

/// What came of watching a trial on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsolationRecord {
    /// The model that the transactions were held to.
    pub model: Model,
    /// Whether nothing was found that it forbids.
    pub holds: bool,
    /// How often each anomaly was found, also of those that the model permits.
    pub anomalies: std::collections::BTreeMap<String, u64>,
    /// Transactions that took effect.
    pub transactions: u64,
    /// Dependencies between them.
    pub dependencies: u64,
    /// What the judgement rests on, and what it does not cover.
    pub coverage: Coverage,
}

/// Which trial it is.
pub(super) struct Trial<'a> {
    pub arm: &'a str,
    pub server: usize,
    pub seed: u64,
}

/// Judges a record, and keeps its history where that is asked for.
pub(super) async fn judge(
    record: Record,
    model: Model,
    trial: &Trial<'_>,
    watching: Option<&Watching>,
) -> Result<(IsolationRecord, Option<Violation>), LabError> {
    // Searching a large graph for cycles takes a while, and other tasks of the runtime must go on.
    let judged = tokio::task::spawn_blocking(move || check(&record, model, &Limits::default())).await;
    let judgement = judged.map_err(|error| LabError::Machine {
        action: format!("judge the history of {} ({:x})", trial.arm, trial.seed),
        hint: "this is a mistake in pgstrata; please report it".to_owned(),
        source: std::io::Error::other(error),
    })?;
    if let Some(directory) = watching.and_then(|watching| watching.histories.as_deref()) {
        keep(&judgement, trial, directory)?;
    }
    let verdict = &judgement.verdict;
    let kept = IsolationRecord {
        model,
        holds: judgement.holds(),
        anomalies: verdict.counts.iter().map(|(anomaly, count)| (anomaly.to_string(), *count)).collect(),
        transactions: verdict.took_effect,
        dependencies: verdict.arcs,
        coverage: judgement.coverage.clone(),
    };
    let violation = (!kept.holds).then(|| violation(&judgement, trial));
    Ok((kept, violation))
}

/// Writes the history to a file of its own, in the format that `pgstrata check` reads.
fn keep(judgement: &Judgement, trial: &Trial<'_>, directory: &Path) -> Result<(), LabError> {
    let file = directory.join(format!("{}-{:016x}-{}.pgshist", trial.arm, trial.seed, trial.server));
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&file, binary::write(&portable(&judgement.history))))
        .map_err(|source| LabError::Machine {
            action: format!("write {}", file.display()),
            hint: "name a directory that you may write to".to_owned(),
            source,
        })
}

fn violation(judgement: &Judgement, trial: &Trial<'_>) -> Violation {
    let model = judgement.verdict.model;
    let forbidden = || judgement.verdict.counts.iter().filter(|(anomaly, _)| model.forbids(**anomaly));
    let mut named: Vec<String> = forbidden().map(|(anomaly, count)| format!("{anomaly} ({count})")).collect();
    if !judgement.contradicted.is_empty() {
        named.push(format!("told what the log denies ({})", judgement.contradicted.len()));
    }
    let contradicted = judgement
        .contradicted
        .iter()
        .map(|(transaction, how)| json!({ "transaction": transaction.to_string(), "contradiction": how }));
    let mut findings: Vec<(usize, &Finding)> = Vec::new();
    for finding in judgement.verdict.findings.iter().filter(|finding| model.forbids(finding.anomaly)) {
        let nth = findings.iter().filter(|(_, other)| other.anomaly == finding.anomaly).count();
        findings.push((nth, finding));
    }
    // One of each kind before the second of any.
    findings.sort_by_key(|(nth, _)| *nth);
    let witnesses = contradicted.chain(findings.into_iter().map(|(_, finding)| witness(judgement, finding)));
    Violation {
        invariant: "isolation".to_owned(),
        found: format!("the history of {} on server {} is not {model}: {}", trial.arm, trial.server, named.join(", ")),
        count: forbidden().map(|(_, count)| count).sum::<u64>() + judgement.contradicted.len() as u64,
        witnesses: witnesses.take(WITNESS_LIMIT).collect(),
    }
}

fn witness(judgement: &Judgement, finding: &Finding) -> Value {
    let history = &judgement.history;
    let transactions: Vec<String> = finding.transactions.iter().map(ToString::to_string).collect();
    let because: Vec<String> = finding.explain(history).steps.into_iter().map(|step| step.en).collect();
    json!({ "anomaly": finding.anomaly, "transactions": transactions, "because": because })
}
