//! Judges the books of both servers against each other and against what clients were told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;

use futures_util::TryStreamExt;
use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{StudyError, Violation, WITNESS_LIMIT};
use pgstrata_pg::sql::{ClientError, Row, ToSql};
use pgstrata_pg::{Error, Session};
use serde_json::json;
use uuid::Uuid;

use super::accounts::{SERVERS, joint_range, pair_of};
use super::client::JOINT_OVERDRAWN;
use crate::ledger::check::audits;
use crate::ledger::order;
use crate::ledger::told::Told;

const CLEARED: &str = include_str!("cleared.sql");
const TRANSFERS: &str = include_str!("transfers.sql");
const JOINT: &str = include_str!("joint.sql");

/// Judges a trial of a two-server arm.
pub(crate) async fn check(site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
    let mut sessions = Vec::new();
    for server in site.servers.iter().take(SERVERS) {
        sessions.push(server.control.connect().await?);
    }
    let mut violations: Vec<Violation> = audits(history).into_iter().collect();
    violations.extend(both_or_none(&sessions).await?);
    violations.extend(joint_limit(&sessions, history).await?);
    violations.extend(told_and_kept(&sessions, history).await?);
    violations.extend(order::judge(&sessions, history).await?);
    Ok(violations)
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
    Ok(Violation::of("I10", open.len(), "transfers are on one server and not on the other", witnesses))
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
    let found = "times two accounts of one customer held less than nothing together";
    Ok(Violation::of("I12", together.len() + seen.len(), found, witnesses))
}

/// I7: whoever was told "posted" finds it, and with I10 on every server; I5: what was certainly not done is nowhere.
async fn told_and_kept(sessions: &[Session], history: &History) -> Result<Vec<Violation>, Error> {
    let mut there: HashSet<Uuid> = HashSet::new();
    for session in sessions {
        each(session, TRANSFERS, |row| {
            there.insert(row.try_get(0)?);
            Ok(())
        })
        .await?;
    }
    // Copies of one operation share its key: any of them may have done it.
    let may_be_done = |event: &&Event| matches!(event.outcome, Outcome::Ok | Outcome::Unknown);
    let may_be_done: HashSet<u64> = history.events.iter().filter(may_be_done).map(|event| event.operation).collect();
    let (mut lost, mut undone) = (Vec::new(), Vec::new());
    for event in &history.events {
        let key = history.operation(event).key;
        let is_posted = event.outcome == Outcome::Ok && matches!(Told::of(event.value), Some(Told::Posted { .. }));
        let witness = || json!({ "transfer_id": key, "operation": event.operation, "client": event.client });
        if is_posted && !there.contains(&key) {
            lost.push(witness());
        } else if !may_be_done.contains(&event.operation) && there.contains(&key) {
            undone.push(witness());
        }
    }
    let lost = Violation::of("I7", lost.len(), "acknowledged transfers are not in the books", lost);
    let undone = Violation::of("I5", undone.len(), "transfers that were refused or given up are in the books", undone);
    Ok(lost.into_iter().chain(undone).collect())
}

/// Hands over the rows of a query one by one, however many there are.
async fn each(
    session: &Session,
    sql: &str,
    mut take: impl FnMut(&Row) -> Result<(), ClientError>,
) -> Result<(), Error> {
    let mut rows = pin!(session.query_raw(sql, std::iter::empty::<&(dyn ToSql + Sync)>()).await?);
    while let Some(row) = rows.try_next().await? {
        take(&row)?;
    }
    Ok(())
}
