//! The history folded from the log against what sessions did, what pages hold, and what readers saw.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgstrata_pg::{Install, Session, StopMode};
use pgstrata_tuple::{Alignment, ColumnLayout, ItemPointer, Row, RowHeader, Status, Value};
use pgstrata_units::{Lsn, Snapshot};
use pgstrata_wal::RelFile;
use pgstrata_wal::history::{History, Limits, Outcome, Version};
use pgstrata_wal::replay::{Page, PageId};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{Followed, files, installs, seed, seeds, server, session, work};
use crate::workload::Workload;

/// Statements of one run.
const STEPS: usize = 150;
const TABLE: &str = "account";

/// What a reader saw whose transaction began at a position.
struct Reading {
    lsn: Lsn,
    snapshot: String,
    seen: BTreeSet<String>,
}

/// A reader that begins now, while nobody else does anything.
async fn read(reader: &Session) -> Reading {
    reader.batch_execute("begin isolation level repeatable read").await.expect("begins");
    let row = reader.query_one(include_str!("seed.sql"), &[]).await.expect("a snapshot");
    let (lsn, snapshot): (String, String) = (row.get("lsn"), row.get("snapshot"));
    let rows = reader.query("select ctid::text from account", &[]).await.expect("rows");
    reader.batch_execute("commit").await.expect("ends");
    Reading { lsn: lsn.parse().expect("a position"), snapshot, seen: rows.iter().map(|row| row.get(0)).collect() }
}

/// Compares snapshots. Ours may list subtransactions of which the log has not said yet (or never says) whose they are.
fn check_snapshot(history: &History, ours: &Snapshot, own: &str, name: &str) {
    let own: Snapshot = own.parse().expect("a snapshot");
    assert_eq!((ours.xmin(), ours.xmax()), (own.xmin(), own.xmax()), "{name}: {ours} for {own}");
    assert!(own.in_progress().iter().all(|xid| ours.in_progress().contains(xid)), "{name}: {ours} for {own}");
    for xid in ours.in_progress().iter().filter(|xid| !own.in_progress().contains(xid)) {
        let life = history.transactions().life(*xid).expect("remembered");
        let is_undone = life.ended.is_none_or(|ended| ended.outcome == Outcome::Aborted);
        assert!(is_undone && life.top.is_none(), "{name}: {life:?} in {ours} for {own}");
    }
}

/// Compares a reading with what the history says anybody would have seen there. Returns how many versions were judged.
fn check_reading(history: &History, relation: RelFile, reading: &Reading, name: &str) -> usize {
    let lsn = reading.lsn;
    let snapshot = history.snapshot_at(lsn).unwrap_or_else(|| panic!("{name}: no snapshot at {lsn}"));
    check_snapshot(history, &snapshot, &reading.snapshot, name);
    let judged = history.seen_at(relation, lsn).expect("judgements");
    let mut ours = BTreeSet::new();
    for (id, judgement) in &judged {
        let version = history.versions().get(*id).expect("a version");
        let visible =
            judgement.visible.unwrap_or_else(|| panic!("{name}: {} of {version:?} at {lsn}", judgement.reason));
        if visible {
            assert!(ours.insert(version.at.to_string()), "{name}: two versions at {} are seen at {lsn}", version.at);
        }
    }
    let (missing, extra): (Vec<_>, Vec<_>) =
        (reading.seen.difference(&ours).collect(), ours.difference(&reading.seen).collect());
    assert!(missing.is_empty() && extra.is_empty(), "{name} at {lsn}: not seen {missing:?}, seen too {extra:?}");
    judged.len()
}

