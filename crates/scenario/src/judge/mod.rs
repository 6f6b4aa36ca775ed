//! Judges a play of a scenario: does what happened agree with the text, and could the transactions have run one after the
//! other?
//!
//! The second question is asked of the server itself, which needs no knowledge of the statements: the committed transactions
//! are run again, one after the other, in every order, and the answers and tables are compared (view equivalence, as their
//! clients could see it). Where no order fits, each answer by itself tells who must have come before whom, and the cycle in
//! that graph is named by `pgstrata_history`.
//!
//! Limits: statements whose answers depend on the time, on chance or on sequences differ from run to run; and whether an
//! anti-dependency is of an item or of a predicate is told by whether the other transaction took rows away or only added
//! some, so G2 and G2-item are judged as one family.

mod dependencies;
mod expectations;
mod phenomena;
mod replay;
mod sentence;

use pgstrata_history::{Anomaly, Edge, Limits, Model, Scope, check_cycles};
use pgstrata_units::Isolation;
use serde::{Deserialize, Serialize};

pub use dependencies::Reason;
pub use expectations::Complaint;
pub use phenomena::{Kind as PhenomenonKind, Phenomenon};

use crate::language::Scenario;
use crate::play::{PlayError, Played, Stage, TransactionEnd};

/// The most committed transactions whose orders are all tried.
pub const SERIAL_MAX: usize = 6;

/// What was found out about the transactions of a play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The committed transactions, by their place in the play.
    pub committed: Vec<usize>,
    /// An order in which they could have run one after the other, if there is one.
    pub serial_order: Option<Vec<usize>>,
    /// Why each of them must have come before another one, as far as pairs tell.
    pub reasons: Vec<Reason>,
    /// What it is, if there is no such order; the weakest anomaly that was found.
    pub anomaly: Option<Anomaly>,
    /// All anomalies that were found, each once.
    pub anomalies: Vec<Anomaly>,
    /// Answers that tell of parts of transactions, or of ones that vanish.
    pub phenomena: Vec<Phenomenon>,
    /// The shortest cycle of that anomaly; places in the list of committed transactions.
    pub cycle: Vec<Edge>,
    /// Whether there were too many transactions to try all orders.
    pub undecided: bool,
}

/// A play with its judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// What happened.
    pub played: Played,
    /// What it means.
    pub checked: Checked,
    /// Where text and play, or text and meaning, differ.
    pub complaints: Vec<Complaint>,
}

impl Checked {
    /// Whether no order fits.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        self.serial_order.is_none() && !self.undecided
    }

    /// The reasons for the edges of the cycle, in its order.
    pub fn cycle_reasons(&self) -> impl Iterator<Item = &Reason> {
        let place = |id: pgstrata_history::TransactionId| self.committed.get(id.0 as usize).copied();
        self.cycle.iter().filter_map(move |edge| {
            let (from, to) = (place(edge.from)?, place(edge.to)?);
            self.reasons
                .iter()
                .find(|reason| reason.from == from && reason.to == to && reason.dependency == edge.dependency)
        })
    }
}

/// Finds out what a play means. Runs the transactions again on the same stage.
pub async fn check(stage: &Stage, scenario: &Scenario, played: &Played) -> Result<Checked, PlayError> {
    let committed: Vec<usize> = (0..played.transactions.len())
        .filter(|index| played.transactions[*index].end == TransactionEnd::Committed)
        .collect();
    let mut checked = Checked {
        committed,
        serial_order: None,
        reasons: Vec::new(),
        anomaly: None,
        anomalies: Vec::new(),
        phenomena: Vec::new(),
        cycle: Vec::new(),
        undecided: false,
    };
    // Without an end there is no outcome to compare.
    if played.stopped.is_some() || checked.committed.len() > SERIAL_MAX {
        checked.undecided = true;
        return Ok(checked);
    }
    let mut replays = replay::Replays::open(stage, scenario, played).await?;
    let runs = replays.all_orders(&checked.committed).await?;
    checked.serial_order = runs.iter().find(|run| replays.fits(run)).map(|(order, _)| order.clone());
    if checked.serial_order.is_none() {
        checked.reasons = dependencies::of(&mut replays, &checked.committed, &runs).await?;
        checked.phenomena = phenomena::of(&mut replays, &checked.committed, &runs).await?;
    }
    replays.close().await?;
    if checked.serial_order.is_none() {
        name(&mut checked);
    }
    Ok(checked)
}

/// Names the anomaly by the weakest cycle.
fn name(checked: &mut Checked) {
    let graph = dependencies::graph(&checked.committed, &checked.reasons);
    let cycles = check_cycles(&graph, &Limits::default());
    // Findings are in the order of their anomalies, and these in that of the models that they break.
    let verdict = cycles.findings.judge(Model::Serializable);
    checked.anomalies = verdict.counts.keys().copied().collect();
    if let Some(finding) = verdict.findings.first() {
        checked.anomaly = Some(finding.anomaly);
        checked.cycle.clone_from(&finding.cycle);
    }
    let told_of = |kind| checked.phenomena.iter().any(|phenomenon| phenomenon.kind == kind);
    // Both break even read committed, which no cycle but G0 and G1c does.
    for (kind, anomaly) in
        [(PhenomenonKind::IntermediateRead, Anomaly::G1b), (PhenomenonKind::AbortedRead, Anomaly::G1a)]
    {
        if told_of(kind) {
            checked.anomalies.push(anomaly);
            checked.anomaly = Some(anomaly);
            checked.cycle.clear();
        }
    }
}

/// Plays nothing: compares a play and its meaning with what the scenario says must come of it.
#[must_use]
pub fn judge(scenario: &Scenario, played: Played, checked: Checked) -> Judged {
    let complaints = expectations::complaints(scenario, &played, &checked);
    Judged { played, checked, complaints }
}

/// The model that a level of PostgreSQL promises.
#[must_use]
pub fn promise(level: Isolation) -> Model {
    match level {
        // Each statement has a snapshot of its own, so what PostgreSQL promises lies between the two.
        Isolation::ReadCommitted => Model::ReadCommitted,
        Isolation::RepeatableRead => Model::SnapshotIsolation,
        Isolation::Serializable => Model::Serializable,
    }
}

/// Whether an anomaly that was found is of the family that was expected.
#[must_use]
pub fn is_of_family(found: Anomaly, expected: Anomaly) -> bool {
    family(found) == family(expected)
}

fn family(anomaly: Anomaly) -> Anomaly {
    match anomaly {
        Anomaly::G2(scope) => Anomaly::G2Item(scope),
        // A lost update is a cycle with one anti-dependency on one row; pairs do not tell whose row.
        Anomaly::GSinglePredicate(scope) => Anomaly::GSingle(scope),
        Anomaly::LostUpdate => Anomaly::GSingle(Scope::Plain),
        Anomaly::GNonadjacentPredicate(scope) => Anomaly::GNonadjacent(scope),
        other => other,
    }
}
