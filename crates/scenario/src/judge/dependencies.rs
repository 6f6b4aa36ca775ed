//! Who must have come before whom: found by running two transactions again in both orders.
//!
//! Where the two orders tell the client of A different things about a statement, what it was told in the play says which of
//! them it was: as if B had not been (A read before B wrote: an anti-dependency), or as after B (A read what B wrote). Where
//! a row is at the end as only one order leaves it, that order of writes it was. Source of the kinds of dependency: A. Adya,
//! "Weak Consistency", PhD thesis, MIT, 1999, chapter 3.

use std::collections::HashSet;

use pgstrata_history::{Dependency, Evidence, Graph, GraphBuilder, TransactionId};
use serde::{Deserialize, Serialize};

use super::replay::{Replay, Replays};
use crate::play::{Answer, PlayError};

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

/// The dependencies among some transactions, pair by pair.
pub(super) async fn of(replays: &mut Replays<'_>, transactions: &[usize]) -> Result<Vec<Reason>, PlayError> {
    let mut reasons = Vec::new();
    for (index, &one) in transactions.iter().enumerate() {
        for &other in &transactions[index + 1..] {
            let one_first = replays.run(&[one, other]).await?;
            let other_first = replays.run(&[other, one]).await?;
            let alone = (replays.run(&[]).await?, replays.run(&[one]).await?, replays.run(&[other]).await?);
            let takes_rows = (takes_rows(&alone.0, &alone.1), takes_rows(&alone.0, &alone.2));
            reads(replays, (one, other), (&one_first, &other_first), takes_rows.1, &mut reasons);
            reads(replays, (other, one), (&other_first, &one_first), takes_rows.0, &mut reasons);
            writes(replays, (one, other), (&one_first, &other_first), &mut reasons);
        }
    }
    Ok(reasons)
}

/// What transaction A was told, compared with both orders of A and B; at most one reason of each kind.
fn reads(
    replays: &Replays<'_>,
    (a, b): (usize, usize),
    (a_first, b_first): (&Replay, &Replay),
    b_takes_rows: bool,
    reasons: &mut Vec<Reason>,
) {
    let mut saw = false;
    let mut missed = false;
    for step in &replays.played().transactions[a].steps {
        let both = a_first.answers.get(step).zip(b_first.answers.get(step));
        let (Some(told), Some((before, after))) = (replays.told(*step), both) else { continue };
        if before.says_the_same_as(after) {
            continue;
        }
        let proof = |otherwise: &Answer| Proof::Answer { step: *step, told: told.clone(), otherwise: otherwise.clone() };
        if told.says_the_same_as(before) && !std::mem::replace(&mut missed, true) {
            let dependency = if b_takes_rows { Dependency::ReadWrite } else { Dependency::PredicateReadWrite };
            reasons.push(Reason { from: a, to: b, dependency, proof: proof(after) });
        } else if told.says_the_same_as(after) && !std::mem::replace(&mut saw, true) {
            reasons.push(Reason { from: b, to: a, dependency: Dependency::WriteRead, proof: proof(before) });
        }
    }
}

/// The rows at the end, compared with both orders.
fn writes(
    replays: &Replays<'_>,
    (one, other): (usize, usize),
    (one_first, other_first): (&Replay, &Replay),
    reasons: &mut Vec<Reason>,
) {
    let end = &replays.played().state;
    let mut add = |from, to, as_left: &Replay, otherwise: &Replay| {
        if let Some((table, row)) = row_of_one_order(end, as_left, otherwise) {
            reasons.push(Reason { from, to, dependency: Dependency::WriteWrite, proof: Proof::Row { table, row } });
        }
    };
    add(one, other, one_first, other_first);
    add(other, one, other_first, one_first);
}

/// A row of the end that one order leaves and the other does not.
fn row_of_one_order(end: &[(String, Vec<String>)], left: &Replay, otherwise: &Replay) -> Option<(String, String)> {
    for (table, rows) in end {
        let of = |replay: &Replay| -> HashSet<String> {
            let found = replay.state.iter().find(|(name, _)| name == table);
            found.map(|(_, rows)| rows.iter().cloned().collect()).unwrap_or_default()
        };
        let (left, otherwise) = (of(left), of(otherwise));
        if let Some(row) = rows.iter().find(|row| left.contains(*row) && !otherwise.contains(*row)) {
            return Some((table.clone(), row.clone()));
        }
    }
    None
}

/// Whether a transaction by itself changes or removes a row that was there.
fn takes_rows(before: &Replay, after: &Replay) -> bool {
    before.state.iter().zip(&after.state).any(|((_, before), (_, after))| {
        let after: HashSet<&String> = after.iter().collect();
        before.iter().any(|row| !after.contains(row))
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
