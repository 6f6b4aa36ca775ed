//! The place where scenarios are played: an empty schema on a server, made anew for each play.

use std::time::{Duration, Instant};

use pgstrata_pg::simple::{Reply, SimpleSession};
use pgstrata_pg::{Endpoint, quote_identifier};

use super::{Answer, PlayError, Row, TableState};
use crate::language::{Cell, Scenario};
use crate::session::{LOOK_EVERY, Sessions};

const TABLES: &str = include_str!("tables.sql");

/// How long a server may take to recover from the loss of a process.
const RECOVERY_LIMIT: Duration = Duration::from_mins(2);

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One statement, from when it is sent until it answers or is found waiting.
    pub step: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { step: Duration::from_secs(30) }
    }
}

/// A server and a schema on it that is ours.
#[derive(Clone, Debug)]
pub struct Stage {
    endpoint: Endpoint,
    schema: String,
    /// How long things may take.
    pub limits: Limits,
}

impl Stage {
    /// A stage on a server where schemas may be made. Nothing is done yet.
    ///
    /// The schema is named after this process, so that two runs on one server do not meet.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        let schema = format!("pgstrata_scenario_{}", std::process::id());
        let endpoint = endpoint.with_setting("search_path", &schema);
        Self { endpoint, schema, limits: Limits::default() }
    }

    /// The schema's name.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The server, with the schema first in its search path.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes the schema and the scenario's tables, with nothing left of an earlier play.
    pub(crate) async fn set_up(&self, control: &mut SimpleSession, scenario: &Scenario) -> Result<(), PlayError> {
        let schema = quote_identifier(&self.schema);
        run(control, &format!("drop schema if exists {schema} cascade"), "setup", scenario).await?;
        run(control, &format!("create schema {schema}"), "setup", scenario).await?;
        for sql in scenario.setups() {
            run(control, sql, "setup", scenario).await?;
        }
        Ok(())
    }

    /// Runs the scenario's own tear-down and removes the schema.
    pub(crate) async fn tear_down(&self, control: &mut SimpleSession, scenario: &Scenario) -> Result<(), PlayError> {
        for sql in scenario.teardowns() {
            run(control, sql, "teardown", scenario).await?;
        }
        let schema = quote_identifier(&self.schema);
        run(control, &format!("drop schema {schema} cascade"), "teardown", scenario).await?;
        Ok(())
    }

    /// A session for set-up and for looking at the outcome.
    pub(crate) async fn control(&self) -> Result<SimpleSession, PlayError> {
        Ok(SimpleSession::connect(&self.endpoint.with_application_name("pgstrata scenario")).await?)
    }

    /// The same when the server has just lost a process: it ends all sessions, of which it is seen that it has noticed, and
    /// recovers.
    pub(crate) async fn control_after_loss(&self, sessions: &Sessions) -> Result<SimpleSession, PlayError> {
        let began = Instant::now();
        while !sessions.watcher().is_closed() && began.elapsed() < RECOVERY_LIMIT {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.endpoint.connect_retry(RECOVERY_LIMIT).await?.close().await;
        self.control().await
    }

    pub(crate) async fn sessions(&self, scenario: &Scenario) -> Result<Sessions, PlayError> {
        Ok(Sessions::open(&self.endpoint, &scenario.name, &scenario.sessions()).await?)
    }

    /// The tables of the schema.
    pub(crate) async fn tables(&self, control: &mut SimpleSession) -> Result<Vec<Table>, PlayError> {
        let rows = Answer::of(&control.run(TABLES).await?).rows.unwrap_or_default();
        let table = |row: Vec<Cell>| {
            let [Cell::Text(name), key] = row.as_slice() else { return None };
            let name = name.clone();
            let key = if let Cell::Text(columns) = key { Some(columns.clone()) } else { None };
            Some(Table { name, key })
        };
        Ok(rows.into_iter().filter_map(table).collect())
    }

    /// Tables with their rows.
    pub(crate) async fn state(
        &self,
        control: &mut SimpleSession,
        tables: &[Table],
    ) -> Result<Vec<TableState>, PlayError> {
        let mut state = Vec::new();
        for table in tables {
            let name = quote_identifier(&table.name);
            let identity = table.key.as_ref().map_or_else(|| "t.*".to_owned(), |columns| format!("row({columns})"));
            let replies = control.run(&format!("select ({identity})::text, (t.*)::text from {name} t")).await?;
            let rows = Answer::of(&replies).rows.unwrap_or_default();
            let row = |cells: &Vec<Cell>| Row { identity: cells[0].to_plain(), text: cells[1].to_plain() };
            state.push(TableState { name: table.name.clone(), rows: rows.iter().map(row).collect() });
        }
        Ok(state)
    }

    /// The rows that an invariant returns.
    pub(crate) async fn invariant(
        &self,
        control: &mut SimpleSession,
        scenario: &Scenario,
        (name, sql): (&str, &str),
    ) -> Result<Vec<Vec<Cell>>, PlayError> {
        let replies = run(control, sql, name, scenario).await?;
        Ok(Answer::of(&replies).rows.unwrap_or_default())
    }
}

/// A table of the schema.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    name: String,
    /// The columns of its primary key, in SQL.
    key: Option<String>,
}

async fn run(control: &mut SimpleSession, sql: &str, part: &str, scenario: &Scenario) -> Result<Vec<Reply>, PlayError> {
    let replies = control.run(sql).await?;
    let answer = Answer::of(&replies);
    match answer.error {
        None => Ok(replies),
        Some(sqlstate) => Err(PlayError::Refused {
            part: part.to_owned(),
            scenario: scenario.name.clone(),
            message: format!("{} (SQLSTATE {sqlstate})", answer.message),
        }),
    }
}
