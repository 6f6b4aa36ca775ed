//! Our reading against `pg_waldump`'s, record by record, on every installation of this machine.

use std::process::Command;

use pgstrata_pg::Install;
use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_units::Lsn;
use pgstrata_wal::{HeapOperation, Operation, Record, TransactionOperation};

use crate::support::{archived, installs, read_all, session, work};

/// What `pg_waldump` says of one record.
#[derive(Debug)]
struct Told {
    manager: String,
    length: u32,
    xid: u32,
    lsn: Lsn,
    previous: Lsn,
    description: String,
}

fn waldump(install: &Install, archive: &WalArchive) -> Vec<Told> {
    assert!(
        install.tools.contains("pg_waldump"),
        "install the package that has pg_waldump for {} (Debian: postgresql)",
        install.version
    );
    let segments = archive.segments().expect("an archive");
    let (first, last) = (segments[0].to_string(), segments[segments.len() - 1].to_string());
    let mut command = Command::new(install.program("pg_waldump"));
    command.arg("--path").arg(archive.directory()).args([first, last]).env("LC_ALL", "C");
    let output = command.output().expect("pg_waldump runs");
    String::from_utf8_lossy(&output.stdout).lines().filter_map(told).collect()
}

/// `rmgr: Heap        len (rec/tot):     59/   199, tx:        737, lsn: 0/0153C5D8, prev 0/0153C5A0, desc: INSERT …`
fn told(line: &str) -> Option<Told> {
    let rest = line.strip_prefix("rmgr: ")?;
    let (manager, rest) = rest.split_once(" len (rec/tot):")?;
    let (lengths, rest) = rest.split_once(", tx:")?;
    let (xid, rest) = rest.split_once(", lsn: ")?;
    let (lsn, rest) = rest.split_once(", prev ")?;
    let (previous, description) = rest.split_once(", desc: ")?;
    Some(Told {
        manager: manager.trim().to_owned(),
        length: lengths.split_once('/')?.1.trim().parse().ok()?,
        xid: xid.trim().parse().ok()?,
        lsn: lsn.parse().ok()?,
        previous: previous.parse().ok()?,
        description: description.to_owned(),
    })
}

/// The number after a word of the description: `off 3` until 15, `off: 3` since.
fn number_after(description: &str, word: &str) -> Option<u32> {
    let (_, rest) = description.split_once(word)?;
    let digits = rest.trim_start_matches([':', ' ']);
    digits.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// What our reading of the body says, held against the description.
fn check_body(record: &Record, told: &Told) {
    let text = &told.description;
    let has = |part: &str| assert!(text.contains(part), "{part:?} not in {told:?}");
    let check_place = |at: pgstrata_wal::ItemPointer| {
        assert_eq!(number_after(text, " off"), Some(at.offset.into()), "{told:?}");
        assert_eq!(number_after(text, " blk "), Some(at.block), "{told:?}");
    };
    match record.operation().unwrap_or_else(|error| panic!("{error}: {told:?}")) {
        Operation::Heap(HeapOperation::Insert { at, relation, .. }) => {
            has("INSERT");
            has(&format!("rel {relation} "));
            check_place(at);
        }
        Operation::Heap(HeapOperation::Delete { at, .. }) => {
            has("DELETE");
            check_place(at);
        }
        Operation::Heap(HeapOperation::Confirm { at, .. }) => {
            has("CONFIRM");
            check_place(at);
        }
        Operation::Heap(HeapOperation::Lock { at, .. }) => {
            has("LOCK");
            check_place(at);
        }
        Operation::Heap(HeapOperation::MultiInsert { rows, .. }) => {
            has("MULTI_INSERT");
            let tuples = number_after(text, "ntuples").or_else(|| number_after(text, " tuples"));
            let tuples = tuples.or_else(|| text.split(" tuples").next()?.rsplit(' ').next()?.parse().ok());
            assert_eq!(tuples.map(|count| count as usize), Some(rows.len()), "{told:?}");
        }
        Operation::Heap(HeapOperation::Update { is_hot, .. }) => has(if is_hot { "HOT_UPDATE" } else { "UPDATE" }),
        Operation::Heap(HeapOperation::Truncate { relations, .. }) => {
            has("TRUNCATE");
            for relation in relations {
                has(&relation.to_string());
            }
        }
        Operation::Transaction(TransactionOperation::Commit(end)) => {
            has("COMMIT ");
            for xid in end.subtransactions {
                has(&xid.to_string());
            }
        }
        Operation::Transaction(TransactionOperation::CommitPrepared(end)) => {
            has(&format!("COMMIT_PREPARED {}", end.xid));
            // pg_waldump does not tell it.
            assert_eq!(end.gid.as_deref(), Some("first gid"));
        }
        Operation::Transaction(TransactionOperation::AbortPrepared(end)) => {
            has(&format!("ABORT_PREPARED {}", end.xid));
            assert_eq!(end.gid.as_deref(), Some("second gid"));
        }
        Operation::Transaction(TransactionOperation::Prepare(prepared)) => {
            has(&format!("gid {}", prepared.gid));
            for xid in &prepared.subtransactions {
                has(&xid.to_string());
            }
            assert_eq!(prepared.xid, record.header.xid);
        }
        Operation::Transaction(TransactionOperation::Abort(_)) => has("ABORT"),
        Operation::Message(message) => has(&format!("prefix \"{}\"", String::from_utf8_lossy(message.prefix))),
        Operation::Log(pgstrata_wal::LogOperation::Switch) => has("SWITCH"),
        Operation::Log(pgstrata_wal::LogOperation::Checkpoint { redo, .. }) => {
            let told_redo = text.split_once("redo ").and_then(|(_, rest)| rest.split(';').next()?.parse().ok());
            assert_eq!(told_redo, Some(redo), "{told:?}");
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_record_of_every_version_is_the_one_that_pg_waldump_tells() {
    for install in installs() {
        let version = install.version;
        let prepared = [("max_prepared_transactions", "4"), ("full_page_writes", "on"), ("wal_compression", "on")];
        let archived = archived(install.clone(), &prepared).await;
        let session = session(&archived.server).await;
        work(&session, include_str!("work.sql")).await;
        archived.archive.catch_up(&session).await.expect("archived");

        let (records, error) = read_all(&archived.archive);
        assert_eq!(error, None, "{version}");
        let told = waldump(&install, &archived.archive);
        assert!(told.len() > 1000, "{version}: only {} records were told", told.len());
        for (record, told) in records.iter().zip(&told) {
            let header = record.header;
            assert_eq!(
                (record.lsn, header.previous, header.length, header.xid, header.manager.to_string()),
                (told.lsn, told.previous, told.length, told.xid, told.manager.clone()),
                "{version}"
            );
            check_body(record, told);
        }
        assert_eq!(records.len(), told.len(), "{version}");
    }
}
