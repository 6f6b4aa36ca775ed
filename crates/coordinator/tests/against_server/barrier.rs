//! Reading both shards: snapshots of their own are torn, barrier snapshots never are, also over processes and crashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgstrata_coordinator::{Act, Barrier, Coordinator, Peers, Reading, Settings, Step};
use pgstrata_units::Isolation;
use uuid::Uuid;

use crate::support::{Ground, Strike, Trap, quiet, transfer};

/// What both accounts hold together, as snapshots of the kind show it.
async fn total(coordinator: &Coordinator, reading: Reading) -> i64 {
    let snapshots = coordinator.snapshots(reading).await.expect("snapshots");
    let mut total = 0;
    for shard in 0..2 {
        let row = snapshots.branch(shard).query_one("select sum(balance)::bigint from account", &[]).await;
        total += row.expect("a row").get::<_, i64>(0);
    }
    snapshots.close().await;
    total
}

/// A coordinator between its two commits: the moment at which reading is torn.
async fn between_the_commits(
    ground: &Ground,
    settings: Settings,
) -> (Arc<Coordinator>, Arc<Trap>, tokio::task::JoinHandle<()>) {
    let trap = Trap::at(Step::After(Act::Commit(1)), Strike::Hold);
    let coordinator = Arc::new(ground.open(Settings { bystander: Some(Arc::clone(&trap) as _), ..settings }).await);
    let working = tokio::spawn({
        let coordinator = Arc::clone(&coordinator);
        async move { transfer(&coordinator, Uuid::now_v7(), 10).await.map(drop).expect("committed") }
    });
    trap.reached.notified().await;
    (coordinator, trap, working)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_of_their_own_see_a_transfer_on_one_shard_only_and_the_barrier_waits_for_it() {
    let ground = Ground::new().await;
    let (coordinator, trap, working) = between_the_commits(&ground, quiet()).await;
    assert_eq!(
        total(&coordinator, Reading::PerShard(Isolation::RepeatableRead)).await,
        1990,
        "the money is on its way"
    );
    let reading = tokio::spawn({
        let coordinator = Arc::clone(&coordinator);
        async move { total(&coordinator, Reading::Barrier).await }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!reading.is_finished(), "the barrier is shared by the commit phase");
    trap.let_go.notify_one();
    assert_eq!(reading.await.expect("a task"), 2000);
    working.await.expect("a task");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_barrier_of_the_realm_holds_over_coordinators() {
    let ground = Ground::new().await;
    let peers = Peers::Beside { grace: Duration::from_hours(1) };
    let settings = Settings { peers, barrier: Barrier::Realm, ..quiet() };
    let writer = ground.open(settings.clone()).await;
    let reader = ground.open(settings).await;
    let stop = AtomicBool::new(false);
    let writing = async {
        let mut written = 0_u32;
        while !stop.load(Ordering::SeqCst) {
            transfer(&writer, Uuid::now_v7(), 1).await.expect("committed");
            written += 1;
        }
        written
    };
    let reading = async {
        for _ in 0..40 {
            assert_eq!(total(&reader, Reading::Barrier).await, 2000);
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (written, ()) = tokio::join!(writing, reading);
    assert!(written > 0);
    writer.close().await;
    reader.close().await;
}

/// The coordinator died between the two commits, and with it its share of the barrier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_barrier_snapshot_completes_a_commit_that_a_crash_has_interrupted() {
    for barrier in [Barrier::Process, Barrier::Realm] {
        let ground = Ground::new().await;
        let peers = Peers::Beside { grace: Duration::ZERO };
        let settings = Settings { peers, barrier, ..quiet() };
        // Open before the crash, so that opening has nothing to resolve.
        let reader = ground.open(settings.clone()).await;
        let (writer, _, working) = between_the_commits(&ground, settings).await;
        working.abort();
        assert!(working.await.is_err());
        drop(writer);
        assert_eq!(total(&reader, Reading::PerShard(Isolation::RepeatableRead)).await, 1990, "interrupted");
        assert_eq!(total(&reader, Reading::Barrier).await, 2000, "{barrier:?}");
        assert!(reader.figures().barrier_retries > 0);
        assert_eq!(ground.prepared().await, 0);
        reader.close().await;
    }
}
