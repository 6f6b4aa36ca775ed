//! A place in the server's log, and reading on from it.
//!
//! A slot that nobody reads keeps the log from being removed until the disk is full, so none may be left behind: a
//! temporary one ends with its session, a guarded one drops itself when its value goes, and [`sweep`] finds those of
//! processes of this machine that are gone. It does not reconnect; after a crash of the server a permanent slot is read
//! on from a new session.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use pgstrata_units::Lsn;
use tokio_postgres::error::SqlState;

use super::error::DecodingError;
use super::publication;
use super::transaction::{Assembler, Change, DecodedTransaction};
use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::install::digest;
use crate::process::{Pid, ProcessIdentity};
use crate::session::Session;

const CREATE: &str = include_str!("slot.sql");
const LIMITS: &str = include_str!("limits.sql");
const FLUSH: &str = include_str!("flush.sql");
const CONSUME: &str = include_str!("consume.sql");
const PEEK: &str = include_str!("peek.sql");
const ADVANCE: &str = include_str!("advance.sql");
const DROP: &str = include_str!("drop.sql");
const IDLE: &str = include_str!("idle.sql");

/// Whose the messages are that [`Slot::drain`] writes to get the log flushed; they are never given out.
const FLUSH_PREFIX: &str = "pgstrata_flush";
/// The longest name of a slot in bytes (`NAMEDATALEN` - 1).
const NAME_LIMIT: usize = 63;
/// How many messages one answer of the server may hold, but for the last transaction in it, which is always whole.
const BATCH_MESSAGES: i32 = 20_000;

/// A logical replication slot with the publication that it is read through.
#[derive(Debug)]
pub struct Slot {
    name: String,
    publication: String,
    created_at: Lsn,
    guard: Option<Endpoint>,
}

impl Slot {
    /// Makes a slot that stays until it is removed, also over a crash of the server. What is committed from now on can
    /// be decoded; it waits for the transactions that are under way now.
    ///
    /// Give it a name of [`name_for`], so that [`sweep`] can find it.
    ///
    /// # Errors
    /// [`DecodingError`] in [`Kind::Decoding`] with a hint if `wal_level` is not `logical`, no slot is free, the name is
    /// taken or cannot be one, or the role may not replicate.
    pub async fn create(session: &Session, name: &str, publication: &str) -> Result<Self, Error> {
        Self::make(session, name, publication, false).await
    }

    /// Makes a slot that ends with the session, and with any statement of it that fails; only the session reads it.
    ///
    /// # Errors
    /// As [`Slot::create`].
    pub async fn create_temporary(session: &Session, name: &str, publication: &str) -> Result<Self, Error> {
        Self::make(session, name, publication, true).await
    }

