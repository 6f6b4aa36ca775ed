//! A server with an archive, work that leaves every kind of record, and reading all of an archive.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_pg::{Cluster, ClusterSpec, Install, Profile, Session, testing};
use pgstrata_wal::{ReadError, Reader, Record, SegmentName, SegmentSize, Step};

/// Everything that one test needs; gone when dropped.
pub struct Archived {
    pub server: Cluster,
    pub archive: WalArchive,
    _directory: tempfile::TempDir,
}

/// One installation of each major version on this machine.
pub fn installs() -> Vec<Install> {
    testing::of_each_major(14, &[])
}

/// A directory that the server's user can enter.
pub fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("chmod");
    directory
}

pub async fn archived(install: Install, settings: &[(&str, &str)]) -> Archived {
    let directory = open_directory();
    let archive = WalArchive::create(&directory.path().join("archive")).expect("an archive");
    let mut spec = archive.filled_by(ClusterSpec::new(install, Profile::FastTest));
    for (name, value) in settings {
        spec = spec.with_setting(*name, *value);
    }
    let server = Cluster::create(spec).await.expect("a server");
    Archived { server, archive, _directory: directory }
}

/// The first installation's, for what does not depend on the version.
pub async fn any_archived() -> Archived {
    archived(installs().remove(0), &[("max_prepared_transactions", "4")]).await
}

pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect().await.expect("a session")
}

/// The statements of a file, one after the other, each in a transaction of its own unless it says otherwise.
pub async fn work(session: &Session, sql: &str) {
    for statement in sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        session.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// All records of an archive, from the first that begins in it, and what ended the reading if it was no lack of bytes.
pub fn read_all(archive: &WalArchive) -> (Vec<Record>, Option<ReadError>) {
    let segments = archive.segments().expect("an archive");
    let timeline = segments.last().expect("a segment").timeline;
    let size = SegmentSize::DEFAULT;
    let mut reader = Reader::at_segment(segments[0].number(size), size);
    let mut records = Vec::new();
    loop {
        match reader.next_step() {
            Ok(Step::Record(record)) => records.push(*record),
            Ok(Step::NeedSegment(number)) => {
                let name = SegmentName::of(timeline, number, size);
                let Some(bytes) = archive.read(name).expect("a readable file") else { return (records, None) };
                if let Err(error) = reader.give(number, bytes) {
                    return (records, Some(error));
                }
            }
            Err(error) => return (records, Some(error)),
        }
    }
}
