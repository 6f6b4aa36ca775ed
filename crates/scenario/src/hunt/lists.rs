//! Clients that append to lists and read them, each transaction on lists of its choice, and the checker behind them.
//!
//! They run in slices of a second with lists of their own, and each slice is checked when it is over: so a long hunt needs no
//! more memory than a short one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pgstrata_history::{
    Anomaly, Finding, HistoryBuilder, Model, Operation, Options, Status, TransactionId, check_list_append,
};
use pgstrata_pg::{Endpoint, Session, quote_identifier, sql};
use pgstrata_units::Isolation;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::{Counters, HuntSpec, InLists};
use crate::judge::is_of_family;
use crate::language::{Action, Clause, Expectation, Item, Scenario, Step};
use crate::play::PlayError;

/// How long a slice lasts.
const SLICE: Duration = Duration::from_millis(800);

/// Lists that a slice begins with; each is left for a new one when it is long.
const LISTS: u64 = 8;

/// Elements after which a list is left.
const ELEMENTS_MAX: u64 = 40;

/// Operations of a transaction.
const OPERATIONS_MAX: usize = 4;

/// The most transactions of a cycle that is played again.
const CYCLE_MAX: usize = 4;

const TABLE_SQL: &str = include_str!("lists.sql");
const APPEND_SQL: &str = include_str!("append.sql");
const READ_SQL: &str = include_str!("read.sql");

/// What the checker counted, and scenarios made of what it found.
pub(super) type Listed = (Vec<InLists>, Vec<Scenario>);

/// The clients' task.
pub(super) struct Lists {
    endpoint: Endpoint,
    schema: String,
    level: Isolation,
    clients: usize,
    seed: u64,
}

struct Client {
    session: Session,
    append: sql::Statement,
    read: sql::Statement,
    chance: ChaCha8Rng,
    number: u32,
}

#[derive(Clone, Debug)]
enum Did {
    Append(i64),
    Read(Option<Vec<i64>>),
}

#[derive(Clone, Debug)]
struct Record {
    process: u32,
    status: Status,
    from_ns: u64,
    until_ns: u64,
    /// When each was sent, nanoseconds; on which list; what.
    operations: Vec<(u64, i64, Did)>,
}

impl Lists {
    pub(super) fn new(spec: &HuntSpec, clients: usize) -> Self {
        let schema = format!("pgstrata_hunt_{}_lists", std::process::id());
        let endpoint = spec
            .endpoint
            .with_setting("search_path", &schema)
            .with_setting("deadlock_timeout", "20ms")
            .with_application_name("pgstrata hunt");
        Self { endpoint, schema, level: spec.level, clients, seed: spec.seed }
    }

    pub(super) async fn run(self, ended: watch::Receiver<bool>, counters: Arc<Counters>) -> Result<Listed, PlayError> {
        let control = self.endpoint.connect().await?;
        let schema = quote_identifier(&self.schema);
        let run = async |text: &str| control.batch_execute(text).await.map_err(pgstrata_pg::Error::from);
        run(&format!("drop schema if exists {schema} cascade; create schema {schema}")).await?;
        run(TABLE_SQL).await?;
        let mut clients = Vec::new();
        for number in 0..self.clients {
            clients.push(self.client(number).await?);
        }
        let began = Instant::now();
        let mut counts: BTreeMap<Anomaly, InLists> = BTreeMap::new();
        let mut scenarios: Vec<(Anomaly, Scenario)> = Vec::new();
        let mut slice = 0;
        while !*ended.borrow() {
            let records;
            (clients, records) = self.slice(clients, slice, began).await?;
            slice += 1;
            let committed = records.iter().filter(|record| record.status == Status::Committed).count();
            counters.list_transactions.fetch_add(committed as u64, Ordering::Relaxed);
            let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.check(&records, after_ms, &mut counts, &mut scenarios);
            counters.list_anomalies.store(counts.values().map(|in_lists| in_lists.count).sum(), Ordering::Relaxed);
        }
        drop(clients);
        run(&format!("drop schema {schema} cascade")).await?;
        Ok((counts.into_values().collect(), scenarios.into_iter().map(|(_, scenario)| scenario).collect()))
    }

