//! The observer behind the logs, and what can be said of the server without one.

use std::time::Duration;

use async_trait::async_trait;

use crate::ground::Ground;
use crate::limits;
use crate::live::{Source, Sources, Watch};
use crate::problem::{Code, Problem};
use crate::routes::status::ServerStatus;
use crate::routes::tables::{Table, Tables};

/// How long the server may take to say what it is.
const ASK_TIME: Duration = Duration::from_secs(5);

/// Begins observers of the server that is looked at.
pub struct Observers {
    ground: Ground,
}

impl Observers {
    /// Observers of this server.
    pub fn new(ground: Ground) -> Self {
        Self { ground }
    }
}

#[async_trait]
impl Sources for Observers {
    async fn open(&self, _: &Watch) -> Result<Box<dyn Source>, Problem> {
        let _ = &self.ground;
        Err(Problem::new(Code::NotSupported, "this build has no observer yet"))
    }
}

/// What the server is, as far as it answers.
pub async fn server_status(ground: &Ground) -> ServerStatus {
    let asked = tokio::time::timeout(ASK_TIME, version(ground)).await;
    let (version, notes) = match asked {
        Ok(Ok(version)) => (Some(version), Vec::new()),
        Ok(Err(error)) => (None, vec![Problem::from(error).detail]),
        Err(_) => (None, vec![format!("it did not answer within {} s", ASK_TIME.as_secs())]),
    };
    ServerStatus {
        address: ground.address(),
        database: ground.database(),
        is_up: version.is_some(),
        version: version.unwrap_or_default(),
        is_private: ground.is_private(),
        is_writable: ground.is_writable(),
        tiers: Vec::new(),
        notes,
    }
}

async fn version(ground: &Ground) -> Result<String, pgstrata_pg::Error> {
    let session = ground.reading().connect().await?;
    let row = session.query_one("show server_version", &[]).await.map_err(pgstrata_pg::Error::from)?;
    let version = row.get(0);
    session.close().await;
    Ok(version)
}

/// The tables that can be watched.
pub async fn tables(ground: &Ground) -> Result<Tables, Problem> {
    let session = ground.reading().connect().await?;
    let most = i64::try_from(limits::TABLES).unwrap_or(i64::MAX);
    let asked = session.query(include_str!("sql/tables.sql"), &[&(most + 1)]).await;
    let rows = asked.map_err(pgstrata_pg::Error::from)?;
    session.close().await;
    let is_cut = rows.len() > limits::TABLES;
    let table = |row: &pgstrata_pg::sql::Row| Table {
        oid: row.get("oid"),
        schema: row.get("schema"),
        name: row.get("name"),
        key: row.get("key"),
        rows: row.get("rows"),
        bytes: row.get("bytes"),
        is_readable: row.get("is_readable"),
    };
    Ok(Tables { tables: rows.iter().take(limits::TABLES).map(table).collect(), is_cut })
}
