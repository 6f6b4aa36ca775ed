//! A private server, sessions with names, and an observer that looks until it has seen something.

use std::time::{Duration, Instant};

use pgstrata_pg::{Cluster, ClusterSpec, Endpoint, Session, testing};
use pgstrata_timeline::{Horizon, Item, PutItem, RowVersion, Server, Verdict, Wait};
use pgstrata_tools::mvcc::{Observer, Options, Sample, Watch};

/// How long an observer looks for something before the test fails; far beyond what a loaded machine takes.
const LOOK_LIMIT: Duration = Duration::from_mins(1);

/// A private server of its own for one test, with the settings that all of them want.
pub async fn server() -> Cluster {
    Cluster::create(spec()).await.expect("a server, which needs PostgreSQL on this machine")
}

pub fn spec() -> ClusterSpec {
    testing::spec()
        .expect("PostgreSQL on this machine")
        .with_setting("max_prepared_transactions", "5")
        .with_setting("autovacuum", "off")
        // Deadlocks are looked at before they are broken.
        .with_setting("deadlock_timeout", "60s")
}

/// A session with a name.
pub async fn seat(endpoint: &Endpoint, name: &str) -> Session {
    endpoint.with_application_name(name).connect().await.expect("a session")
}

/// Runs statements one after the other, each by itself: together they would be one transaction.
pub async fn run(session: &Session, sql: &str) {
    let several = if sql.contains("$$") { vec![sql] } else { sql.split("; ").collect() };
    for statement in several {
        session.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

pub async fn pid(session: &Session) -> i32 {
    session.backend_pid().await.expect("a process")
}

pub async fn observer(endpoint: &Endpoint) -> Observer {
    Observer::attach(endpoint, Options::default()).await.expect("it attaches")
}

pub fn watch(table: &str) -> Watch {
    Watch { table: Some(table.to_owned()), ..Watch::default() }
}

/// Looks until a picture is as wanted.
pub async fn until(observer: &mut Observer, what: &str, mut is_wanted: impl FnMut(&Sample) -> bool) -> Sample {
    let began = Instant::now();
    loop {
        let sample = observer.sample().await;
        if is_wanted(&sample) {
            return sample;
        }
        assert!(began.elapsed() < LOOK_LIMIT, "never seen: {what}; last {:?} with {:#?}", sample.cause, notes(&sample));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a picture holds of one kind.
macro_rules! of_kind {
    ($name:ident, $variant:ident, $type:ty) => {
        pub fn $name(sample: &Sample) -> Vec<$type> {
            let found = sample.items.iter().filter_map(|put: &PutItem| match &put.item {
                Item::$variant(item) => Some(item.clone()),
                _ => None,
            });
            found.collect()
        }
    };
}

of_kind!(versions, Version, RowVersion);
of_kind!(waits, Wait, Wait);
of_kind!(verdicts, Verdict, Verdict);
of_kind!(servers, Server, Server);
of_kind!(horizons, Horizon, Horizon);
of_kind!(sessions, Session, pgstrata_timeline::Session);
of_kind!(transactions, Transaction, pgstrata_timeline::Transaction);
of_kind!(serializable, Serializable, pgstrata_timeline::SerializableTransaction);
of_kind!(viewers, Viewer, pgstrata_timeline::Viewer);

pub fn notes(sample: &Sample) -> Vec<String> {
    servers(sample).into_iter().flat_map(|server| server.notes).collect()
}

/// Whether a note with this code is there.
pub fn has_note(sample: &Sample, code: &str) -> bool {
    notes(sample).iter().any(|note| note.split_once(": ").is_some_and(|(of, _)| of == code))
}