    async fn client(&self, number: usize) -> Result<Client, PlayError> {
        let session = self.endpoint.connect().await?;
        let append = session.prepare(APPEND_SQL).await.map_err(pgstrata_pg::Error::from)?;
        let read = session.prepare(READ_SQL).await.map_err(pgstrata_pg::Error::from)?;
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        chance.set_stream(1_000_000 + number as u64);
        Ok(Client { session, append, read, chance, number: u32::try_from(number).unwrap_or(u32::MAX) })
    }

    /// One slice of all clients, each on a task of its own.
    async fn slice(
        &self,
        clients: Vec<Client>,
        slice: u64,
        began: Instant,
    ) -> Result<(Vec<Client>, Vec<Record>), PlayError> {
        let level = self.level;
        let mut tasks = tokio::task::JoinSet::new();
        for client in clients {
            tasks.spawn(client.slice(level, slice, began));
        }
        let mut clients = Vec::new();
        let mut records = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let Ok(done) = done else { continue };
            let (client, of_client) = done?;
            clients.push(client);
            records.extend(of_client);
        }
        clients.sort_by_key(|client: &Client| client.number);
        Ok((clients, records))
    }

    fn check(
        &self,
        records: &[Record],
        after_ms: u64,
        counts: &mut BTreeMap<Anomaly, InLists>,
        scenarios: &mut Vec<(Anomaly, Scenario)>,
    ) {
        let mut records: Vec<&Record> = records.iter().collect();
        records.sort_by_key(|record| record.from_ns);
        let mut builder = HistoryBuilder::new();
        for record in &records {
            let operations: Vec<Operation<'_>> = record
                .operations
                .iter()
                .map(|(_, list, did)| {
                    let key = builder.key(&list.to_string());
                    match did {
                        Did::Append(value) => Operation::Append { key, value: *value },
                        Did::Read(list) => Operation::ReadList { key, list: list.as_deref() },
                    }
                })
                .collect();
            builder.push(record.process, record.status, (record.from_ns, record.until_ns), &operations);
        }
        let verdict = check_list_append(&builder.finish(), Model::Serializable, &Options::default());
        for (anomaly, count) in &verdict.counts {
            let new = InLists { anomaly: *anomaly, count: 0, first_ms: after_ms };
            counts.entry(*anomaly).or_insert(new).count += count;
        }
        for finding in &verdict.findings {
            let is_new = !scenarios.iter().any(|(known, _)| is_of_family(*known, finding.anomaly));
            if is_new && finding.transactions.len() <= CYCLE_MAX {
                scenarios.push((finding.anomaly, scenario(finding, &records, self.level)));
            }
        }
    }
}

impl Client {
    async fn slice(mut self, level: Isolation, slice: u64, began: Instant) -> Result<(Self, Vec<Record>), PlayError> {
        let until = Instant::now() + SLICE;
        let mut records = Vec::new();
        let mut value = 0;
        while Instant::now() < until {
            let record = self.transaction(level, slice, &mut value, began).await?;
            records.push(record);
        }
        Ok((self, records))
    }

    async fn transaction(
        &mut self,
        level: Isolation,
        slice: u64,
        value: &mut i64,
        began: Instant,
    ) -> Result<Record, PlayError> {
        let now = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let from_ns = now();
        let count = self.chance.random_range(1..=OPERATIONS_MAX);
        // As lists grow, new ones take their place: all clients see about the same number of appends.
        let generation = u64::try_from(*value).unwrap_or(0) / (ELEMENTS_MAX / 4);
        let mut operations: Vec<(u64, i64, Did)> = (0..count)
            .map(|_| {
                let list = (slice * 10_000 + generation) * LISTS + self.chance.random_range(0..LISTS);
                let did = if self.chance.random_ratio(1, 2) {
                    *value += 1;
                    // Unique for all: the client's number is in it.
                    Did::Append(*value * 1_000 + i64::from(self.number))
                } else {
                    Did::Read(None)
                };
                (0, i64::try_from(list).unwrap_or(i64::MAX), did)
            })
            .collect();
        let committed = self.run(level, &mut operations, &now).await?;
        let status = if committed { Status::Committed } else { Status::Aborted };
        Ok(Record { process: self.number, status, from_ns, until_ns: now(), operations })
    }

