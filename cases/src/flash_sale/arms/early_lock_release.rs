//! `early-lock-release`: the conditional statement on sessions that commit asynchronously; nobody is told anything before
//! a later synchronous commit has shown that the log is on disk up to there.

use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, ArmKind, Client, ClientCount, Figure, Rig, Setback, StudyError};
use pgstrata_sequencer::{AcknowledgeError, DurabilityBarrier};
use pgstrata_units::Text;

use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{Buyer, OpenTill, Resolve, Till};

use super::conditional::{self, Conditional};

pub(crate) const ARM: Arm = Arm {
    name: "early-lock-release",
    title: Text { en: "early lock release", zh: "提前释放锁" },
    summary: Text {
        en: "The conditional update, committed asynchronously: the row is free at once, the answer waits for a shared \
             flush of the log.",
        zh: "条件更新加异步提交：行锁立即释放，应答则等待一次共享的日志刷盘。",
    },
    kind: ArmKind::Best,
    clients: ClientCount::Sessions(super::SESSIONS * 2),
    statements: &[("conditional.sql", conditional::SELL), ("resolve.sql", Resolve::SQL)],
};

/// A till whose answers wait for the barrier of its server.
struct EarlyLockRelease {
    till: Conditional,
    barrier: DurabilityBarrier,
}

#[async_trait]
impl Till for EarlyLockRelease {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        let Self { till, barrier } = self;
        // A refusal waits as well: "sold out" may come from a sale that a crash would undo.
        match barrier.acknowledge(async { Ok(till.sell(purchase).await) }).await {
            Ok(decided) => decided,
            Err(AcknowledgeError::Work(error)) => Err(error.into()),
            Err(AcknowledgeError::Unreachable | AcknowledgeError::Unknown(_)) => Err(Setback::Unknown),
        }
    }
}

/// One barrier for each server, shared by all clients.
struct Barriers {
    barriers: Vec<DurabilityBarrier>,
}

/// The rig of this way of selling.
pub(crate) async fn rig(site: &Site) -> Result<Arc<dyn Rig>, StudyError> {
    let mut barriers = Vec::with_capacity(site.servers.len());
    for server in &site.servers {
        barriers.push(DurabilityBarrier::start(server.endpoint.clone()).await?);
    }
    Ok(Arc::new(Barriers { barriers }))
}

#[async_trait]
impl Rig for Barriers {
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError> {
        let mut tills = Vec::with_capacity(self.barriers.len());
        for barrier in &self.barriers {
            let till = Conditional::open(barrier.session().await?, number).await?;
            tills.push(EarlyLockRelease { till, barrier: barrier.clone() });
        }
        Ok(Box::new(Buyer::new(tills)))
    }

    fn figures(&self) -> Vec<Figure> {
        let (flushes, waits) = self
            .barriers
            .iter()
            .map(DurabilityBarrier::figures)
            .fold((0, 0), |(flushes, waits), each| (flushes + each.flushes, waits + each.waits));
        let per_flush = if flushes == 0 { 0.0 } else { waits as f64 / flushes as f64 };
        vec![Figure { name: "answers_per_flush_mean".to_owned(), value: per_flush, unit: "requests".to_owned() }]
    }
}
