//! The flash sale against a real PostgreSQL: what is sold, what is told, and what is left after a crash.

mod crash;
mod front_door;
mod reservation;
mod selling;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgstrata_lab::history::{Event, History, Outcome, operation};
use pgstrata_lab::invariants;
use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::{Arm, Client, DEFAULT_SKEW, Preset, Reply, Rig, Scale, Setback, Study, Violation};
use pgstrata_pg::{Cluster, Session, testing};
use pgstrata_sequencer::Settings;

use super::arms::Stock;
use super::service::{Service, ServiceSettings};
use super::{FlashSale, card, create_schema, put_on_sale};

const SEED: u64 = 11;

/// Servers of a test; gone when it ends.
struct Ground {
    clusters: Vec<Cluster>,
    site: Site,
}

impl Ground {
    async fn new(servers: usize) -> Self {
        let mut clusters = Vec::new();
        for _ in 0..servers {
            clusters.push(testing::server().await.expect("a PostgreSQL server"));
        }
        let site = Site::of_servers(clusters.iter().map(|cluster| Server::plain(cluster.endpoint())).collect());
        Self { clusters, site }
    }

    async fn session(&self) -> Session {
        self.site.first().control.connect().await.expect("a session")
    }

    /// A product 0 with so many units, and the service before it.
    async fn shop(&self, units: i64, settings: &ServiceSettings) -> Service {
        let session = self.session().await;
        create_schema(&session).await.expect("the schema");
        put_on_sale(&session, Stock::OneRow, 0, units).await.expect("a product");
        let endpoints: Vec<_> = self.site.servers.iter().map(|server| server.endpoint.clone()).collect();
        Service::start(&endpoints, settings).await.expect("the service")
    }

    /// Keeps the stock row locked until the session commits, so that whatever is being decided stands still.
    async fn hold_the_stock_row(&self) -> Session {
        let holder = self.session().await;
        holder.batch_execute("begin; select from flash_sale.inventory for update").await.expect("locked");
        holder
    }

    /// One number that a query gives.
    async fn number(&self, sql: &str) -> i64 {
        self.session().await.query_one(sql, &[]).await.expect("a row").get(0)
    }

    /// What the card's queries find.
    async fn violations(&self) -> Vec<Violation> {
        invariants::evaluate(&self.site, card::CARD.invariants).await.expect("invariants can be evaluated")
    }
}

fn arm(name: &str) -> &'static Arm {
    card::CARD.arm(name).expect("an arm of this name")
}

/// A sale of half as many units as there are operations.
fn scarce(operations: u64) -> Scale {
    Scale { preset: Preset::Ci, operations, scarce: true, skew: DEFAULT_SKEW, observed: false, seed: SEED }
}

/// Settings of a service whose reservations do not expire and whose instances do not wait for each other.
fn patient() -> ServiceSettings {
    ServiceSettings { sequencer: Settings { queue_limit: 4_096, ..Settings::default() }, ..ServiceSettings::default() }
}

/// Lets `clients` carry out operations 0 to `operations`, each `copies` times, and writes down what they were told.
async fn carry_out(rig: &Arc<dyn Rig>, clients: u32, operations: u64, copies: u64) -> History {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..clients {
        let mut client = rig.client(number).await.expect("a client");
        let next = Arc::clone(&next);
        tasks.spawn(async move {
            let mut events = Vec::new();
            loop {
                let turn = next.fetch_add(1, Ordering::SeqCst);
                if turn >= operations * copies {
                    return events;
                }
                events.push(see_through(&mut *client, turn / copies, number).await);
            }
        });
    }
    let events = tasks.join_all().await.into_iter().flatten().collect();
    History { seed: SEED, events, measured_until_ns: u64::MAX, ..History::default() }
}

/// One operation to its end; a lost race is run again, as the lab does.
async fn see_through(client: &mut dyn Client, number: u64, client_number: u32) -> Event {
    const ATTEMPTS: u16 = 10_000;
    let operation = operation(SEED, number);
    let mut event = Event {
        operation: number,
        intended_ns: 0,
        sent_ns: 0,
        finished_ns: u64::MAX,
        value: 0,
        client: client_number,
        attempts: 0,
        outcome: Outcome::Failed,
    };
    while event.attempts < ATTEMPTS {
        event.attempts += 1;
        match client.step(&operation).await {
            Ok(Reply::Accepted { value }) => return Event { value, outcome: Outcome::Ok, ..event },
            Ok(Reply::Rejected { reason }) => return Event { value: reason, outcome: Outcome::Rejected, ..event },
            Err(Setback::Conflict) => {}
            Err(Setback::Database(error)) if error.class() == pgstrata_pg::ErrorClass::UniqueViolation => {}
            Err(setback) => panic!("operation {number} met {setback:?}"),
        }
    }
    event
}

fn count(history: &History, outcome: Outcome) -> usize {
    history.events.iter().filter(|event| event.outcome == outcome).count()
}

/// Waits until something is so, for at most ten seconds.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to it that {what}");
}

async fn until_a_purchase_waits(holder: &Session) {
    let blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    until("a purchase waits for the stock row", async || {
        let row = holder.query_one(blocked, &[]).await.expect("a row");
        row.get::<_, i64>(0) > 0
    })
    .await;
}

/// Everything that is to be judged after a trial.
async fn judge(ground: &Ground, arm: &'static Arm, history: &History) -> Vec<Violation> {
    let mut violations = ground.violations().await;
    violations.extend(FlashSale.check(arm, &ground.site, history).await.expect("a judgement"));
    violations
}
