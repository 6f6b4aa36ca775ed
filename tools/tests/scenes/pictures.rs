//! What the debugger shows of each scene after each step, held against what the server says: versions with their flags
//! against `pageinspect`, what a new transaction sees against what one selects, waits against the server's own functions.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::Session;
use pgstrata_timeline::{Fate, Item};
use pgstrata_tools::mvcc::scenes;
use pgstrata_tools::mvcc::{Observer, Options, Sample, Watch};

use crate::support::{open, server, session, step_as_told};

/// What the server says of a scene at a moment.
#[derive(Debug, PartialEq, Eq)]
struct Truth {
    /// Flags by place and maker.
    versions: BTreeMap<(u32, u16, u64), BTreeSet<String>>,
    /// Places that are seen.
    seen: BTreeSet<(u32, u16)>,
    /// Who waits for whom.
    waits: BTreeMap<i32, BTreeSet<i32>>,
}

async fn truth(watcher: &Session, table: &str, pids: &[i32]) -> Truth {
    let place = |row: &pgstrata_pg::sql::Row| {
        let block = u32::try_from(row.get::<_, i64>(0)).expect("a block");
        (block, u16::try_from(row.get::<_, i32>(1)).expect("a line pointer"))
    };
    let rows = watcher.query(include_str!("versions.sql"), &[&table]).await.expect("items");
    let versions = rows
        .iter()
        .map(|row| {
            let (block, offset) = place(row);
            let xmin = u64::try_from(row.get::<_, i64>(2)).expect("an id");
            ((block, offset, xmin), row.get::<_, Vec<String>>(3).into_iter().collect())
        })
        .collect();
    let rows = watcher.query(include_str!("waits.sql"), &[&pids]).await.expect("waits");
    let waits = rows.iter().map(|row| (row.get(0), row.get::<_, Vec<i32>>(1).into_iter().collect())).collect();
    // Last, for a reader may prune the page, and leave hint bits.
    let seen = format!("select (ctid::text::point)[0]::bigint, (ctid::text::point)[1]::int from {table}");
    let seen = watcher.query(&seen, &[]).await.expect("rows").iter().map(place).collect();
    Truth { versions, seen, waits }
}

/// What is shown, with what cannot be known of a version (whose part an ended transaction was) taken from the truth.
fn shown(sample: &Sample, truth: &Truth) -> Truth {
    let (mut versions, mut keys, mut waits) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for put in &sample.items {
        match &put.item {
            // What is no longer on disk is remembered, and said to be so.
            Item::Version(version) if version.fate != Fate::Removed => {
                let flags = version.flags.iter().cloned().collect();
                versions.insert((version.block, version.offset, version.xmin.0), flags);
                keys.insert(version.key(), (version.block, version.offset));
            }
            Item::Wait(wait) if wait.until_us.is_none() => {
                waits.insert(wait.pid, wait.blockers.iter().map(|blocker| blocker.pid).collect());
            }
            _ => {}
        }
    }
    let is_seen = |put: &pgstrata_timeline::PutItem| {
        let Item::Verdict(verdict) = &put.item else { return None };
        let place = keys.get(&verdict.version).copied().filter(|_| verdict.viewer == "new")?;
        let is_unknown = verdict.is_visible.is_none() && verdict.reason == "unknown-subtransaction";
        let is_seen = if is_unknown { truth.seen.contains(&place) } else { verdict.is_visible == Some(true) };
        is_seen.then_some(place)
    };
    let seen = sample.items.iter().filter_map(is_seen).collect();
    Truth { versions, seen, waits }
}

#[tokio::test]
async fn what_is_shown_after_every_step_of_every_scene_is_what_the_server_says() {
    /// A session may go on by itself (a deadlock is found) while the picture is taken; then it is taken anew.
    const TRIES: usize = 40;
    let server = server().await;
    let watcher = session(&server).await;
    let mut pictures = 0;
    for scene in scenes::all() {
        let mut play = open(&server, &scene.name).await;
        let pids: Vec<i32> = play.sessions().iter().map(|session| session.pid).collect();
        let mut observer = Observer::attach(&server.endpoint(), Options::default()).await.expect("it attaches");
        observer.watch(Watch { table: Some(play.table()), ..Watch::default() });
        while play.next() < scene.steps.len() {
            let step = play.next();
            step_as_told(&mut play).await;
            let mut last = None;
            for _ in 0..TRIES {
                let before = truth(&watcher, &play.table(), &pids).await;
                let sample = observer.sample().await;
                let after = truth(&watcher, &play.table(), &pids).await;
                let found = shown(&sample, &after);
                if before == after && found == after {
                    last = None;
                    break;
                }
                last = Some((found, after, sample.cause));
            }
            assert!(last.is_none(), "{} step {step}: shown, true: {last:#?}", scene.name);
            pictures += 1;
        }
        observer.close().await;
        play.close().await.expect("closed");
    }
    assert!(pictures > 50, "only {pictures} pictures");
}