/// Compares the versions that are said to be on disk with the tuples that are there.
async fn check_tuples(history: &History, relation: RelFile, watcher: &Session, name: &str) {
    let rows = watcher.query(include_str!("items.sql"), &[&TABLE]).await.expect("tuples");
    let own: BTreeSet<String> = rows
        .iter()
        .map(|row| {
            let (block, offset): (i64, i16) = (row.get("block"), row.get("offset"));
            let text = |column: &str| row.get::<_, String>(column);
            format!("({block},{offset}) {} {} {}", text("xmin"), text("xmax"), text("ctid"))
        })
        .collect();
    let there = history.versions().of(relation).filter(|version| version.removed.is_none());
    let ours: BTreeSet<String> = there
        .map(|version| {
            let header =
                version.latest().and_then(|state| state.header).unwrap_or_else(|| panic!("{name}: {version:?}"));
            format!("{} {} {} {}", version.at, header.xmin, header.xmax, header.ctid)
        })
        .collect();
    let (missing, extra): (Vec<_>, Vec<_>) = (own.difference(&ours).collect(), ours.difference(&own).collect());
    assert!(missing.is_empty() && extra.is_empty(), "{name}: not known {missing:?}, not there {extra:?}");
}

/// What an update noted in its new version: the place of the one it replaced.
fn noted_parent(version: &Version) -> Option<ItemPointer> {
    const INT: ColumnLayout = ColumnLayout::Fixed { bytes: 4, alignment: Alignment::Int };
    const TID: ColumnLayout = ColumnLayout::Fixed { bytes: 6, alignment: Alignment::Short };
    const TEXT: ColumnLayout = ColumnLayout::Varlena { alignment: Alignment::Int };
    let header = version.states.first()?.header?;
    let fields = RowHeader { infomask2: header.infomask2, infomask: header.infomask, data_offset: header.hoff };
    let row = Row::new(fields, version.row.as_deref()?);
    match row.values(&[INT, INT, TID, TEXT]).expect("an account")[2] {
        Value::Fixed(&[upper, upper2, lower, lower2, offset, offset2]) => {
            let [upper, lower, offset] = [[upper, upper2], [lower, lower2], [offset, offset2]].map(u16::from_le_bytes);
            Some(ItemPointer { block: u32::from(upper) << 16 | u32::from(lower), offset })
        }
        _ => None,
    }
}

/// Compares each version's parent with what the update itself noted. Returns how many parents there were, and how many
/// children were rolled back.
fn check_parents(history: &History, relation: RelFile, name: &str) -> (usize, usize) {
    let (mut parents, mut undone) = (0, 0);
    for version in history.versions().of(relation).filter(|version| version.made.is_some()) {
        assert!(version.row.is_some(), "{name}: no row of {version:?}");
        let noted = noted_parent(version);
        assert_eq!(version.parent.map(|parent| parent.at), noted, "{name}: the parent of {version:?}");
        let Some(parent) = version.parent else { continue };
        parents += 1;
        let parent = history.versions().get(parent.id).expect("remembered");
        assert!(parent.children.contains(&version.id), "{name}: {parent:?} does not know {version:?}");
        assert!(
            parent.made.is_none_or(|made| Some(made) < version.made),
            "{name}: {version:?} is older than its parent"
        );
        let made_by = version.xmin.expect("a maker");
        let outcome = history.transactions().life(made_by).and_then(|life| life.ended).map(|ended| ended.outcome);
        undone += usize::from(outcome == Some(Outcome::Aborted));
    }
    (parents, undone)
}

/// Updates of random rows, many of them undone, until it is told to stop.
async fn hammer(session: Session, random: u64, stop: Arc<AtomicBool>) -> usize {
    let mut random = ChaCha8Rng::seed_from_u64(random);
    let mut updates = 0;
    session.batch_execute("set lock_timeout = '20ms'; set deadlock_timeout = '10ms'").await.expect("settings");
    while !stop.load(Ordering::Relaxed) {
        let id = random.random_range(1..15);
        let update = format!("update account set was = ctid, amount = amount + 1 where id = {id}");
        let work = match random.random_range(0..4) {
            0 => format!("begin; {update}; rollback"),
            1 => format!("begin; savepoint a; {update}; rollback to a; {update}; commit"),
            2 => format!("begin; select from account where id = {id} for share; commit"),
            _ => update,
        };
        // Whoever waits too long, or closes a circle, is undone.
        if session.batch_execute(&work).await.is_err() {
            session.batch_execute("rollback").await.expect("an end");
        }
        updates += 1;
    }
    updates
}