    /// Whether it committed; an error only when the server is gone, or the statement is wrong.
    async fn run(
        &mut self,
        level: Isolation,
        operations: &mut [(u64, i64, Did)],
        now: &impl Fn() -> u64,
    ) -> Result<bool, PlayError> {
        let attempt = async {
            self.session.batch_execute(&format!("begin isolation level {}", level.sql())).await?;
            for (at, list, did) in operations.iter_mut() {
                *at = now();
                match did {
                    Did::Append(value) => {
                        self.session.execute(&self.append, &[&*list, &*value]).await?;
                    }
                    Did::Read(seen) => {
                        let row = self.session.query_opt(&self.read, &[&*list]).await?;
                        *seen = Some(row.map_or_else(|| Ok(Vec::new()), |row| row.try_get(0))?);
                    }
                }
            }
            self.session.batch_execute("commit").await
        };
        let Err(source) = attempt.await else { return Ok(true) };
        let error = pgstrata_pg::Error::from(source);
        if !error.class().is_retryable() {
            return Err(error.into());
        }
        self.session.batch_execute("rollback").await.map_err(pgstrata_pg::Error::from)?;
        Ok(false)
    }
}

/// The transactions of a finding as a scenario: their statements in the order in which they were sent.
fn scenario(finding: &Finding, records: &[&Record], level: Isolation) -> Scenario {
    let of = |id: &TransactionId| records[id.0 as usize];
    let own: BTreeSet<i64> = finding
        .transactions
        .iter()
        .flat_map(|id| &of(id).operations)
        .filter_map(|(_, _, did)| if let Did::Append(value) = did { Some(*value) } else { None })
        .collect();
    let mut lists: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut timed: Vec<(u64, usize, Action)> = Vec::new();
    for (session, id) in finding.transactions.iter().enumerate() {
        let record = of(id);
        let first = record.operations.first().map_or(record.from_ns, |(at, ..)| *at);
        timed.push((first, session, Action::Begin(String::new())));
        for (at, list, did) in &record.operations {
            let text = match did {
                Did::Append(value) => format!(
                    "insert into lists as l values ({list}, array[{value}]::bigint[])\n    on conflict (id) do update set elements = l.elements || excluded.elements"
                ),
                Did::Read(seen) => {
                    let before: Vec<i64> =
                        seen.iter().flatten().copied().filter(|value| !own.contains(value)).collect();
                    let known = lists.entry(*list).or_default();
                    if before.len() > known.len() {
                        *known = before;
                    }
                    format!("select elements from lists where id = {list}")
                }
            };
            timed.push((*at, session, Action::Sql { text, hold: None }));
        }
        timed.push((record.until_ns, session, Action::Sql { text: "commit".to_owned(), hold: None }));
    }
    timed.sort_by_key(|(at, session, action)| (*at, *session, !matches!(action, Action::Begin(_))));
    let mut set_up = vec![TABLE_SQL.lines().last().unwrap_or_default().to_owned()];
    for (list, elements) in lists.iter().filter(|(_, elements)| !elements.is_empty()) {
        let elements: Vec<String> = elements.iter().map(ToString::to_string).collect();
        set_up.push(format!("insert into lists values ({list}, '{{{}}}');", elements.join(",")));
    }
    let mut items = vec![
        Item::About("Found in a history of lists by pgstrata isolation hunt".to_owned()),
        Item::Levels(vec![level]),
        Item::Blank,
        Item::Setup(set_up.join("\n")),
        Item::Blank,
    ];
    items.extend(timed.into_iter().map(|(_, session, action)| {
        Item::Step(Step { session: format!("T{}", session + 1), action, outcomes: Vec::new(), line: 0 })
    }));
    items.push(Item::Blank);
    items.push(Item::Expect(Expectation { levels: vec![level], clauses: vec![Clause::Anomaly(None)] }));
    Scenario { name: format!("list-{}", finding.anomaly.to_string().to_ascii_lowercase()), items }
}
