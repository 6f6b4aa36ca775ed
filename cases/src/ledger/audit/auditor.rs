//! The auditor: follows the server by logical decoding, makes the chain longer, and signs it.
//!
//! It reads a replication slot of its own, writes links into the database in the order of commits, then moves the slot:
//! killed at any moment, it goes on where it was, and no entry is left out or taken twice. It changes nothing else.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ed25519_dalek::SigningKey;
use pgstrata_pg::decoding::{Change, DecodedTransaction, Publication, Slot, Tables};
use pgstrata_pg::sql::Row;
use pgstrata_pg::sql::types::PgLsn;
use pgstrata_pg::{Endpoint, Error, Session};
use pgstrata_units::Lsn;
use pgstrata_wal::{RelFile, Timeline};
use sha2::{Digest as _, Sha256};

use super::entry::{Entry, StoredColumn};
use super::error::AuditError;
use super::statements::{self, StatementFile};
use super::trail::{ChainEnd, Hash, Head, Link, Opening, Said, Statement};

const SCHEMA: &str = include_str!("schema.sql");
const DESCRIBE: &str = include_str!("describe.sql");
const COLUMNS: &str = include_str!("columns.sql");
const LOCK_ENTRIES: &str = include_str!("lock_entries.sql");
const ROWS: &str = include_str!("rows.sql");
const APPEND: &str = include_str!("append.sql");
const LAST_LINK: &str = include_str!("last_link.sql");
const KEEP_STATEMENT: &str = include_str!("keep_statement.sql");
/// Decoded times are text, which these decide the form of.
const SESSION: &str = include_str!("session.sql");

/// The slot and the publication that the auditor reads.
pub const SLOT: &str = "pgstrata_ledger_audit";
/// The pause after a look that found nothing new.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a head is signed: whichever comes first, if there is anything new.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    /// After so many entries.
    pub entries: u64,
    /// After so long.
    pub time: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { entries: 10_000, time: Duration::from_secs(1) }
    }
}

/// Keeps a trail.
pub struct Auditor {
    session: Session,
    slot: Slot,
    key: SigningKey,
    file: StatementFile,
    end: ChainEnd,
    /// The number of the last statement, and up to which link it speaks.
    signed: (u64, u64),
    signed_at: Instant,
    cadence: Cadence,
}

impl Auditor {
    /// Begins a trail on a server that has the ledger: makes slot, publication and tables, signs the opening.
    ///
    /// Writers of entries wait for a moment, so that the entries that are there and those that will be decoded are all
    /// there are.
    pub async fn begin(
        endpoint: &Endpoint,
        key: SigningKey,
        path: &Path,
        cadence: Cadence,
    ) -> Result<Self, AuditError> {
        let session = open_session(endpoint).await?;
        let mut file = StatementFile::create(path)?;
        session.batch_execute(SCHEMA).await?;
        Publication::create(&session, SLOT, Tables::Named(&[("ledger", "entries")])).await?;
        let mut locking = endpoint.connect().await?;
        let transaction = locking.transaction().await?;
        transaction.batch_execute(LOCK_ENTRIES).await?;
        let slot = Slot::create(&session, SLOT, SLOT).await?;
        let rows = transaction.query(ROWS, &[]).await?;
        transaction.commit().await?;
        let opening = opening(&session, &rows, slot.created_at()).await?;
        let end = ChainEnd { seq: 0, lsn: opening.from, hash: Hash([0; 32]) };
        let statement = Statement::sign(0, Said::Opening(opening), &key);
        let end = ChainEnd { hash: statement.hash(), ..end };
        file.add(&statement)?;
        keep(&session, &statement).await?;
        Ok(Self { session, slot, key, file, end, signed: (0, 0), signed_at: Instant::now(), cadence })
    }

