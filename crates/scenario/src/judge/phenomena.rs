//! What a client was told that no order of committed transactions tells: parts of transactions, and ones that vanish.
//!
//! These are told by single answers, not by cycles: Adya's G1a and G1b, and "observed transaction vanishes" of P. Bailis et
//! al., "Highly Available Transactions: Virtues and Limitations", VLDB 2014.

use serde::{Deserialize, Serialize};

use super::dependencies::{Run, place_of};
use super::replay::{Part, Replays, whole};
use crate::play::{PlayError, TransactionEnd};

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a transaction wrote that did not commit (G1a).
    AbortedRead,
    /// What a transaction wrote and then wrote over before it committed (G1b).
    IntermediateRead,
    /// What a transaction wrote, and later what was there before it (OTV).
    VanishedTransaction,
}

/// One such answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phenomenon {
    /// What it is.
    pub kind: Kind,
    /// Whose client was told, by its place in the play.
    pub reader: usize,
    /// Who wrote it.
    pub writer: usize,
    /// The step that was answered so.
    pub step: usize,
}

/// All such answers to the clients of committed transactions.
pub(super) async fn of(
    replays: &mut Replays<'_>,
    committed: &[usize],
    runs: &[Run],
) -> Result<Vec<Phenomenon>, PlayError> {
    let mut found = Vec::new();
    for &reader in committed {
        for (place, &step) in replays.played().transactions[reader].steps.iter().enumerate() {
            for writer in 0..replays.played().transactions.len() {
                if writer == reader {
                    continue;
                }
                if let Some(kind) = partly(replays, (reader, step), writer, runs).await? {
                    found.push(Phenomenon { kind, reader, writer, step });
                } else if committed.contains(&writer) && vanished(replays, (reader, place), writer, runs) {
                    found.push(Phenomenon { kind: Kind::VanishedTransaction, reader, writer, step });
                }
            }
        }
    }
    Ok(found)
}

/// Whether the answer is that of a part of the writer, or of a writer that did not commit, and of no order of all.
async fn partly(
    replays: &mut Replays<'_>,
    (reader, step): (usize, usize),
    writer: usize,
    runs: &[Run],
) -> Result<Option<Kind>, PlayError> {
    let Some(told) = replays.told(step).cloned() else { return Ok(None) };
    let is_told = |answers: &super::replay::Replay| {
        answers.answers.get(&step).is_some_and(|answer| answer.says_the_same_as(&told))
    };
    let alone = replays.run(&[whole(reader)]).await?;
    if is_told(&alone) || runs.iter().any(|(_, replay)| is_told(replay)) {
        return Ok(None);
    }
    let length = replays.played().transactions[writer].steps.len();
    let has_committed = replays.played().transactions[writer].end == TransactionEnd::Committed;
    for steps in 1..=length {
        let replay = replays.run(&[Part { transaction: writer, steps: Some(steps) }, whole(reader)]).await?;
        if is_told(&replay) {
            return Ok(match (has_committed, steps == length) {
                (true, true) => None,
                (true, false) => Some(Kind::IntermediateRead),
                (false, _) => Some(Kind::AbortedRead),
            });
        }
    }
    Ok(None)
}

/// Whether an earlier step of the reader has seen the writer, and this one has not.
fn vanished(replays: &Replays<'_>, (reader, place): (usize, usize), writer: usize, runs: &[Run]) -> bool {
    let steps = &replays.played().transactions[reader].steps;
    let comes_first = |step: &usize| {
        let told = replays.told(*step)?;
        let gives = |run: &&Run| run.1.answers.get(step).is_some_and(|answer| answer.says_the_same_as(told));
        place_of(reader, writer, runs, gives, |_| true).map(|(is_before, _)| is_before)
    };
    comes_first(&steps[place]) == Some(true) && steps[..place].iter().any(|step| comes_first(step) == Some(false))
}
