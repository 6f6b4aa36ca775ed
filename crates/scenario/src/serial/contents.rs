//! What all user tables hold.

use std::collections::BTreeMap;

use pgstrata_pg::{Error, Kind, Session, quote_identifier};

const TABLES: &str = include_str!("tables.sql");

/// The rows of each table as text, sorted; tables by schema and name.
pub type Contents = BTreeMap<(String, String), Vec<String>>;

/// Reads all user tables. The session should have a `lock_timeout`: a script may leave a table locked.
pub async fn read(session: &Session) -> Result<Contents, Error> {
    let fail = |source| Error::new("read what the tables hold", Kind::Sql(source));
    let mut contents = Contents::new();
    for row in session.query(TABLES, &[]).await.map_err(fail)? {
        let name: (String, String) = (row.get(0), row.get(1));
        // The whole row under a name that no column can hide.
        let (schema, table) = (quote_identifier(&name.0), quote_identifier(&name.1));
        let rows = session.query(&format!("select (r.*)::text from only {schema}.{table} as r"), &[]).await;
        let mut rows: Vec<String> = rows.map_err(fail)?.iter().map(|row| row.get(0)).collect();
        rows.sort_unstable();
        contents.insert(name, rows);
    }
    Ok(contents)
}
