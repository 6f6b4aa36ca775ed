//! A watched study in whole trials: one arm keeps its word, the other runs at a weaker level than it says; also over a
//! crash of the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_history::binary;
use pgstrata_lab::faults::FaultPlan;
use pgstrata_lab::history::History;
use pgstrata_lab::observe::{Held, Observer, Watching};
use pgstrata_lab::record::{LoadShape, TrialPurpose, TrialRecord};
use pgstrata_lab::sentinel::SentinelProbe;
use pgstrata_lab::site::{Site, SiteSpec};
use pgstrata_lab::study::{
    Arm, ArmKind, Card, Client, ClientCount, Operation, Preset, Reply, Rig, Scale, Setback, Study, StudyError,
    Violation,
};
use pgstrata_lab::trial::{self, TrialSpec};
use pgstrata_pg::{self as pg, Endpoint, Session};
use pgstrata_units::{Isolation, SystemId, Text};
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use crate::observe::{HELD, LIST, SCHEMA, SET, TABLE};

const fn text(en: &'static str) -> Text {
    Text { en, zh: "测试" }
}

const fn arm(name: &'static str, kind: ArmKind) -> Arm {
    Arm { name, title: text("Arm"), summary: text("An arm."), kind, clients: ClientCount::Sessions(2), statements: &[] }
}

static ARMS: [Arm; 2] = [arm("serializable", ArmKind::Textbook), arm("pretender", ArmKind::Broken)];

static CARD: Card = Card {
    id: SystemId::known("09-01"),
    name: "clinic",
    title: text("Clinic"),
    summary: text("Doctors on call."),
    operation: text("a change of duty"),
    arms: &ARMS,
    baseline: "serializable",
    invariants: &[],
    claims: &[],
};

/// How long a doctor waits for the other one to have looked, too, before writing. Only the first time matters.
const PATIENCE: Duration = Duration::from_millis(100);

struct Clinic;

#[async_trait]
impl Study for Clinic {
    fn card(&self) -> &'static Card {
        &CARD
    }

    async fn prepare(&self, _: &'static Arm, site: &Site, _: &Scale) -> Result<(), StudyError> {
        let session = site.first().control.connect().await?;
        session.batch_execute(SCHEMA).await.map_err(pg::Error::from)?;
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, _: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        let isolation = if arm.name == "pretender" { Isolation::RepeatableRead } else { Isolation::Serializable };
        Ok(Arc::new(Ward { isolation, site: site.clone(), both_looked: Arc::new(Barrier::new(2)) }))
    }

    async fn check(&self, _: &'static Arm, _: &Site, _: &History) -> Result<Vec<Violation>, StudyError> {
        Ok(Vec::new())
    }

    fn watched(&self, _: &'static Arm) -> Option<Held> {
        Some(HELD)
    }

    async fn clear(&self, _: &Site) -> Result<(), StudyError> {
        Ok(())
    }
}

struct Ward {
    isolation: Isolation,
    site: Site,
    both_looked: Arc<Barrier>,
}

#[async_trait]
impl Rig for Ward {
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError> {
        let endpoint: &Endpoint = &self.site.first().endpoint;
        Ok(Box::new(Doctor {
            isolation: self.isolation,
            session: endpoint.connect().await?,
            observer: self.site.observer(0, number),
            // Two of the same ward.
            id: i32::try_from(number).expect("few") * 2 + 1,
            both_looked: Arc::clone(&self.both_looked),
        }))
    }
}

struct Doctor {
    isolation: Isolation,
    session: Session,
    observer: Observer,
    id: i32,
    both_looked: Arc<Barrier>,
}

#[async_trait]
impl Client for Doctor {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let mut doing = self.observer.begin(&mut self.session, self.isolation).await?;
        let on_call = doing.read(TABLE, LIST, &[&1]).await?.iter().filter(|row| row.get("on_call")).count();
        // One who waits alone goes on alone.
        let _ = tokio::time::timeout(PATIENCE, self.both_looked.wait()).await;
        let stays = on_call < 2 || operation.draw.is_multiple_of(2);
        doing.write(TABLE, SET, &[&self.id, &stays]).await?;
        doing.commit().await?;
        Ok(Reply::Accepted { value: 1 })
    }
}

/// A watched trial of an arm, and how many transactions its kept history has.
async fn trial(arm: &str, faults: &str) -> (TrialRecord, usize) {
    let plan: FaultPlan = faults.parse().expect("a plan");
    let install = pg::find(None, None).expect("PostgreSQL server binaries (apt-get install postgresql)");
    let kept = tempfile::tempdir().expect("a directory");
    let watching = Watching { histories: Some(kept.path().join("histories")) };
    let private = SiteSpec::Private { install, servers: 1 };
    let site = Site::open_watching(&private, &plan, watching).await.expect("a private server");
    let spec = TrialSpec {
        purpose: TrialPurpose::Proof,
        arm: CARD.arm(arm).expect("an arm"),
        load: LoadShape::Closed { clients: 2 },
        warmup: Duration::ZERO,
        measure: Duration::from_millis(500),
        faults: plan,
        scale: Scale { preset: Preset::Ci, operations: 10_000, scarce: false, skew: 1.0, observed: true, seed: 3 },
        evaluate_during: false,
    };
    let study: Arc<dyn Study> = Arc::new(Clinic);
    let probe = SentinelProbe::new(&site).await.expect("a probe");
    let record = trial::run(&study, &site, &spec, &probe, &CancellationToken::new()).await.expect("a trial");
    site.close().await.expect("closed");
    let file = kept.path().join("histories").join(format!("{arm}-{:016x}-0.pgshist", spec.scale.seed));
    let history = binary::read(&std::fs::read(file).expect("the history was kept")).expect("it can be read");
    (record, history.transactions().count())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_that_is_weaker_than_it_says_is_convicted_by_its_trial() {
    let (record, kept) = trial("pretender", "").await;
    let [isolation] = record.isolation.as_slice() else { panic!("{:?}", record.isolation) };
    assert!(!isolation.holds && isolation.anomalies.contains_key("G2-item"), "{isolation:?}");
    assert_eq!(isolation.coverage.gaps, []);
    assert!(kept as u64 >= isolation.transactions, "aborted ones are kept, too");
    assert!(record.violations.iter().any(|violation| violation.invariant == "isolation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_that_keeps_its_word_is_cleared_also_over_a_crash() {
    let (record, _) = trial("serializable", "kill-postmaster:1").await;
    let [isolation] = record.isolation.as_slice() else { panic!("{:?}", record.isolation) };
    assert_eq!((record.faults.len(), record.violations.len()), (1, 0), "{:?}", record.violations);
    assert!(isolation.holds && isolation.transactions > 0, "{isolation:?}");
    assert_eq!(isolation.coverage.gaps, []);
}
