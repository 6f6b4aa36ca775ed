//! Which tables are decoded, and what the log will say of their old rows.
//!
//! A publication of all tables needs a superuser; the owner of tables can publish those. Beware: once a table is
//! published, the server refuses updates and deletes on it while it has neither a primary key nor another replica
//! identity. [`Publication::tables`] shows such tables; it changes none.

use tokio_postgres::error::SqlState;

use super::error::DecodingError;
use crate::error::{Error, Kind};
use crate::quote::quote_identifier;
use crate::session::Session;

const PUBLISHED: &str = include_str!("published.sql");
const UNLOGGED: &str = include_str!("unlogged.sql");
const EXISTS: &str = include_str!("publication_exists.sql");
const LIMITS: &str = include_str!("limits.sql");

/// Which tables a publication has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables<'a> {
    /// All of the database, also those that are made later; for a superuser.
    All,
    /// These, by schema and name.
    Named(&'a [(&'a str, &'a str)]),
}

/// A set of tables whose changes are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its name in the database.
    pub name: String,
}

/// A table of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub oid: u32,
    /// The columns of its primary key in their order; empty where it has none, or where old rows are identified by
    /// another index, so that the log does not say which row they were.
    pub primary_key: Vec<String>,
    /// What the log says of old rows.
    pub identity: Identity,
}

/// What the log says of the old row of an update or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// All of it: `alter table … replica identity full`.
    Full,
    /// Its key, for a delete or where the key changes.
    Key,
    /// Nothing can be said, so the server refuses updates and deletes while the table is published.
    Missing,
}

impl Publication {
    /// Publishes tables under a name.
    ///
    /// # Errors
    /// [`DecodingError::MayNotPublish`] if the role has no right to, others as the server says.
    pub async fn create(session: &Session, name: &str, tables: Tables<'_>) -> Result<Self, Error> {
        const TRIED: &str = "create a publication";
        let published = match tables {
            Tables::All => "all tables".to_owned(),
            Tables::Named(names) => {
                let quoted = names
                    .iter()
                    .map(|(schema, table)| format!("{}.{}", quote_identifier(schema), quote_identifier(table)));
                format!("table {}", quoted.collect::<Vec<_>>().join(", "))
            }
        };
        let statement = format!("create publication {} for {published}", quote_identifier(name));
        match session.batch_execute(&statement).await {
            Ok(()) => Ok(Self { name: name.to_owned() }),
            Err(source) if source.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                let role = session.query_one(LIMITS, &[]).await?.get("role");
                Err(Error::new(TRIED, DecodingError::MayNotPublish { role, tables: published }.into()))
            }
            Err(source) => Err(Error::new(TRIED, Kind::Sql(source))),
        }
    }

    /// Its tables, each with its key and how old rows are identified. A partitioned table is there as its partitions.
    pub async fn tables(&self, session: &Session) -> Result<Vec<PublishedTable>, Error> {
        let rows = session.query(PUBLISHED, &[&self.name]).await;
        let rows = rows.map_err(|source| Error::new("read the publication's tables", Kind::Sql(source)))?;
        let table = |row: &tokio_postgres::Row| PublishedTable {
            schema: row.get("schema"),
            name: row.get("name"),
            oid: row.get("oid"),
            primary_key: row.get("primary_key"),
            identity: match (row.get("is_full"), row.get("is_identified")) {
                (true, _) => Identity::Full,
                (false, true) => Identity::Key,
                (false, false) => Identity::Missing,
            },
        };
        Ok(rows.iter().map(table).collect())
    }

    /// Drops it, if it is there; the tables stay.
    pub async fn remove(self, session: &Session) -> Result<(), Error> {
        remove(session, &self.name).await
    }
}

/// Drops the publication of this name, if it is there.
pub(super) async fn remove(session: &Session, name: &str) -> Result<(), Error> {
    const TRIED: &str = "drop a publication";
    let failed = |source| Error::new(TRIED, Kind::Sql(source));
    // Asked first, because `if exists` raises a notice.
    if session.query_one(EXISTS, &[&name]).await.map_err(failed)?.get(0) {
        let statement = format!("drop publication if exists {}", quote_identifier(name));
        session.batch_execute(&statement).await.map_err(failed)?;
    }
    Ok(())
}

/// Tables of the database whose changes are in no log: unlogged ones, and temporary ones of any session.
pub async fn unlogged_tables(session: &Session) -> Result<Vec<(String, String)>, Error> {
    let rows = session.query(UNLOGGED, &[]).await;
    let rows = rows.map_err(|source| Error::new("look for unlogged tables", Kind::Sql(source)))?;
    Ok(rows.iter().map(|row| (row.get("schema"), row.get("name"))).collect())
}
