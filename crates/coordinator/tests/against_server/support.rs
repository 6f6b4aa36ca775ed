//! What the tests share: two private servers with an account each, a transfer between them, and a bystander that crashes
//! things at a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_coordinator::{Bystander, CommitError, Coordinator, Place, Settings, Step, Then, TransactionId};
use pgstrata_pg::{Cluster, Endpoint, Error, Kind, Session, testing};
use pgstrata_units::Isolation;
use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

/// How long a test waits for something that must happen before it fails. No test measures time.
pub const PATIENCE: Duration = Duration::from_mins(1);

const SCHEMA: &str = "create table account (id int primary key, balance bigint not null)";

/// Two servers, each with one account of 1000.
pub struct Ground {
    pub clusters: Vec<Arc<Mutex<Cluster>>>,
    pub endpoints: Vec<Endpoint>,
}

impl Ground {
    pub async fn new() -> Self {
        let mut clusters = Vec::new();
        let mut endpoints = Vec::new();
        for shard in 0..2 {
            let spec =
                testing::spec().expect("PostgreSQL on this machine").with_setting("max_prepared_transactions", "64");
            let cluster = Cluster::create(spec).await.expect("a private server");
            let session = cluster.endpoint().connect().await.expect("a session");
            session.batch_execute(SCHEMA).await.expect("a schema");
            session.execute("insert into account values ($1, 1000)", &[&shard]).await.expect("an account");
            endpoints.push(cluster.endpoint());
            clusters.push(Arc::new(Mutex::new(cluster)));
        }
        Self { clusters, endpoints }
    }

    pub async fn open(&self, settings: Settings) -> Coordinator {
        Coordinator::open(&self.endpoints, settings).await.expect("a coordinator")
    }

    pub async fn session(&self, shard: usize) -> Session {
        self.endpoints[shard].connect_retry(PATIENCE).await.expect("a session")
    }

    /// What is on each account, in the order of shards.
    pub async fn balances(&self) -> (i64, i64) {
        let mut balances = Vec::new();
        for shard in 0..2 {
            balances.push(number(&self.session(shard).await, "select balance from account").await);
        }
        (balances[0], balances[1])
    }

    pub async fn prepared(&self) -> i64 {
        let count = "select count(*) from pg_prepared_xacts";
        number(&self.session(0).await, count).await + number(&self.session(1).await, count).await
    }

    /// Resolves until nothing is prepared any more: on a slow machine a server may still be ending the sessions of the dead.
    pub async fn resolve_all(&self, coordinator: &Coordinator) {
        let resolving = async {
            coordinator.resolve().await.expect("a look");
            while self.prepared().await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                coordinator.resolve().await.expect("a look");
            }
        };
        tokio::time::timeout(PATIENCE, resolving).await.expect("nothing stays prepared");
    }

    /// kill -9 of a shard's server, and its start.
    pub async fn restart(&self, shard: usize) {
        restart(&mut *self.clusters[shard].lock().await).await;
    }
}

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

/// Settings whose resolver works only when it is asked to.
pub fn quiet() -> Settings {
    Settings { resolve_period: Duration::from_hours(1), finish_limit: Duration::from_secs(20), ..Settings::default() }
}

pub async fn number(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.expect("a row").get(0)
}

/// Moves an amount from shard 0 to shard 1.
pub async fn transfer(coordinator: &Coordinator, key: Uuid, amount: i64) -> Result<TransactionId, CommitError> {
    let mut transaction = coordinator.begin(key, Isolation::ReadCommitted, None).await;
    move_money(&mut transaction, amount).await.expect("money can be moved");
    transaction.commit().await
}

pub async fn move_money(transaction: &mut pgstrata_coordinator::Transaction, amount: i64) -> Result<(), Error> {
    let update = "update account set balance = balance + $1";
    transaction.open(0).await?.execute(update, &[&-amount]).await?;
    transaction.open(1).await?.execute(update, &[&amount]).await?;
    Ok(())
}

/// What happens at the step.
#[derive(Clone)]
pub enum Strike {
    /// The coordinator stands still until it is let go.
    Hold,
    /// Its connection there is lost.
    Disconnect,
    /// A server is killed and started again.
    Restart(Arc<Mutex<Cluster>>),
}

/// Strikes once, at one step.
pub struct Trap {
    step: Step,
    strike: Strike,
    struck: AtomicBool,
    pub reached: Notify,
    pub let_go: Notify,
}

impl Trap {
    pub fn at(step: Step, strike: Strike) -> Arc<Self> {
        let (reached, let_go) = (Notify::new(), Notify::new());
        Arc::new(Self { step, strike, struck: AtomicBool::new(false), reached, let_go })
    }

    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Bystander for Trap {
    async fn at(&self, step: Step, _: Place) -> Then {
        if step != self.step || self.struck.swap(true, Ordering::SeqCst) {
            return Then::GoOn;
        }
        self.reached.notify_one();
        match &self.strike {
            Strike::Hold => {
                self.let_go.notified().await;
                Then::GoOn
            }
            Strike::Disconnect => Then::Disconnect,
            Strike::Restart(cluster) => {
                restart(&mut *cluster.lock().await).await;
                Then::GoOn
            }
        }
    }
}

/// Whether everything is as if the transfer of `amount` had happened, or as if it had not; nothing else is allowed.
pub async fn happened(ground: &Ground, amount: i64) -> bool {
    let balances = ground.balances().await;
    assert!(balances == (1000, 1000) || balances == (1000 - amount, 1000 + amount), "torn: {balances:?}");
    balances.0 != 1000
}
