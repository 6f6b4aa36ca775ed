//! What all user tables hold.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::{Error, Kind, Session, quote_identifier};

const TABLES: &str = include_str!("tables.sql");

/// The rows of each table as text, sorted; tables by schema and name.
pub type Contents = BTreeMap<(String, String), Vec<String>>;

/// The tables that there are before a script begins: what other scripts have left, which is not its outcome.
#[derive(Clone, Debug, Default)]
pub struct Leftovers(BTreeSet<(String, String)>);

impl Leftovers {
    /// Those of a database.
    pub async fn of(session: &Session) -> Result<Self, Error> {
        Ok(Self(tables(session).await?.into_iter().collect()))
    }
}

/// Reads all user tables but those that others have left. The session should have a `lock_timeout`: a script may leave a
/// table locked.
pub async fn read(session: &Session, leftovers: &Leftovers) -> Result<Contents, Error> {
    let mut contents = Contents::new();
    for name in tables(session).await?.into_iter().filter(|name| !leftovers.0.contains(name)) {
        // The whole row under a name that no column can hide.
        let (schema, table) = (quote_identifier(&name.0), quote_identifier(&name.1));
        let rows = session.query(&format!("select (r.*)::text from only {schema}.{table} as r"), &[]).await;
        let mut rows: Vec<String> = rows.map_err(fail)?.iter().map(|row| row.get(0)).collect();
        rows.sort_unstable();
        contents.insert(name, rows);
    }
    Ok(contents)
}

async fn tables(session: &Session) -> Result<Vec<(String, String)>, Error> {
    let rows = session.query(TABLES, &[]).await.map_err(fail)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn fail(source: pgstrata_pg::sql::ClientError) -> Error {
    Error::new("read what the tables hold", Kind::Sql(source))
}