/// Asks the server how transactions ended that are older than the history.
async fn learn(history: &mut History, relation: RelFile, session: &Session) {
    let headers = history.versions().of(relation).filter_map(|version| version.latest()?.header);
    let named: BTreeSet<u32> = headers.flat_map(|header| [header.xmin, header.xmax]).collect();
    let named: Vec<_> = named.into_iter().filter_map(|short| history.transactions().full(short)).collect();
    for xid in named {
        if xid.is_normal() && history.transactions().status_at(xid, history.told()) == Status::Unknown {
            let sql = "select pg_xact_status($1::text::xid8)";
            match session.query_one(sql, &[&xid.to_string()]).await.map(|row| row.get::<_, Option<String>>(0)) {
                Ok(Some(status)) if status == "committed" => history.learn(xid, Status::Committed),
                Ok(Some(status)) if status == "aborted" => history.learn(xid, Status::Aborted),
                // A multixact's number, and no transaction's.
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_begins_in_the_midst_of_work_links_no_wrong_parent() {
    for install in installs() {
        let name = format!("{}", install.version);
        let server = server(install, &[]).await;
        let watcher = session(&server).await;
        work(&watcher, include_str!("schema.sql")).await;
        let relation = files(&watcher, TABLE).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut hammers = Vec::new();
        for random in 0..4 {
            hammers.push(tokio::spawn(hammer(session(&server).await, random, Arc::clone(&stop))));
        }
        let mut followed = Followed::open(&server).await;
        let logs_hints = followed.feed().identity().logs_hints;
        let mut history = History::begin(seed(&watcher).await, Limits::default(), logs_hints);
        history.follow(relation);
        // Some records come before the pages are read, some pages are read before their records come.
        for record in followed.catch_up().await {
            history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let mut pages_to = Lsn(0);
        for (block, row) in (0..).zip(watcher.query(include_str!("pages.sql"), &[&TABLE]).await.expect("pages")) {
            let page = Page::new(row.get(0)).expect("a page");
            pages_to = pages_to.max(page.lsn());
            history.seed_page(PageId { relation, block }, page);
        }
        for _ in 0..20 {
            for record in followed.catch_up().await {
                history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        stop.store(true, Ordering::Relaxed);
        let mut updates = 0;
        for hammer in hammers {
            updates += hammer.await.expect("no panic");
        }
        let reading = read(&watcher).await;
        for record in followed.catch_up().await {
            history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        learn(&mut history, relation, &watcher).await;
        check_reading(&history, relation, &reading, &name);
        check_tuples(&history, relation, &watcher, &name).await;
        let (mut linked, mut unlinked) = (0, 0);
        for version in history.versions().of(relation).filter(|version| version.made.is_some() && version.row.is_some())
        {
            let noted = noted_parent(version);
            match version.parent {
                Some(parent) => {
                    assert_eq!(Some(parent.at), noted, "{name}: the parent of {version:?}");
                    linked += 1;
                }
                None if noted.is_some() => {
                    let made = version.made.expect("filtered");
                    assert!(made < pages_to, "{name}: no parent of {version:?}, pages of {pages_to}");
                    unlinked += 1;
                }
                None => {}
            }
        }
        assert!(linked > 50 && linked > 5 * unlinked, "{name}: {linked} linked, {unlinked} not, {updates} updates");
    }
}

async fn check_run(install: Install, settings: &[(&str, &str)], random: u64) {
    let name = format!("{} {settings:?} seed {random}", install.version);
    let server = server(install, settings).await;
    let (watcher, reader) = (session(&server).await, session(&server).await);
    let mut followed = Followed::open(&server).await;
    let logs_hints = followed.feed().identity().logs_hints;
    let mut workload = Workload::begin(&server, random).await;
    let relation = files(&watcher, TABLE).await;
    let mut history = History::begin(seed(&watcher).await, Limits::default(), logs_hints);
    // As a tool does that comes later: the pages as they are.
    let pages = watcher.query(include_str!("pages.sql"), &[&TABLE]).await.expect("pages");
    for (block, row) in (0..).zip(&pages) {
        history.seed_page(PageId { relation, block }, Page::new(row.get(0)).expect("a page"));
    }
    let (mut readings, mut judged) = (Vec::new(), 0);
    for step in 0..STEPS {
        let done = workload.step().await;
        let name = format!("{name} step {step} after {done}");
        let reading = read(&reader).await;
        for record in followed.catch_up().await {
            history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        check_reading(&history, relation, &reading, &name);
        check_tuples(&history, relation, &watcher, &name).await;
        readings.push(reading);
    }
    workload.finish().await;
    work(&watcher, "vacuum (freeze) account;\n").await;
    for record in followed.catch_up().await {
        history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // Most of what they saw is no longer on disk.
    for reading in &readings {
        judged += check_reading(&history, relation, reading, &name);
    }
    check_tuples(&history, relation, &watcher, &name).await;
    let removed = history.versions().of(relation).filter(|version| version.removed.is_some()).count();
    let (parents, undone) = check_parents(&history, relation, &name);
    assert!(
        parents > 15 && undone > 3 && removed > 20 && judged > 3000,
        "{name}: {parents} {undone} {removed} {judged}"
    );
}

#[tokio::test]
async fn what_a_crash_cut_off_is_lost_and_the_history_goes_on() {
    for install in installs() {
        let name = format!("{}", install.version);
        let mut server = server(install, &[]).await;
        let mut watcher = session(&server).await;
        let mut followed = Followed::open(&server).await;
        let mut history = {
            let logs_hints = followed.feed().identity().logs_hints;
            History::begin(seed(&watcher).await, Limits::default(), logs_hints)
        };
        let mut workload = Workload::begin(&server, 31).await;
        let relation = files(&watcher, TABLE).await;
        history.follow(relation);
        for _ in 0..60 {
            workload.step().await;
        }
        // Still running when the server dies, flushed by a commit of somebody else.
        let cut_off = session(&server).await;
        let begun = "begin; update account set was = ctid, note = 'cut off' where id = (select min(id) from account)";
        cut_off.batch_execute(begun).await.expect("an update");
        for record in followed.catch_up().await {
            history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        drop((workload, cut_off));
        server.stop(StopMode::Immediate).await.expect("stops");
        server.start().await.expect("starts");
        watcher = session(&server).await;
        followed.come_back(&server).await;
        let reading = read(&watcher).await;
        for record in followed.catch_up().await {
            history.apply(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        check_reading(&history, relation, &reading, &name);
        check_tuples(&history, relation, &watcher, &name).await;
        let lost = |xid| history.transactions().life(xid).and_then(|life| life.ended).map(|ended| ended.outcome);
        let cut_off =
            history.versions().of(relation).filter(|version| version.xmin.and_then(lost) == Some(Outcome::Lost));
        assert!(cut_off.count() > 0, "{name}: nothing was lost");
    }
}

#[tokio::test]
async fn the_same_is_true_with_level_logical_and_checksums_of_hints() {
    for install in installs() {
        for random in seeds(13) {
            check_run(install.clone(), &[("wal_level", "logical"), ("wal_log_hints", "on")], random).await;
        }
    }
}

#[tokio::test]
async fn versions_parents_fates_and_what_was_seen_are_as_sessions_did_and_readers_saw() {
    for install in installs() {
        for random in seeds(11) {
            check_run(install.clone(), &[], random).await;
        }
    }
}

#[tokio::test]
async fn the_same_is_true_with_page_images_instead_of_rows_in_the_log() {
    for install in installs() {
        for seed in seeds(12) {
            check_run(install.clone(), &[("full_page_writes", "on")], seed).await;
        }
    }
}
