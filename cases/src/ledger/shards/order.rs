//! I9 over both servers: whether what clients did and saw could have happened one after the other, in real time's order.
//!
//! An account's entries are a list that transfers append to, so the books themselves say in which order they were written,
//! on whichever server; what clients saw is where each of these lists ended when they looked. The checker is the one for
//! list histories, which knows nothing of servers.

use std::collections::HashMap;

use pgstrata_history::{self as lists, HistoryBuilder, Key, Model, Operation, Options, Status, check_list_append};
use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::study::{StudyError, Violation, WITNESS_LIMIT};
use pgstrata_pg::{Error, Session};
use serde_json::json;
use uuid::Uuid;

use super::accounts::SERVERS;
use super::check::{each, violation};
use super::workload::{ShardedWorkload, Work};
use crate::ledger::reading::element;
use crate::ledger::transfer::Body;

const ENTRIES: &str = include_str!("entries.sql");

/// Processes from here on did one thing of which nobody knows whether it was done.
const FIRST_UNKNOWN: u32 = 1 << 24;

/// An account's list as the books have it, and its key.
struct Account {
    key: Key,
    elements: Vec<i64>,
}

/// Judges the order of an observed trial.
pub(super) async fn check(
    sessions: &[Session],
    history: &History,
    workload: &ShardedWorkload,
) -> Result<Option<Violation>, StudyError> {
    if history.observations.is_empty() {
        return Ok(None);
    }
    let mut builder = HistoryBuilder::new();
    let accounts = read_lists(sessions, &mut builder).await?;
    let lists = assemble(history, workload, &accounts, builder);
    // A few hundred thousand transactions take a second; nothing else runs here meanwhile.
    let verdict = check_list_append(&lists, Model::StrictSerializable, &Options::default());
    if verdict.holds {
        return Ok(None);
    }
    let forbidden: Vec<_> =
        verdict.findings.iter().filter(|finding| Model::StrictSerializable.forbids(finding.anomaly)).collect();
    let witness = |finding: &&lists::Finding| {
        let operations: Vec<_> = finding
            .transactions
            .iter()
            .map(|id| {
                let transaction = lists.transaction(*id);
                json!({ "client": transaction.process, "invoked_ns": transaction.invoked_ns,
                        "completed_ns": transaction.completed_ns })
            })
            .collect();
        json!({ "anomaly": finding.anomaly.to_string(), "transactions": operations, "cycle": finding.cycle })
    };
    let witnesses = forbidden.iter().take(WITNESS_LIMIT).map(witness).collect();
    let names: Vec<String> = verdict.counts.iter().map(|(anomaly, count)| format!("{anomaly} ({count})")).collect();
    let found = format!("over both servers, no order in time explains what was seen: {}", names.join(", "));
    Ok(violation("I9", found, witnesses, forbidden.len().max(1)))
}

/// The entries of every account in their order.
async fn read_lists(sessions: &[Session], builder: &mut HistoryBuilder) -> Result<HashMap<i64, Account>, Error> {
    assert!(sessions.len() <= SERVERS, "accounts are on two servers");
    let mut accounts: HashMap<i64, Account> = HashMap::new();
    for session in sessions {
        each(session, ENTRIES, |row| {
            let (account_id, transfer): (i64, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            let account = accounts.entry(account_id).or_insert_with(|| Account {
                key: builder.key(&format!("account {account_id}")),
                elements: Vec::new(),
            });
            account.elements.push(element(transfer));
            Ok(())
        })
        .await?;
    }
    Ok(accounts)
}

/// The history as the checker takes it. Operations that were refused saw something too, but did it in a transaction that
/// was rolled back, so they are left out.
fn assemble(
    history: &History,
    workload: &ShardedWorkload,
    accounts: &HashMap<i64, Account>,
    mut builder: HistoryBuilder,
) -> lists::History {
    let seen: HashMap<(u64, u32), &[i64]> =
        history.observations.iter().map(|seen| ((seen.operation, seen.client), &*seen.numbers)).collect();
    // Who opened the books is a client that had done so before anybody came.
    let opened: Vec<(Key, i64)> = accounts
        .values()
        .filter_map(|account| Some((account.key, *account.elements.first()?)))
        .filter(|(_, first)| is_opening(*first))
        .collect();
    for (key, value) in opened {
        builder.push(u32::MAX, Status::Committed, (0, 0), &[Operation::Append { key, value }]);
    }
    for (serial, event) in (0..).zip(once_each(history, &seen)) {
        let status = if event.outcome == Outcome::Ok { Status::Committed } else { Status::Unknown };
        let work = workload.work(&history.operation(&event));
        let numbers = seen.get(&(event.operation, event.client)).copied().unwrap_or_default();
        let is_statement = matches!(work, Work::Statement { .. });
        let mut operations = reads(numbers, is_statement, accounts);
        if let Work::Post(request) | Work::Withdraw { request, .. } = &work
            && let Body::Post { legs, .. } = &request.body
        {
            let value = element(request.key);
            let append = |leg: &crate::ledger::transfer::Leg| {
                accounts.get(&leg.account_id).map(|account| Operation::Append { key: account.key, value })
            };
            operations.extend(legs.iter().filter_map(append));
        }
        // What is unknown may happen after its client has gone on, as if somebody else had done it.
        let (process, completed) = match status {
            Status::Committed => (event.client, event.finished_ns),
            _ => (FIRST_UNKNOWN + serial, u64::MAX),
        };
        builder.push(process, status, (event.sent_ns, completed), &operations);
    }
    builder.finish()
}

/// One event for each operation that was done or may have been. Copies of an operation share their effect: of them the one
/// is kept that saw something, and it lasts from the first sending to the last answer.
fn once_each(history: &History, seen: &HashMap<(u64, u32), &[i64]>) -> Vec<Event> {
    let may_be_done = |event: &&Event| matches!(event.outcome, Outcome::Ok | Outcome::Unknown);
    let mut events: Vec<Event> = history.events.iter().filter(may_be_done).copied().collect();
    let rank = |event: &Event| (event.outcome != Outcome::Ok, !seen.contains_key(&(event.operation, event.client)));
    events.sort_by_key(|event| (event.operation, rank(event)));
    events.dedup_by(|copy, kept| {
        let same = copy.operation == kept.operation;
        if same {
            kept.sent_ns = kept.sent_ns.min(copy.sent_ns);
            kept.finished_ns = kept.finished_ns.max(copy.finished_ns);
        }
        same
    });
    events.sort_by_key(|event| event.sent_ns);
    events
}

/// What was read: each account's list up to where it ended then.
fn reads<'a>(numbers: &[i64], is_statement: bool, accounts: &'a HashMap<i64, Account>) -> Vec<Operation<'a>> {
    let pairs = if is_statement { &numbers[..numbers.len().min(2)] } else { numbers };
    let read = |pair: &[i64]| {
        let account = accounts.get(&pair[0])?;
        let length = usize::try_from(pair[1]).ok()?;
        Some(Operation::ReadList { key: account.key, list: Some(account.elements.get(..length)?) })
    };
    pairs.chunks_exact(2).filter_map(read).collect()
}

/// Opening transfers have keys below 2^16; those of clients are random in this half.
fn is_opening(element: i64) -> bool {
    (0..1 << 16).contains(&element)
}
