//! `SmallBank`: five short programs over savings and checking accounts, the standard example of what snapshot isolation lets
//! through (Alomari, Cahill, Fekete and Röhm, *The Cost of Serializability on Platforms That Use Snapshot Isolation*, ICDE
//! 2008).
//!
//! The programs are the published ones, with two additions that are the same in all arms: each request has a key and
//! its answer is kept, and money is amalgamated to a customer with a higher number, so that two transfers do not wait
//! for each other in a circle.

mod card;
mod programs;

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
pub(super) use card::allocation_of;
use programs::{Bank, CUSTOMERS, Choice, OPENING, PROGRAMS};

const SCHEMA: &str = include_str!("sql/schema.sql");
const FILL: &str = include_str!("sql/fill.sql");
const CLEAR: &str = include_str!("sql/clear.sql");

/// The tables, as watchers name them.
const TABLES: [(&str, &str); 3] = [("smallbank", "account"), ("smallbank", "savings"), ("smallbank", "checking")];

/// The study.
#[derive(Debug)]
pub struct SmallBank;

#[async_trait]
impl Study for SmallBank {
    fn card(&self) -> &'static Card {
        &card::CARD
    }

    async fn prepare(&self, _: &'static Arm, site: &Site, _: &Scale) -> Result<(), StudyError> {
        self.clear(site).await?;
        let session = site.first().control.connect().await?;
        session.batch_execute(SCHEMA).await.map_err(Error::from)?;
        session.batch_execute(answers::SCHEMA).await.map_err(Error::from)?;
        session.execute(FILL, &[&CUSTOMERS, &OPENING]).await.map_err(Error::from)?;
        session.batch_execute("vacuum analyze").await.map_err(Error::from)?;
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        let choice = Choice::new(scale.skew);
        Ok(Arc::new(Branch { site: site.clone(), allocation: allocation_of(arm)?, choice }))
    }

    async fn check(&self, _: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
        let session = site.first().control.connect().await?;
        let changes = |event: &_| Choice::new(0.0).call(&history.operation(event)).program().changes();
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
struct Branch {
    site: Site,
    allocation: Allocation<PROGRAMS>,
    choice: Choice,
}

#[async_trait]
impl Rig for Branch {
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError> {
        let session = self.site.first().endpoint.connect().await?;
        let observer = self.site.observer(0, number);
        let answers = Answers::prepare(&session).await?;
        let bank = Bank::prepare(&session, &observer, self.allocation, self.choice.clone()).await?;
        Ok(Box::new(Teller::new(session, observer, answers, bank)))
    }
}
