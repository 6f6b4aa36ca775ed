//! Snapshots of a standby: their text names nobody who runs, so what lies between its ends can only be unknown.

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::{Cluster, Session};
use pgstrata_tuple::{HeapPage, ItemPointer, Listing, Reason, TupleHeader, Viewer, judge};
use pgstrata_units::{Snapshot, Xid};

use crate::support::{installs, raw_pages, server, session};
use crate::visibility::{Known, seen};
use crate::work::{Work, xid};

/// Waits until the standby has replayed all that the primary has written.
async fn catch_up(primary: &Session, standby: &Session) {
    let lsn: String =
        primary.query_one("select pg_current_wal_insert_lsn()::text", &[]).await.expect("a position").get(0);
    let replayed = "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    while !standby.query_one(replayed, &[&lsn]).await.expect("an answer").get::<_, bool>(0) {
        // Something to write, so that what was written is flushed and sent.
        primary.batch_execute("select pg_switch_wal()").await.expect("a new segment");
        tokio::task::yield_now().await;
    }
}

async fn own_xid(session: &Session) -> Xid {
    xid(session.query_one("select pg_current_xact_id()::text::bigint", &[]).await.expect("an id").get(0))
}

/// Versions that a viewer is said to see, and those of which it is not known.
fn judged(
    headers: &[(ItemPointer, TupleHeader)],
    snapshot: &Snapshot,
    listing: Listing,
    known: &Known<'_>,
) -> (BTreeSet<String>, BTreeMap<String, Reason>) {
    let viewer = Viewer { snapshot, listing, own: None };
    let (mut seen, mut unknown) = (BTreeSet::new(), BTreeMap::new());
    for (place, header) in headers {
        let judgement = judge(header, *place, &viewer, known);
        match judgement.visible {
            Some(true) => drop(seen.insert(place.to_string())),
            Some(false) => {}
            None => drop(unknown.insert(place.to_string(), judgement.reason)),
        }
    }
    (seen, unknown)
}

#[tokio::test]
async fn the_text_of_a_standbys_snapshot_names_nobody_and_is_not_taken_for_more() {
    let server: Cluster = server(installs().remove(0)).await;
    let mut work = Work::begin(&server, 1).await;
    let standby = server.standby().await.expect("a standby");
    let (running, reader) = (session(&server).await, session(&standby).await);
    running.batch_execute("begin; insert into item values (90001, 1, 'runs', null)").await.expect("a row");
    let of_running = own_xid(&running).await;
    // Ended later than the other began, so that its id lies between the snapshot's ends.
    work.watcher.batch_execute("insert into item values (90002, 1, 'ended', null)").await.expect("a row");
    catch_up(&work.watcher, &reader).await;
    reader.batch_execute("begin isolation level repeatable read").await.expect("begun");
    let (snapshot, truth) = seen(&reader).await;
    assert!(snapshot.in_progress().is_empty() && snapshot.xmin() <= of_running && of_running < snapshot.xmax());

    running.batch_execute("commit").await.expect("committed");
    let watcher = session(&standby).await;
    catch_up(&work.watcher, &watcher).await;
    let bytes = raw_pages(&watcher, "item").await;
    let headers: Vec<_> = (0..)
        .zip(&bytes)
        .flat_map(|(block, bytes)| {
            let page = HeapPage::parse(bytes).expect("a page");
            page.tuples().map(move |(offset, tuple)| (ItemPointer { block, offset }, tuple.header)).collect::<Vec<_>>()
        })
        .collect();
    work.tops.extend(headers.iter().map(|(_, header)| (Xid(header.xmin.into()), Xid(header.xmin.into()))));
    let known = Known::of(&headers, &work).await;

    let (naive, _) = judged(&headers, &snapshot, Listing::TopLevel, &known);
    assert_eq!(naive.difference(&truth).count(), 1, "taken at its word, the text shows what the reader does not see");
    let (found, unknown) = judged(&headers, &snapshot, Listing::Nothing, &known);
    assert!(found.is_subset(&truth));
    let left: BTreeSet<String> = truth.difference(&found).cloned().collect();
    assert!(left.iter().all(|place| unknown.contains_key(place)));
    assert_eq!(unknown.values().collect::<Vec<_>>(), [&Reason::UnknownSubtransaction; 2], "of both that ended since");
}
