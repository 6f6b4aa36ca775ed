//! The place where scenarios are played: an empty schema on a server, made anew for each play.

use std::time::Duration;

use pgstrata_pg::simple::{Reply, SimpleSession};
use pgstrata_pg::{Endpoint, Error, Kind, quote_identifier};

use super::{Answer, PlayError};
use crate::language::{Cell, Scenario};
use crate::session::Sessions;

const TABLES: &str = include_str!("state.sql");

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

    pub(crate) async fn sessions(&self, scenario: &Scenario) -> Result<Sessions, PlayError> {
        Ok(Sessions::open(&self.endpoint, &scenario.name, &scenario.sessions()).await?)
    }

    /// All tables with their rows as sorted text.
    pub(crate) async fn state(&self, control: &mut SimpleSession, sessions: &Sessions) -> Result<State, PlayError> {
        let fail = |source| Error::new("read the outcome", Kind::Sql(source));
        let tables = sessions.watcher().query(TABLES, &[&self.schema]).await.map_err(fail)?;
        let mut state = Vec::new();
        for row in tables {
            let table: String = row.try_get(0).map_err(fail)?;
            let name = quote_identifier(&table);
            let replies = control.run(&format!("select (t.*)::text from {name} t")).await?;
            let rows = Answer::of(&replies).rows.unwrap_or_default();
            state.push((table, rows.iter().flatten().map(Cell::to_plain).collect()));
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

/// Tables with their rows.
pub(crate) type State = Vec<(String, Vec<String>)>;

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
