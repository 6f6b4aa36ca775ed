//! A scene on a real server: its schema, its sessions, and how far it was played.

use std::time::Duration;

use pgstrata_pg::simple::{Reply, SimpleSession};
use pgstrata_pg::{Endpoint, quote_identifier};
use pgstrata_scenario::language::{Cell, What};

use super::{Act, Scene, SceneError};
use crate::mvcc::consoles::{Console, Consoles, Limits, Setting, Statement};

/// How long a step may take until it has ended or is found waiting; then it is shown as running.
const STEP_LIMIT: Duration = Duration::from_secs(20);
/// How long the server may take to make or remove the scene's tables.
const SETUP_LIMIT: Duration = Duration::from_secs(30);

/// Where a scene is played.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The server; the role must be allowed to create schemas.
    pub endpoint: Endpoint,
    /// The schema that is made, and removed at the end, with all that is in it.
    pub schema: String,
}

impl Stage {
    /// A stage whose schema has a name of its own, so that several can be on one server: `pgstrata_scene_` and `tag`, which
    /// is written so that it needs no quotes.
    #[must_use]
    pub fn new(endpoint: &Endpoint, tag: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let tag: String = tag.to_lowercase().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        Self { endpoint: endpoint.clone(), schema: format!("pgstrata_scene_{tag}") }
    }

    async fn run(&self, action: &'static str, texts: &[&str]) -> Result<(), SceneError> {
        let server = |source| SceneError::Server { action, source };
        let endpoint = self.endpoint.with_application_name("pgstrata scene").with_setting("search_path", &self.schema);
        let mut session = SimpleSession::connect(&endpoint).await.map_err(server)?;
        for text in texts {
            let replies = tokio::time::timeout(SETUP_LIMIT, session.run(text)).await.map_err(|_| {
                let kind = pgstrata_pg::Kind::Timeout { limit_ms: SETUP_LIMIT.as_millis() };
                server(pgstrata_pg::Error::new(action, kind))
            })?;
            for reply in replies.map_err(server)? {
                if let Reply::Error(error) = reply {
                    return Err(SceneError::Refused { action, message: error.message, sqlstate: error.sqlstate });
                }
            }
        }
        session.close().await;
        Ok(())
    }

    async fn set_up(&self, scene: &Scene) -> Result<(), SceneError> {
        let schema = quote_identifier(&self.schema);
        let (drop, create) = (format!("drop schema if exists {schema} cascade"), format!("create schema {schema}"));
        let mut texts = vec![drop.as_str(), create.as_str()];
        texts.extend(scene.scenario.setups());
        self.run("make the scene's tables", &texts).await
    }

