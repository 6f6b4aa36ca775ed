//! One client of the grid: carries out transactions by each of the strategies. Retrying is its caller's.

use pgstrata_lab::observe::Observer;
use pgstrata_pg::sql::{Row as SqlRow, Statement};
use pgstrata_pg::{Error, Session};
use pgstrata_units::Isolation;

use super::strategy::Strategy;
use super::workload::Row;

/// The table, as watchers name it.
pub(crate) const TABLE: &str = "grid.cell";

/// The texts of a statement: as it is measured, and as it is watched.
macro_rules! texts {
    ($name:literal) => {
        (include_str!(concat!("sql/", $name, ".sql")), include_str!(concat!("sql/watched/", $name, ".sql")))
    };
}

const LOCK_ONE: &str = include_str!("sql/lock_one.sql");
const LOCK_KEYS: &str = include_str!("sql/lock_keys.sql");

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is committed, and wrote so many rows.
    Committed {
        /// Rows.
        writes: u64,
    },
    /// A version had changed; nothing was written.
    LostRace,
}

/// A session with the statements of all strategies.
pub(crate) struct Worker {
    session: Session,
    observer: Observer,
    read: Statement,
    read_for_share: Statement,
    read_for_update: Statement,
    promote: Statement,
    confirm: Statement,
    write: Statement,
    write_if: Statement,
    lock_one: Statement,
    lock_keys: Statement,
}

/// A row as it was read.
#[derive(Clone, Copy, Debug)]
struct Seen {
    row: Row,
    value: i64,
    version: i64,
}

impl Worker {
    pub(crate) async fn new(session: Session, observer: Observer) -> Result<Self, Error> {
        let prepare = async |texts: (&str, &str)| session.prepare(observer.choose(texts.0, texts.1)).await;
        let read = prepare(texts!("read")).await?;
        let read_for_share = prepare(texts!("read_for_share")).await?;
        let read_for_update = prepare(texts!("read_for_update")).await?;
        let promote = prepare(texts!("promote")).await?;
        let confirm = prepare(texts!("confirm")).await?;
        let write = prepare(texts!("write")).await?;
        let write_if = prepare(texts!("write_if")).await?;
        let lock_one = session.prepare(LOCK_ONE).await?;
        let lock_keys = session.prepare(LOCK_KEYS).await?;
        Ok(Self {
            session,
            observer,
            read,
            read_for_share,
            read_for_update,
            promote,
            confirm,
            write,
            write_if,
            lock_one,
            lock_keys,
        })
    }

    /// Tries a transaction over these rows, which are in the order of their keys, once.
    ///
    /// # Errors
    /// What the server says, serialization failures included.
    pub(crate) async fn attempt(&mut self, strategy: Strategy, rows: &[Row]) -> Result<Attempt, Error> {
        if rows.iter().all(|row| !row.is_written) {
            return self.read_only(strategy, rows).await;
        }
        let level = match strategy {
            Strategy::Serializable => Isolation::Serializable,
            Strategy::PromotedRepeatableRead => Isolation::RepeatableRead,
            _ => Isolation::ReadCommitted,
        };
        let mut transaction = self.observer.begin(&mut self.session, level).await?;
        match strategy {
            Strategy::OneLock => drop(transaction.unwatched().query(&self.lock_one, &[]).await?),
            Strategy::AdvisoryLocks => {
                let keys: Vec<i64> = rows.iter().map(|row| row.id).collect();
                let written: Vec<bool> = rows.iter().map(|row| row.is_written).collect();
                transaction.unwatched().query(&self.lock_keys, &[&keys, &written]).await?;
            }
            _ => {}
        }
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            let found = match (strategy, row.is_written) {
                (Strategy::PromotedRepeatableRead, false) => {
                    transaction.write(TABLE, &self.promote, &[&row.id]).await?
                }
                // The same order of locks as the promoted reads', so that nobody waits in a circle.
                (Strategy::PromotedRepeatableRead | Strategy::RowLocks, true) => {
                    transaction.read(TABLE, &self.read_for_update, &[&row.id]).await?
                }
                (Strategy::RowLocks, false) => transaction.read(TABLE, &self.read_for_share, &[&row.id]).await?,
                _ => transaction.read(TABLE, &self.read, &[&row.id]).await?,
            };
            seen.push(Seen::of(*row, found.first())?);
        }
        let sum: i64 = seen.iter().fold(0, |sum, one| sum.wrapping_add(one.value));
        let mut writes = 0;
        for one in &seen {
            let (value, version) = (one.value.wrapping_add(sum % 7) % MODULUS, one.version + 1);
            let found = match (strategy, one.row.is_written) {
                (Strategy::OptimisticVersions, true) => {
                    let values: [&(dyn pgstrata_pg::sql::ToSql + Sync); 4] =
                        [&one.row.id, &value, &version, &one.version];
                    transaction.write(TABLE, &self.write_if, &values).await?
                }
                (Strategy::OptimisticVersions, false) => {
                    transaction.read(TABLE, &self.confirm, &[&one.row.id, &one.version]).await?
                }
                (_, true) => transaction.write(TABLE, &self.write, &[&one.row.id, &value, &version]).await?,
                (_, false) => continue,
            };
            if found.is_empty() {
                return Ok(Attempt::LostRace);
            }
            writes += u64::from(one.row.is_written);
        }
        transaction.commit().await?;
        Ok(Attempt::Committed { writes })
    }

    /// Reads rows in one snapshot.
    async fn read_only(&mut self, strategy: Strategy, rows: &[Row]) -> Result<Attempt, Error> {
        let level = match strategy {
            Strategy::Serializable => Isolation::Serializable,
            _ => Isolation::RepeatableRead,
        };
        let mut transaction = self.observer.begin(&mut self.session, level).await?;
        for row in rows {
            transaction.read(TABLE, &self.read, &[&row.id]).await?;
        }
        transaction.commit().await?;
        Ok(Attempt::Committed { writes: 0 })
    }
}

/// Values stay small.
const MODULUS: i64 = 1_000_003;

impl Seen {
    fn of(row: Row, found: Option<&SqlRow>) -> Result<Self, Error> {
        let Some(found) = found else { return Ok(Self { row, value: 0, version: 0 }) };
        Ok(Self { row, value: found.try_get("value")?, version: found.try_get("version")? })
    }
}
