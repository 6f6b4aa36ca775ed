//! What a session was given, cut into transactions.
//!
//! The cuts come from the server: after everything it was sent it says whether a transaction is open, and each completed
//! statement has a tag. A step that ends one transaction and does more than that cannot be cut, since it is sent as one
//! text; then nothing is judged.

use std::collections::BTreeMap;

use pgstrata_pg::simple::{Reply, TransactionStatus};

use super::judgement::Why;
use crate::runner::{Call, Part};
use crate::session::Seat;
use crate::spec::Spec;

/// A part of a script, of which session.
pub(super) type PartOf = (Seat, Part);

/// One transaction, or several that stand together because all but the last one touch only their session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub session: Seat,
    /// Places in the list of calls, in order.
    pub calls: Vec<usize>,
    /// When it was seen to have ended, as in [`Call::completed`].
    pub ended: usize,
}

impl Unit {
    pub(super) fn key(&self, calls: &[Call]) -> Vec<PartOf> {
        self.calls.iter().map(|call| (calls[*call].session, calls[*call].part)).collect()
    }
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    Aborted,
    /// Prepared under this name, for another statement to decide.
    Prepared(String),
    /// That other statement: whether it commits what was prepared under this name.
    Decided(String, bool),
}

/// The transactions that committed, each session's in order.
pub(super) fn committed(spec: &Spec, calls: &[Call]) -> Result<Vec<Unit>, Why> {
    let mut whole: Vec<(Unit, Ended)> = Vec::new();
    for seat in (0..spec.sessions.len()).map(Seat) {
        let mut open: Vec<usize> = Vec::new();
        for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.session == seat) {
            if open.is_empty() && call.status.0 != TransactionStatus::Idle {
                return Err(Why::OpenBefore);
            }
            open.push(index);
            let ended = end_of(spec, call)?;
            if let Some(ended) = ended {
                let unit = Unit { session: seat, calls: std::mem::take(&mut open), ended: call.completed };
                whole.push((unit, ended));
            }
        }
        // A transaction that is still open has committed nothing.
    }
    let decided = decide_prepared(whole)?;
    Ok(join_session_only(decided, calls))
}

/// How the transaction ends that this call ends, if it ends one.
fn end_of(spec: &Spec, call: &Call) -> Result<Option<Ended>, Why> {
    let tags: Vec<&str> = call.replies.iter().filter_map(tag).collect();
    let failed = call.replies.iter().any(|reply| matches!(reply, Reply::Error(_) | Reply::Closed));
    if call.replies.contains(&Reply::Closed) {
        return Ok(Some(Ended::Aborted));
    }
    let is_end = |(place, tag): (usize, &&str)| match *tag {
        // `rollback to savepoint` has the same tag, and leaves the transaction open.
        "ROLLBACK" => place + 1 == tags.len() && call.status.1 == TransactionStatus::Idle,
        tag => is_end(tag),
    };
    let first_end = tags.iter().enumerate().position(is_end);
    if let Some(first_end) = first_end {
        if tags[first_end + 1..].iter().any(|tag| !is_session_only(tag)) || call.status.1 != TransactionStatus::Idle {
            return Err(Why::SeveralInOneStep);
        }
        // After the end of a transaction the rest of a text may still fail, without undoing what was committed.
        return Ok(Some(match tags[first_end] {
            "COMMIT" => Ended::Committed,
            "PREPARE TRANSACTION" => Ended::Prepared(name_of_prepared(spec, call)?),
            "COMMIT PREPARED" => Ended::Decided(name_of_prepared(spec, call)?, true),
            "ROLLBACK PREPARED" => Ended::Decided(name_of_prepared(spec, call)?, false),
            _ => Ended::Aborted,
        }));
    }
    if call.status.1 != TransactionStatus::Idle {
        return Ok(None);
    }
    // Statements outside a transaction block are one transaction, undone as a whole when one of them fails.
    Ok(Some(if failed { Ended::Aborted } else { Ended::Committed }))
}

fn tag(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Complete { tag, .. } => Some(tag),
        _ => None,
    }
}

fn is_end(tag: &str) -> bool {
    matches!(tag, "COMMIT" | "PREPARE TRANSACTION" | "COMMIT PREPARED" | "ROLLBACK PREPARED")
}

/// Whether a statement with this tag touches nothing but its own session.
fn is_session_only(tag: &str) -> bool {
    const TAGS: [&str; 11] = [
        "SET",
        "RESET",
        "PREPARE",
        "DEALLOCATE",
        "DEALLOCATE ALL",
        "DISCARD",
        "LISTEN",
        "UNLISTEN",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
    ];
    TAGS.contains(&tag)
}

/// The name in `prepare transaction 'name'` and its kin.
fn name_of_prepared(spec: &Spec, call: &Call) -> Result<String, Why> {
    let sql = sql_of(spec, (call.session, call.part)).unwrap_or_default();
    let mut quoted = sql.split('\'').skip(1).step_by(2);
    match (quoted.next(), quoted.next()) {
        (Some(name), None) => Ok(name.to_owned()),
        _ => Err(Why::SeveralInOneStep),
    }
}

/// What a part of a script says.
pub(super) fn sql_of(spec: &Spec, (seat, part): PartOf) -> Option<&str> {
    let session = &spec.sessions[seat.0];
    match part {
        Part::Setup => session.setup.as_deref(),
        Part::Step(id) => Some(&spec.step(id).sql),
        Part::Teardown => session.teardown.as_deref(),
    }
}

/// Leaves those that committed; a prepared transaction takes the statement that commits it along.
fn decide_prepared(whole: Vec<(Unit, Ended)>) -> Result<Vec<Unit>, Why> {
    let mut decisions: BTreeMap<String, (Unit, bool)> = BTreeMap::new();
    let mut units = Vec::new();
    for (unit, ended) in whole {
        match ended {
            Ended::Decided(name, commits) => {
                if decisions.insert(name, (unit, commits)).is_some() {
                    return Err(Why::SeveralInOneStep);
                }
            }
            ended => units.push((unit, ended)),
        }
    }
    let mut committed = Vec::new();
    for (mut unit, ended) in units {
        match ended {
            Ended::Committed => committed.push(unit),
            Ended::Prepared(name) => {
                if let Some((decision, true)) = decisions.get(&name) {
                    unit.calls.extend(&decision.calls);
                    unit.ended = decision.ended;
                    committed.push(unit);
                }
            }
            Ended::Aborted | Ended::Decided(..) => {}
        }
    }
    Ok(committed)
}

/// Puts transactions that touch only their session before the next one of the same session: wherever they stand in a
/// serial order, nobody else can tell, and fewer transactions have far fewer orders.
fn join_session_only(units: Vec<Unit>, calls: &[Call]) -> Vec<Unit> {
    let touches_only_session = |unit: &Unit| {
        let replies = unit.calls.iter().flat_map(|call| &calls[*call].replies);
        replies.clone().all(|reply| !matches!(reply, Reply::Error(_))) && replies.filter_map(tag).all(is_session_only)
    };
    let mut joined: Vec<Unit> = Vec::new();
    let mut before: Option<Unit> = None;
    for mut unit in units {
        if let Some(first) = before.take() {
            if first.session == unit.session {
                unit.calls.splice(0..0, first.calls);
            } else {
                joined.push(first);
            }
        }
        if touches_only_session(&unit) {
            before = Some(unit);
        } else {
            joined.push(unit);
        }
    }
    // What touches nothing and has nothing behind it need not run again.
    joined.retain(|unit| !touches_only_session(unit));
    joined
}
