//! Without a crash: work that fails, work that is tried again, locks in a circle over two servers, the alarm, forgetting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_coordinator::{Coordinator, OLD_PREPARED, Settings, Transaction, Vote, Work};
use pgstrata_pg::Error;
use pgstrata_units::Isolation;
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::support::{Ground, PATIENCE, number, quiet, transfer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_commits_on_both_shards_and_one_that_is_dropped_on_none() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    transfer(&coordinator, Uuid::now_v7(), 10).await.expect("committed");
    let mut dropped = coordinator.begin(Uuid::now_v7(), Isolation::ReadCommitted, None).await;
    crate::support::move_money(&mut dropped, 500).await.expect("moved");
    drop(dropped);
    let mut undone = coordinator.begin(Uuid::now_v7(), Isolation::ReadCommitted, None).await;
    crate::support::move_money(&mut undone, 500).await.expect("moved");
    undone.roll_back().await;
    assert_eq!(ground.balances().await, (990, 1010));
    assert_eq!(coordinator.figures().committed, 1);
    coordinator.close().await;
}

/// `prepare transaction` of a transaction that has failed answers without an error, and rolls back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_the_work_swallowed_does_not_commit_the_other_half() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    for shards in [vec![0, 1], vec![1]] {
        let mut transaction = coordinator.begin(Uuid::now_v7(), Isolation::ReadCommitted, None).await;
        for shard in shards {
            transaction.open(shard).await.expect("a part");
        }
        let swallowed = transaction.branch(1).expect("a part").execute("select 1 / 0", &[]).await;
        assert!(swallowed.is_err());
        transaction.commit().await.expect_err("a failed part does not commit");
    }
    assert_eq!(ground.prepared().await, 0);
    coordinator.close().await;
}

/// Takes money from one shard and then from the other, in an order of its own.
struct Circle {
    first: usize,
    meet: Arc<Barrier>,
    attempts: AtomicU32,
}

#[async_trait]
impl Work for Circle {
    type Answer = ();

    async fn perform(&self, transaction: &mut Transaction) -> Result<Vote<()>, Error> {
        let update = "update account set balance = balance + 1";
        transaction.open(self.first).await?.execute(update, &[]).await?;
        if self.attempts.fetch_add(1, Ordering::SeqCst) == 0 {
            self.meet.wait().await;
        }
        transaction.open(1 - self.first).await?.execute(update, &[]).await?;
        Ok(Vote::Commit(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_of_locks_over_two_servers_ends_and_both_are_done() {
    let ground = Ground::new().await;
    let settings = Settings { lock_limit: Duration::from_millis(100), ..quiet() };
    let coordinator = ground.open(settings).await;
    let meet = Arc::new(Barrier::new(2));
    let circle = |first| Circle { first, meet: Arc::clone(&meet), attempts: AtomicU32::new(0) };
    let (one, other) = (circle(0), circle(1));
    let deadline = Instant::now() + PATIENCE;
    let run = |work| coordinator.run(Uuid::now_v7(), Isolation::ReadCommitted, deadline, work);
    let (first, second) = tokio::join!(run(&one), run(&other));
    first.expect("done");
    second.expect("done");
    assert_eq!(ground.balances().await, (1002, 1002));
    assert!(coordinator.figures().retries > 0, "neither server saw the circle");
    coordinator.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_prepared_raises_the_alarm() {
    let ground = Ground::new().await;
    let foreign = ground.session(0).await;
    foreign
        .batch_execute("begin; insert into account values (5, 5); prepare transaction 'somebody'")
        .await
        .expect("prepared");
    let trap = crate::support::Trap::at(
        pgstrata_coordinator::Step::Before(pgstrata_coordinator::Act::Decide),
        crate::support::Strike::Hold,
    );
    let settings = Settings { alarm_after: Duration::ZERO, bystander: Some(Arc::clone(&trap) as _), ..quiet() };
    let coordinator = ground.open(settings).await;
    let key = Uuid::now_v7();
    let looking = async {
        trap.reached.notified().await;
        coordinator.resolve().await.expect("a look");
        let figures = coordinator.figures();
        assert_eq!((figures.prepared, figures.alarms), (2, 1));
        let rows = foreign.query(OLD_PREPARED, &[&0.0_f64]).await.expect("rows");
        let gids: Vec<&str> = rows.iter().map(|row| row.get("gid")).collect();
        assert!(gids.contains(&"somebody") && gids.len() == 2, "the query shows everybody's: {gids:?}");
        trap.let_go.notify_one();
    };
    let (outcome, ()) = tokio::join!(transfer(&coordinator, key, 10), looking);
    outcome.expect("committed");
    foreign.batch_execute("rollback prepared 'somebody'").await.expect("rolled back");
    coordinator.close().await;
}

async fn decisions(ground: &Ground) -> i64 {
    number(&ground.session(0).await, "select count(*) from pgstrata_coordinator.decision").await
}

async fn look(coordinator: &Coordinator) {
    coordinator.resolve().await.expect("a look");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_forgotten_when_no_shard_has_them_prepared() {
    let ground = Ground::new().await;
    let patient = ground.open(quiet()).await;
    transfer(&patient, Uuid::now_v7(), 10).await.expect("committed");
    look(&patient).await;
    assert_eq!(decisions(&ground).await, 1, "kept for those who ask");
    patient.close().await;
    let trap = crate::support::Trap::at(
        pgstrata_coordinator::Step::Before(pgstrata_coordinator::Act::Commit(2)),
        crate::support::Strike::Hold,
    );
    let settings = Settings { retention: Duration::ZERO, bystander: Some(Arc::clone(&trap) as _), ..quiet() };
    let coordinator = ground.open(settings).await;
    assert_eq!(decisions(&ground).await, 0);
    let looking = async {
        trap.reached.notified().await;
        look(&coordinator).await;
        assert_eq!(decisions(&ground).await, 1, "a shard still needs it");
        trap.let_go.notify_one();
    };
    let (outcome, ()) = tokio::join!(transfer(&coordinator, Uuid::now_v7(), 10), looking);
    outcome.expect("committed");
    look(&coordinator).await;
    assert_eq!(decisions(&ground).await, 0);
    coordinator.close().await;
}

/// Reads one shard for share, then the other, and refuses; the first time, a server restarts in between.
struct Refusal<'a> {
    ground: &'a Ground,
    restarted: Option<usize>,
    attempts: AtomicU32,
}

#[async_trait]
impl Work for Refusal<'_> {
    type Answer = u32;

    async fn perform(&self, transaction: &mut Transaction) -> Result<Vote<u32>, Error> {
        let read = "select balance from account for share";
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        transaction.open(0).await?.query(read, &[]).await?;
        if let (1, Some(shard)) = (attempt, self.restarted) {
            self.ground.restart(shard).await;
        }
        transaction.open(1).await?.query(read, &[]).await?;
        Ok(Vote::RollBack(attempt))
    }
}

/// A lock ends with its session: between the two reads, somebody may have written what both of them read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_a_commit_counts_only_if_its_locks_were_held() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    for (restarted, expect) in [(None, 1), (Some(0), 2)] {
        let work = Refusal { ground: &ground, restarted, attempts: AtomicU32::new(0) };
        let deadline = Instant::now() + PATIENCE;
        let answer = coordinator.run(Uuid::now_v7(), Isolation::ReadCommitted, deadline, &work).await;
        assert_eq!(answer.expect("refused"), expect, "the server that restarted: {restarted:?}");
    }
    coordinator.close().await;
}
