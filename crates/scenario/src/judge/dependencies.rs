//! Who must have come before whom: found by running the transactions again in all orders.
//!
//! An answer that was given is also given in some of those orders. Where A comes before B in all of them, the client of A was
//! told what was so before B wrote: an anti-dependency, if not all orders give it. Where B comes before A in all of them, A
//! read what B wrote. A row that is there at the end tells the order of writes in the same way. Source of the kinds of
//! dependency: A. Adya, "Weak Consistency", doctoral thesis, MIT, 1999, chapter 3.

use std::collections::{HashMap, HashSet};

use pgstrata_history::{Dependency, Evidence, Graph, GraphBuilder, TransactionId};
use serde::{Deserialize, Serialize};

use super::replay::{Replay, Replays, whole};
use crate::play::{Answer, PlayError, Row};

/// Why one transaction must have come before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Came first: its place in the play.
    pub from: usize,
    /// Came second.
    pub to: usize,
    /// Why.
    pub dependency: Dependency,
    /// What shows it.
    pub proof: Proof,
}

/// What shows a dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A statement was answered in this way and not in the other, in which it is answered in the other order.
    Answer {
        /// The step, by its place in the scenario.
        step: usize,
        /// What its client was told.
        told: Answer,
        /// What it would have been told.
        otherwise: Answer,
    },
    /// A row was left that the other order does not leave.
    Row {
        /// The table.
        table: String,
        /// The row as text.
        row: String,
    },
}

/// One order of the transactions with what comes of it.
pub(super) type Run = (Vec<usize>, Replay);

/// The dependencies among some transactions; at most one of a kind for each two of them.
pub(super) async fn of(
    replays: &mut Replays<'_>,
    transactions: &[usize],
    runs: &[Run],
) -> Result<Vec<Reason>, PlayError> {
    let untouched = replays.run(&[]).await?;
    let mut alone = HashMap::new();
    for &transaction in transactions {
        alone.insert(transaction, replays.run(&[whole(transaction)]).await?);
    }
    let mut reasons = Reasons::default();
    of_rows(replays, transactions, (&untouched, &alone), runs, &mut reasons);
    let by_rows = Reasons(reasons.0.clone());
    let takes = |transaction: &usize| takes_rows(&untouched, &alone[transaction]);
    for &a in transactions {
        for step in &replays.played().transactions[a].steps {
            let Some(told) = replays.told(*step) else { continue };
            let gives = |run: &&Run| run.1.answers.get(step).is_some_and(|answer| answer.says_the_same_as(told));
            for &b in transactions.iter().filter(|b| **b != a) {
                let Some((is_before, otherwise)) = place_of(a, b, runs, gives, |order| by_rows.agree_with(order))
                else {
                    continue;
                };
                let Some(otherwise) = otherwise.answers.get(step) else { continue };
                let proof = Proof::Answer { step: *step, told: told.clone(), otherwise: otherwise.clone() };
                reasons.add(match (is_before, takes(&b)) {
                    (true, true) => Reason { from: a, to: b, dependency: Dependency::ReadWrite, proof },
                    (true, false) => Reason { from: a, to: b, dependency: Dependency::PredicateReadWrite, proof },
                    (false, _) => Reason { from: b, to: a, dependency: Dependency::WriteRead, proof },
                });
            }
        }
    }
    Ok(reasons.0)
}

/// What the rows at the end tell. A row that both write tells who wrote it last; one that the first leaves alone although
/// it would have changed it, had it come second, tells that the first did not see it.
fn of_rows(
    replays: &Replays<'_>,
    transactions: &[usize],
    (untouched, alone): (&Replay, &HashMap<usize, Replay>),
    runs: &[Run],
    reasons: &mut Reasons,
) {
    for table in &replays.played().state {
        for row in &table.rows {
            if untouched.has_row(&table.name, row) {
                continue;
            }
            let leaves = |run: &&Run| run.1.has_row(&table.name, row);
            for (index, &a) in transactions.iter().enumerate() {
                for &b in &transactions[index + 1..] {
                    let Some((is_before, _)) = place_of(a, b, runs, leaves, |_| true) else { continue };
                    let (from, to) = if is_before { (a, b) } else { (b, a) };
                    let was = untouched.row_of(&table.name, &row.identity);
                    let writes = alone[&from].row_of(&table.name, &row.identity) != was;
                    let dependency = if writes { Dependency::WriteWrite } else { Dependency::PredicateReadWrite };
                    let proof = Proof::Row { table: table.name.clone(), row: row.text.clone() };
                    reasons.add(Reason { from, to, dependency, proof });
                }
            }
        }
    }
}

/// Reasons, at most one of a kind for each two transactions.
#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn add(&mut self, reason: Reason) {
        let is_known =
            |other: &Reason| (other.from, other.to, other.dependency) == (reason.from, reason.to, reason.dependency);
        if !self.0.iter().any(is_known) {
            self.0.push(reason);
        }
    }

    /// Whether an order has all of them the right way round.
    fn agree_with(&self, order: &[usize]) -> bool {
        let place = |transaction| order.iter().position(|other| *other == transaction);
        self.0.iter().all(|reason| place(reason.from) < place(reason.to))
    }
}

/// Whether A comes before B in all orders of which something is true (or after B in all of them), and an order of which it
/// is not. None when it is true of no order, or of all, or of orders of both kinds. Where it is true of orders that are
/// preferred, only these count.
pub(super) fn place_of(
    a: usize,
    b: usize,
    runs: &[Run],
    is_true: impl Fn(&&Run) -> bool,
    is_preferred: impl Fn(&[usize]) -> bool,
) -> Option<(bool, &Replay)> {
    let a_is_first = |run: &&Run| {
        let place = |transaction| run.0.iter().position(|other| *other == transaction);
        place(a) < place(b)
    };
    let (mut true_of, false_of): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| is_true(run));
    if true_of.iter().any(|run| is_preferred(&run.0)) {
        true_of.retain(|run| is_preferred(&run.0));
    }
    let first = true_of.iter().filter(|run| a_is_first(run)).count();
    if true_of.is_empty() || (first != 0 && first != true_of.len()) {
        return None;
    }
    let is_before = first != 0;
    // The order that differs least: the first in which the two stand the other way round.
    let otherwise = false_of.iter().find(|run| a_is_first(run) != is_before)?;
    Some((is_before, &otherwise.1))
}

/// Whether a transaction by itself changes or removes a row that was there.
fn takes_rows(before: &Replay, after: &Replay) -> bool {
    before.state.iter().zip(&after.state).any(|(before, after)| {
        let after: HashSet<&Row> = after.rows.iter().collect();
        before.rows.iter().any(|row| !after.contains(row))
    })
}

/// The graph of some transactions, whose nodes are places in that list.
pub(super) fn graph(transactions: &[usize], reasons: &[Reason]) -> Graph {
    let node = |transaction: usize| {
        let place = transactions.iter().position(|other| *other == transaction).unwrap_or_default();
        TransactionId(u32::try_from(place).unwrap_or(u32::MAX))
    };
    let mut builder = GraphBuilder::new(u32::try_from(transactions.len()).unwrap_or(u32::MAX));
    for reason in reasons {
        builder.add_edge(node(reason.from), node(reason.to), reason.dependency, Evidence::default());
    }
    builder.finish()
}
