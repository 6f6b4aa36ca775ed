//! The audit trail as an auditor meets it: a key, a trail, an audit that holds, and one that does not.

use std::os::unix::fs::PermissionsExt as _;

use pgstrata_pg::wal_archive::WalArchive;
use pgstrata_pg::{Cluster, Session, testing};

use crate::Home;

/// Five dollars from account 1 to account 2.
const TRANSFER: &str = "with transfer as (select gen_random_uuid() as id), \
     numbered as (select count(*) + 1 as number from ledger.entries where account_id = 1) \
     insert into ledger.entries \
     select a.account_id, n.number, t.id, 840, a.amount, a.amount, now() \
     from transfer as t, numbered as n, (values (1, -5), (2, 5)) as a (account_id, amount)";

struct Books {
    home: Home,
    archive: WalArchive,
    server: Cluster,
    session: Session,
    url: String,
}

impl Books {
    async fn new() -> Self {
        let home = Home::new();
        let archive = WalArchive::create(&home.path().join("archive")).expect("an archive");
        let mut spec = archive.filled_by(testing::spec().expect("install PostgreSQL 14 to 18 to run these tests"));
        spec.tcp = true;
        let server = Cluster::create(spec).await.expect("a server");
        let endpoint = server.tcp_endpoint().expect("tcp was asked for");
        let ((host, port), password) = (endpoint.tcp_address().expect("tcp"), endpoint.password().expect("a password"));
        let url = format!("postgresql://postgres:{password}@{host}:{port}/postgres");
        let session = server.endpoint().connect().await.expect("a session");
        Self { home, archive, server, session, url }
    }

    /// Runs the program, and gives its exit code, standard output and error.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.home.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn follow(&self) -> (Option<i32>, String, String) {
        let url = &self.url;
        self.run(&[
            "ledger",
            "follow",
            "--once",
            "--allow-write",
            "--database-url",
            url,
            "--key",
            "a.key",
            "--heads",
            "heads",
        ])
    }

    fn audit(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let files = ["ledger", "audit", "--archive", "archive", "--heads", "heads", "--public-key", "a.key.pub"];
        let mut arguments = files.to_vec();
        arguments.extend(["--database-url", &self.url]);
        arguments.extend(more);
        self.run(&arguments)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_is_kept_and_audited_and_an_altered_row_is_located() {
    let books = Books::new().await;
    let (code, ..) = books.run(&["ledger", "create", "--allow-write", "--database-url", &books.url]);
    assert_eq!(code, Some(0));
    let (code, told, _) = books.run(&["ledger", "keygen", "--key", "a.key"]);
    assert!(code == Some(0) && told.contains("a.key.pub"), "{told}");
    let (code, told, error) = books.follow();
    assert!(code == Some(0) && told.contains("links: 0"), "{told}{error}");
    books.session.batch_execute(TRANSFER).await.expect("posted");
    books.session.batch_execute(TRANSFER).await.expect("posted");
    let (code, told, error) = books.follow();
    assert!(code == Some(0) && told.contains("links: 4"), "{told}{error}");
    books.archive.catch_up(&books.session).await.expect("archived");

    let (code, told, error) = books.audit(&[]);
    assert!(code == Some(0) && told.contains("sound:"), "{told}{error}");
    let (_, told, _) = books.audit(&["--lang", "zh"]);
    assert!(told.contains("完好"), "{told}");

    let meddle = "set session_replication_role = replica; \
                  update ledger.entries set amount = 500 where account_id = 2 and number = 1";
    books.session.batch_execute(meddle).await.expect("meddled with");
    books.archive.catch_up(&books.session).await.expect("archived");
    let (code, told, _) = books.audit(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("a row was altered behind the log: link 2"), "{told}");
    assert!(told.contains("found: amount 500\n    expected: amount 5\n"), "{told}");
    let (code, told, _) = books.audit(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&told).expect("json");
    assert_eq!((code, &report["findings"][0]["kind"]), (Some(1), &"entry_updated".into()));
    drop(books.server);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_the_auditor_are_told_with_what_to_do() {
    let books = Books::new().await;
    let (code, _, error) = books.run(&["ledger", "create", "--database-url", &books.url]);
    assert!(code != Some(0) && error.contains("--allow-write"), "{error}");
    assert_eq!(books.run(&["ledger", "keygen", "--key", "a.key"]).0, Some(0));
    let (code, _, error) = books.run(&["ledger", "keygen", "--key", "a.key"]);
    assert!(code == Some(2) && error.contains("never overwritten"), "{error}");
    let (code, _, error) = books.audit(&[]);
    assert!(code == Some(2) && error.contains("heads"), "{error}");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(books.home.path().join("a.key"), open).expect("chmod");
    let (code, _, error) = books.follow();
    assert!(code == Some(2) && error.contains("chmod 600"), "{error}");
}
