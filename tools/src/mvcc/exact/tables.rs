//! Which files the watched tables are in, their pages as they are now, and what else a history must ask a server of the
//! time before it began.

use std::collections::BTreeMap;

use pgstrata_tuple::{Knowledge as _, LockMode, Member, Status};
use pgstrata_units::Xid;
use pgstrata_wal::history::{History, VersionId};
use pgstrata_wal::replay::{Page, PageId};
use pgstrata_wal::{Operation, Record, RelFile, TransactionOperation};

use super::Table;
use crate::mvcc::connection::{Connection, Trouble};
use crate::mvcc::error::MvccError;
use crate::mvcc::sample::{Picture, bigint, table};
use crate::mvcc::watch::Limits;

const FILES: &str = include_str!("../sql/exact_files.sql");
const PAGES: &str = include_str!("../sql/exact_pages.sql");
const STATUSES: &str = include_str!("../sql/exact_statuses.sql");
const MEMBERS: &str = include_str!("../sql/exact_members.sql");

/// The watched tables by their files.
#[derive(Debug)]
pub(super) struct Tables {
    name: Option<String>,
    tracker: table::Tracker,
    by_file: BTreeMap<RelFile, Table>,
    pages_most: u32,
}

impl Tables {
    pub fn new(pages_most: u32) -> Self {
        Self { name: None, tracker: table::Tracker::default(), by_file: BTreeMap::new(), pages_most }
    }

    pub fn forget(&mut self) {
        self.name = None;
        self.tracker.reset();
        self.by_file.clear();
    }

    pub fn files(&self) -> Vec<RelFile> {
        self.by_file.keys().copied().collect()
    }

    pub fn of(&self, relation: RelFile) -> Option<&Table> {
        self.by_file.get(&relation)
    }

    /// Finds the table and where it is.
    pub async fn look(&mut self, connection: &mut Connection, name: &str) -> Result<(), MvccError> {
        let refused = |trouble: Trouble| trouble.error("find the table");
        let mut picture = Picture::default();
        let watched = self.tracker.look(connection, name, &Limits::default(), &mut picture).await.map_err(refused)?;
        let watched = watched.ok_or_else(|| MvccError::NoTable { name: name.to_owned() })?;
        self.name = Some(name.to_owned());
        let oids: Vec<i64> = watched.leaves.iter().map(|leaf| i64::from(leaf.oid)).collect();
        for row in connection.rows(FILES, &[&oids]).await.map_err(refused)? {
            let number = |column: &str| u32::try_from(row.get::<_, i64>(column)).unwrap_or(0);
            let relation =
                RelFile { tablespace: number("tablespace"), database: number("database"), file: number("file") };
            let Some(leaf) = watched.leaves.iter().find(|leaf| leaf.oid == number("oid")).cloned() else { continue };
            let columns = self.tracker.columns(connection, leaf.oid).await.map_err(refused)?;
            self.by_file.insert(relation, Table { leaf, columns });
        }
        Ok(())
    }

    /// Finds the same table anew; old files stay known, because their versions are.
    pub async fn look_again(&mut self, connection: &mut Connection) -> Result<(), MvccError> {
        let Some(name) = self.name.clone() else { return Ok(()) };
        match self.look(connection, &name).await {
            // Dropped: what was seen of it stays.
            Err(MvccError::NoTable { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Whether a record is the commit that gave a watched table another file.
    pub fn have_moved(&self, record: &Record) -> bool {
        let Ok(Operation::Transaction(operation)) = record.operation() else { return false };
        let (TransactionOperation::Commit(end) | TransactionOperation::CommitPrepared(end)) = operation else {
            return false;
        };
        end.dropped_files.iter().any(|file| self.by_file.contains_key(file))
    }

    /// The first pages of a table as they are; none without the right to see them.
    pub async fn pages(
        &self,
        connection: &mut Connection,
        relation: RelFile,
    ) -> Result<Vec<(PageId, Page)>, MvccError> {
        let Some(table) = self.by_file.get(&relation) else { return Ok(Vec::new()) };
        let (oid, most) = (i64::from(table.leaf.oid), i64::from(self.pages_most));
        let rows = match connection.rows(PAGES, &[&table.leaf.name, &oid, &most]).await {
            Ok(rows) => rows,
            // No extension, no superuser, no table: versions become known as records bring them.
            Err(Trouble::Refused { .. }) => return Ok(Vec::new()),
            Err(trouble) => return Err(trouble.error("read the table's pages")),
        };
        let page = |row: &pgstrata_pg::sql::Row| {
            let block = u32::try_from(row.get::<_, i64>("block")).ok()?;
            Some((PageId { relation, block }, Page::new(row.get("bytes"))?))
        };
        Ok(rows.iter().filter_map(page).collect())
    }
}

/// How transactions of before ended, as far as the server still knows.
pub(super) async fn statuses(connection: &mut Connection, xids: &[Xid]) -> Result<Vec<(Xid, Status)>, MvccError> {
    if xids.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<i64> = xids.iter().map(|xid| bigint(*xid)).collect();
    let rows = connection.rows(STATUSES, &[&wanted]).await.map_err(|trouble| trouble.error("ask for transactions"))?;
    let status = |row: &pgstrata_pg::sql::Row| {
        let status = match row.get::<_, Option<&str>>("status")? {
            "committed" => Status::Committed,
            "aborted" => Status::Aborted,
            // Those that run have lives of their own, or are parts of such.
            _ => return None,
        };
        Some((Xid(row.get::<_, i64>("xid").cast_unsigned()), status))
    };
    Ok(rows.iter().filter_map(status).collect())
}

/// Members of the multixacts that versions name, and that were made before.
pub(super) async fn members(
    connection: &mut Connection,
    history: &History,
    versions: &[VersionId],
) -> Result<Vec<(u32, Vec<Member>)>, MvccError> {
    let named = versions.iter().filter_map(|id| history.versions().get(*id)?.latest()?.header);
    let wanted = named.filter(|header| header.is_xmax_multi() && !header.is_xmax_invalid()).map(|header| header.xmax);
    let wanted: Vec<i64> = wanted.filter(|id| history.members(*id).is_none()).map(i64::from).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match connection.rows(MEMBERS, &[&wanted]).await {
        Ok(rows) => rows,
        // One that was truncated away is an error of the server's function.
        Err(Trouble::Refused { .. }) => return Ok(Vec::new()),
        Err(trouble) => return Err(trouble.error("ask for multixacts")),
    };
    let knowledge = history.as_of(history.told());
    let mut found: BTreeMap<u32, Vec<Member>> = BTreeMap::new();
    for row in rows {
        let number = |column: &str| u32::try_from(row.get::<_, i64>(column)).ok();
        let (Some(id), Some(xid)) = (number("id"), number("xid").and_then(|xid| knowledge.full(xid))) else { continue };
        let (mode, is_change) = match row.get("mode") {
            "keysh" => (LockMode::KeyShare, false),
            "sh" => (LockMode::Share, false),
            "fornokeyupd" => (LockMode::NoKeyUpdate, false),
            "forupd" => (LockMode::Update, false),
            "nokeyupd" => (LockMode::NoKeyUpdate, true),
            _ => (LockMode::Update, true),
        };
        found.entry(id).or_default().push(Member { xid, mode, is_change });
    }
    Ok(found.into_iter().collect())
}