    /// Goes on with a trail, if chain and statements still fit together.
    pub async fn resume(
        endpoint: &Endpoint,
        key: SigningKey,
        path: &Path,
        cadence: Cadence,
    ) -> Result<Self, AuditError> {
        let broken = |what: String| AuditError::Broken { what };
        let statements = statements::read(path)?;
        if let Some(other) = statements.iter().find(|statement| !statement.is_by(&key.verifying_key())) {
            return Err(broken(format!("statement {} is not signed with this key", other.number)));
        }
        let (Some(first), Some(last)) = (statements.first(), statements.last()) else {
            return Err(broken("there is no opening".to_owned()));
        };
        let Said::Opening(opening) = &first.said else {
            return Err(broken("it does not begin with an opening".to_owned()));
        };
        let session = open_session(endpoint).await?;
        let row = session.query_opt(LAST_LINK, &[]).await?;
        let link = row.as_ref().map(link_of_row).transpose()?;
        let end = link.map_or(ChainEnd { seq: 0, lsn: opening.from, hash: first.hash() }, |link| ChainEnd {
            seq: link.seq,
            lsn: link.lsn,
            hash: link.hash,
        });
        let signed_seq = match &last.said {
            Said::Head(head) if head.seq > end.seq => {
                return Err(broken(format!("link {} was signed, the chain ends with {}", head.seq, end.seq)));
            }
            Said::Head(head) if head.seq == end.seq && head.hash != end.hash => {
                return Err(broken(format!("link {} is not the one that was signed", head.seq)));
            }
            Said::Head(head) => head.seq,
            Said::Opening(_) => 0,
        };
        let (file, signed) = (StatementFile::append_to(path)?, (last.number, signed_seq));
        let slot = Slot::existing(SLOT, SLOT, opening.from);
        Ok(Self { session, slot, key, file, end, signed, signed_at: Instant::now(), cadence })
    }

    /// Takes over what was committed since the last time, and signs a head if one is due. Gives the number of entries.
    pub async fn step(&mut self) -> Result<usize, AuditError> {
        let decoded = self.slot.peek(&self.session).await?;
        let Some(position) = decoded.last().map(|transaction| transaction.end_lsn) else {
            self.sign_if_due().await?;
            return Ok(0);
        };
        // After a crash between the two commits below, the slot tells again what the chain has.
        let new = decoded.iter().filter(|transaction| transaction.commit_lsn > self.end.lsn || self.end.seq == 0);
        let mut end = self.end;
        let mut links = Vec::new();
        for transaction in new {
            append_all(&mut end, transaction, &mut links)?;
        }
        self.append(&links).await?;
        self.end = end;
        self.slot.advance(&self.session, position).await?;
        self.sign_if_due().await?;
        Ok(links.len())
    }

