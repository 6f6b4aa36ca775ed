//! A server that is followed, and reading up to what it has flushed.

use std::time::Duration;

use pgstrata_pg::replication::{Fed, FeedOptions, WalFeed};
use pgstrata_pg::{Cluster, ClusterSpec, Install, Profile, Session, testing};
use pgstrata_units::Lsn;
use pgstrata_wal::history::Seed;
use pgstrata_wal::{Record, RelFile};

/// How long anything may take; far more than it needs on a loaded machine.
pub const LIMIT: Duration = Duration::from_mins(2);

/// One installation of each major version from 15 on, of those that have what the log and pages are compared with.
pub fn installs() -> Vec<Install> {
    testing::of_each_major(15, &["pageinspect", "pg_walinspect"])
}

/// A server without autovacuum, whose commits are flushed when they return.
pub async fn server(install: Install, settings: &[(&str, &str)]) -> Cluster {
    let mut spec = ClusterSpec::new(install, Profile::FastTest)
        .with_setting("autovacuum", "off")
        .with_setting("synchronous_commit", "on")
        .with_setting("max_prepared_transactions", "8");
    for (name, value) in settings {
        spec = spec.with_setting(*name, *value);
    }
    Cluster::create(spec).await.expect("a server")
}

pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect().await.expect("a session")
}

/// Statements one after the other, each in a transaction of its own unless it says otherwise.
pub async fn work(session: &Session, sql: &str) {
    for statement in sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        session.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// Follows a server's log and knows how far it is.
pub struct Followed {
    feed: WalFeed,
    marker: Session,
}

impl Followed {
    pub async fn open(server: &Cluster) -> Self {
        let feed = WalFeed::open(&server.endpoint(), FeedOptions::default()).await.expect("a feed");
        Self { feed, marker: session(server).await }
    }

    pub fn feed(&mut self) -> &mut WalFeed {
        &mut self.feed
    }

    /// After the server was stopped and started: the feed finds it again by itself.
    pub async fn come_back(&mut self, server: &Cluster) {
        self.marker = session(server).await;
    }

    /// All records up to now: a commit that wrote something flushes everything before it.
    pub async fn catch_up(&mut self) -> Vec<Record> {
        let write = "select pg_logical_emit_message(true, 'marker', '')::text";
        self.marker.query_one(write, &[]).await.expect("a transaction of its own");
        let lsn = "select pg_current_wal_flush_lsn()::text";
        let lsn: String = self.marker.query_one(lsn, &[]).await.expect("a position").get(0);
        self.up_to(lsn.parse().expect("a position")).await
    }

    /// All records that end at or before a position that was flushed.
    pub async fn up_to(&mut self, lsn: Lsn) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            let fed = tokio::time::timeout(LIMIT, self.feed.next()).await.expect("the feed goes on");
            match fed.expect("no error").expect("no end") {
                Fed::Record(record) => records.push(*record),
                Fed::UpTo { lsn: reached, .. } if reached >= lsn => return records,
                _ => {}
            }
            if records.last().is_some_and(|record| record.end >= lsn) {
                return records;
            }
        }
    }
}

/// The files of a table.
pub async fn files(session: &Session, table: &str) -> RelFile {
    let row = session.query_one(include_str!("files.sql"), &[&table]).await.expect("a table");
    let number = |column: &str| row.get::<_, u32>(column);
    RelFile { tablespace: number("tablespace"), database: number("database"), file: number("file") }
}

/// What a history begins with: who runs, and a position no later.
pub async fn seed(session: &Session) -> Seed {
    let row = session.query_one(include_str!("seed.sql"), &[]).await.expect("a snapshot");
    let (lsn, snapshot): (String, String) = (row.get("lsn"), row.get("snapshot"));
    Seed { lsn: lsn.parse().expect("a position"), snapshot: snapshot.parse().expect("a snapshot") }
}

/// The seeds of random work: one for each run of the tests, and as many more as `PGSTRATA_REPLAY_SEEDS` says, for whoever
/// wants to be surer.
pub fn seeds(first: u64) -> impl Iterator<Item = u64> {
    let more = std::env::var("PGSTRATA_REPLAY_SEEDS").ok().and_then(|more| more.parse().ok()).unwrap_or(0);
    (0..=more).map(move |number: u64| first + 100 * number)
}
