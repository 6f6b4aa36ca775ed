//! 09-02, the financial ledger: double entry in several currencies, and nothing made, lost or told twice.
//!
//! Several ways of keeping the same books, from the one that makes money to the one that posts 50,000 transfers a second,
//! and what must be true after each of them. Here is only how they are set up; each way has its file in `arms`, and what
//! may be posted is decided by [`admission`] for all of them.

pub mod accounts;
pub mod admission;
mod arms;
pub mod audit;
mod card;
mod check;
#[cfg(test)]
mod operations;
mod order;
mod reading;
pub mod service;
pub(crate) mod shards;
mod teller;
mod told;
pub mod transfer;
mod workload;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_lab::history::History;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, Card, Rig, Scale, Study, StudyError, Violation};
use pgstrata_pg::{Error, Session};

use workload::{CURRENCIES, NewAccount, Workload, cash, opening_key};

const SCHEMA: &str = include_str!("schema.sql");
const CLEAR: &str = include_str!("clear.sql");
const OPEN_ACCOUNTS: &str = include_str!("open_accounts.sql");
const OPEN_TRANSFER: &str = include_str!("open_transfer.sql");

/// The study.
#[derive(Debug)]
pub struct Ledger;

#[async_trait]
impl Study for Ledger {
    fn card(&self) -> &'static Card {
        &card::CARD
    }

    async fn prepare(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<(), StudyError> {
        self.clear(site).await?;
        if shards::is_sharded(arm) {
            return shards::prepare(site, scale).await;
        }
        let session = site.first().control.connect().await?;
        create_schema(&session).await?;
        open_accounts(&session, Workload::new(scale).accounts()).await?;
        // Sums over all accounts and the indexes of new tables are planned from what is there.
        session.batch_execute("vacuum analyze ledger.accounts, ledger.entries").await.map_err(Error::from)?;
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        if shards::is_sharded(arm) {
            return shards::open(arm, site, scale).await;
        }
        arms::open(arm, site, scale).await
    }

    async fn check(&self, arm: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
        if shards::is_sharded(arm) {
            return shards::check(site, history).await;
        }
        check::check(site, history).await
    }

    async fn clear(&self, site: &Site) -> Result<(), StudyError> {
        for server in &site.servers {
            shards::clear(server).await?;
            let session = server.control.connect().await?;
            session.batch_execute(CLEAR).await.map_err(Error::from)?;
        }
        Ok(())
    }

    fn servers(&self, arm: &'static Arm) -> Option<u32> {
        Some(if shards::is_sharded(arm) { shards::SERVERS } else { 1 })
    }

    fn steps(&self, arm: &'static Arm) -> &'static [&'static str] {
        if shards::is_sharded(arm) { &pgstrata_coordinator::Step::NAMES_OF_TWO } else { &[] }
    }
}

/// Makes the schema with everything that any of the ways needs.
pub async fn create_schema(session: &Session) -> Result<(), Error> {
    session.batch_execute(SCHEMA).await?;
    for function in service::FUNCTIONS {
        session.batch_execute(function).await?;
    }
    Ok(())
}

/// Opens accounts with what they begin with; the cash account of each currency, which must be among them, pays for it.
pub(crate) async fn open_accounts(session: &Session, accounts: impl Iterator<Item = NewAccount>) -> Result<(), Error> {
    let mut accounts: Vec<NewAccount> = accounts.collect();
    for currency in CURRENCIES {
        let of_currency = accounts.iter().filter(|account| account.currency == currency);
        let paid: i64 = of_currency.map(|account| account.opening).sum();
        if let Some(cash) = accounts.iter_mut().find(|account| account.account_id == cash(currency)) {
            cash.opening -= paid;
        }
    }
    let ids: Vec<i64> = accounts.iter().map(|account| account.account_id).collect();
    let currencies: Vec<i16> = accounts.iter().map(|account| account.currency.0).collect();
    let kinds: Vec<&str> = accounts.iter().map(|account| account.kind).collect();
    let floors: Vec<Option<i64>> = accounts.iter().map(|account| account.floor).collect();
    let limits: Vec<Option<i64>> = accounts.iter().map(|account| account.daily_limit).collect();
    let openings: Vec<i64> = accounts.iter().map(|account| account.opening).collect();
    session.execute(OPEN_ACCOUNTS, &[&ids, &currencies, &kinds, &floors, &limits, &openings]).await?;
    for currency in CURRENCIES {
        session.execute(OPEN_TRANSFER, &[&opening_key(currency), &currency.0]).await?;
    }
    Ok(())
}
