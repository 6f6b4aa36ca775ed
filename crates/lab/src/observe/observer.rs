//! A client's transactions, written down where the trial is watched and otherwise just done.
//!
//! A statement that is to be watched gives with each row `row_key` (`text[]`, the primary key's columns as text) and
//! `row_xmin` (`xmin::text`); at read committed, where each statement has a snapshot of its own, also `row_snapshot`
//! (`pg_current_snapshot()::text`), if it reads by a condition or may find nothing. What an update reads in order to
//! compute need not be said: it is the version before its own, which the order of versions has already.

use std::sync::Arc;

use pgstrata_history::Status;
use pgstrata_history::exact::{Observed, Predicate, RowId, Seen, Snapshot, Step, TableId, Xid};
use pgstrata_pg::sql::{IsolationLevel, Row, ToSql, ToStatement, Transaction};
use pgstrata_pg::{Error, Session};
use pgstrata_units::Isolation;

use super::recorder::Recorder;

const SNAPSHOT: &str = include_str!("snapshot.sql");
const OWN_NUMBER: &str = include_str!("own_number.sql");

/// The values of a statement's parameters.
pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// One client's way of doing transactions.
#[derive(Clone, Debug)]
pub struct Observer {
    recorder: Option<Arc<Recorder>>,
    process: u32,
}

impl Observer {
    /// The client of this number. Without a recorder nothing is written down and nothing asked of the server.
    #[must_use]
    pub fn new(recorder: Option<Arc<Recorder>>, process: u32) -> Self {
        Self { recorder, process }
    }

    /// Of two texts of a statement the one to prepare: `watched` gives the columns that watching needs.
    #[must_use]
    pub fn choose<'a>(&self, plain: &'a str, watched: &'a str) -> &'a str {
        if self.recorder.is_some() { watched } else { plain }
    }

    /// Begins a transaction.
    pub async fn begin<'s>(
        &self,
        session: &'s mut Session,
        isolation: Isolation,
    ) -> Result<WatchedTransaction<'s>, Error> {
        let level = match isolation {
            Isolation::ReadCommitted => IsolationLevel::ReadCommitted,
            Isolation::RepeatableRead => IsolationLevel::RepeatableRead,
            Isolation::Serializable => IsolationLevel::Serializable,
        };
        let log = self.recorder.as_ref().map(|recorder| Log {
            recorder: Arc::clone(recorder),
            observed: Observed {
                process: self.process,
                status: Status::Aborted,
                invoked_ns: recorder.now_ns(),
                completed_ns: u64::MAX,
                xid: None,
                steps: Vec::new(),
            },
            one_snapshot: isolation != Isolation::ReadCommitted,
            snapshot: None,
        });
        let transaction = session.build_transaction().isolation_level(level).start().await?;
        Ok(WatchedTransaction { transaction, log, savepoints: 0 })
    }
}

/// A transaction under way. Dropped without [`WatchedTransaction::commit`], it is rolled back.
pub struct WatchedTransaction<'s> {
    transaction: Transaction<'s>,
    log: Option<Log>,
    savepoints: u32,
}

/// A place in a transaction that it can go back to.
#[derive(Debug)]
pub struct Savepoint {
    number: u32,
    steps: usize,
}

