//! What clients of the two-server arms do: the ledger's operations over accounts of both servers, and a fourth of them on
//! joint accounts, whose limit is a rule over both servers.

use pgstrata_lab::history::uniform;
use pgstrata_lab::study::{Operation, Preset, Scale};

use super::accounts::{JOINT_CURRENCY, PAIRS, joint, pot};
use super::arms::Audit;
use crate::ledger::transfer::{Body, Kind, Leg, Request};
use crate::ledger::workload::{self, Workload};

/// The share of operations on joint accounts.
const JOINT_SHARE: f64 = 0.25;

/// The share of audits where clients are watched and an audit stands in nobody's way: reading is what gives order away.
/// A full trial is long, and each audit says what it saw of every account.
const AUDIT_SHARE_OBSERVED: f64 = 0.15;
const AUDIT_SHARE_FULL: f64 = 0.02;

/// The share of those that put something back.
const DEPOSIT_SHARE: f64 = 0.4;

/// What is withdrawn: more than one account holds at first, less than both hold, and so more than both hold after it.
const WITHDRAWAL: i64 = 150;

/// What one operation does.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Posts legs, on whichever servers they are.
    Post(Request),
    /// Posts legs on one server, if the pair's accounts on both servers together hold enough.
    Withdraw {
        /// What is posted.
        request: Request,
        /// The pair.
        pair: u64,
        /// The server of the account that is debited.
        server: usize,
    },
    /// Reads the last page of an account's statement.
    Statement {
        /// The account.
        account_id: i64,
    },
    /// Adds up all balances of both servers.
    Audit,
}

/// The operations of a trial. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ShardedWorkload {
    pub(super) ledger: Workload,
    more_audits: f64,
}

impl ShardedWorkload {
    /// The operations of a trial of this scale, for an arm that reads both servers in this way.
    pub(super) fn new(scale: &Scale, audit: Audit) -> Self {
        let more_audits = match (scale.observed, audit, scale.preset) {
            (false, ..) | (_, Audit::ForShare, _) => 0.0,
            (true, _, Preset::Full) => AUDIT_SHARE_FULL,
            (true, _, Preset::Smoke | Preset::Ci) => AUDIT_SHARE_OBSERVED,
        };
        Self { ledger: Workload::new(scale), more_audits }
    }

    /// What an operation does: a pure function of it.
    pub(super) fn work(&self, operation: &Operation) -> Work {
        if uniform(operation.draw, 16) < JOINT_SHARE {
            return on_joint(operation);
        }
        if uniform(operation.draw, 20) < self.more_audits {
            return Work::Audit;
        }
        match self.ledger.work(operation) {
            workload::Work::Audit => Work::Audit,
            workload::Work::Statement { account_id } => Work::Statement { account_id },
            // Taking back over servers is posting over servers; the arms on one server show it.
            workload::Work::Post(request) if request.kind() == Kind::Reversal => on_joint(operation),
            workload::Work::Post(request) => Work::Post(request),
        }
    }
}

fn on_joint(operation: &Operation) -> Work {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number below PAIRS")]
    let pair = (uniform(operation.draw, 17) * PAIRS as f64) as u64;
    let server = usize::from(uniform(operation.draw, 18) < 0.5);
    let leg = |account_id, amount| Leg { account_id, currency: JOINT_CURRENCY, amount };
    let move_out = |amount: i64| vec![leg(joint(pair, server), -amount), leg(pot(pair, server), amount)];
    let request = |legs| Request { key: operation.key, body: Body::Post { kind: Kind::Transfer, legs } };
    if uniform(operation.draw, 19) < DEPOSIT_SHARE {
        return Work::Post(request(move_out(-WITHDRAWAL)));
    }
    Work::Withdraw { request: request(move_out(WITHDRAWAL)), pair, server }
}
