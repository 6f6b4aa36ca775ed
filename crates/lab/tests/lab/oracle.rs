//! Two judges of one run: the list checker, who knows only what clients saw, and the exact graph, which knows only rows,
//! versions and the log. Neither uses what the other does, so where they agree both are probably right.

use std::sync::Arc;
use std::time::Instant;

use pgstrata_history::{
    Anomaly, History, HistoryBuilder, Model, Operation, Options, Scope, Status, Verdict, check_list_append,
};
use pgstrata_lab::history::operation;
use pgstrata_lab::observe::{Held, IsolationRecord, Observer, WatchedTransaction, Watches, Watching};
use pgstrata_lab::site::{Server, Site};
use pgstrata_pg::{Cluster, Error, Session, testing};
use pgstrata_units::Isolation;

const SCHEMA: &str = include_str!("lists.sql");
const APPEND: &str = include_str!("lists_append.sql");
const READ: &str = include_str!("lists_read.sql");
const TABLE: &str = "oracle.list";
const TABLES: &[(&str, &str)] = &[("oracle", "list")];

const SEED: u64 = 99;
const CLIENTS: u32 = 6;
const TRANSACTIONS_PER_CLIENT: u64 = 60;
/// Few, so that transactions meet.
const LISTS: u64 = 4;
/// Lists that only the forced schedule uses.
const FORCED: [i32; 2] = [100, 101];

/// What a client did with one list.
enum Done {
    Append(i32, i64),
    Read(i32, Vec<i64>),
}

/// A transaction as its client saw it.
struct Seen {
    process: u32,
    status: Status,
    times: (u64, u64),
    done: Vec<Done>,
}

/// A transaction under way, told to both judges.
struct Client<'s> {
    watched: WatchedTransaction<'s>,
    seen: Seen,
    clock: Instant,
}

fn now(clock: Instant) -> u64 {
    u64::try_from(clock.elapsed().as_nanos()).expect("a short test")
}

impl<'s> Client<'s> {
    async fn begin(
        observer: &Observer,
        session: &'s mut Session,
        isolation: Isolation,
        process: u32,
        clock: Instant,
    ) -> Self {
        let begun = now(clock);
        let watched = observer.begin(session, isolation).await.expect("begun");
        let seen = Seen { process, status: Status::Aborted, times: (begun, u64::MAX), done: Vec::new() };
        Self { watched, seen, clock }
    }

    async fn append(&mut self, list: i32, value: i64) -> Result<(), Error> {
        self.watched.write(TABLE, APPEND, &[&list, &value]).await?;
        self.seen.done.push(Done::Append(list, value));
        Ok(())
    }

    async fn read(&mut self, list: i32) -> Result<(), Error> {
        let row = self.watched.look_up(TABLE, &[&list.to_string()], READ, &[&list]).await?;
        let items = row.map_or_else(Vec::new, |row| row.get("items"));
        self.seen.done.push(Done::Read(list, items));
        Ok(())
    }

    /// Ends it; `so_far` is whether it met an error before.
    async fn end(self, so_far: Result<(), Error>) -> Seen {
        let Self { watched, mut seen, clock } = self;
        let outcome = match so_far {
            Ok(()) => watched.commit().await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => seen.status = Status::Committed,
            Err(error) => assert!(error.class().is_retryable(), "{error:?}"),
        }
        seen.times.1 = now(clock);
        seen
    }
}

/// One client's random transactions: one to four reads and appends each.
async fn random(
    observer: Observer,
    mut session: Session,
    isolation: Isolation,
    process: u32,
    clock: Instant,
) -> Vec<Seen> {
    let mut all = Vec::new();
    for number in 0..TRANSACTIONS_PER_CLIENT {
        let mut client = Client::begin(&observer, &mut session, isolation, process, clock).await;
        let first = (u64::from(process) * TRANSACTIONS_PER_CLIENT + number) * 4;
        let mut so_far = Ok(());
        for step in first..=first + operation(SEED, first).draw % 4 {
            let draw = operation(SEED + 1, step).draw;
            let list = i32::try_from(draw % LISTS).expect("few");
            let value = i64::try_from(step).expect("few") + 1;
            so_far =
                if (draw >> 32).is_multiple_of(2) { client.read(list).await } else { client.append(list, value).await };
            if so_far.is_err() {
                break;
            }
        }
        all.push(client.end(so_far).await);
    }
    all
}

/// Two transactions that each read what the other one then appends to, and, below repeatable read, also append to what
/// they have read: whatever the level lets through happens for certain.
async fn forced(site: &Site, isolation: Isolation, clock: Instant) -> Vec<Seen> {
    let (left, right) = (CLIENTS, CLIENTS + 1);
    let mut sessions = (connect(site).await, connect(site).await);
    let observers = (site.observer(0, left), site.observer(0, right));
    let mut one = Client::begin(&observers.0, &mut sessions.0, isolation, left, clock).await;
    let mut two = Client::begin(&observers.1, &mut sessions.1, isolation, right, clock).await;
    one.read(FORCED[0]).await.expect("read");
    two.read(FORCED[1]).await.expect("read");
    one.append(FORCED[1], -1).await.expect("appended");
    let mut so_far = Ok(());
    if isolation == Isolation::ReadCommitted {
        let first = one.end(Ok(())).await;
        // It has read the list without the other one's element, and appends to it: a lost update, if there ever is one.
        so_far = two.append(FORCED[1], -2).await;
        return vec![first, two.end(so_far).await];
    }
    if let Err(error) = two.append(FORCED[0], -2).await {
        so_far = Err(error);
    }
    let first = one.end(Ok(())).await;
    vec![first, two.end(so_far).await]
}