impl<'s> WatchedTransaction<'s> {
    /// The transaction itself, for statements that nobody needs to know of.
    #[must_use]
    pub fn unwatched(&self) -> &Transaction<'s> {
        &self.transaction
    }

    /// Reads rows of a table (`schema.name`).
    ///
    /// # Errors
    /// If the server refuses, or the statement lacks the columns named above; the same goes for the others.
    pub async fn read<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        statement: &S,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.transaction.query(statement, parameters).await?;
        if let Some(log) = &mut self.log {
            log.know_snapshot(&self.transaction).await?;
            log.reads(table, &rows)?;
        }
        Ok(rows)
    }

    /// Looks for one row by its key; that it was not there is a read, too.
    pub async fn look_up<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        key: &[&str],
        statement: &S,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Error> {
        let mut rows = self.read(table, statement, parameters).await?;
        if let (Some(log), true) = (&mut self.log, rows.is_empty()) {
            let row = RowId::new(log.recorder.table(table), key.iter().copied());
            let snapshot = log.snapshot.clone();
            log.observed.steps.push(Step::Read { row, seen: Seen::Absent, snapshot });
        }
        Ok(if rows.is_empty() { None } else { Some(rows.swap_remove(0)) })
    }

    /// Reads by a condition. The rows may lack `row_key`: then they were only counted.
    ///
    /// Not for a locking read at read committed: that looks at newer versions than its snapshot sees, so what it missed
    /// cannot be told from the snapshot. Say [`WatchedTransaction::read`] of it.
    pub async fn read_where<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        predicate: &Arc<Predicate>,
        statement: &S,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.transaction.query(statement, parameters).await?;
        if let Some(log) = &mut self.log {
            log.know_snapshot(&self.transaction).await?;
            let of_statement = rows.first().map(|row| log.snapshot_of(row)).transpose()?.flatten();
            let snapshot = of_statement.or_else(|| log.snapshot.clone());
            let table_id = log.recorder.table(table);
            let predicate = Arc::clone(predicate);
            log.observed.steps.push(Step::ReadWhere { table: table_id, predicate, snapshot });
            if rows.first().is_some_and(|row| has(row, "row_key")) {
                log.reads(table, &rows)?;
            }
        }
        Ok(rows)
    }

    /// Notes that rows of another table were read by the statement that gave `rows`, as a join reads them: `key` and `xmin`
    /// are the columns that hold what `row_key` and `row_xmin` hold for the first table.
    ///
    /// # Errors
    /// If the rows lack these columns.
    pub fn also_read(&mut self, table: &str, rows: &[Row], key: &str, xmin: &str) -> Result<(), Error> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let table = log.recorder.table(table);
        for row in rows {
            let snapshot = log.snapshot_of(row)?;
            let id = RowId::new(table, row.try_get::<_, Vec<&str>>(key)?);
            let seen = Seen::Version(parsed_number(row.try_get(xmin)?));
            log.observed.steps.push(Step::Read { row: id, seen, snapshot });
        }
        Ok(())
    }

    /// Inserts or updates rows of a table; the statement returns them.
    pub async fn write<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        statement: &S,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.change(table, statement, parameters, |row| number_of(row).map(Some)).await
    }

    /// Deletes rows of a table; the statement returns their `row_key`.
    pub async fn delete<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        statement: &S,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.change(table, statement, parameters, |_| Ok(None)).await
    }

    /// Writes rows and notes each of them; `version_of` says what the row's new version is called, where it has one.
    async fn change<S: ?Sized + ToStatement + Sync>(
        &mut self,
        table: &str,
        statement: &S,
        parameters: Parameters<'_>,
        version_of: impl Fn(&Row) -> Result<Option<Xid>, Error> + Send,
    ) -> Result<Vec<Row>, Error> {
        let rows = self.transaction.query(statement, parameters).await?;
        if let Some(log) = &mut self.log {
            let table = log.recorder.table(table);
            for row in &rows {
                log.observed.steps.push(Step::Wrote {
                    row: row_of(table, row)?,
                    xmin: version_of(row)?,
                    undone: false,
                });
            }
        }
        Ok(rows)
    }

    /// Sets a savepoint.
    pub async fn savepoint(&mut self) -> Result<Savepoint, Error> {
        self.savepoints += 1;
        let number = self.savepoints;
        self.transaction.batch_execute(&format!("savepoint s{number}")).await?;
        Ok(Savepoint { number, steps: self.log.as_ref().map_or(0, |log| log.observed.steps.len()) })
    }

    /// Undoes what was done since the savepoint, also after a statement failed.
    pub async fn roll_back_to(&mut self, savepoint: &Savepoint) -> Result<(), Error> {
        self.transaction.batch_execute(&format!("rollback to savepoint s{}", savepoint.number)).await?;
        if let Some(log) = &mut self.log {
            for step in log.observed.steps.iter_mut().skip(savepoint.steps) {
                if let Step::Wrote { undone, .. } = step {
                    *undone = true;
                }
            }
        }
        Ok(())
    }

    /// Forgets the savepoint; what was done since stays.
    pub async fn release(&mut self, savepoint: Savepoint) -> Result<(), Error> {
        Ok(self.transaction.batch_execute(&format!("release savepoint s{}", savepoint.number)).await?)
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), Error> {
        let Self { transaction, mut log, .. } = self;
        if let Some(log) = &mut log {
            let row = transaction.query_one(OWN_NUMBER, &[]).await?;
            let number: Option<String> = row.try_get(0)?;
            log.observed.xid = number.and_then(|digits| digits.parse().ok()).map(Xid::of_full);
        }
        let outcome = transaction.commit().await.map_err(Error::from);
        if let Some(log) = &mut log {
            log.observed.status = match &outcome {
                Ok(()) => Status::Committed,
                Err(error) if error.class().leaves_outcome_unknown() => Status::Unknown,
                Err(_) => Status::Aborted,
            };
        }
        outcome
    }
}

