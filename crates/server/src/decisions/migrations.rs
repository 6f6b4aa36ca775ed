//! Brings the history's tables up to date: numbered files, each applied once, all in one transaction behind a lock.
//!
//! A file that was applied never changes (its checksum is kept), and a history that a newer program has changed is left
//! alone: it would not know what it writes to.

use pgstrata_pg::Session;

use super::DecisionError;
use super::canonical::content_id;

/// One step of the history's tables.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// All steps, in order; new ones are added at the end.
const MIGRATIONS: [Migration; 1] =
    [Migration { version: 1, name: "decisions", sql: include_str!("migrations/0001_decisions.sql") }];

const BEGIN: &str = include_str!("migrations/begin.sql");
const LEDGER: &str = include_str!("migrations/ledger.sql");
const APPLIED: &str = include_str!("migrations/applied.sql");
const NOTE: &str = include_str!("migrations/note.sql");

/// Applies what is missing; gives back how many steps that were.
pub async fn bring_up_to_date(session: &mut Session) -> Result<usize, DecisionError> {
    let failed = |source| DecisionError::Server { action: "bring the history up to date", source };
    let transaction = session.transaction().await.map_err(|error| failed(error.into()))?;
    transaction.batch_execute(BEGIN).await.map_err(|error| failed(error.into()))?;
    transaction.batch_execute(LEDGER).await.map_err(|error| failed(error.into()))?;
    let applied = transaction.query(APPLIED, &[]).await.map_err(|error| failed(error.into()))?;
    let applied: Vec<(i32, String)> = applied.iter().map(|row| (row.get(0), row.get(2))).collect();
    let missing = check(&applied)?;
    for migration in missing {
        transaction.batch_execute(migration.sql).await.map_err(|error| failed(error.into()))?;
        let checksum = content_id(migration.sql);
        let note = transaction.execute(NOTE, &[&migration.version, &migration.name, &checksum]).await;
        note.map_err(|error| failed(error.into()))?;
    }
    transaction.commit().await.map_err(|error| failed(error.into()))?;
    Ok(missing.len())
}

/// What is still to be applied, if what was applied is what we know.
fn check(applied: &[(i32, String)]) -> Result<&'static [Migration], DecisionError> {
    for (place, (version, checksum)) in applied.iter().enumerate() {
        let Some(known) = MIGRATIONS.get(place).filter(|known| known.version == *version) else {
            return Err(DecisionError::Newer { found: *version, known: MIGRATIONS.len() });
        };
        if content_id(known.sql) != *checksum {
            return Err(DecisionError::Changed { version: *version, name: known.name });
        }
    }
    Ok(MIGRATIONS.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_without_a_gap() {
        for (place, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version), Ok(place + 1), "{}", migration.name);
        }
    }
}
