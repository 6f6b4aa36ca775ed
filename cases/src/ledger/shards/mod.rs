//! The ledger on two servers: each keeps the books of its own accounts, and a coordinator commits what touches both.
//!
//! Four arms, two of them broken: two-phase commit makes a transfer whole, but says nothing about what others see of it,
//! and serializable transactions on each server are not serializable together.

mod accounts;
pub(crate) mod arms;
mod bystander;
pub(crate) mod card;
mod check;
mod client;
mod workload;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_coordinator::{Barrier, Coordinator, Flaw, GlobalId, Settings};
use pgstrata_lab::site::{Server, Site};
use pgstrata_lab::study::{Arm, Client, Figure, Rig, Scale, StudyError};
use pgstrata_pg::Error;
use tokio::sync::Mutex;

pub(crate) use check::check;

use super::workload::Workload;
use super::{create_schema, open_accounts};
use arms::Way;
use client::ShardClient;
use workload::ShardedWorkload;

/// How many servers these arms need.
pub(crate) const SERVERS: u32 = 2;

/// The ledger's own realm of coordinators.
const REALM: u16 = 902;

/// How long opening the coordinator waits for a server that is away, and the pause between two attempts.
const OPEN_LIMIT: Duration = Duration::from_mins(1);
const OPEN_PAUSE: Duration = Duration::from_millis(20);

/// How long settling goes on looking for what is still prepared.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// The pause between two looks.
const SETTLE_PAUSE: Duration = Duration::from_millis(20);

/// Whether an arm keeps its books on two servers.
pub(crate) fn is_sharded(arm: &Arm) -> bool {
    arms::way(arm.name).is_some()
}

/// Makes fresh books on both servers.
pub(crate) async fn prepare(site: &Site, scale: &Scale) -> Result<(), StudyError> {
    let workload = Workload::new(scale);
    for (number, server) in site.servers.iter().take(accounts::SERVERS).enumerate() {
        let session = server.control.connect().await?;
        create_schema(&session).await?;
        open_accounts(&session, accounts::accounts(&workload, number).into_iter()).await?;
        session.batch_execute("vacuum analyze ledger.accounts, ledger.entries").await.map_err(Error::from)?;
    }
    Ok(())
}

/// Removes what coordinators of earlier trials have left on a server: first what is prepared, which holds locks.
pub(crate) async fn clear(server: &Server) -> Result<(), StudyError> {
    let session = server.control.connect().await?;
    let prefix = GlobalId::prefix_of(REALM);
    let rows = session.query(include_str!("left_prepared.sql"), &[&prefix]).await.map_err(Error::from)?;
    for row in rows {
        let gid: String = row.try_get(0).map_err(Error::from)?;
        // A name of our realm reads back as one of ours, or is somebody's joke and stays.
        if let Ok(gid) = gid.parse::<GlobalId>() {
            session.batch_execute(&gid.roll_back()).await.map_err(Error::from)?;
        }
    }
    session.batch_execute(include_str!("clear_coordinator.sql")).await.map_err(Error::from)?;
    Ok(())
}

/// What the clients of a two-server arm share.
pub(crate) async fn open(arm: &Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
    let way = arms::way(arm.name).ok_or_else(|| StudyError::new("open the arm", "not an arm on two servers"))?;
    Ok(Arc::new(Shards::open(way, None, site, scale, arm.clients.get()).await?))
}

struct Shards {
    way: Way,
    flaw: Option<Flaw>,
    site: Site,
    workload: ShardedWorkload,
    observed: bool,
    transactions: usize,
    /// Replaced when another coordinator has deposed it.
    coordinator: Mutex<Arc<Coordinator>>,
}

impl Shards {
    async fn open(way: Way, flaw: Option<Flaw>, site: &Site, scale: &Scale, clients: u32) -> Result<Self, StudyError> {
        let transactions = clients as usize;
        let coordinator = open_coordinator(site, flaw, transactions).await?;
        Ok(Self {
            way,
            flaw,
            site: site.clone(),
            workload: ShardedWorkload::new(scale, way.audit),
            observed: scale.observed,
            transactions,
            coordinator: Mutex::new(Arc::new(coordinator)),
        })
    }
}

async fn open_coordinator(site: &Site, flaw: Option<Flaw>, transactions: usize) -> Result<Coordinator, StudyError> {
    let endpoints: Vec<_> = site.servers.iter().take(accounts::SERVERS).map(|server| server.endpoint.clone()).collect();
    let settings = Settings {
        realm: REALM,
        instance: "the ledger's coordinator".to_owned(),
        transactions,
        barrier: Barrier::Process,
        resolve_period: Duration::from_millis(250),
        // A trial is judged by its books, so nobody asks for the outcome of a key a minute later.
        retention: Duration::from_mins(2),
        bystander: bystander::of(site),
        flaw,
        ..Settings::default()
    };
    let give_up_at = Instant::now() + OPEN_LIMIT;
    loop {
        match Coordinator::open(&endpoints, settings.clone()).await {
            Ok(coordinator) => return Ok(coordinator),
            // A client process that takes over may find a server in the middle of its recovery.
            Err(error) if error.is_passing() && Instant::now() < give_up_at => tokio::time::sleep(OPEN_PAUSE).await,
            Err(error) => {
                let action = match error.hint() {
                    Some(hint) => format!("open the coordinator ({hint})"),
                    None => "open the coordinator".to_owned(),
                };
                return Err(StudyError::new(action, error));
            }
        }
    }
}

#[async_trait]
impl Rig for Shards {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        let mut coordinator = self.coordinator.lock().await;
        if coordinator.is_deposed() {
            *coordinator = Arc::new(open_coordinator(&self.site, self.flaw, self.transactions).await?);
        }
        Ok(Box::new(ShardClient::new(Arc::clone(&coordinator), self.way, self.workload.clone(), self.observed)))
    }

    /// Waits until nothing is prepared any more.
    async fn settle(&self) -> Result<(), StudyError> {
        let coordinator = Arc::clone(&*self.coordinator.lock().await);
        let give_up_at = Instant::now() + SETTLE_LIMIT;
        loop {
            let look = coordinator.resolve().await;
            let is_quiet = look.as_ref().is_ok_and(|found| found.left == 0 && found.unreachable == 0);
            if is_quiet || Instant::now() >= give_up_at {
                // What is left is for the invariants to find.
                return Ok(());
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let Ok(coordinator) = self.coordinator.try_lock() else { return Vec::new() };
        let figures = coordinator.figures();
        let figure = |name: &str, value: u64, unit: &str| Figure {
            name: name.to_owned(),
            value: value as f64,
            unit: unit.to_owned(),
        };
        vec![
            figure("committed_on_both", figures.committed, "transactions"),
            figure("committed_on_one", figures.committed_alone, "transactions"),
            figure("rolled_back", figures.aborted, "transactions"),
            figure("resolved_to_commit", figures.resolved_commits, "parts"),
            figure("resolved_to_roll_back", figures.resolved_aborts, "parts"),
            figure("barrier_reopened", figures.barrier_retries, "times"),
        ]
    }
}