/// What is written down of a transaction; it goes to the recorder when it ends, however it ends.
#[derive(Debug)]
struct Log {
    recorder: Arc<Recorder>,
    observed: Observed,
    /// Whether all statements have the same snapshot.
    one_snapshot: bool,
    snapshot: Option<Arc<Snapshot>>,
}

impl Log {
    /// Asks for the transaction's snapshot, once, if it has a single one.
    async fn know_snapshot(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if self.one_snapshot && self.snapshot.is_none() {
            let row = transaction.query_one(SNAPSHOT, &[]).await?;
            self.snapshot = parsed(&row.try_get::<_, String>(0)?);
        }
        Ok(())
    }

    /// The statement's snapshot, where the row tells it; otherwise the transaction's, if there is one.
    fn snapshot_of(&self, row: &Row) -> Result<Option<Arc<Snapshot>>, Error> {
        if self.one_snapshot || !has(row, "row_snapshot") {
            return Ok(self.snapshot.clone());
        }
        Ok(parsed(&row.try_get::<_, String>("row_snapshot")?))
    }

    fn reads(&mut self, table: &str, rows: &[Row]) -> Result<(), Error> {
        let table = self.recorder.table(table);
        for row in rows {
            let snapshot = self.snapshot_of(row)?;
            let step = Step::Read { row: row_of(table, row)?, seen: Seen::Version(number_of(row)?), snapshot };
            self.observed.steps.push(step);
        }
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.observed.completed_ns = self.recorder.now_ns();
        let nothing = Observed { steps: Vec::new(), ..self.observed };
        self.recorder.add(std::mem::replace(&mut self.observed, nothing));
    }
}

fn has(row: &Row, column: &str) -> bool {
    row.columns().iter().any(|known| known.name() == column)
}

/// A snapshot that cannot be read is one that is not known.
fn parsed(text: &str) -> Option<Arc<Snapshot>> {
    Snapshot::parse(text).ok().map(Arc::new)
}

fn row_of(table: TableId, row: &Row) -> Result<RowId, Error> {
    let key: Vec<&str> = row.try_get("row_key")?;
    Ok(RowId::new(table, key))
}

fn number_of(row: &Row) -> Result<Xid, Error> {
    Ok(parsed_number(row.try_get("row_xmin")?))
}

/// The server prints a number; 0, which no row has, stands for what is none.
fn parsed_number(text: &str) -> Xid {
    Xid(text.parse().unwrap_or(0))
}
