//! Judges what clients were told against what is in the books: the invariants that plain SQL alone cannot tell.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::invariants::witness;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{StudyError, Violation};
use pgstrata_pg::Session;
use pgstrata_pg::sql::{BinaryCopyInWriter, ClientError, Type};
use serde_json::{Value, json};
use uuid::Uuid;

use super::order;
use super::told::Told;

const ACKNOWLEDGED: &str = include_str!("check/acknowledged.sql");
const COPY_ACKNOWLEDGED: &str = include_str!("check/copy_acknowledged.sql");
const I5: &str = include_str!("check/i5_refused_is_not_there.sql");
const I7: &str = include_str!("check/i7_acknowledged_is_there.sql");

/// Judges a trial on one server.
pub(crate) async fn check(site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
    let session = site.first().control.connect().await?;
    let mut violations: Vec<Violation> = audits(history).into_iter().collect();
    violations.extend(answers(history));
    let told: Vec<(Uuid, Option<i64>)> = acknowledged(history).chain(refused(history)).collect();
    load(&session, &told).await?;
    violations.extend(witness(&session, "I5", I5, |count| format!("{count} were refused and are in the books")).await?);
    violations.extend(
        witness(&session, "I7", I7, |count| format!("{count} were told \"posted\" and are not in the books so"))
            .await?,
    );
    violations.extend(order::judge(std::slice::from_ref(&session), history).await?);
    Ok(violations)
}

/// I1, as clients saw it: every audit came to nothing.
pub(crate) fn audits(history: &History) -> Option<Violation> {
    let told = |event: &&Event| match Told::of(event.value) {
        Some(Told::Audit { difference }) if event.outcome == Outcome::Ok => Some(difference),
        _ => None,
    };
    let wrong: Vec<&Event> = history.events.iter().filter(|event| told(event).is_some_and(|far| far != 0)).collect();
    let witnesses = wrong.iter().map(|event| {
        json!({
            "operation": event.operation,
            "client": event.client,
            "difference": told(event),
            "asked_ms": event.sent_ns / 1_000_000,
            "answered_ms": event.finished_ns / 1_000_000,
        })
    });
    Violation::of("I1", wrong.len(), "audits did not come to zero", witnesses.collect())
}

/// I5, as clients saw it: who sent a request again got the same answer once it was posted.
fn answers(history: &History) -> Option<Violation> {
    let mut posted: HashMap<u64, &Event> = HashMap::new();
    let mut unequal: Vec<(&Event, &Event)> = Vec::new();
    for event in posted_events(history) {
        match posted.get(&event.operation) {
            Some(first) if first.value != event.value => unequal.push((first, event)),
            Some(first) if first.finished_ns <= event.finished_ns => {}
            _ => {
                posted.insert(event.operation, event);
            }
        }
    }
    for event in history.events.iter().filter(|event| event.outcome == Outcome::Rejected) {
        // A refusal that was under way while the other copy was posted may be the older decision; funds can arrive.
        if let Some(first) = posted.get(&event.operation)
            && event.sent_ns > first.finished_ns
        {
            unequal.push((first, event));
        }
    }
    let answer = |event: &Event| json!({"outcome": event.outcome, "value": event.value, "client": event.client});
    let witnesses = unequal.iter().map(|(first, second)| {
        let key = history.operation(first).key;
        json!({"key": key, "first": answer(first), "second": answer(second)})
    });
    let witnesses: Vec<Value> = witnesses.collect();
    Violation::of("I5", unequal.len(), "repeated requests were answered differently", witnesses)
}

/// Whoever was told "posted".
fn posted_events(history: &History) -> impl Iterator<Item = &Event> {
    let is_post = |value| matches!(Told::of(value), Some(Told::Posted { .. }));
    history.events.iter().filter(move |event| event.outcome == Outcome::Ok && is_post(event.value))
}

/// The transfers that were acknowledged, each with the entry that was told.
fn acknowledged(history: &History) -> impl Iterator<Item = (Uuid, Option<i64>)> {
    posted_events(history).filter_map(|event| match Told::of(event.value) {
        Some(Told::Posted { entry }) => Some((history.operation(event).key, Some(entry))),
        _ => None,
    })
}

/// The requests whose every copy was refused or given up undone.
fn refused(history: &History) -> impl Iterator<Item = (Uuid, Option<i64>)> {
    let is_no = |event: &Event| matches!(event.outcome, Outcome::Rejected | Outcome::Failed);
    let may_be_done: HashSet<u64> =
        history.events.iter().filter(|event| !is_no(event)).map(|event| event.operation).collect();
    let refused = history.events.iter().filter(move |event| is_no(event) && !may_be_done.contains(&event.operation));
    refused.map(|event| (history.operation(event).key, None))
}

/// Loads what clients were told, so that millions of answers are judged by one join.
async fn load(session: &Session, told: &[(Uuid, Option<i64>)]) -> Result<(), StudyError> {
    let failed = |error: ClientError| StudyError::new("load what clients were told", error);
    session.batch_execute(ACKNOWLEDGED).await.map_err(failed)?;
    let sink = session.copy_in(COPY_ACKNOWLEDGED).await.map_err(failed)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::UUID, Type::INT8]));
    for (transfer_id, entry) in told {
        writer.as_mut().write(&[transfer_id, entry]).await.map_err(failed)?;
    }
    writer.finish().await.map_err(failed)?;
    session.batch_execute("analyze acknowledged").await.map_err(failed)
}
