//! The exact dependency graph of a run, for any schema on PostgreSQL.
//!
//! Checkers of registers and lists infer the order of versions from what was read. PostgreSQL gives it away: each row
//! carries the number of its writer (`xmin`), and the log has the writes of every transaction in the order of their
//! commit records. From both, and from what the clients read, each dependency between transactions follows without
//! search and without a condition on the workload; so the tables of an application can be judged as they are.
//!
//! Recovering versions from the database is the idea of Emme (Clark et al., `EuroSys` 2024), that of columns added for it
//! `IsoRel`'s (ISSTA 2025); the phenomena are those of Adya (MIT 1999). What it does not cover, it says: [`Coverage`].
//! This module reads no server: whoever watched the run fills in a [`Record`].

mod coverage;
mod dependencies;
mod portable;
mod predicate;
mod record;
mod versions;

#[cfg(test)]
mod tests;

use serde::Serialize;

pub use coverage::{Coverage, Gap, GapKind};
pub use portable::portable;
pub use predicate::Predicate;
pub use record::{
    Commit, Field, Follow, InvalidSnapshot, Observed, Record, RowChange, RowId, Seen, Snapshot, State, Step, Table,
    TableId, Values, Xid,
};
pub use versions::Contradiction;

use crate::consistency::Model;
use crate::cycles::{Limits, check_cycles};
use crate::graph::GraphBuilder;
use crate::model::{History, HistoryBuilder, Operation, Read, Status, TransactionId};
use crate::verdict::Verdict;
use dependencies::{Derivation, number, row_name};
use versions::Index;

/// What came of judging a run.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// What the dependency graph says.
    pub verdict: Verdict,
    /// What it rests on.
    pub coverage: Coverage,
    /// Transactions whose client was told something that the log denies.
    pub contradicted: Vec<(TransactionId, Contradiction)>,
    /// The run as a history of registers, one for each row, whose values are the numbers of its versions. The
    /// findings speak of it.
    #[serde(skip)]
    pub history: History,
}

impl Judgement {
    /// Whether nothing was found that the model forbids, and nobody was told what the log denies.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verdict.holds && self.contradicted.is_empty()
    }
}

/// Judges a run by a model.
///
/// The answer is exact for what the record holds: no anomaly is reported that did not happen. What the record does not
/// hold may hide anomalies, and is in [`Judgement::coverage`] as far as it can be known.
#[must_use]
pub fn check(record: &Record, model: Model, limits: &Limits) -> Judgement {
    let mut index = Index::new(record);
    let count = u32::try_from(index.order.len() + index.unobserved.len()).unwrap_or(u32::MAX);
    let derivation = Derivation::new(&mut index, GraphBuilder::new(count));
    let dependencies::Derived { mut graph, findings, coverage, reads } = derivation.derive();
    let history = history_of(&index, &reads);
    graph.add_orders(&history, model.scope(), |id| history.transaction(id).status == Status::Committed);
    let graph = graph.finish();
    let mut cycles = check_cycles(&graph, limits);
    for finding in findings {
        cycles.findings.add(finding);
    }
    let mut verdict = cycles.findings.judge(model);
    verdict.transactions = history.len() as u64;
    verdict.took_effect = coverage.committed + index.unobserved.len() as u64;
    verdict.arcs = graph.arc_count() as u64;
    verdict.components = cycles.components;
    verdict.largest_component = cycles.largest_component;
    Judgement { verdict, coverage, contradicted: index.contradicted, history }
}

/// The run as registers: what each transaction read and wrote, by the numbers of versions.
fn history_of(index: &Index<'_>, reads: &[Vec<(crate::model::Key, i64)>]) -> History {
    let mut builder = HistoryBuilder::new();
    for row in &index.rows {
        builder.key(&row_name(&index.record.tables[row.id.table.0 as usize].name, row.id));
    }
    let mut written = vec![Vec::new(); index.order.len() + index.unobserved.len()];
    for (key, row) in (0..).map(crate::model::Key).zip(&index.rows) {
        for (place, (writer, _)) in (0..).zip(&row.list) {
            written[writer.0 as usize].push(Operation::Write { key, value: number(place) });
        }
    }
    let mut operations = Vec::new();
    for (id, observed) in index.observed() {
        let place = id.0 as usize;
        operations.clear();
        operations.extend(reads[place].iter().map(|(key, value)| Operation::Read {
            key: *key,
            seen: if *value == 0 { Read::Initial } else { Read::Value(*value) },
        }));
        operations.append(&mut written[place]);
        let times = (observed.invoked_ns, observed.completed_ns);
        builder.push(observed.process, index.status[place], times, &operations);
    }
    // Nobody watched these: they may have begun and ended at any time, and each is a client of its own.
    for (number, writes) in (0_u32..).zip(&written[index.order.len()..]) {
        builder.push(u32::MAX - number, Status::Committed, (0, u64::MAX), writes);
    }
    builder.finish()
}
