//! The ledger against a real PostgreSQL: what is posted, what is told, and what convicts the books that are wrong.

mod booking;
mod crash;
mod keeping;
mod mutations;

use std::sync::Arc;

use pgstrata_lab::history::{History, Outcome};
use pgstrata_lab::invariants;
use pgstrata_lab::study::{Arm, DEFAULT_SKEW, Preset, Scale, Study, Violation};
use pgstrata_pg::Session;

use super::{Ledger, card};
use crate::ground::{Ground, SEED, ask, carry_out, count};

fn arm(name: &str) -> &'static Arm {
    card::CARD.arm(name).expect("an arm of this name")
}

/// A trial whose clients say what they see; scarce when funds are to run out.
fn scale(scarce: bool) -> Scale {
    Scale { preset: Preset::Ci, operations: 0, scarce, skew: DEFAULT_SKEW, observed: true, seed: SEED }
}

/// Books of one arm on which `clients` have carried out `operations`, each `copies` times.
async fn keep_books(
    ground: &Ground,
    arm: &'static Arm,
    scale: &Scale,
    (clients, operations, copies): (u32, u64, u64),
) -> History {
    Ledger.prepare(arm, &ground.site, scale).await.expect("prepared");
    let rig = Ledger.open(arm, &ground.site, scale).await.expect("opened");
    carry_out(&rig, clients, operations, copies).await
}

/// Everything that is to be judged after a trial.
async fn judge(ground: &Ground, arm: &'static Arm, history: &History) -> Vec<Violation> {
    let mut violations = judge_state(ground).await;
    violations.extend(Ledger.check(arm, &ground.site, history).await.expect("a judgement"));
    violations
}

/// The invariants that are broken.
fn names(violations: &[Violation]) -> Vec<&str> {
    violations.iter().map(|violation| violation.invariant.as_str()).collect()
}

/// What the card's queries find.
async fn judge_state(ground: &Ground) -> Vec<Violation> {
    invariants::evaluate(&ground.site, card::CARD.invariants).await.expect("evaluated")
}
