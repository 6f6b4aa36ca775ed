//! Under kill -9 and with a second instance: nothing acknowledged is lost, nothing is posted twice, and order is kept.

use pgstrata_pg::ErrorClass;
use pgstrata_sequencer::{Settings, StartError};

use super::*;
use crate::ground::trial_under_kills;
use crate::ledger::create_schema;
use crate::ledger::service::Service;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequenced_transfers_survive_kills_of_the_server_in_a_strict_order() {
    let record = trial_under_kills(Arc::new(Ledger), arm("sequencer"), 2, true).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 2, "{:?}", record.counts);
    assert_eq!(record.counts.unknown, 0, "every outcome is resolved in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_under_row_locks_survive_kills_of_the_server_in_a_strict_order() {
    let record = trial_under_kills(Arc::new(Ledger), arm("for-update"), 2, true).await;
    assert_eq!(record.violations, []);
    assert!(record.counts.ok > 0 && record.faults.len() == 2, "{:?}", record.counts);
    assert_eq!(record.counts.unknown, 0, "every outcome is resolved in the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_started_by_mistake_is_refused() {
    let ground = Ground::new(1).await;
    create_schema(&ground.session().await).await.expect("the schema");
    let endpoint = &ground.site.first().endpoint;
    let first = Service::start(endpoint, Settings::default(), false).await.expect("the service");
    let second = Service::start(endpoint, Settings::default(), false).await;
    assert!(matches!(second, Err(StartError::Held { .. })), "{second:?}");
    first.stop().await;
    Service::start(endpoint, Settings::default(), false).await.expect("the first one is gone").stop().await;
}

#[tokio::test]
async fn what_is_written_cannot_be_changed_and_must_balance() {
    let ground = Ground::new(1).await;
    let session = ground.session().await;
    create_schema(&session).await.expect("the schema");
    let one_sided = "insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
        values (1, 1, gen_random_uuid(), 978, 5, 5, now())";
    let refused = [
        (one_sided, "23514"),
        ("update ledger.entries set amount = 1", "23001"),
        ("delete from ledger.entries", "23001"),
        ("truncate ledger.transfers", "23001"),
    ];
    for (sql, sqlstate) in refused {
        let error = session.batch_execute(sql).await.expect_err("refused");
        assert_eq!(error.code().map(pgstrata_pg::sql::SqlState::code), Some(sqlstate), "{sql}");
        assert_eq!(pgstrata_pg::Error::from(error).class(), ErrorClass::ConstraintViolation, "{sql}");
    }
}
