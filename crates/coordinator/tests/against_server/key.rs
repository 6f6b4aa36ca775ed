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

/// The session dies inside the decision, before or after it is written: trying to abort tells which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_whose_answer_is_lost_is_found_out() {
    let ground = Ground::new().await;
    let coordinator = ground.open(quiet()).await;
    let session = ground.session(0).await;
    session
        .batch_execute(
            "create function die() returns trigger language plpgsql as $$
            begin
                perform pg_terminate_backend(pg_backend_pid());
                perform pg_sleep(60);
                return null;
            end $$;
            create trigger dies after insert on pgstrata_coordinator.decision
            for each row when (new.is_commit) execute function die()",
        )
        .await
        .expect("a trigger");
    let outcome = transfer(&coordinator, Uuid::now_v7(), 10).await.expect_err("it was not written");
    assert!(matches!(&outcome, CommitError::Aborted(reason) if reason.is_retryable()), "{outcome:?}");
    assert!(!happened(&ground, 10).await);
    session.batch_execute("drop trigger dies on pgstrata_coordinator.decision").await.expect("dropped");
    coordinator.resolve().await.expect("a look");
    assert_eq!(ground.prepared().await, 0);
    // Written, and the connection is cut in the moment after: the commit stands.
    let key = Uuid::now_v7();
    let trap = crate::support::Trap::at(
        pgstrata_coordinator::Step::After(pgstrata_coordinator::Act::Decide),
        crate::support::Strike::Disconnect,
    );
    let settings = pgstrata_coordinator::Settings { bystander: Some(trap as _), ..quiet() };
    let coordinator = ground.open(settings).await;
    transfer(&coordinator, key, 10).await.expect("committed all the same");
    assert!(happened(&ground, 10).await);
    coordinator.close().await;
}
