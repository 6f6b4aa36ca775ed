//! What was answered to requests that changed something: makes them safe to be sent again, and is compared with what
//! clients were told.

use std::collections::HashMap;

use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::study::{StudyError, Violation};
use pgstrata_pg::sql::{Statement, Transaction};
use pgstrata_pg::{Error, Session};
use serde_json::json;
use uuid::Uuid;

pub(super) const SCHEMA: &str = include_str!("answers/schema.sql");
pub(super) const CLEAR: &str = include_str!("answers/clear.sql");
pub(super) const FIND: &str = include_str!("answers/find.sql");
pub(super) const KEEP: &str = include_str!("answers/keep.sql");
const ALL: &str = include_str!("answers/all.sql");

/// A session's statements on answers.
pub(super) struct Answers {
    find: Statement,
    keep: Statement,
}

impl Answers {
    pub(super) async fn prepare(session: &Session) -> Result<Self, Error> {
        Ok(Self { find: session.prepare(FIND).await?, keep: session.prepare(KEEP).await? })
    }

    /// What a request was answered before, if it was.
    pub(super) async fn find(&self, session: &Session, key: Uuid) -> Result<Option<i64>, Error> {
        let row = session.query_opt(&self.find, &[&key]).await?;
        Ok(row.map(|row| row.try_get("value")).transpose()?)
    }

    /// Keeps an answer in the transaction that it is about.
    pub(super) async fn keep(&self, transaction: &Transaction<'_>, key: Uuid, value: i64) -> Result<(), Error> {
        transaction.execute(&self.keep, &[&key, &value]).await?;
        Ok(())
    }
}

/// What clients were told of requests that change something, against what is kept. `changes` says whether an event was
/// about such a request.
pub(super) async fn judge(
    session: &Session,
    history: &History,
    changes: impl Fn(&Event) -> bool,
) -> Result<Option<Violation>, StudyError> {
    let rows = session.query(ALL, &[]).await.map_err(Error::from)?;
    let mut kept: HashMap<Uuid, i64> = HashMap::with_capacity(rows.len());
    for row in rows {
        let (key, value) = (row.try_get("key").map_err(Error::from)?, row.try_get("value").map_err(Error::from)?);
        kept.insert(key, value);
    }
    let is_wrong = |event: &&Event| {
        let found = kept.get(&history.operation(event).key);
        match event.outcome {
            Outcome::Ok => found != Some(&event.value),
            Outcome::Failed | Outcome::Rejected => found.is_some(),
            Outcome::Unknown => false,
        }
    };
    let wrong: Vec<&Event> = history.events.iter().filter(|event| changes(event)).filter(is_wrong).collect();
    let witnesses = wrong.iter().map(|event| {
        let key = history.operation(event).key;
        json!({"key": key, "told": event.outcome, "value": event.value, "kept": kept.get(&key), "client": event.client})
    });
    Ok(Violation::of("I2", wrong.len(), "requests were told otherwise than the server has it", witnesses.collect()))
}
