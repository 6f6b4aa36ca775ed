//! A small study for the lab's own tests: a counter and the operations that raised it.
//!
//! One arm is right, two are wrong in known ways, and one is slow: the lab must tell them apart.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_lab::history::{History, Outcome};
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{
    Arm, ArmKind, Card, Client, ClientCount, Holds, Invariant, Operation, Reply, Rig, Scale, Setback, Study,
    StudyError, Violation,
};
use pgstrata_pg::{self as pg, Session};
use pgstrata_units::{SystemId, Text};

const SCHEMA: &str = include_str!("schema.sql");
const RAISE: &str = include_str!("raise.sql");
const READ: &str = include_str!("read.sql");
const OVERWRITE: &str = include_str!("overwrite.sql");
const MISSING: &str = include_str!("missing.sql");
const DRIFT: &str = include_str!("drift.sql");

const fn text(en: &'static str) -> Text {
    Text { en, zh: "测试" }
}

const fn arm(name: &'static str, kind: ArmKind) -> Arm {
    Arm { name, title: text("Arm"), summary: text("An arm."), kind, clients: ClientCount::Sessions(8), statements: &[] }
}

static ARMS: [Arm; 4] = [
    arm("sound", ArmKind::Textbook),
    arm("lost-update", ArmKind::Broken),
    arm("liar", ArmKind::Broken),
    arm("slow", ArmKind::Textbook),
];

static CARD: Card = Card {
    id: SystemId::known("09-01"),
    name: "counter",
    title: text("Counter"),
    summary: text("A counter."),
    operation: text("raise"),
    arms: &ARMS,
    baseline: "sound",
    invariants: &[Invariant {
        id: "C1",
        statement: text("the counter equals the number of operations"),
        sql: Some(DRIFT),
        holds: Holds::Always,
    }],
    claims: &[],
};

/// How long each step of the slow arm sleeps in the server.
pub(crate) const NAP: Duration = Duration::from_millis(20);

pub(crate) struct Counter;

#[async_trait]
impl Study for Counter {
    fn card(&self) -> &'static Card {
        &CARD
    }

    async fn prepare(&self, _: &'static Arm, site: &Site, _: &Scale) -> Result<(), StudyError> {
        let session = site.first().control.connect().await?;
        session.batch_execute(SCHEMA).await.map_err(pg::Error::from)?;
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, _: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        Ok(Arc::new(CounterRig { arm: arm.name, endpoint: site.first().endpoint.clone() }))
    }

    async fn check(&self, _: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
        let session = site.first().control.connect_retry(Duration::from_secs(30)).await?;
        let acknowledged: Vec<_> = history
            .events
            .iter()
            .filter(|event| event.outcome == Outcome::Ok)
            .map(|event| history.operation(event).key)
            .collect();
        let rows = session.query(MISSING, &[&acknowledged]).await.map_err(pg::Error::from)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Violation {
            invariant: "C2".to_owned(),
            found: "acknowledged operations are missing".to_owned(),
            count: rows.len() as u64,
            witnesses: rows.iter().take(5).map(|row| serde_json::json!({ "key": row.get::<_, String>(0) })).collect(),
        }])
    }

    async fn clear(&self, _: &Site) -> Result<(), StudyError> {
        Ok(())
    }
}

struct CounterRig {
    arm: &'static str,
    endpoint: pg::Endpoint,
}

#[async_trait]
impl Rig for CounterRig {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        Ok(Box::new(CounterClient { arm: self.arm, session: self.endpoint.connect().await? }))
    }
}

struct CounterClient {
    arm: &'static str,
    session: Session,
}

#[async_trait]
impl Client for CounterClient {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        match self.arm {
            "lost-update" => self.read_then_write(operation).await?,
            // Every tenth operation is acknowledged and not done.
            "liar" if operation.number.is_multiple_of(10) => {}
            "slow" => {
                let nap = NAP.as_secs_f64();
                self.session.execute("select pg_sleep($1)", &[&nap]).await.map_err(pg::Error::from)?;
                self.raise(operation).await?;
            }
            _ => self.raise(operation).await?,
        }
        Ok(Reply::Accepted { value: 1 })
    }
}

impl CounterClient {
    async fn raise(&self, operation: &Operation) -> Result<(), pg::Error> {
        self.session.execute(RAISE, &[&operation.key]).await?;
        Ok(())
    }

    async fn read_then_write(&self, operation: &Operation) -> Result<(), pg::Error> {
        let seen: i64 = self.session.query_one(READ, &[]).await?.get(0);
        self.session.execute(OVERWRITE, &[&operation.key, &(seen + 1)]).await?;
        Ok(())
    }
}
