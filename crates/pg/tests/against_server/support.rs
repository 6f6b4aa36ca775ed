//! Shorthands for a server of one's own.

use pgstrata_pg::{Cluster, Session, testing};

/// A fresh server with the settings of the `fast-test` profile, and these.
pub async fn server(settings: &[(&str, &str)]) -> Cluster {
    let mut spec = testing::spec().expect("install PostgreSQL to run these tests");
    for (name, value) in settings {
        spec = spec.with_setting(*name, *value);
    }
    Cluster::create(spec).await.expect("a server")
}

/// A superuser's session.
pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect().await.expect("a session")
}
