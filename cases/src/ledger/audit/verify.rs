//! The audit: gathers what is to be compared, and judges it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ed25519_dalek::VerifyingKey;
use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_pg::{Endpoint, Session};
use pgstrata_units::Lsn;
use serde::Serialize;

use super::auditor::link_of_row;
use super::entry::Entry;
use super::error::AuditError;
use super::finding::Finding;
use super::judge::{self, StoredRow};
use super::log;
use super::statements;
use super::trail::{ChainEnd, Link, Statement};

const ROWS: &str = include_str!("rows.sql");
const CHAIN: &str = include_str!("chain.sql");
const STATEMENTS: &str = include_str!("statements.sql");

/// The most findings that a report holds; a chain that was rewritten differs everywhere.
pub const MOST_FINDINGS: usize = 200;

/// What an audit is held over.
pub struct Evidence {
    /// Directories of segments; the first that has one gives it.
    pub archives: Vec<WalArchive>,
    /// The file of signed statements.
    pub statements: PathBuf,
    /// The auditor's public key.
    pub key: VerifyingKey,
    /// A chain as a file, one link a line; otherwise the one in the database is judged, if there is a database.
    pub chain: Option<PathBuf>,
    /// The audited database; without it rows are not judged.
    pub database: Option<Endpoint>,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether everything agrees.
    pub is_sound: bool,
    /// What does not, at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many there were.
    pub findings_total: usize,
    /// Entries that the log has.
    pub entries: u64,
    /// Heads whose signature was checked.
    pub heads: usize,
    /// Links of the stored chain that were compared; none if there was no chain.
    pub links: Option<usize>,
    /// Rows that were compared; none without a database.
    pub rows: Option<usize>,
    /// Rows that are newer than the archive, and so not judged.
    pub rows_newer: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Records that were read.
    pub records: u64,
    /// From where.
    pub from: Option<Lsn>,
    /// Up to where.
    pub until: Option<Lsn>,
}

/// Recomputes the chain from the log and compares everything with it.
pub async fn verify(evidence: &Evidence) -> Result<Report, AuditError> {
    let statements = statements::read(&evidence.statements)?;
    let mut findings = Vec::new();
    let signed = judge::signed(&statements, &evidence.key, &mut findings);
    let (Some(opening), Some(first)) = (signed.opening, signed.first) else {
        return Ok(unopened(findings));
    };
    let begin = ChainEnd { seq: 0, lsn: opening.from, hash: first.hash() };
    let files: BTreeSet<_> = signed.heads.iter().map(|(_, head)| head.file).collect();
    // Rows first: what is committed meanwhile is newer than both.
    let database = match &evidence.database {
        Some(endpoint) => Some(read_database(endpoint).await?),
        None => None,
    };
    let archives = evidence.archives.clone();
    let (wanted, seek) = (opening.clone(), files);
    let read = tokio::task::spawn_blocking(move || log::read(&archives, &wanted, begin, &seek)).await;
    let log = match read {
        Ok(read) => read?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    judge::judge_log(&log, &signed.heads, &mut findings);
    judge::judge_heads(&log, &signed.heads, &mut findings);
    let chain = match (&evidence.chain, &database) {
        (Some(path), _) => Some(statements::read_chain(path)?),
        (None, Some(database)) => Some(database.chain.clone()),
        (None, None) => None,
    };
    if let Some(chain) = &chain {
        judge::judge_chain(&log, chain, &signed.heads, &mut findings);
    }
    let mut rows_newer = 0;
    if let Some(database) = &database {
        rows_newer = judge::judge_rows(&log, opening, &database.rows, &mut findings);
        // The copies of the statements in the database; gaps were told from the file.
        let copies: Vec<Statement> =
            database.statements.iter().filter(|copy| !statements.contains(copy)).cloned().collect();
        judge::signed_copies(&copies, &evidence.key, &mut findings);
    }
    let findings_total = findings.len();
    findings.truncate(MOST_FINDINGS);
    Ok(Report {
        is_sound: findings.is_empty(),
        findings,
        findings_total,
        entries: log.entries.len() as u64,
        heads: signed.heads.len(),
        links: chain.map(|chain| chain.len()),
        rows: database.map(|database| database.rows.len()),
        rows_newer,
        segments: log.segments,
        records: log.records,
        from: Some(opening.from),
        until: Some(log.until),
    })
}

/// Without an opening that was signed with the key there is nothing to hold the log against.
fn unopened(mut findings: Vec<Finding>) -> Report {
    use super::finding::FindingKind;
    findings.push(Finding::new(FindingKind::StatementMissing).saying("no opening by this key", "an opening"));
    let (findings_total, entries, heads, links, rows) = (findings.len(), 0, 0, None, None);
    let (rows_newer, segments, records, from, until) = (0, 0, 0, None, None);
    Report {
        is_sound: false,
        findings,
        findings_total,
        entries,
        heads,
        links,
        rows,
        rows_newer,
        segments,
        records,
        from,
        until,
    }
}

struct Database {
    rows: Vec<StoredRow>,
    chain: Vec<Link>,
    statements: Vec<Statement>,
}

async fn read_database(endpoint: &Endpoint) -> Result<Database, AuditError> {
    let mut session: Session = endpoint.with_application_name("pgstrata audit").connect().await?;
    let snapshot = session.build_transaction().isolation_level(pgstrata_pg::sql::IsolationLevel::RepeatableRead);
    let transaction = snapshot.read_only(true).start().await?;
    let mut rows = Vec::new();
    for row in transaction.query(ROWS, &[]).await? {
        let xmin = u32::try_from(row.try_get::<_, i64>("xmin")?).unwrap_or_default();
        rows.push(StoredRow { entry: Entry::of_row(&row)?, xmin });
    }
    let chain = transaction.query(CHAIN, &[]).await?.iter().map(link_of_row).collect::<Result<_, _>>()?;
    let mut copies = Vec::new();
    for row in transaction.query(STATEMENTS, &[]).await? {
        let line: String = row.try_get("line")?;
        copies.extend(serde_json::from_str(&line));
    }
    transaction.commit().await?;
    Ok(Database { rows, chain, statements: copies })
}
