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

#[cfg(test)]
mod tests {
    use pgstrata_pg::simple::TransactionStatus::{Failed, Idle, Open};
    use pgstrata_pg::simple::{Rows, ServerMessage};

    use super::*;
    use crate::spec::{StepId, parse};

    /// Steps of the two sessions `s` and `t`; what they say matters only where a prepared transaction is named.
    const SPEC: &str = "session s step s0 {} step s1 { prepare transaction 'p' } step s2 {} step s3 {}
                        session t step t0 {} step t1 { commit prepared 'p' } step t2 { rollback prepared 'p' }";

    /// A step of a session with the tags of its answers (`!` is an error) and the status after it.
    type Given<'a> = (usize, usize, &'a [&'a str], TransactionStatus);

    fn calls(given: &[Given<'_>]) -> Vec<Call> {
        let mut before = [Idle; 2];
        let mut calls = Vec::new();
        for (completed, (session, place, tags, after)) in given.iter().enumerate() {
            let reply = |tag: &&str| match *tag {
                "!" => Reply::Error(ServerMessage::default()),
                "SELECT 1" => Reply::Complete {
                    tag: "SELECT 1".to_owned(),
                    rows: Some(Rows { columns: Vec::new(), rows: vec![Vec::new()], left_out: 0 }),
                },
                tag => Reply::Complete { tag: tag.to_owned(), rows: None },
            };
            let seat = Seat(*session);
            let part = Part::Step(StepId { session: seat, place: *place });
            let replies = tags.iter().map(reply).collect();
            calls.push(Call { session: seat, part, replies, status: (before[*session], *after), completed });
            before[*session] = *after;
        }
        calls
    }

    /// The calls of each transaction that committed.
    fn check(given: &[Given<'_>], expect: Result<&[&[usize]], Why>) {
        let spec = parse(SPEC).expect("a specification");
        let units = committed(&spec, &calls(given));
        let found = units.as_ref().map(|units| units.iter().map(|unit| unit.calls.as_slice()).collect::<Vec<_>>());
        assert_eq!(found, expect.as_ref().map(|units| units.to_vec()), "{given:?}");
    }

    #[test]
    fn a_transaction_reaches_from_its_begin_to_its_commit_over_other_sessions_steps() {
        let given: [Given<'_>; 5] = [
            (0, 0, &["BEGIN"], Open),
            (1, 0, &["INSERT 0 1"], Idle),
            (0, 1, &["SELECT 1"], Open),
            (0, 2, &["UPDATE 1", "COMMIT"], Idle),
            (0, 3, &["SELECT 1", "SELECT 1"], Idle),
        ];
        check(&given, Ok(&[&[0, 2, 3], &[4], &[1]]));
    }

    #[test]
    fn what_failed_was_rolled_back_or_never_ended_is_left_out() {
        check(&[(0, 0, &["SELECT 1", "!"], Idle)], Ok(&[]));
        check(&[(0, 0, &["BEGIN", "!"], Failed), (0, 1, &["ROLLBACK"], Idle)], Ok(&[]));
        check(&[(0, 0, &["BEGIN", "UPDATE 1"], Open), (0, 1, &["ROLLBACK"], Idle)], Ok(&[]));
        check(&[(0, 0, &["BEGIN", "UPDATE 1"], Open)], Ok(&[]));
    }

    #[test]
    fn rolling_back_to_a_savepoint_does_not_end_the_transaction() {
        let given: [Given<'_>; 3] = [
            (0, 0, &["BEGIN", "SAVEPOINT", "UPDATE 1"], Open),
            (0, 1, &["ROLLBACK"], Open),
            (0, 2, &["UPDATE 1", "COMMIT"], Idle),
        ];
        check(&given, Ok(&[&[0, 1, 2]]));
        check(&[(0, 0, &["BEGIN", "SAVEPOINT", "ROLLBACK", "UPDATE 1", "COMMIT"], Idle)], Ok(&[&[0]]));
    }

    #[test]
    fn a_step_that_ends_one_transaction_and_works_on_is_not_cut() {
        check(&[(0, 0, &["COMMIT", "UPDATE 1"], Idle)], Err(Why::SeveralInOneStep));
        check(&[(0, 0, &["UPDATE 1", "COMMIT", "BEGIN"], Open)], Err(Why::SeveralInOneStep));
    }

    #[test]
    fn a_prepared_transaction_takes_along_the_statement_that_commits_it() {
        let prepare: [Given<'_>; 2] = [(0, 0, &["BEGIN", "UPDATE 1"], Open), (0, 1, &["PREPARE TRANSACTION"], Idle)];
        check(&prepare, Ok(&[]));
        check(&[prepare[0], prepare[1], (1, 1, &["COMMIT PREPARED"], Idle)], Ok(&[&[0, 1, 2]]));
        check(&[prepare[0], prepare[1], (1, 2, &["ROLLBACK PREPARED"], Idle)], Ok(&[]));
    }

    #[test]
    fn settings_stand_together_with_the_transaction_that_they_are_for() {
        let given: [Given<'_>; 3] = [(0, 0, &["SET"], Idle), (0, 1, &["PREPARE"], Idle), (0, 2, &["SELECT 1"], Idle)];
        check(&given, Ok(&[&[0, 1, 2]]));
        check(&[(0, 0, &["SET"], Idle), (1, 0, &["SELECT 1"], Idle)], Ok(&[&[1]]));
    }
}
