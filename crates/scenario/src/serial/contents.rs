//! What all user tables hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use pgstrata_pg::simple::Reply;
use pgstrata_pg::{Error, Kind, Session, quote_identifier};

use crate::session::Sessions;

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

/// The tables of one schema, which do not come and go: read in one question.
#[derive(Clone, Debug)]
pub struct Tables {
    names: Vec<(String, String)>,
    /// Rows of each with its place in `names`; empty when there are none.
    question: String,
}

impl Tables {
    /// Those that a schema has now.
    pub async fn of_schema(session: &Session, schema: &str) -> Result<Self, Error> {
        let mut names = tables(session).await?;
        names.retain(|name| name.0 == schema);
        let mut question = String::new();
        for (place, name) in names.iter().enumerate() {
            let (schema, table) = (quote_identifier(&name.0), quote_identifier(&name.1));
            let union = if place == 0 { "" } else { " union all " };
            let _ = write!(question, "{union}select {place}, (r.*)::text from only {schema}.{table} as r");
        }
        Ok(Self { names, question })
    }

    /// Their schemas and names.
    #[must_use]
    pub fn names(&self) -> &[(String, String)] {
        &self.names
    }

    /// What they hold, read on the control connection; none when the server refuses, for example because a table is locked.
    pub async fn read(&self, sessions: &mut Sessions, limit: Duration) -> Result<Option<Contents>, Error> {
        let mut contents: Contents = self.names.iter().map(|name| (name.clone(), Vec::new())).collect();
        if self.names.is_empty() {
            return Ok(Some(contents));
        }
        for reply in sessions.run_on_control(&self.question, limit).await? {
            match reply {
                Reply::Complete { rows: Some(rows), .. } => {
                    for row in rows.rows {
                        let place = row.first().and_then(Option::as_ref).and_then(|place| place.parse::<usize>().ok());
                        let Some(name) = place.and_then(|place| self.names.get(place)) else { continue };
                        // A row of which nothing is known is written as null.
                        let text = row.into_iter().nth(1).flatten().unwrap_or_default();
                        contents.entry(name.clone()).or_default().push(text);
                    }
                }
                Reply::Error(_) | Reply::Closed => return Ok(None),
                _ => {}
            }
        }
        for rows in contents.values_mut() {
            rows.sort_unstable();
        }
        Ok(Some(contents))
    }
}

async fn tables(session: &Session) -> Result<Vec<(String, String)>, Error> {
    let rows = session.query(TABLES, &[]).await.map_err(fail)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn fail(source: pgstrata_pg::sql::ClientError) -> Error {
    Error::new("read what the tables hold", Kind::Sql(source))
}
