//! The observer's own session: it reads, waits for nothing for long, and is told apart by its name.
//!
//! Every question has two limits, the server's (`statement_timeout`, `lock_timeout`) and our own for a server that does not answer
//! at all. What went wrong comes back as one of two things: the server refused, or it is lost.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use pgstrata_pg::sql::{ClientError, Row, Statement, ToSql};
use pgstrata_pg::{Endpoint, Error, ErrorClass, Session};

use super::error::MvccError;

/// What observers are called in `pg_stat_activity`; none of them shows up in a picture.
pub const APPLICATION_NAME: &str = "pgstrata observer";

/// How long one question may take the server, milliseconds.
const STATEMENT_LIMIT_MS: u32 = 2_000;

/// How long one question may wait for a lock, milliseconds.
const LOCK_LIMIT_MS: u32 = 100;

/// How long one answer may take to come; longer than the server's own limits, so only for a server that hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long an attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no connection any more.
    Lost(String),
    /// The server said no; the connection is sound.
    Refused {
        /// Its SQLSTATE.
        sqlstate: String,
        /// Its words.
        message: String,
    },
}

impl Trouble {
    /// As an error of whoever asked for just this.
    pub fn error(self, action: &'static str) -> MvccError {
        match self {
            Self::Lost(reason) => MvccError::Lost { reason },
            Self::Refused { sqlstate, message } => MvccError::Refused { action, message, sqlstate },
        }
    }

    fn of(error: &ClientError) -> Self {
        let answer = error.as_db_error();
        match ErrorClass::of_statement(error) {
            ErrorClass::ServerLost | ErrorClass::NotConnected => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                Self::Lost(cause.unwrap_or_else(|| error.to_string()))
            }
            _ => Self::Refused {
                sqlstate: answer.map(|answer| answer.code().code().to_owned()).unwrap_or_default(),
                message: answer.map_or_else(|| error.to_string(), |answer| answer.message().to_owned()),
            },
        }
    }
}

/// One session of an observer.
#[derive(Debug)]
pub(crate) struct Connection {
    session: Session,
    prepared: HashMap<&'static str, Statement>,
}

impl Connection {
    /// Opens a session whose every transaction is read only, and which is bounded as said above.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, Error> {
        let mut endpoint = endpoint.with_application_name(APPLICATION_NAME).with_connect_limit(CONNECT_LIMIT);
        let (statement_limit, lock_limit) = (STATEMENT_LIMIT_MS.to_string(), LOCK_LIMIT_MS.to_string());
        for (name, value) in [
            ("default_transaction_read_only", "on"),
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", statement_limit.as_str()),
            ("lock_timeout", lock_limit.as_str()),
            ("idle_in_transaction_session_timeout", "10000"),
            ("jit", "off"),
            ("max_parallel_workers_per_gather", "0"),
        ] {
            endpoint = endpoint.with_setting(name, value);
        }
        Ok(Self { session: endpoint.connect().await?, prepared: HashMap::new() })
    }

    /// The rows of a statement of ours, which is prepared once.
    pub async fn rows(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Trouble> {
        let statement = if let Some(statement) = self.prepared.get(sql) {
            statement.clone()
        } else {
            let statement = bounded(self.session.prepare(sql)).await?;
            self.prepared.insert(sql, statement.clone());
            statement
        };
        let rows = bounded(self.session.query(&statement, parameters)).await;
        if rows.is_err() {
            // A function that was replaced, a table that was altered: ask anew the next time.
            self.prepared.remove(sql);
        }
        rows
    }

    /// The only row of a statement of ours.
    pub async fn row(&mut self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Trouble> {
        let row = self.rows(sql, parameters).await?.into_iter().next();
        row.ok_or_else(|| Trouble::Refused { sqlstate: "02000".to_owned(), message: "no row came back".to_owned() })
    }

    /// The rows of a statement with names in it, which is of use once.
    pub async fn rows_of(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Trouble> {
        bounded(self.session.query(sql, parameters)).await
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.session.close().await;
    }
}

async fn bounded<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(answer) => answer.map_err(|error| Trouble::of(&error)),
        Err(_) => Err(Trouble::Lost(format!("no answer within {} s", ANSWER_LIMIT.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(connection: &Connection, sql: &str) -> String {
        match connection.rows_of(sql, &[]).await {
            Err(Trouble::Refused { sqlstate, .. }) => sqlstate,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_observer_cannot_write_and_waits_for_no_lock_for_long() {
        let server = pgstrata_pg::testing::server().await.expect("PostgreSQL on this machine");
        let owner = server.endpoint().connect().await.expect("a session");
        owner.batch_execute("create table t(id int)").await.expect("a table");
        let connection = Connection::open(&server.endpoint()).await.expect("a session");
        for sql in ["insert into t values (1)", "create table u(id int)", "delete from t"] {
            assert_eq!(refusal(&connection, sql).await, "25006", "{sql}");
        }
        owner.batch_execute("begin; lock table t in access exclusive mode").await.expect("it locks");
        assert_eq!(refusal(&connection, "select count(*) from t").await, "55P03");
        assert_eq!(refusal(&connection, "select pg_sleep(60)").await, "57014");
        connection.close().await;
    }
}
