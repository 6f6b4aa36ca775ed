//! A workload like TPC-C: its five programs and its mix over one warehouse with few districts, so that the programs meet.
//!
//! It is not TPC-C: no terminals, no think times, fewer columns and rows, customers by number only, no remote warehouses, no
//! orders that are taken back. Nothing here is a TPC result.

mod call;
mod card;
mod programs;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_history::Model;
use pgstrata_lab::history::History;
use pgstrata_lab::observe::Held;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, Card, Client, Rig, Scale, Study, StudyError, Violation};
use pgstrata_pg::Error;

use super::allocation::Allocation;
use super::answers::{self, Answers};
use super::teller::Teller;
use call::{CUSTOMERS, Call, DISTRICTS, ITEMS, PROGRAMS, Purpose};
#[cfg(test)]
pub(super) use card::allocation_of;
use programs::Shop;

const SCHEMA: &str = include_str!("sql/schema.sql");
const FILL: &str = include_str!("sql/fill.sql");
const CLEAR: &str = include_str!("sql/clear.sql");

/// The tables, as watchers name them.
const TABLES: [(&str, &str); 9] = [
    ("tpcc", "warehouse"),
    ("tpcc", "district"),
    ("tpcc", "customer"),
    ("tpcc", "history"),
    ("tpcc", "orders"),
    ("tpcc", "new_order"),
    ("tpcc", "order_line"),
    ("tpcc", "item"),
    ("tpcc", "stock"),
];

/// The study.
#[derive(Debug)]
pub struct TpcC;

#[async_trait]
impl Study for TpcC {
    fn card(&self) -> &'static Card {
        &card::CARD
    }

    async fn prepare(&self, _: &'static Arm, site: &Site, _: &Scale) -> Result<(), StudyError> {
        self.clear(site).await?;
        let session = site.first().control.connect().await?;
        session.batch_execute(SCHEMA).await.map_err(Error::from)?;
        session.batch_execute(answers::SCHEMA).await.map_err(Error::from)?;
        session.execute(FILL, &[&DISTRICTS, &CUSTOMERS, &ITEMS]).await.map_err(Error::from)?;
        session.batch_execute("vacuum analyze").await.map_err(Error::from)?;
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        let purpose = if scale.observed { Purpose::Proof } else { Purpose::Measurement };
        Ok(Arc::new(Company { site: site.clone(), allocation: card::allocation_of(arm)?, purpose }))
    }

    async fn check(&self, _: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
        let session = site.first().control.connect().await?;
        // In either mix: those that change nothing are the same.
        let changes = |event: &_| Call::of(&history.operation(event), Purpose::Measurement).program.changes();
        Ok(answers::judge(&session, history, changes).await?.into_iter().collect())
    }

    fn watched(&self, _: &'static Arm) -> Option<Held> {
        Some(Held { model: Model::Serializable, tables: &TABLES })
    }

    fn is_told_by_its_history(&self) -> bool {
        true
    }

    async fn clear(&self, site: &Site) -> Result<(), StudyError> {
        let session = site.first().control.connect().await?;
        session.batch_execute(CLEAR).await.map_err(Error::from)?;
        session.batch_execute(answers::CLEAR).await.map_err(Error::from)?;
        Ok(())
    }

    fn servers(&self, _: &'static Arm) -> Option<u32> {
        Some(1)
    }
}

/// What the clients of a trial share.
struct Company {
    site: Site,
    allocation: Allocation<PROGRAMS>,
    purpose: Purpose,
}

#[async_trait]
impl Rig for Company {
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError> {
        let session = self.site.first().endpoint.connect().await?;
        let observer = self.site.observer(0, number);
        let answers = Answers::prepare(&session).await?;
        let shop = Shop::prepare(&session, &observer, self.allocation, self.purpose).await?;
        Ok(Box::new(Teller::new(session, observer, answers, shop)))
    }
}
