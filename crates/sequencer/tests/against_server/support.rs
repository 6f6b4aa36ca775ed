//! What the tests share: a private server, and a flush that inserts a row per request and counts them in one hot row.
//!
//! The server has fsync off. What is lost when its processes are killed is the same with and without, since the
//! operating system lives on; only a crash of the machine tells them apart, and no test here does that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Cluster, Error, Kind, Session, testing};
use pgstrata_sequencer::{Flush, Sequencer, Settings};

/// How long a test waits for something that must happen before it fails. No test measures time.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Kills the server and starts it again.
pub async fn restart(server: &mut Cluster) {
    server.crash().await.expect("a crash");
    // A process that was killed while it let go of its shared memory may hold it for a moment longer, and the new
    // server refuses to start beside it.
    let starting = async {
        while let Err(error) = server.start().await {
            assert!(matches!(error.kind(), Kind::ServerExited { .. }), "{error:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, starting).await.expect("a server that starts");
}

/// The subject of these tests: one row per request, and their number in one hot row.
const SCHEMA: &str = "
    create table counter (total bigint not null);
    insert into counter values (0);
    create table hit (
        key bigint primary key,
        amount int not null constraint amount_is_positive check (amount > 0),
        writer text not null,
        place bigint not null
    )";

/// `place` is the value of the hot row that the flush found, so it orders the flushes of all writers.
const FLUSH: &str = "
    with locked as (
        select total from counter for update
    ),
    inserted as (
        insert into hit (key, amount, writer, place)
        select r.key, r.amount, $3, (select total from locked)
        from unnest($1::bigint[], $2::int[]) as r (key, amount)
        on conflict (key) do nothing
        returning 1
    )
    update counter set total = total + (select count(*) from inserted)";

#[derive(Clone, Copy, Debug)]
pub struct Hit {
    pub key: i64,
    pub amount: i32,
}

impl Hit {
    pub fn new(key: i64) -> Self {
        Self { key, amount: 1 }
    }
}

/// The flush of these tests. The answer is the request's key.
#[derive(Clone, Debug)]
pub struct Hits {
    pub writer: &'static str,
}

#[async_trait]
impl Flush for Hits {
    type Request = Hit;
    type Answer = i64;
    type Prepared = Statement;

    async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
        Ok(session.prepare(FLUSH).await?)
    }

    async fn flush(&self, session: &Session, statement: &Statement, batch: &[Hit]) -> Result<Vec<i64>, Error> {
        let keys: Vec<i64> = batch.iter().map(|hit| hit.key).collect();
        let amounts: Vec<i32> = batch.iter().map(|hit| hit.amount).collect();
        session.execute(statement, &[&keys, &amounts, &self.writer]).await?;
        Ok(keys)
    }
}

/// A server with the tests' schema.
pub async fn server() -> Cluster {
    server_with(&[]).await
}

/// The same with more server settings.
pub async fn server_with(settings: &[(&str, &str)]) -> Cluster {
    let mut spec = testing::spec().expect("PostgreSQL on this machine");
    for (name, value) in settings {
        spec = spec.with_setting(*name, *value);
    }
    let server = Cluster::create(spec).await.expect("a private server");
    session(&server).await.batch_execute(SCHEMA).await.expect("the schema of the tests");
    server
}

/// A session; after a crash, as soon as the server takes one.
pub async fn session(server: &Cluster) -> Session {
    server.endpoint().connect_retry(PATIENCE).await.expect("a session")
}

pub async fn start(server: &Cluster, settings: Settings) -> Sequencer<Hits> {
    Sequencer::start(server.endpoint(), Hits { writer: "first" }, settings).await.expect("a sequencer")
}

/// What is in the table: key, and how often (always once; the primary key says so).
pub async fn stored(session: &Session) -> BTreeSet<i64> {
    let rows = session.query("select key from hit", &[]).await.expect("the rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The hot row agrees with the rows it counts.
pub async fn assert_consistent(session: &Session) {
    let row = session
        .query_one("select (select total from counter) = (select count(*) from hit)", &[])
        .await
        .expect("the totals");
    assert!(row.get::<_, bool>(0), "the counter equals the number of rows");
}

/// First and last place of each writer.
pub async fn places(session: &Session) -> BTreeMap<String, (i64, i64)> {
    let rows =
        session.query("select writer, min(place), max(place) from hit group by writer", &[]).await.expect("rows");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
}

/// Waits until it is so in this process.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited too long until {what}"));
}

/// Waits until a query answers true.
pub async fn eventually(session: &Session, query: &str) {
    let wait = async {
        while !session.query_one(query, &[]).await.expect("a query").get::<_, bool>(0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never true: {query}"));
}