    async fn clear(&self) -> Result<(), SceneError> {
        let schema = quote_identifier(&self.schema);
        self.run("remove the scene's tables", &[&format!("drop schema if exists {schema} cascade")]).await
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnd {
    /// The session's statement as it was when the step was over.
    pub statement: Statement,
    /// Whether that is what the scene says; `None` if it says nothing of this step.
    pub is_as_told: Option<bool>,
}

/// A scene that is being played.
pub struct Play {
    scene: &'static Scene,
    stage: Stage,
    consoles: Consoles,
    ends: Vec<StepEnd>,
}

impl Play {
    /// Makes the scene's tables anew and opens its sessions.
    pub async fn open(scene: &'static Scene, stage: Stage) -> Result<Self, SceneError> {
        stage.set_up(scene).await?;
        let endpoint = stage.endpoint.with_setting("search_path", &stage.schema);
        let consoles = Consoles::new(endpoint, Limits::default());
        let play = Self { scene, stage, consoles, ends: Vec::new() };
        play.open_sessions().await?;
        Ok(play)
    }

    async fn open_sessions(&self) -> Result<(), SceneError> {
        for session in &self.scene.sessions {
            self.consoles.open(session).await?;
        }
        Ok(())
    }

    /// The scene.
    #[must_use]
    pub fn scene(&self) -> &'static Scene {
        self.scene
    }

    /// Its sessions as they stand. They are consoles: something may be run in them between two steps.
    #[must_use]
    pub fn sessions(&self) -> Vec<Console> {
        self.consoles.list()
    }

    /// The consoles behind it.
    #[must_use]
    pub fn consoles(&self) -> &Consoles {
        &self.consoles
    }

    /// The table to watch, with its schema.
    #[must_use]
    pub fn table(&self) -> String {
        format!("{}.{}", self.stage.schema, self.scene.table)
    }

    /// What came of the steps so far.
    #[must_use]
    pub fn ends(&self) -> &[StepEnd] {
        &self.ends
    }

    /// The step that comes next; as many as there are steps when it is over.
    #[must_use]
    pub fn next(&self) -> usize {
        self.ends.len()
    }

    /// Plays the next step, and returns when its statement has ended or waits for another session. `None` when the scene
    /// is over.
    pub async fn step(&mut self) -> Result<Option<&StepEnd>, SceneError> {
        let Some(step) = self.scene.steps.get(self.next()) else { return Ok(None) };
        let session = &step.session;
        let statement = match &step.act {
            Act::Run(sql) => {
                let sent = self.consoles.run(session, sql).await;
                let sent = sent.map_err(|error| match error {
                    crate::mvcc::consoles::ConsoleError::Busy { name } => SceneError::StillWaits { session: name },
                    other => other.into(),
                })?;
                self.consoles.settled(session, sent.number, STEP_LIMIT).await?
            }
            Act::GoesOn => {
                let still = || SceneError::StillWaits { session: session.clone() };
                let number = self.consoles.console(session)?.statement.ok_or_else(still)?.number;
                let statement = self.consoles.ended(session, number, STEP_LIMIT).await?;
                if !statement.has_ended() {
                    return Err(still());
                }
                statement
            }
        };
        let is_as_told = (!step.expected.is_empty()).then(|| step.expected.iter().all(|what| is(&statement, what)));
        self.ends.push(StepEnd { statement, is_as_told });
        Ok(self.ends.last())
    }

    /// Begins anew: new tables, new sessions.
    pub async fn restart(&mut self) -> Result<(), SceneError> {
        self.consoles.close_all().await;
        self.consoles.forget();
        self.ends.clear();
        self.stage.set_up(self.scene).await?;
        self.open_sessions().await
    }

    /// What was done, by the script and by hand, as the text of a scenario file.
    pub fn scenario(&self) -> Result<String, crate::mvcc::consoles::NotWritable> {
        let setup: Vec<&str> = self.scene.scenario.setups().collect();
        self.consoles.scenario(&Setting {
            name: &self.scene.name,
            about: self.scene.about.en,
            setup: &setup.join("\n"),
            level: self.scene.level,
        })
    }

    /// Ends the sessions and removes the tables.
    pub async fn close(mut self) -> Result<(), SceneError> {
        self.end().await
    }

    /// The same for one that is shared: after it only [`Play::restart`] makes sense.
    pub async fn end(&mut self) -> Result<(), SceneError> {
        self.consoles.close_all().await;
        self.stage.clear().await
    }
}

/// Whether a statement is what a scene says of it.
fn is(statement: &Statement, what: &What) -> bool {
    let answer = statement.answers.last();
    match what {
        What::Blocks => !statement.has_ended() && !statement.waits_for.is_empty(),
        What::Error(sqlstate) => statement.error.as_ref().is_some_and(|error| error.sqlstate == *sqlstate),
        What::Ok => statement.has_ended() && statement.error.is_none(),
        What::RowCount(count) => {
            let told = answer.and_then(|answer| answer.tag.rsplit(' ').next()).and_then(|last| last.parse().ok());
            statement.error.is_none() && told == Some(*count)
        }
        What::Rows(rows) => {
            let cells = |row: &Vec<Option<String>>| row.iter().map(|cell| Cell::of(cell.as_deref())).collect();
            let mut found: Vec<Vec<Cell>> =
                answer.map(|answer| answer.rows.iter().map(cells).collect()).unwrap_or_default();
            let mut expected = rows.clone();
            found.sort();
            expected.sort();
            statement.error.is_none() && found == expected
        }
    }
}
