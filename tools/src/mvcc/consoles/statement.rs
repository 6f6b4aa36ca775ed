//! What a console was sent, and what came back, as far as it is shown: bounded in rows and in the length of values.

use pgstrata_pg::simple::{Reply, Rows, ServerMessage};
use serde::{Deserialize, Serialize};

/// How a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatementState {
    /// It runs, or waits for a lock.
    Running,
    /// It was carried out.
    Done,
    /// The server said no, or the connection ended.
    Failed,
}

/// The answer to one statement of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `UPDATE 1`.
    pub tag: String,
    /// Names of the columns; empty if it returns no rows.
    pub columns: Vec<String>,
    /// Rows as PostgreSQL prints them; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many more rows there were.
    pub left_out: u64,
}

/// What was sent to a console in one text, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its place among what the console was sent, from 1.
    pub number: u64,
    /// Its text.
    pub sql: String,
    /// How it stands.
    pub state: StatementState,
    /// When it was sent, microseconds since 1970.
    pub began_us: i64,
    /// When it ended.
    pub ended_us: Option<i64>,
    /// Processes that it waits for now; empty when it has ended.
    pub waits_for: Vec<i32>,
    /// Whether it was ever found waiting.
    pub has_waited: bool,
    /// One answer for each statement that was carried out.
    pub answers: Vec<Answer>,
    /// Warnings and notices.
    pub notices: Vec<ServerMessage>,
    /// What the server said, if it said no.
    pub error: Option<ServerMessage>,
}

impl Statement {
    pub(super) fn sent(number: u64, sql: &str, began_us: i64) -> Self {
        Self {
            number,
            sql: sql.to_owned(),
            state: StatementState::Running,
            began_us,
            ended_us: None,
            waits_for: Vec::new(),
            has_waited: false,
            answers: Vec::new(),
            notices: Vec::new(),
            error: None,
        }
    }

    /// Whether it has ended, well or badly.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state != StatementState::Running
    }

    /// Whether it has ended or waits for somebody: it will not go on by itself.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        self.has_ended() || !self.waits_for.is_empty()
    }

    pub(super) fn take(&mut self, reply: &Reply, most_notices: usize) {
        match reply {
            Reply::Complete { tag, rows } => self.answers.push(Answer::of(tag, rows.as_ref())),
            Reply::Error(message) => self.error = Some(message.clone()),
            Reply::Notice(message) if self.notices.len() < most_notices => self.notices.push(message.clone()),
            Reply::Closed if self.error.is_none() => {
                self.error = Some(ServerMessage {
                    severity: "FATAL".to_owned(),
                    sqlstate: CONNECTION_FAILURE.to_owned(),
                    message: "the connection ended".to_owned(),
                    ..ServerMessage::default()
                });
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, ended_us: i64) {
        self.state = if self.error.is_some() { StatementState::Failed } else { StatementState::Done };
        self.ended_us = Some(ended_us);
        self.waits_for.clear();
    }
}

/// SQLSTATE `connection_failure`.
const CONNECTION_FAILURE: &str = "08006";

impl Answer {
    fn of(tag: &str, rows: Option<&Rows>) -> Self {
        let names = |rows: &Rows| rows.columns.iter().map(|column| column.name.clone()).collect();
        Self {
            tag: tag.to_owned(),
            columns: rows.map(names).unwrap_or_default(),
            rows: rows.map(|rows| rows.rows.clone()).unwrap_or_default(),
            left_out: rows.map_or(0, |rows| rows.left_out),
        }
    }
}
