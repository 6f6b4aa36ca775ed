//! A ledger that is archived and audited, and short ways to post, meddle and judge.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_pg::{Cluster, Endpoint, Session, testing};
use pgstrata_wal::{Reader, Record, SegmentName, SegmentSize, Step};
use uuid::Uuid;

use crate::ledger::audit::key;
use crate::ledger::audit::{AuditError, Auditor, Cadence, Evidence, Finding, FindingKind, Report, verify};
use crate::ledger::create_schema;

const POST: &str = include_str!("post.sql");

/// Two of the accounts that are posted to; there are no rows of accounts, because no constraint asks for them.
pub const PAYER: i64 = 11;
pub const PAYEE: i64 = 22;

/// Signs after every transaction that is looked at.
pub const EAGER: Cadence = Cadence { entries: 1, time: Duration::ZERO };

/// A server, its archive, and the trail outside it.
pub struct Audited {
    pub server: Cluster,
    pub archive: WalArchive,
    pub session: Session,
    pub auditor: Auditor,
    pub key: SigningKey,
    pub directory: tempfile::TempDir,
}

/// A server with an archive, on which no trail has begun.
pub struct Unaudited {
    pub server: Cluster,
    archive: WalArchive,
    directory: tempfile::TempDir,
}

impl Unaudited {
    pub async fn new(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("chmod");
        let archive = WalArchive::create(&directory.path().join("archive")).expect("an archive");
        let mut spec = archive.filled_by(testing::spec().expect("install PostgreSQL 14 to 18 to run these tests"));
        for (name, value) in settings {
            spec = spec.with_setting(*name, *value);
        }
        let server = Cluster::create(spec).await.expect("a server");
        Self { server, archive, directory }
    }

    /// Begins the trail of the ledger that is there.
    pub async fn begin(self) -> Audited {
        let Self { server, archive, directory } = self;
        let key = key::create(&directory.path().join("auditor.key")).expect("a key");
        let path = directory.path().join("heads.jsonl");
        let session = server.endpoint().connect().await.expect("a session");
        let auditor = Auditor::begin(&server.endpoint(), key.clone(), &path, EAGER).await.expect("a trail");
        Audited { server, archive, session, auditor, key, directory }
    }
}

impl Audited {
    /// A ledger without entries, followed from its beginning.
    pub async fn new() -> Self {
        Self::with(&[("max_prepared_transactions", "4"), ("ignore_checksum_failure", "on")], 0).await
    }

    /// With these settings, and so many transfers before the trail begins.
    pub async fn with(settings: &[(&str, &str)], before: u32) -> Self {
        let unaudited = Unaudited::new(settings).await;
        let session = unaudited.server.endpoint().connect().await.expect("a session");
        create_schema(&session).await.expect("the ledger");
        post(&session, before, 1).await;
        unaudited.begin().await
    }

    /// Three transactions of four entries each in a segment of their own, three times; everything signed.
    pub async fn with_work() -> Self {
        let mut audited = Self::new().await;
        for _ in 0..3 {
            for _ in 0..3 {
                post(&audited.session, 2, 1).await;
                audited.auditor.catch_up().await.expect("followed");
            }
            audited.archive_all().await;
        }
        audited
    }

    /// Another auditor, who goes on with the same trail.
    pub async fn resume(&self) -> Result<Auditor, AuditError> {
        Auditor::resume(&self.server.endpoint(), self.key.clone(), &self.statements(), EAGER).await
    }

    /// Closes the segment and waits for the archive.
    pub async fn archive_all(&mut self) {
        self.auditor.catch_up().await.expect("followed");
        self.archive.catch_up(&self.session).await.expect("archived");
    }

    pub fn statements(&self) -> PathBuf {
        self.directory.path().join("heads.jsonl")
    }

    pub fn evidence(&self, database: Option<Endpoint>) -> Evidence {
        Evidence {
            archives: vec![self.archive.clone()],
            statements: self.statements(),
            key: self.key.verifying_key(),
            chain: None,
            database,
        }
    }

    /// Judges everything: log, heads, chain and rows.
    pub async fn judge(&self) -> Report {
        verify(&self.evidence(Some(self.server.endpoint()))).await.expect("a report")
    }

    /// Judges what needs no server.
    pub async fn judge_log_alone(&self) -> Report {
        verify(&self.evidence(None)).await.expect("a report")
    }

    pub async fn run(&self, sql: &str) {
        self.session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// What a superuser does who does not want to be stopped.
    pub async fn meddle(&self, sql: &str) {
        self.run(&format!("set session_replication_role = replica; {sql}; reset session_replication_role")).await;
    }

    pub fn segment_path(&self, segment: SegmentName) -> PathBuf {
        self.archive.directory().join(segment.to_string())
    }

    /// All records in the archive.
    pub fn records(&self) -> Vec<Record> {
        let (size, segments) = (SegmentSize::DEFAULT, self.archive.segments().expect("an archive"));
        let mut reader = Reader::at_segment(segments[0].number(size), size);
        let mut records = Vec::new();
        loop {
            match reader.next_step().expect("sound log") {
                Step::Record(record) => records.push(*record),
                Step::NeedSegment(number) => {
                    let name = SegmentName::of(segments[0].timeline, number, size);
                    let Some(bytes) = self.archive.read(name).expect("readable") else { return records };
                    reader.give(number, bytes).expect("sound log");
                }
            }
        }
    }

    /// The segment and the offset in it of a position.
    pub fn place_of(&self, lsn: pgstrata_units::Lsn) -> (PathBuf, usize) {
        let size = SegmentSize::DEFAULT;
        let segments = self.archive.segments().expect("an archive");
        let name = SegmentName::of(segments[0].timeline, size.segment_of(lsn), size);
        (self.segment_path(name), usize::try_from(size.offset_of(lsn)).expect("an offset"))
    }
}

/// Posts one transaction of so many transfers, each of `amount`, with two entries each, by one statement as a group
/// flush does.
pub async fn post(session: &Session, transfers: u32, amount: i64) {
    let keys: Vec<Uuid> = (0..transfers).map(|_| Uuid::now_v7()).collect();
    session.execute(POST, &[&keys, &PAYER, &PAYEE, &amount]).await.expect("posted");
}

/// The one finding of this kind.
pub fn the_only(report: &Report, kind: FindingKind) -> Finding {
    let mut of_kind = report.findings.iter().filter(|finding| finding.kind == kind);
    let found = of_kind.next().unwrap_or_else(|| panic!("no {kind:?} in {:#?}", report.findings));
    assert!(of_kind.next().is_none(), "more than one {kind:?} in {:#?}", report.findings);
    found.clone()
}

/// The kinds of all findings, each once.
pub fn kinds(report: &Report) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
