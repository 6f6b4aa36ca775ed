//! Standbys: copied in both ways, following, and gone with their slot.

use pgstrata_pg::{Cluster, ErrorClass, Profile, StopMode, testing};

use crate::support::{alive, directories_of, fast, processes_of, text, wait_for_text};

async fn check_standby(primary: &Cluster) {
    let session = primary.endpoint().connect().await.expect("connect");
    session.batch_execute("create table copied as select 1 as n").await.expect("create");

    let mut standby = primary.standby().await.expect("a standby");

    assert_eq!(text(&standby.endpoint(), "select pg_is_in_recovery()::text").await, "true");
    assert_eq!(text(&standby.endpoint(), "select current_setting('cluster_name')").await, standby.name());
    let senders = "select string_agg(application_name || ' ' || state, ',') from pg_stat_replication";
    assert_eq!(text(&primary.endpoint(), senders).await, format!("{} streaming", standby.name()));

    // remote_apply answers when the standby shows the row.
    let follow = format!("alter system set synchronous_standby_names = {}", standby.name());
    session.batch_execute(&follow).await.expect(&follow);
    session.batch_execute("select pg_reload_conf()").await.expect("reload");
    session.batch_execute("alter system set synchronous_commit = remote_apply").await.expect("set");
    wait_for_text(&primary.endpoint(), "select sync_state from pg_stat_replication", "sync").await;
    session.batch_execute("set synchronous_commit = remote_apply; insert into copied values (2)").await.expect("write");
    assert_eq!(text(&standby.endpoint(), "select count(*)::text from copied").await, "2");

    session.batch_execute("alter system reset all").await.expect("reset");
    session.batch_execute("select pg_reload_conf()").await.expect("reload");
    standby.stop(StopMode::Fast).await.expect("stops");
    session.batch_execute("insert into copied values (3)").await.expect("the primary goes on alone");
    standby.start().await.expect("starts again");
    standby.endpoint().connect().await.expect("and lets sessions in");

    let (processes, directories) = (processes_of(&standby), directories_of(&standby));
    primary.drop_standby(standby).await.expect("goes");
    assert_eq!(alive(&processes), Vec::<i32>::new());
    assert!(directories.iter().all(|path| !path.exists()));
    assert_eq!(text(&primary.endpoint(), "select count(*)::text from pg_replication_slots").await, "0");
}

#[tokio::test]
async fn a_standby_copied_by_pg_basebackup_follows_its_primary() {
    let primary = testing::server().await.expect("a server");
    assert!(
        primary.install().tools.contains("pg_basebackup"),
        "install the package that has pg_basebackup (Debian: postgresql-client)"
    );
    check_standby(&primary).await;
}

#[tokio::test]
async fn a_standby_copied_over_sql_follows_its_primary() {
    let mut spec = fast();
    spec.install.tools.remove("pg_basebackup");
    let primary = Cluster::create(spec).await.expect("a server");
    check_standby(&primary).await;
}

#[tokio::test]
async fn a_standby_has_its_own_tcp_port_and_the_same_password() {
    let mut spec = fast();
    spec.tcp = true;
    let primary = Cluster::create(spec).await.expect("a server");
    let standby = primary.standby().await.expect("a standby");
    let (one, two) = (primary.tcp_endpoint().expect("tcp"), standby.tcp_endpoint().expect("tcp"));
    assert_ne!(one.tcp_address(), two.tcp_address());
    assert_eq!(text(&one, "select pg_is_in_recovery()::text").await, "false");
    assert_eq!(text(&two, "select pg_is_in_recovery()::text").await, "true");
}

#[tokio::test]
async fn a_server_without_replication_refuses_a_standby_and_says_why() {
    let mut spec = fast();
    spec.profile = Profile::TunedStart;
    let primary = Cluster::create(spec).await.expect("a server");
    let error = primary.standby().await.expect_err("wal_level is minimal");
    assert_eq!(error.class(), ErrorClass::Other);
    assert!(error.to_string().contains("make a standby"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}
