//! The MVCC debugger on the terminal: versions with reasons, a recording that is made, played and exported.

use pgstrata_pg::{Cluster, Session, testing};

use crate::Home;

struct Bench {
    home: Home,
    _server: Cluster,
    session: Session,
    url: String,
}

impl Bench {
    async fn new() -> Self {
        let mut spec = testing::spec().expect("install PostgreSQL 14 to 18 to run these tests");
        spec.tcp = true;
        let server = Cluster::create(spec).await.expect("a server");
        let endpoint = server.tcp_endpoint().expect("tcp was asked for");
        let ((host, port), password) = (endpoint.tcp_address().expect("tcp"), endpoint.password().expect("a password"));
        let url = format!("postgresql://postgres:{password}@{host}:{port}/postgres");
        let session = server.endpoint().connect().await.expect("a session");
        let bench = Self { home: Home::new(), _server: server, session, url };
        bench.sql("create table account(id int primary key, balance int)").await;
        bench.sql("insert into account values (1, 10)").await;
        bench
    }

    async fn sql(&self, sql: &str) {
        self.session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs the program, and gives its exit code, standard output and error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.home.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_shown_with_reasons_once_a_superuser_may_see_pages() {
    let bench = Bench::new().await;
    bench.sql("begin; update account set balance = 99; rollback").await;
    bench.sql("update account set balance = 11").await;
    let versions = ["mvcc", "versions", "--database-url", &bench.url, "--table", "account", "--key", "1"];
    let (code, told, _) = bench.run(&versions);
    assert!(code == Some(0) && told.contains("create extension pageinspect"), "{told}");
    let create = ["mvcc", "tiers", "--database-url", &bench.url, "--create-extension", "pageinspect"];
    let (code, ..) = bench.run(&create);
    assert_eq!(code, Some(2), "nothing is created without --allow-write");
    let (code, told, error) = bench.run(&[&create[..], &["--allow-write"]].concat());
    assert_eq!(code, Some(0), "{told}{error}");
    let (_, told, _) = bench.run(&versions);
    for words in ["another version took its place", "its maker was rolled back", "its maker had committed"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let (_, told, _) = bench.run(&[&["--lang", "zh"], &versions[..]].concat());
    assert!(told.contains("创建者已回滚"), "{told}");
    let (_, told, _) = bench.run(&[&versions[..], &["--json"]].concat());
    let items: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let count = items.as_array().expect("items").iter().filter(|item| item["kind"] == "version").count();
    assert_eq!(count, 3);
    let (code, _, error) = bench.run(&["mvcc", "versions", "--database-url", &bench.url, "--table", "nothing"]);
    assert!(code == Some(2) && error.contains("there is no table nothing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_made_played_and_exported() {
    let bench = Bench::new().await;
    bench.sql("create extension pageinspect").await;
    let record = [
        "mvcc",
        "record",
        "--database-url",
        &bench.url,
        "--table",
        "account",
        "--out",
        "a.pgstrata",
        "--duration",
        "1s",
        "--json",
    ];
    let (code, told, error) = bench.run(&record);
    assert_eq!(code, Some(0), "{error}");
    let summary: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(summary["last"].as_u64() >= Some(1) && summary["table"] == "account", "{told}");
    let (code, _, error) = bench.run(&record);
    assert!(code == Some(2) && error.contains("is there already"), "a recording is never overwritten: {error}");
    let (code, told, _) = bench.run(&["mvcc", "replay", "a.pgstrata"]);
    assert!(code == Some(0) && told.contains("version (0,1) of row 1: live"), "{told}");
    let (code, told, _) = bench.run(&["mvcc", "replay", "a.pgstrata", "--at", "1"]);
    assert!(code == Some(0) && told.contains("moment 1"), "{told}");
    let (code, _, error) = bench.run(&["mvcc", "replay", "a.pgstrata", "--at", "9999"]);
    assert!(code == Some(2) && error.contains("not in the recording"), "{error}");
    let (code, _, error) = bench.run(&["mvcc", "replay", "a.pgstrata", "--at", "yesterday"]);
    assert!(code == Some(2) && error.contains("is no moment"), "{error}");
    std::fs::write(bench.home.path().join("page.html"), "<html><head></head><body></body></html>").expect("a file");
    let (code, ..) = bench.run(&["mvcc", "export", "a.pgstrata", "--page", "page.html", "--out", "out.html"]);
    let page = std::fs::read_to_string(bench.home.path().join("out.html")).expect("it is written");
    assert!(code == Some(0) && page.contains("pgstrata-recording") && page.contains("version/"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_printed_a_json_object_a_line() {
    let bench = Bench::new().await;
    let (code, told, error) = bench.run(&[
        "mvcc",
        "watch",
        "--database-url",
        &bench.url,
        "--table",
        "account",
        "--duration",
        "500ms",
        "--json",
    ]);
    assert_eq!(code, Some(0), "{error}");
    let first: serde_json::Value = serde_json::from_str(told.lines().next().expect("a line")).expect("JSON");
    assert_eq!((first["seq"].as_u64(), first["cause"].as_str()), (Some(1), Some("begin")));
}
