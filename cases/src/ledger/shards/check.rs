//! Judges the books of both servers against each other and against what clients were told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;

use futures_util::TryStreamExt;
use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{StudyError, Violation, WITNESS_LIMIT};
use pgstrata_pg::sql::{Row, ToSql};
use pgstrata_pg::{Error, Session};
use serde_json::{Value, json};
use uuid::Uuid;

use super::accounts::{SERVERS, joint_range, pair_of, server_of};
use super::client::JOINT_OVERDRAWN;
use super::order;
use super::workload::{ShardedWorkload, Work};
use crate::ledger::transfer::{Body, Request};

const CLEARED: &str = include_str!("cleared.sql");
const TRANSFERS: &str = include_str!("transfers.sql");
const JOINT: &str = include_str!("joint.sql");

/// Judges a trial of a two-server arm.
pub(crate) async fn check(site: &Site, history: &History, workload: &ShardedWorkload) -> Result<Vec<Violation>, StudyError> {
    let mut sessions = Vec::new();
    for server in site.servers.iter().take(SERVERS) {
        sessions.push(server.control.connect().await?);
    }
    let mut violations = Vec::new();
    violations.extend(torn_audits(history, workload));
    violations.extend(both_or_none(&sessions).await?);
    violations.extend(joint_limit(&sessions, history).await?);
    violations.extend(told_and_kept(&sessions, history, workload).await?);
    violations.extend(order::check(&sessions, history, workload).await?);
    Ok(violations)
}

/// A violation, if there is anything to show.
pub(super) fn violation(invariant: &str, found: String, witnesses: Vec<Value>, count: usize) -> Option<Violation> {
    (count > 0).then(|| Violation {
        invariant: invariant.to_owned(),
        found,
        count: count as u64,
        witnesses: witnesses.into_iter().take(WITNESS_LIMIT).collect(),
    })
}

/// I1: an audit of both servers that did not add up.
fn torn_audits(history: &History, workload: &ShardedWorkload) -> Option<Violation> {
    let is_torn = |event: &&Event| {
        event.outcome == Outcome::Ok
            && event.value != 0
            && matches!(workload.work(&history.operation(event)), Work::Audit)
    };
    let torn: Vec<&Event> = history.events.iter().filter(is_torn).collect();
    let witness = |event: &&Event| {
        json!({ "operation": event.operation, "client": event.client, "money_too_much": event.value,
                "finished_ns": event.finished_ns })
    };
    let witnesses = torn.iter().take(WITNESS_LIMIT).map(witness).collect();
    violation("I1", "audits over both servers saw money that was on its way".to_owned(), witnesses, torn.len())
}

/// I10: what the servers owe each other by a transfer comes to nothing.
async fn both_or_none(sessions: &[Session]) -> Result<Option<Violation>, Error> {
    let mut open: HashMap<(Uuid, i16), (i64, u8)> = HashMap::new();
    for (server, session) in sessions.iter().enumerate() {
        each(session, CLEARED, |row| {
            let part = open.entry((row.try_get(0)?, row.try_get(1)?)).or_default();
            part.0 += row.try_get::<_, i64>(2)?;
            part.1 |= 1 << server;
            Ok(())
        })
        .await?;
    }
    open.retain(|_, (amount, _)| *amount != 0);
    let witness = |((transfer, currency), (amount, servers)): (&(Uuid, i16), &(i64, u8))| {
        let only_on: Vec<usize> = (0..SERVERS).filter(|server| servers & (1 << server) != 0).collect();
        json!({ "transfer_id": transfer, "currency": currency, "missing": -amount, "only_on_server": only_on })
    };
    let witnesses = open.iter().take(WITNESS_LIMIT).map(witness).collect();
    Ok(violation("I10", "transfers are on one server and not on the other".to_owned(), witnesses, open.len()))
}

