//! A server that has removed its log before it was read: said so, and followed anew.

use pgstrata_pg::{Cluster, Session};
use pgstrata_timeline::{Cause, Change, Item, LogLimits, Moment, Origin, Tier};
use pgstrata_tools::mvcc::{Follower, Options};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::seats::{run, seat, spec, watch};
use crate::tracks::LIMIT;

/// One that runs only while it is waited for.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Has the server break off its streams and remove the log that they have not sent.
async fn lose_log(session: &Session) {
    let kill = "select pg_terminate_backend(pid) from pg_stat_replication where application_name = 'pgstrata feed'";
    run(session, kill).await;
    // Each switch leaves a segment behind, the checkpoint removes those before it.
    for step in 0..4 {
        run(session, &format!("insert into t values ({}, 0); select pg_switch_wal()", 100 + step)).await;
    }
    run(session, "checkpoint").await;
}

/// Follows, and folds what comes, until a change and the moment after it are as wanted.
async fn until(follower: &mut Follower, moment: &mut Moment, what: &str, is_wanted: impl Fn(&Moment, &Change) -> bool) {
    let mut is_seen = false;
    let waiting = async {
        while !is_seen {
            for change in follower.next().await {
                assert!(moment.fold(&change), "a gap before {}", change.seq);
                is_seen |= is_wanted(moment, &change);
            }
        }
    };
    timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("never seen: {what}"));
}

fn origins(moment: &Moment) -> Vec<Origin> {
    let versions = moment.items.values().filter(|put| matches!(put.item, Item::Version(_)));
    versions.map(|put| put.origin).collect()
}

/// Whether the server's notes say that the log was lost, and whether it is among what can be seen; once there was a look.
fn told(moment: &Moment) -> Option<(bool, bool)> {
    let server = moment.items.values().find_map(|put| match &put.item {
        Item::Server(server) => Some(server),
        _ => None,
    });
    let server = server?;
    Some((server.notes.iter().any(|note| note.starts_with("log-lost: ")), server.tiers.contains(&Tier::Wal)))
}

#[test]
fn a_log_that_the_server_removed_unread_is_said_to_be_lost_and_followed_anew() {
    // While theirs is waited for, ours reads nothing.
    let (ours, theirs) = (runtime(), runtime());
    let (server, setup) = theirs.block_on(async {
        let server = Cluster::create(spec().with_setting("synchronous_commit", "on")).await.expect("a server");
        let setup = seat(&server.endpoint(), "setup").await;
        run(&setup, "create extension pageinspect; create table t(id int primary key, n int)").await;
        run(&setup, "insert into t select n, 0 from generate_series(1, 8) n").await;
        (server, setup)
    });
    let mut moment = Moment::default();
    let mut follower = ours.block_on(async {
        let begun = Follower::begin(&server.endpoint(), Options::default(), LogLimits::default()).await;
        let mut follower = begun.expect("it attaches");
        assert_eq!(follower.lack(), None);
        for change in follower.watch(watch("public.t")).await {
            assert!(moment.fold(&change));
        }
        until(&mut follower, &mut moment, "a look", |moment, _| told(moment) == Some((false, true))).await;
        follower
    });
    assert_eq!(origins(&moment), [Origin::Exact; 8]);

    theirs.block_on(lose_log(&setup));
    ours.block_on(async {
        until(&mut follower, &mut moment, "the loss", |moment, _| told(moment) == Some((true, false))).await;
        assert!(follower.lack().is_some(), "it is said why");
    });
    // What is seen by looking is all that is shown, with what was never read.
    assert_eq!(origins(&moment), [Origin::Sampled; 12]);

    ours.block_on(async {
        until(&mut follower, &mut moment, "the new beginning", |moment, _| told(moment) == Some((false, true))).await;
        assert_eq!(follower.lack(), None);
    });
    assert_eq!(origins(&moment), [Origin::Exact; 12], "with the pages as they are now");
    theirs.block_on(run(&setup, "update t set n = 1 where id = 1"));
    ours.block_on(async {
        let is_update = |moment: &Moment, change: &Change| {
            matches!(change.cause, Cause::Record { .. }) && origins(moment) == [Origin::Exact; 13]
        };
        until(&mut follower, &mut moment, "the update's record", is_update).await;
        follower.close().await;
    });
}
