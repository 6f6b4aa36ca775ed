//! Servers with the extension, sessions, and waiting for a fact.

use std::time::{Duration, Instant};

use pgstrata_pg::{Cluster, ClusterSpec, Session, testing};

/// How long to wait for what another session or the worker does; far more than it needs.
pub const LIMIT: Duration = Duration::from_mins(2);

/// What makes the server load the extension at its start.
const PRELOAD: &str = "shared_preload_libraries";

/// A specification with the extension beside the server, not preloaded.
pub fn plain() -> ClusterSpec {
    let spec = testing::extended_spec().expect("`cargo xtask ext` builds the extension for these tests");
    spec.with_setting("max_prepared_transactions", "10")
}

/// The same, preloaded.
pub fn preloaded() -> ClusterSpec {
    plain().with_setting(PRELOAD, testing::EXTENSION)
}

/// A server and a session in which the extension was created.
pub async fn start(spec: ClusterSpec) -> (Cluster, Session) {
    let cluster = Cluster::create(spec).await.expect("the server starts");
    let session = cluster.endpoint().connect().await.expect("a session");
    session.batch_execute("create extension mvcc_visualizer").await.expect("the extension is created");
    (cluster, session)
}

/// Another session.
pub async fn session(cluster: &Cluster) -> Session {
    cluster.endpoint().connect().await.expect("a session")
}

/// The value of a query that returns one text.
pub async fn text(session: &Session, sql: &str) -> String {
    session.query_one(sql, &[]).await.expect(sql).get(0)
}

/// Asks until a condition holds.
pub async fn until_true(session: &Session, sql: &str) {
    let began = Instant::now();
    while !session.query_one(sql, &[]).await.expect(sql).get::<_, bool>(0) {
        assert!(began.elapsed() < LIMIT, "it did not become true: {sql}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