    async fn make(session: &Session, name: &str, publication: &str, temporary: bool) -> Result<Self, Error> {
        const TRIED: &str = "create a replication slot";
        let refused = |error: DecodingError| Error::new(TRIED, error.into());
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(is_plain) {
            return Err(refused(DecodingError::BadName { name: name.to_owned() }));
        }
        let failed = |source| Error::new(TRIED, Kind::Sql(source));
        let limits = session.query_one(LIMITS, &[]).await.map_err(failed)?;
        let (wal_level, limit): (String, String) = (limits.get("wal_level"), limits.get("slot_limit"));
        if wal_level != "logical" {
            return Err(refused(DecodingError::WalLevel { found: wal_level }));
        }
        if limit == "0" {
            return Err(refused(DecodingError::NoFreeSlot { limit }));
        }
        let row = session.query_one(CREATE, &[&name, &temporary]).await.map_err(|source| match source.code() {
            Some(&SqlState::CONFIGURATION_LIMIT_EXCEEDED) => refused(DecodingError::NoFreeSlot { limit }),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                refused(DecodingError::MayNotReplicate { role: limits.get("role") })
            }
            Some(&SqlState::DUPLICATE_OBJECT) => refused(DecodingError::SlotExists { name: name.to_owned() }),
            _ => failed(source),
        })?;
        let created_at = position(&row, "lsn")?;
        Ok(Self { name: name.to_owned(), publication: publication.to_owned(), created_at, guard: None })
    }

    /// A slot that was made before, perhaps by another process; nothing is asked of the server here.
    #[must_use]
    pub fn existing(name: &str, publication: &str, created_at: Lsn) -> Self {
        Self { name: name.to_owned(), publication: publication.to_owned(), created_at, guard: None }
    }

    /// The same slot, dropped on a connection of its own when this value goes without [`Slot::remove`]. That needs a
    /// tokio runtime that goes on for a moment; [`sweep`] is there for when there is none.
    #[must_use]
    pub fn guarded_by(mut self, endpoint: Endpoint) -> Self {
        self.guard = Some(endpoint);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where in the log it began.
    #[must_use]
    pub fn created_at(&self) -> Lsn {
        self.created_at
    }

    /// The transactions that were committed before this call, from where the last one ended: at most `limit`. Empty
    /// when there are none left.
    ///
    /// Flushes the log first, because with `synchronous_commit = off` commits that clients were told of are not yet in
    /// what decoding reads. What was given out is not given out again; see [`Slot::peek`] for when it must not be lost.
    /// A transaction comes whole, so a single huge one needs memory for all of it.
    ///
    /// # Errors
    /// If the server refuses, or sends what cannot be read.
    pub async fn drain(&self, session: &Session, limit: usize) -> Result<Vec<DecodedTransaction>, Error> {
        let until = self.flush(session).await?;
        let mut drained = Vec::new();
        while drained.len() < limit {
            let (transactions, messages) = self.read(session, CONSUME, until, limit - drained.len()).await?;
            drained.extend(transactions);
            if messages == 0 {
                break;
            }
        }
        Ok(drained)
    }

    /// What [`Slot::drain`] would give first, in one answer of the server, and leaves it there; [`Slot::advance`] moves
    /// on once it is kept elsewhere.
    ///
    /// # Errors
    /// As [`Slot::drain`].
    pub async fn peek(&self, session: &Session) -> Result<Vec<DecodedTransaction>, Error> {
        let until = self.flush(session).await?;
        Ok(self.read(session, PEEK, until, usize::MAX).await?.0)
    }

    /// Moves past the transactions that end at or before this position ([`DecodedTransaction::end_lsn`]).
    pub async fn advance(&self, session: &Session, position: Lsn) -> Result<(), Error> {
        let moved = session.query_one(ADVANCE, &[&self.name, &position.to_string()]).await;
        moved.map_err(|source| Error::new("move a replication slot", Kind::Sql(source)))?;
        Ok(())
    }

    /// Drops it; another session may do so than the one that made it, unless it is temporary.
    pub async fn remove(mut self, session: &Session) -> Result<(), Error> {
        self.guard = None;
        remove(session, &self.name).await
    }

    /// Brings everything that was committed before to where decoding reads, and says up to where that is.
    async fn flush(&self, session: &Session) -> Result<Lsn, Error> {
        let row = session.query_one(FLUSH, &[&FLUSH_PREFIX]).await;
        let row = row.map_err(|source| Error::new("flush the server's log", Kind::Sql(source)))?;
        position(&row, "lsn")
    }

    /// One answer of the server: at most so many transactions without our own, and how many messages it had.
    async fn read(
        &self,
        session: &Session,
        sql: &str,
        until: Lsn,
        limit: usize,
    ) -> Result<(Vec<DecodedTransaction>, usize), Error> {
        const TRIED: &str = "read a replication slot";
        let wrong = |error: DecodingError| Error::new(TRIED, error.into());
        // Each transaction has two messages at least, and the server stops after the one that makes it enough.
        let messages = i32::try_from(limit.saturating_mul(2)).map_or(BATCH_MESSAGES, |most| most.min(BATCH_MESSAGES));
        let rows = session.query(sql, &[&self.name, &self.publication, &until.to_string(), &messages]).await;
        let rows = rows.map_err(|source| Error::new(TRIED, Kind::Sql(source)))?;
        let mut assembler = Assembler::default();
        let mut transactions = Vec::new();
        for row in &rows {
            let bytes: &[u8] = row.try_get("data").map_err(|source| Error::new(TRIED, Kind::Sql(source)))?;
            transactions.extend(assembler.push(bytes).map_err(wrong)?.filter(is_wanted));
        }
        assembler.finish().map_err(wrong)?;
        Ok((transactions, rows.len()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(endpoint) = self.guard.take() else { return };
        let name = std::mem::take(&mut self.name);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!(slot = name, "a replication slot was left behind; the next run on this machine drops it");
            return;
        };
        runtime.spawn(async move {
            let dropped = async { remove(&endpoint.connect().await?, &name).await }.await;
            if let Err(error) = dropped {
                tracing::warn!(slot = name, error = %error, "a replication slot was left behind");
            }
        });
    }
}

/// A name for a slot (and its publication) of this process that [`sweep`] recognises: machine, process, purpose and a
/// number. `purpose` is of lower-case letters, digits and underscores, at most 16.
#[must_use]
pub fn name_for(purpose: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{}_{purpose}_{number}", own_prefix(), std::process::id())
}

/// Drops the slots of this database that [`name_for`] named in processes of this machine that are gone, and
/// publications of the same names; gives the names.
pub async fn sweep(session: &Session) -> Result<Vec<String>, Error> {
    let prefix = own_prefix();
    let rows = session.query(IDLE, &[&prefix]).await;
    let rows = rows.map_err(|source| Error::new("look for stale replication slots", Kind::Sql(source)))?;
    let mut swept = Vec::new();
    for row in rows {
        let name: String = row.get("slot_name");
        let process = name.strip_prefix(prefix).and_then(|rest| rest.split('_').next());
        let Some(process) = process.and_then(|digits| digits.parse::<i32>().ok()) else { continue };
        if ProcessIdentity::of(Pid::from_raw(process)).is_ok() {
            continue;
        }
        remove(session, &name).await?;
        publication::remove(session, &name).await?;
        swept.push(name);
    }
    Ok(swept)
}

/// What our slots' names begin with on this machine since it was started: processes are numbered anew after that, and
/// otherwise in each container, which has a name of its own.
fn own_prefix() -> &'static str {
    static PREFIX: OnceLock<String> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let read = |name| std::fs::read_to_string(name).unwrap_or_default();
        let machine = read("/proc/sys/kernel/random/boot_id") + &read("/proc/sys/kernel/hostname");
        format!("pgstrata_{}_", &digest(&machine)[..8])
    })
}

/// Drops the slot of this name, if it is there.
async fn remove(session: &Session, name: &str) -> Result<(), Error> {
    let dropped = session.query(DROP, &[&name]).await;
    dropped.map_err(|source| Error::new("drop a replication slot", Kind::Sql(source)))?;
    Ok(())
}

/// Whether a transaction did more than write our own message; before PostgreSQL 15 there are also empty ones, which
/// changed what is not published.
fn is_wanted(transaction: &DecodedTransaction) -> bool {
    let is_ours = |change: &Change| matches!(change, Change::Message { prefix, .. } if prefix == FLUSH_PREFIX);
    !transaction.changes.iter().all(is_ours)
}

fn position(row: &tokio_postgres::Row, column: &str) -> Result<Lsn, Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| {
        let what = "a log position that is none";
        Error::new("read a log position", DecodingError::OutOfPlace { what }.into())
    })
}
