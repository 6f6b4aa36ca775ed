//! A crash at every step: of the coordinator, of each server, of a connection. Both shards or none, nothing left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pgstrata_coordinator::{Act, Flaw, Peers, Settings, Standing, Step};
use uuid::Uuid;

use crate::support::{Ground, PATIENCE, Strike, Trap, happened, quiet, transfer};

/// The steps of a transaction, in order.
fn steps() -> impl Iterator<Item = Step> {
    Step::OF_TWO.into_iter().filter(|step| !matches!(step, Step::Before(Act::Forget) | Step::After(Act::Forget)))
}

/// Whether a coordinator that dies at the step has decided to commit.
fn is_decided(step: Step) -> bool {
    steps().skip_while(|earlier| *earlier != Step::After(Act::Decide)).any(|decided| decided == step)
}

/// Lets a coordinator die at a step, as its servers see it: its sessions end, and nothing is sent any more.
async fn die_at(ground: &Ground, step: Step, flaw: Option<Flaw>) -> Uuid {
    let key = Uuid::now_v7();
    let trap = Trap::at(step, Strike::Hold);
    let settings = Settings { bystander: Some(Arc::clone(&trap) as _), flaw, ..quiet() };
    let coordinator = ground.open(settings).await;
    tokio::select! {
        () = trap.reached.notified() => {}
        ended = transfer(&coordinator, key, 10) => panic!("{step} was not reached: {ended:?}"),
    }
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_dies_at_any_step_leaves_both_shards_or_none() {
    for step in steps() {
        let ground = Ground::new().await;
        let key = die_at(&ground, step, None).await;
        let successor = ground.open(quiet()).await;
        ground.resolve_all(&successor).await;
        let done = happened(&ground, 10).await;
        assert_eq!(done, is_decided(step), "{step}");
        let standing = successor.settle(key, Instant::now() + PATIENCE).await.expect("an outcome");
        assert_eq!(matches!(standing, Standing::Committed(_)), done, "{step}: {standing:?}");
        assert_eq!(successor.resolve().await.expect("a look"), pgstrata_coordinator::Resolution::default());
        successor.close().await;
    }
}

/// kill -9 of a server while the coordinator stands at a step, and goes on when the server is back.
async fn server_dies_at_every_step(shard: usize) {
    for step in steps() {
        let ground = Ground::new().await;
        let trap = Trap::at(step, Strike::Restart(Arc::clone(&ground.clusters[shard])));
        let coordinator = ground.open(Settings { bystander: Some(Arc::clone(&trap) as _), ..quiet() }).await;
        let outcome = transfer(&coordinator, Uuid::now_v7(), 10).await;
        assert!(trap.has_struck(), "{step}");
        ground.resolve_all(&coordinator).await;
        assert_eq!(happened(&ground, 10).await, outcome.is_ok(), "shard {shard}, {step}: {outcome:?}");
        coordinator.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_home_shard_may_die_at_any_step() {
    server_dies_at_every_step(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_shard_may_die_at_any_step() {
    server_dies_at_every_step(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_may_be_lost_at_any_step() {
    let ground = Ground::new().await;
    let mut done = 0;
    for step in steps() {
        let trap = Trap::at(step, Strike::Disconnect);
        let coordinator = ground.open(Settings { bystander: Some(Arc::clone(&trap) as _), ..quiet() }).await;
        let outcome = transfer(&coordinator, Uuid::now_v7(), 10).await;
        assert!(trap.has_struck(), "{step}");
        ground.resolve_all(&coordinator).await;
        done += i64::from(outcome.is_ok());
        assert_eq!(ground.balances().await, (1000 - 10 * done, 1000 + 10 * done), "{step}: {outcome:?}");
        coordinator.close().await;
    }
    assert!(done > 0, "some of them are behind the decision");
}

/// What the decision is for: without it the same crash tears the transfer, and the same check says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_durable_decision_a_crash_between_the_commits_tears_the_transfer() {
    for (flaw, step) in
        [(Flaw::NoDecision, Step::After(Act::Commit(1))), (Flaw::CommitBeforeDecision, Step::Before(Act::Decide))]
    {
        let ground = Ground::new().await;
        die_at(&ground, step, Some(flaw)).await;
        let successor = ground.open(quiet()).await;
        ground.resolve_all(&successor).await;
        assert_eq!(ground.balances().await, (990, 1000), "{flaw:?}: money is gone");
        successor.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_resolvers_may_meet_over_the_same_transactions() {
    let ground = Ground::new().await;
    die_at(&ground, Step::After(Act::Decide), None).await;
    die_at_prepared(&ground).await;
    // Each looks when it opens and once more; all of them at once.
    let peers = Peers::Beside { grace: Duration::ZERO };
    let look = || async {
        let coordinator = ground.open(Settings { peers, ..quiet() }).await;
        while ground.prepared().await > 0 {
            coordinator.resolve().await.expect("a look");
        }
        coordinator
    };
    let coordinators = join_all((0..4).map(|_| look())).await;
    assert!(happened(&ground, 10).await, "the decided one is committed once, the other one undone");
    join_all(coordinators.into_iter().map(pgstrata_coordinator::Coordinator::close)).await;
}

/// A transaction that nobody decided, prepared by hand under the name of an epoch that is closed.
async fn die_at_prepared(ground: &Ground) {
    let session = ground.session(1).await;
    session
        .batch_execute("begin; insert into account values (9, 9); prepare transaction 'strata/0/1/77/1'")
        .await
        .expect("prepared");
}

/// A shard is away for longer than a commit goes on: it is committed all the same, later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_cannot_reach_a_shard_in_time_is_completed_by_the_resolver() {
    let ground = Ground::new().await;
    let trap = Trap::at(Step::Before(Act::Commit(2)), Strike::Hold);
    let settings =
        Settings { bystander: Some(Arc::clone(&trap) as _), finish_limit: Duration::from_millis(300), ..quiet() };
    let coordinator = ground.open(settings).await;
    let key = Uuid::now_v7();
    let crash = async {
        trap.reached.notified().await;
        ground.clusters[1].lock().await.crash().await.expect("a crash");
        trap.let_go.notify_one();
    };
    let (outcome, ()) = tokio::join!(transfer(&coordinator, key, 10), crash);
    assert!(matches!(outcome, Err(pgstrata_coordinator::CommitError::Unfinished)), "{outcome:?}");
    ground.restart(1).await;
    let standing = coordinator.look_up(key, Instant::now() + PATIENCE).await.expect("an answer");
    assert!(matches!(standing, Some(Standing::Committed(_))), "{standing:?}");
    assert!(happened(&ground, 10).await, "looking a key up completes its commit");
    assert_eq!(ground.prepared().await, 0);
    coordinator.close().await;
}
