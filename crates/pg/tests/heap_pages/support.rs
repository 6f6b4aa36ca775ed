//! A server of each installation, and raw pages of its tables.

use pgstrata_pg::{Cluster, ClusterSpec, Install, Profile, Session, testing};
use pgstrata_tuple::{HeapPage, PageError};

/// One installation of each major version on this machine, of those that have `pageinspect`.
pub fn installs() -> Vec<Install> {
    testing::of_each_major(14, &["pageinspect"])
}

/// A server with `pageinspect` and two-phase commit.
pub async fn server(install: Install) -> Cluster {
    let spec = ClusterSpec::new(install, Profile::FastTest)
        .with_setting("max_prepared_transactions", "8")
        .with_setting("autovacuum", "off")
        .with_setting("timezone", "UTC");
    let server = Cluster::create(spec).await.expect("a server");
    let session = session(&server).await;
    session.batch_execute("create extension pageinspect").await.expect("pageinspect, which PostgreSQL comes with");
    server
}

pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect().await.expect("a session")
}

/// Copies of a table's pages, as `pageinspect` reads them.
pub async fn raw_pages(session: &Session, table: &str) -> Vec<Vec<u8>> {
    let rows = session.query(include_str!("raw_pages.sql"), &[&table]).await.expect("raw pages");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The page, unless it was never filled.
pub fn parsed(bytes: &[u8]) -> Option<HeapPage<'_>> {
    match HeapPage::parse(bytes) {
        Ok(page) => Some(page),
        Err(PageError::New) => None,
        Err(error) => panic!("the server's own page: {error}"),
    }
}