/// I12: a joint account overdrawn, at rest or as a client saw it.
async fn joint_limit(sessions: &[Session], history: &History) -> Result<Option<Violation>, Error> {
    let mut together: BTreeMap<i64, i64> = BTreeMap::new();
    let (first, last) = joint_range();
    for session in sessions {
        for row in session.query(JOINT, &[&first, &last]).await? {
            if let Some(pair) = pair_of(row.try_get(0)?) {
                *together.entry(pair).or_default() += row.try_get::<_, i64>(1)?;
            }
        }
    }
    together.retain(|_, balance| *balance < 0);
    let at_rest = together.iter().map(|(pair, balance)| json!({ "pair": pair, "together": balance }));
    let is_seen = |event: &&Event| event.outcome == Outcome::Rejected && event.value == JOINT_OVERDRAWN;
    let seen: Vec<&Event> = history.events.iter().filter(is_seen).collect();
    let by_clients = seen.iter().map(|event| json!({ "operation": event.operation, "client": event.client }));
    let witnesses = at_rest.chain(by_clients).take(WITNESS_LIMIT).collect();
    let count = together.len() + seen.len();
    Ok(violation("I12", "joint accounts hold less than nothing together".to_owned(), witnesses, count))
}

/// I7: whoever was told "posted" finds it on every server; I5: what was certainly not done is on none.
async fn told_and_kept(
    sessions: &[Session],
    history: &History,
    workload: &ShardedWorkload,
) -> Result<Vec<Violation>, Error> {
    let mut there: Vec<HashSet<Uuid>> = Vec::new();
    for session in sessions {
        let mut transfers = HashSet::new();
        each(session, TRANSFERS, |row| {
            transfers.insert(row.try_get(0)?);
            Ok(())
        })
        .await?;
        there.push(transfers);
    }
    // Copies of one operation share its key: any of them may have done it.
    let may_be_done = |event: &&Event| matches!(event.outcome, Outcome::Ok | Outcome::Unknown);
    let may_be_done: HashSet<u64> =
        history.events.iter().filter(may_be_done).map(|event| event.operation).collect();
    let (mut lost, mut undone) = (Vec::new(), Vec::new());
    for event in &history.events {
        let (Work::Post(request) | Work::Withdraw { request, .. }) = workload.work(&history.operation(event)) else {
            continue;
        };
        let servers = servers_of(&request);
        let found: Vec<bool> = servers.iter().map(|server| there[*server].contains(&request.key)).collect();
        let witness = || json!({ "transfer_id": request.key, "operation": event.operation, "servers": servers, "found": found });
        if event.outcome == Outcome::Ok && found.contains(&false) {
            lost.push(witness());
        } else if !may_be_done.contains(&event.operation) && found.contains(&true) {
            undone.push(witness());
        }
    }
    let (lost_count, undone_count) = (lost.len(), undone.len());
    let lost = violation("I7", "acknowledged transfers are not in the books".to_owned(), lost, lost_count);
    let undone =
        violation("I5", "transfers that were refused or given up are in the books".to_owned(), undone, undone_count);
    Ok(lost.into_iter().chain(undone).collect())
}

/// The servers of a request's accounts.
pub(super) fn servers_of(request: &Request) -> Vec<usize> {
    let Body::Post { legs, .. } = &request.body else { return Vec::new() };
    let mut servers: Vec<usize> = legs.iter().map(|leg| server_of(leg.account_id)).collect();
    servers.sort_unstable();
    servers.dedup();
    servers
}

/// Hands over the rows of a query one by one, however many there are.
pub(super) async fn each(
    session: &Session,
    sql: &str,
    mut take: impl FnMut(&Row) -> Result<(), pgstrata_pg::sql::ClientError>,
) -> Result<(), Error> {
    let mut rows = pin!(session.query_raw(sql, std::iter::empty::<&(dyn ToSql + Sync)>()).await?);
    while let Some(row) = rows.try_next().await? {
        take(&row)?;
    }
    Ok(())
}
