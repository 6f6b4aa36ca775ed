//! Probing and attaching: what is found, what is listed as missing, and that nothing is changed.

use pgstrata_pg::{AttachPolicy, Attached, Capabilities, Endpoint, ErrorClass, Feature, Kind, Product, Session, probe};

use crate::support;

async fn capabilities(endpoint: &Endpoint) -> Capabilities {
    probe(endpoint).await.expect("the server answers")
}

fn missing(capabilities: &Capabilities) -> Vec<Feature> {
    capabilities.lacks.iter().map(|lack| lack.feature).collect()
}

/// Everything of the server that a careless probe would change: transaction ids used, locks held, settings stored.
async fn traces(session: &Session) -> (String, i64, i64) {
    let row = session
        .query_one(
            "select pg_snapshot_xmax(pg_current_snapshot())::text, \
                    (select count(*) from pg_locks where locktype = 'advisory'), \
                    (select count(*) from pg_db_role_setting)",
            &[],
        )
        .await
        .expect("the traces");
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn a_superuser_on_postgresql_lacks_only_prepared_transactions_by_default() {
    let server = support::server(&[("full_page_writes", "on"), ("synchronous_commit", "local")]).await;
    let session = support::session(&server).await;
    let before = traces(&session).await;
    let found = capabilities(&server.endpoint()).await;
    assert_eq!(missing(&found), [Feature::PreparedTransactions], "{:?}", found.lacks);
    assert_eq!(traces(&session).await, before, "probing leaves no trace");

    assert_eq!(found.product, Product::PostgreSql);
    let number: String = session.query_one("show server_version_num", &[]).await.expect("a version").get(0);
    assert_eq!(found.server_version_num.map(|number| number.to_string()), Some(number));
    assert_eq!(found.role, "postgres");
    assert!(found.is_superuser && !found.in_recovery && !found.is_read_only);
    assert_eq!(found.wal_level.as_deref(), Some("replica"));
    assert_eq!((found.max_connections, found.max_prepared_transactions), (Some(100), Some(0)));
    assert_eq!((found.fsync, found.full_page_writes), (Some(false), Some(true)), "the test server has fsync off");
    assert_eq!(found.synchronous_commit.as_deref(), Some("local"));
    assert!(found.extensions_available.contains("plpgsql"));
    assert!(found.extensions_installed.contains_key("plpgsql"));
    assert!(found.summary().contains("PostgreSQL") && found.summary().contains("superuser"));
}

#[tokio::test]
async fn an_ordinary_role_is_told_what_it_lacks_and_what_is_lost() {
    let server = support::server(&[("max_prepared_transactions", "2")]).await;
    let session = support::session(&server).await;
    session.batch_execute("create role visitor login connection limit 1").await.expect("a role");
    let found = capabilities(&server.endpoint().with_user("visitor")).await;
    let expect = [Feature::CreatingSchemas, Feature::AdvisoryLocks, Feature::ActivityOfOthers, Feature::Superuser];
    assert_eq!(missing(&found), expect, "{:?}", found.lacks);
    assert!(!found.is_superuser);
    let locks = found.lack_of(Feature::AdvisoryLocks).expect("only one session");
    assert!(locks.reason.contains("second session"), "{locks}");
    assert!(found.lacks.iter().all(|lack| !lack.reason.is_empty() && !lack.lost.is_empty()));
}

#[tokio::test]
async fn functions_that_a_compatible_server_lacks_are_listed_and_stubs_are_seen_through() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    // A PostgreSQL made less than it is: functions renamed away, and an advisory lock that everybody gets.
    session
        .batch_execute(
            "do $$
             declare hidden regprocedure;
             begin
                 for hidden in
                     select oid::regprocedure from pg_proc
                     where proname in ('pg_current_wal_lsn', 'pg_logical_emit_message', 'pg_blocking_pids', 'pg_is_in_recovery')
                 loop
                     execute format('alter function %s rename to hidden_%s', hidden, hidden::oid);
                 end loop;
             end $$;
             create or replace function pg_catalog.pg_try_advisory_xact_lock(int, int) returns boolean
                 language sql as 'select true'",
        )
        .await
        .expect("a crippled server");
    let found = capabilities(&server.endpoint()).await;
    let expect = [
        Feature::AdvisoryLocks,
        Feature::PreparedTransactions,
        Feature::LogicalMessages,
        Feature::WalPosition,
        Feature::Locks,
    ];
    assert_eq!(missing(&found), expect, "{:?}", found.lacks);
    let reason = |feature| found.lack_of(feature).expect("listed").reason.clone();
    assert!(reason(Feature::WalPosition).contains("does not exist"));
    assert!(reason(Feature::AdvisoryLocks).contains("same lock"));
}

#[tokio::test]
async fn writing_needs_permission_and_a_server_that_writes() {
    let server = support::server(&[]).await;
    let session = support::session(&server).await;
    session.batch_execute("create table t (id int); create role reader login superuser").await.expect("a table");
    session.batch_execute("alter role reader set default_transaction_read_only = on").await.expect("a reader");

    let attached = Attached::open(server.endpoint(), AttachPolicy::ReadOnly).await.expect("attached");
    let error = attached.endpoint_for_writing().expect_err("not allowed");
    assert!(matches!(error.kind(), Kind::ReadOnly));
    assert!(error.hint().expect("a hint").contains("--allow-write"));
    let guarded = attached.endpoint().connect().await.expect("a session");
    let refused = guarded.batch_execute("insert into t values (1)").await.expect_err("read only");
    assert_eq!(refused.code(), Some(&pgstrata_pg::sql::SqlState::READ_ONLY_SQL_TRANSACTION));
    assert_eq!(ErrorClass::of_statement(&refused), ErrorClass::Other);

    let attached = Attached::open(server.endpoint(), AttachPolicy::AllowWrite).await.expect("attached");
    let writer = attached.endpoint_for_writing().expect("allowed").connect().await.expect("a session");
    writer.batch_execute("insert into t values (1)").await.expect("written");

    let reader = server.endpoint().with_user("reader");
    let attached = Attached::open(reader, AttachPolicy::AllowWrite).await.expect("attached");
    assert!(attached.capabilities().is_read_only);
    let error = attached.endpoint_for_writing().expect_err("the server would refuse");
    assert!(matches!(error.kind(), Kind::ServerReadOnly { is_standby: false }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_goes_away_while_it_is_probed_is_an_error() {
    let mut server = support::server(&[]).await;
    server.stop(pgstrata_pg::StopMode::Immediate).await.expect("it stops");
    let error = probe(&server.endpoint()).await.expect_err("nobody there");
    assert_eq!(error.class(), ErrorClass::NotConnected);
}

#[tokio::test]
async fn a_standby_is_recognised_and_not_written_to() {
    let primary = support::server(&[]).await;
    let standby = primary.standby().await.expect("a standby");
    let found = capabilities(&standby.endpoint()).await;
    assert!(found.in_recovery && found.is_read_only && found.is_superuser);
    assert_eq!(missing(&found), [Feature::Writing, Feature::PreparedTransactions], "{:?}", found.lacks);
    let error = AttachPolicy::AllowWrite.check_write(&found).expect_err("a standby");
    assert!(matches!(error.kind(), Kind::ServerReadOnly { is_standby: true }));
    assert!(error.hint().expect("a hint").contains("primary"));
}