async fn connect(site: &Site) -> Session {
    site.first().endpoint.connect().await.expect("a session")
}

/// What the clients saw, for the list checker.
fn history_of(mut seen: Vec<Seen>) -> History {
    seen.sort_by_key(|transaction| transaction.times.0);
    let mut builder = HistoryBuilder::new();
    for transaction in &seen {
        let operations: Vec<Operation<'_>> = transaction
            .done
            .iter()
            .map(|done| match done {
                Done::Append(list, value) => Operation::Append { key: builder.key(&list.to_string()), value: *value },
                Done::Read(list, items) => {
                    Operation::ReadList { key: builder.key(&list.to_string()), list: Some(items) }
                }
            })
            .collect();
        builder.push(transaction.process, transaction.status, transaction.times, &operations);
    }
    builder.finish()
}

/// Runs the workload at a level; gives what both judges say.
async fn run(isolation: Isolation) -> (Verdict, IsolationRecord) {
    let spec = testing::spec().expect("PostgreSQL server binaries");
    // Deadlocks are frequent here, and each would stop its clients for a second.
    let spec = spec.with_setting("wal_level", "logical").with_setting("deadlock_timeout", "20ms");
    let cluster = Cluster::create(spec).await.expect("a server");
    let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]).watched(Watching::default());
    connect(&site).await.batch_execute(SCHEMA).await.expect("the schema");
    let watches = Watches::begin(&site, Held { model: Model::Serializable, tables: TABLES }).await.expect("a watch");
    let recorded = Arc::new(watches.site(&site));

    let clock = Instant::now();
    let mut seen = forced(&recorded, isolation, clock).await;
    let mut clients = tokio::task::JoinSet::new();
    for process in 0..CLIENTS {
        let session = connect(&site).await;
        clients.spawn(random(recorded.observer(0, process), session, isolation, process, clock));
    }
    seen.extend(clients.join_all().await.into_iter().flatten());
    // Whoever reads everything in the end tells the list checker the order of all versions.
    let mut session = connect(&site).await;
    let mut last = Client::begin(&recorded.observer(0, 99), &mut session, isolation, 99, clock).await;
    for list in (0..i32::try_from(LISTS).expect("few")).chain(FORCED) {
        last.read(list).await.expect("read");
    }
    seen.push(last.end(Ok(())).await);

    let (mut records, _) = watches.finish(&site, "lists", SEED).await.expect("a judgement");
    let record = records.pop().expect("a record");
    assert_eq!(record.coverage.gaps, [], "nothing is left out");
    let verdict = check_list_append(&history_of(seen), Model::Serializable, &Options::default());
    assert_eq!(verdict.took_effect, record.transactions, "both know what took effect");
    (verdict, record)
}

/// The models that a run broke, on which both judges must agree; the orders of clients and of time are left out,
/// because the judges read different clocks.
fn broken((lists, exact): &(Verdict, IsolationRecord)) -> Vec<Model> {
    let of_exact: Vec<Anomaly> = exact.anomalies.keys().map(|name| name.parse().expect("an anomaly")).collect();
    let plain = Model::ALL.into_iter().filter(|model| model.scope() == Scope::Plain);
    let broken_by = |found: &[Anomaly]| -> Vec<Model> {
        plain.clone().filter(|model| found.iter().any(|anomaly| model.forbids(*anomaly))).collect()
    };
    let by_lists = broken_by(&lists.counts.keys().copied().collect::<Vec<_>>());
    assert_eq!(by_lists, broken_by(&of_exact), "lists {:?}, exact {:?}", lists.counts, exact.anomalies);
    by_lists
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_read_committed_both_judges_see_updates_lost_and_nothing_worse() {
    let broken = broken(&run(Isolation::ReadCommitted).await);
    assert_eq!(broken, [Model::SnapshotIsolation, Model::RepeatableRead, Model::Serializable]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_repeatable_read_both_judges_see_write_skew_and_nothing_worse() {
    let judged = run(Isolation::RepeatableRead).await;
    assert_eq!(broken(&judged), [Model::RepeatableRead, Model::Serializable], "it is snapshot isolation");
    let skew = Anomaly::G2Item(Scope::Plain);
    assert!(judged.0.counts.contains_key(&skew) && judged.1.anomalies.contains_key(&skew.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_serializable_both_judges_find_nothing() {
    let (lists, exact) = run(Isolation::Serializable).await;
    assert!(lists.counts.is_empty() && exact.anomalies.is_empty(), "{:?} {:?}", lists.counts, exact.anomalies);
    assert!(exact.transactions > 100 && exact.dependencies > 100, "there was something to judge: {exact:?}");
}
