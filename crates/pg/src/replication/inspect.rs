//! The lesser way to a server's log: `pg_walinspect`, which names records and describes them in words.
//!
//! It needs no `REPLICATION` but the right to run the extension's functions (`pg_read_server_files`, or a grant), on PostgreSQL 15 and
//! later. It tells which record of which transaction is where and which pages it is about, not what is in it: enough for
//! causes and positions, not for versions.

use std::time::Duration;

use pgstrata_units::Lsn;
use pgstrata_wal::RelFile;

use crate::endpoint::Endpoint;
use crate::error::{Error, Kind};
use crate::session::Session;

const POSITION: &str = include_str!("position.sql");
const RECORDS: &str = include_str!("records.sql");

/// How much of the log is asked for at once, bytes; a longer record is asked for whole.
const STRETCH_BYTES: u64 = 1 << 20;
/// How many records are held at most before they are taken.
const RECORDS_MAX: usize = 100_000;

/// A record by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecord {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where it ends.
    pub end: Lsn,
    /// The transaction that wrote it, the lower 32 bits; 0 if none did.
    pub xid: u32,
    /// Whose it is, as `Heap`.
    pub manager: String,
    /// What kind it is, as `HOT_UPDATE`.
    pub kind: String,
    /// What the server says of it; other words in each major version.
    pub description: String,
    /// The files and pages that it is about.
    pub blocks: Vec<(RelFile, u32)>,
}

/// Asks for records again and again.
#[derive(Debug)]
pub struct InspectedLog {
    session: Session,
    /// The next record begins here or later.
    next: Lsn,
}

impl InspectedLog {
    /// Begins with what is flushed now, or at a position.
    ///
    /// # Errors
    /// [`Kind::Sql`] if the extension is not there or may not be used.
    pub async fn open(endpoint: &Endpoint, from: Option<Lsn>) -> Result<Self, Error> {
        let session = endpoint.with_application_name("pgstrata log inspection").connect().await?;
        let flushed = position(&session).await?;
        let log = Self { session, next: from.unwrap_or(flushed) };
        // So that a missing extension or right is told at once.
        log.session.prepare(RECORDS).await.map_err(|source| Error::new("inspect the log", Kind::Sql(source)))?;
        Ok(log)
    }

    /// The records that were flushed since the last call, at most a hundred thousand; the rest comes with the next.
    pub async fn poll(&mut self) -> Result<Vec<NamedRecord>, Error> {
        let flushed = position(&self.session).await?;
        let mut found = Vec::new();
        let mut stretch = STRETCH_BYTES;
        while self.next < flushed && found.len() < RECORDS_MAX {
            let to = Lsn(self.next.0.saturating_add(stretch)).min(flushed);
            let (from, until) = (self.next.to_string(), to.to_string());
            let rows = self.session.query(RECORDS, &[&from, &until]).await;
            let rows = rows.map_err(|source| Error::new("inspect the log", Kind::Sql(source)))?;
            let records = rows.iter().map(named).collect::<Option<Vec<_>>>().ok_or_else(unreadable)?;
            let Some(last) = records.last() else {
                if to == flushed {
                    break;
                }
                // A record that is longer than the stretch.
                stretch = stretch.saturating_mul(4);
                continue;
            };
            self.next = last.end;
            stretch = STRETCH_BYTES;
            found.extend(records);
        }
        Ok(found)
    }

    /// The same, waiting until there is something; the server is asked at this pace.
    pub async fn next(&mut self, pace: Duration) -> Result<Vec<NamedRecord>, Error> {
        loop {
            let records = self.poll().await?;
            if !records.is_empty() {
                return Ok(records);
            }
            tokio::time::sleep(pace).await;
        }
    }
}

async fn position(session: &Session) -> Result<Lsn, Error> {
    let row = session.query_one(POSITION, &[]).await?;
    row.get::<_, &str>("flushed").parse().map_err(|_| unreadable())
}

fn unreadable() -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "an answer of pg_walinspect in another form");
    Error::new("inspect the log", Kind::Io(source))
}

fn named(row: &tokio_postgres::Row) -> Option<NamedRecord> {
    let text = |column: &str| row.get::<_, Option<String>>(column).unwrap_or_default();
    Some(NamedRecord {
        lsn: text("lsn").parse().ok()?,
        end: text("end").parse().ok()?,
        xid: text("xid").parse().ok()?,
        manager: text("manager"),
        kind: text("kind"),
        description: text("description"),
        blocks: blocks(&text("blocks")),
    })
}

/// `blkref #0: rel 1663/5/16384 fork main blk 7 …`, one after the other; until 15 without the fork where it is the main one.
fn blocks(text: &str) -> Vec<(RelFile, u32)> {
    let one = |part: &str| {
        let rest = part.split_once("rel ")?.1;
        let (files, rest) = rest.split_once(' ')?;
        let numbers: Vec<u32> = files.split('/').filter_map(|number| number.parse().ok()).collect();
        let &[tablespace, database, file] = numbers.as_slice() else { return None };
        let block = rest.split_once("blk ")?.1.split(|letter: char| !letter.is_ascii_digit()).next()?;
        let is_main = !rest.contains("fork ") || rest.contains("fork main");
        is_main.then_some((RelFile { tablespace, database, file }, block.parse().ok()?))
    };
    text.split("blkref ").filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_out_of_the_servers_words() {
        let relation = RelFile { tablespace: 1663, database: 5, file: 16384 };
        let check = |text: &str, expected: &[(RelFile, u32)]| assert_eq!(blocks(text), expected, "{text}");
        check("blkref #0: rel 1663/5/16384 blk 7", &[(relation, 7)]);
        check("blkref #0: rel 1663/5/16384 fork main blk 7 (FPW); hole: offset: 64, length: 7", &[(relation, 7)]);
        check("blkref #0: rel 1663/5/16384 fork vm blk 0 blkref #1: rel 1663/5/16384 blk 3", &[(relation, 3)]);
        check("", &[]);
        check("blkref #0: rel x", &[]);
    }
}
