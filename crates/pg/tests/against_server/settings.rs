//! The settings recorded with a run, from a real server.

use pgstrata_pg::recorded_settings;

use crate::support;

#[tokio::test]
async fn recorded_settings_show_what_decides_about_durability_and_all_that_was_changed() {
    let server =
        support::server(&[("work_mem", "5MB"), ("synchronous_commit", "on"), ("vacuum_cost_delay", "3ms")]).await;
    let session = support::session(&server).await;
    let settings = recorded_settings(&session).await.expect("settings");
    let value = |name: &str| settings.get(name).map(String::as_str);
    assert_eq!(value("fsync"), Some("off"), "the test server has fsync off");
    assert_eq!(value("synchronous_commit"), Some("on"), "recorded although it is at its default");
    assert_eq!(value("max_wal_size"), Some("1GB"), "the same");
    assert_eq!(value("work_mem"), Some("5MB"));
    assert_eq!(value("vacuum_cost_delay"), Some("3ms"), "not on the list, but changed");
    assert_eq!(value("vacuum_cost_limit"), None, "not on the list and at its default");
    assert!(!settings.keys().any(|name| name.starts_with("transaction_")));
}

#[tokio::test]
async fn recorded_settings_hold_no_secret_and_no_path() {
    let secrets =
        [("primary_conninfo", "password=hunter2"), ("archive_command", "curl -u me:hunter2"), ("app.key", "hunter2")];
    let server = support::server(&secrets).await;
    let settings = recorded_settings(&support::session(&server).await).await.expect("settings");
    for name in ["primary_conninfo", "archive_command", "data_directory", "unix_socket_directories"] {
        assert_eq!(settings.get(name).map(String::as_str), Some("(set)"), "{name}");
    }
    assert!(!settings.values().any(|value| value.contains("hunter2") || value.contains("pgstrata/")), "{settings:?}");
}

#[tokio::test]
async fn a_role_without_rights_gets_the_settings_it_may_see() {
    let server = support::server(&[]).await;
    support::session(&server).await.batch_execute("create role visitor login").await.expect("a role");
    let session = server.endpoint().with_user("visitor").connect().await.expect("a session");
    let settings = recorded_settings(&session).await.expect("settings");
    assert_eq!(settings.get("fsync").map(String::as_str), Some("off"));
    assert_eq!(settings.get("data_directory"), None);
}
