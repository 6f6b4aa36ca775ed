//! Keys: one effect for each, whatever is asked again, and an outcome for whoever lost its answer.

use std::time::Instant;

use pgstrata_coordinator::{AbortReason, CommitError, Standing};
use uuid::Uuid;

use crate::support::{Ground, PATIENCE, happened, quiet, transfer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_transactions_with_one_key_one_is_committed() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    let key = Uuid::now_v7();
    let first = transfer(&coordinator, key, 10).await.expect("committed");
    for _ in 0..3 {
        let again = transfer(&coordinator, key, 10).await.expect_err("refused");
        assert_eq!(again.standing(), Some(Standing::Committed(first)), "{again:?}");
    }
    assert!(happened(&ground, 10).await);
    coordinator.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_given_up_is_never_committed() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    let key = Uuid::now_v7();
    let deadline = Instant::now() + PATIENCE;
    assert_eq!(coordinator.look_up(key, deadline).await.expect("an answer"), None);
    assert_eq!(coordinator.settle(key, deadline).await.expect("an answer"), Standing::Renounced);
    let late = transfer(&coordinator, key, 10).await.expect_err("refused");
    assert!(matches!(late, CommitError::Aborted(AbortReason::KeyDecided(Standing::Renounced))), "{late:?}");
    assert!(!happened(&ground, 10).await);
    assert_eq!(ground.prepared().await, 0);
    coordinator.close().await;
}
