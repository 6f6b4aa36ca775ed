//! What a server is told: profile, settings, TCP, environment, preloaded library, place of the data.

use std::fs;

use pgstrata_pg::{Cluster, ErrorClass, Profile};

use crate::support::{directories_of, durable, fast, maps_of, open_directory, text, wait_for_text};

#[tokio::test]
async fn the_durable_profile_waits_for_the_disk_and_the_test_profile_does_not() {
    for (spec, expected) in [(durable(), "on"), (fast(), "off")] {
        let profile = spec.profile;
        let cluster = Cluster::create(spec).await.expect("starts");
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value = text(&cluster.endpoint(), &format!("select current_setting('{setting}')")).await;
            assert_eq!(value, expected, "{setting} in {profile:?}");
        }
    }
}

#[tokio::test]
async fn every_setting_of_every_profile_is_in_force() {
    for profile in [Profile::Durable, Profile::FastTest, Profile::TunedStart] {
        let mut spec = fast();
        spec.profile = profile;
        let cluster = Cluster::create(spec).await.expect("starts");
        for setting in profile.settings_for(cluster.version()) {
            let value = text(&cluster.endpoint(), &format!("select current_setting('{}')", setting.name)).await;
            assert_eq!(value, setting.value, "{} in {profile:?}", setting.name);
        }
    }
}

#[tokio::test]
async fn the_durable_profile_changes_nothing_but_what_it_names() {
    let cluster = Cluster::create(durable()).await.expect("starts");
    let changed = "select string_agg(name, ' ' order by name) from pg_settings \
                   where source = 'configuration file' and sourcefile like '%pgstrata.conf'";
    let mut named: Vec<&str> = Profile::Durable.settings().iter().map(|setting| setting.name).collect();
    named.sort_unstable();
    assert_eq!(text(&cluster.endpoint(), changed).await, named.join(" "));
}

#[tokio::test]
async fn a_clusters_own_settings_win_and_can_be_changed_by_alter_system() {
    let spec = fast().with_setting("work_mem", "3MB").with_setting("application_name", "it's \\ odd");
    let cluster = Cluster::create(spec).await.expect("starts");
    let endpoint = cluster.endpoint();
    assert_eq!(text(&endpoint, "select current_setting('work_mem')").await, "3MB");
    assert_eq!(
        text(&endpoint, "select reset_val from pg_settings where name = 'application_name'").await,
        "it's \\ odd"
    );
    let session = endpoint.connect().await.expect("connect");
    session.batch_execute("alter system set work_mem = '5MB'").await.expect("change");
    session.batch_execute("select pg_reload_conf()").await.expect("reload");
    wait_for_text(&endpoint, "select current_setting('work_mem')", "5MB").await;
}

#[tokio::test]
async fn over_tcp_the_server_wants_its_password_and_never_logs_it() {
    let mut spec = fast().with_setting("log_statement", "all").with_setting("log_connections", "on");
    spec.tcp = true;
    let cluster = Cluster::create(spec).await.expect("starts");
    let endpoint = cluster.tcp_endpoint().expect("tcp was asked for");
    assert_eq!(text(&endpoint, "select host(inet_server_addr())").await, "127.0.0.1");
    let error = endpoint.with_password("wrong").connect().await.expect_err("a wrong password");
    assert_eq!(error.class(), ErrorClass::NotConnected);
    assert_eq!(error.sqlstate().map(pgstrata_pg::sql::SqlState::code), Some("28P01"));

    let log = fs::read_to_string(cluster.log_path()).expect("a log");
    let statement = log.lines().find(|line| line.contains("alter role postgres password")).expect("it is logged");
    assert!(statement.contains("SCRAM-SHA-256$"), "only the verifier is: {statement}");
}

#[tokio::test]
async fn without_tcp_the_server_listens_to_its_socket_alone() {
    let cluster = Cluster::create(fast()).await.expect("starts");
    assert!(cluster.tcp_endpoint().is_none());
    assert_eq!(text(&cluster.endpoint(), "select current_setting('listen_addresses')").await, "");
    let socket = cluster.endpoint().socket_path().expect("a socket");
    let directory = fs::metadata(socket.parent().expect("a directory")).expect("metadata");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&directory) & 0o777, 0o700);
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&directory), cluster.user().uid());
}

#[tokio::test]
async fn the_server_has_the_environment_it_was_given() {
    let mut spec = fast();
    spec.environment.push(("PGSTRATA_PROOF".to_owned(), "it's here".to_owned()));
    let cluster = Cluster::create(spec).await.expect("starts");
    let session = cluster.endpoint().connect().await.expect("connect");
    session.batch_execute("create table said (line text)").await.expect("create");
    let ask = "copy said from program 'printenv PGSTRATA_PROOF'";
    session.batch_execute(ask).await.expect(ask);
    assert_eq!(text(&cluster.endpoint(), "select string_agg(line, '|') from said").await, "it's here");
}

#[tokio::test]
async fn a_preloaded_library_is_in_the_server() {
    // Any library will do, for example the C library that this test itself uses.
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let library =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(|path| path.contains("/libc.")));
    let mut spec = fast();
    spec.preload = Some(library.expect("this test uses a C library").into());
    let cluster = Cluster::create(spec).await.expect("starts");
    let maps = maps_of(&cluster).await;
    let home = cluster.log_path().parent().expect("the log is in the home");
    assert!(maps.contains(&*home.to_string_lossy()), "the copy that the server's user can read is loaded");
}

#[tokio::test]
async fn the_data_can_be_put_elsewhere_even_where_the_path_is_odd() {
    let place = open_directory();
    let odd = place.path().join("it's an odd \\ place");
    fs::create_dir(&odd).expect("a directory");
    let mut spec = fast();
    spec.data_parent = Some(odd.clone());
    let mut cluster = Cluster::create(spec).await.expect("starts");
    assert!(cluster.data_dir().starts_with(&odd));
    cluster.crash().await.expect("its processes are recognised");
    cluster.start().await.expect("starts again");
    let directories = directories_of(&cluster);
    drop(cluster);
    assert!(directories.iter().all(|path| !path.exists()));
    assert_eq!(fs::read_dir(&odd).expect("still there").count(), 0);
}