    /// Follows until `stop` is done, then takes over what is left and signs it.
    pub async fn run(&mut self, stop: impl Future<Output = ()>) -> Result<(), AuditError> {
        tokio::pin!(stop);
        loop {
            if self.step().await? == 0 {
                tokio::select! {
                    () = &mut stop => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        self.catch_up().await
    }

    /// Takes over everything that was committed before this call, and signs it.
    pub async fn catch_up(&mut self) -> Result<(), AuditError> {
        while self.step().await? > 0 {}
        if self.end.seq > self.signed.1 {
            self.sign().await?;
        }
        Ok(())
    }

    /// Where the chain has come to.
    #[must_use]
    pub const fn end(&self) -> ChainEnd {
        self.end
    }

    /// The number of the last statement.
    #[must_use]
    pub const fn last_statement(&self) -> u64 {
        self.signed.0
    }

    async fn append(&mut self, links: &[Link]) -> Result<(), AuditError> {
        if links.is_empty() {
            return Ok(());
        }
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let seqs: Vec<i64> = links.iter().map(|link| number(link.seq)).collect();
        let lsns: Vec<PgLsn> = links.iter().map(|link| PgLsn::from(link.lsn.0)).collect();
        let xids: Vec<i64> = links.iter().map(|link| link.xid.into()).collect();
        let payloads: Vec<&[u8]> = links.iter().map(|link| &link.payload_hash.0[..]).collect();
        let previous: Vec<&[u8]> = links.iter().map(|link| &link.prev_hash.0[..]).collect();
        let hashes: Vec<&[u8]> = links.iter().map(|link| &link.hash.0[..]).collect();
        self.session.execute(APPEND, &[&seqs, &lsns, &xids, &payloads, &previous, &hashes]).await?;
        Ok(())
    }

    async fn sign_if_due(&mut self) -> Result<(), AuditError> {
        let unsigned = self.end.seq - self.signed.1;
        let is_due = unsigned >= self.cadence.entries || self.signed_at.elapsed() >= self.cadence.time;
        if unsigned > 0 && is_due { self.sign().await } else { Ok(()) }
    }

    async fn sign(&mut self) -> Result<(), AuditError> {
        let row = self.session.query_one(DESCRIBE, &[]).await?;
        let ChainEnd { seq, lsn, hash } = self.end;
        let head = Head { seq, lsn, hash, file: file_of(&row)?, signed_at: now() };
        let statement = Statement::sign(self.signed.0 + 1, Said::Head(head), &self.key);
        self.file.add(&statement)?;
        keep(&self.session, &statement).await?;
        self.signed = (statement.number, seq);
        self.signed_at = Instant::now();
        Ok(())
    }
}

/// The links for a transaction's entries. Anything else that happened to entries breaks the rules of the ledger; the
/// audit finds it in the log.
fn append_all(end: &mut ChainEnd, transaction: &DecodedTransaction, links: &mut Vec<Link>) -> Result<(), AuditError> {
    let lsn = transaction.commit_lsn;
    for change in &transaction.changes {
        match change {
            Change::Insert { relation, new } => {
                let entry = Entry::decoded(relation, new).map_err(|source| AuditError::Entry { lsn, source })?;
                links.push(end.append(lsn, transaction.xid, &entry));
            }
            Change::Message { .. } => {}
            Change::Update { .. } | Change::Delete { .. } | Change::Truncate { .. } => {
                tracing::warn!(%lsn, xid = transaction.xid, "an entry was changed after it was written");
            }
        }
    }
    Ok(())
}

async fn open_session(endpoint: &Endpoint) -> Result<Session, AuditError> {
    let session = endpoint.with_application_name("pgstrata auditor").connect().await?;
    session.batch_execute(SESSION).await?;
    Ok(session)
}

async fn keep(session: &Session, statement: &Statement) -> Result<(), AuditError> {
    let number = i64::try_from(statement.number).unwrap_or(i64::MAX);
    session.execute(KEEP_STATEMENT, &[&number, &statements::line_of(statement)]).await?;
    Ok(())
}

async fn opening(session: &Session, rows: &[Row], from: Lsn) -> Result<Opening, AuditError> {
    let facts = session.query_one(DESCRIBE, &[]).await?;
    let columns = session.query(COLUMNS, &[]).await?;
    let column = |row: &Row| {
        let alignment: String = row.try_get("alignment")?;
        let alignment = alignment.chars().next().unwrap_or('c');
        Ok::<_, AuditError>(StoredColumn { name: row.try_get("name")?, length: row.try_get("length")?, alignment })
    };
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(Entry::of_row(row)?);
    }
    let text: String = facts.try_get("system_identifier")?;
    let number = |value: i64| u32::try_from(value).unwrap_or_default();
    Ok(Opening {
        system_identifier: text.parse().unwrap_or_default(),
        timeline: Timeline(number(facts.try_get::<_, i32>("timeline")?.into())),
        segment_size: number(facts.try_get("segment_size")?),
        relation: facts.try_get("relation")?,
        file: file_of(&facts)?,
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        from,
        entries_before: rows.len() as u64,
        entries_before_hash: hash_of_entries(&entries),
        opened_at: now(),
    })
}

/// SHA-256 of the payload hashes of entries that are in the order of account and number.
pub(super) fn hash_of_entries(entries: &[Entry]) -> Hash {
    let mut hasher = Sha256::new();
    for entry in entries {
        hasher.update(entry.payload_hash().0);
    }
    Hash(hasher.finalize().into())
}

fn file_of(row: &Row) -> Result<RelFile, Error> {
    let (tablespace, database, file) = (row.try_get("tablespace")?, row.try_get("database")?, row.try_get("file")?);
    Ok(RelFile { tablespace, database, file })
}

/// A link as it is kept in the database.
pub(super) fn link_of_row(row: &Row) -> Result<Link, AuditError> {
    let seq: i64 = row.try_get("seq")?;
    let broken = |what| AuditError::Broken { what: format!("link {seq} holds {what}") };
    let hash = |column| {
        let bytes: &[u8] = row.try_get(column)?;
        Hash::of_bytes(bytes).ok_or_else(|| broken("a hash of another length"))
    };
    let lsn: PgLsn = row.try_get("lsn")?;
    Ok(Link {
        seq: u64::try_from(seq).map_err(|_| broken("a negative number"))?,
        lsn: Lsn(lsn.into()),
        xid: u32::try_from(row.try_get::<_, i64>("xid")?).map_err(|_| broken("no transaction number"))?,
        payload_hash: hash("payload_hash")?,
        prev_hash: hash("prev_hash")?,
        hash: hash("hash")?,
    })
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
