//! 09-01, the flash sale: one product, everybody at once, nothing sold twice.
//!
//! Nine ways of selling the same stock, from the one that oversells to the one that decides 100,000 requests a second,
//! and what must be true after each of them. Here is only how they are set up; each way has its file in `arms`, and the
//! service that a shop would run is in `service`.

mod arms;
mod card;
mod check;
mod demand;
mod http_client;
#[cfg(test)]
mod operations;
mod purchase;
pub mod service;
mod till;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_lab::history::History;
use pgstrata_lab::observe::Held;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, Card, Rig, Scale, Study, StudyError, Violation};
use pgstrata_pg::{Error, Session};

pub use purchase::{Decision, Purchase, Reservation};

use arms::Stock;
use demand::Demand;

const SCHEMA: &str = include_str!("schema.sql");
const HAS_SCHEMA: &str = include_str!("has_schema.sql");
const CLEAR: &str = include_str!("clear.sql");
const STOCK_ONE_ROW: &str = include_str!("stock_one_row.sql");
const STOCK_BUCKETS: &str = include_str!("stock_buckets.sql");
const STOCK_TOKENS: &str = include_str!("stock_tokens.sql");

/// The study.
#[derive(Debug)]
pub struct FlashSale;

#[async_trait]
impl Study for FlashSale {
    fn card(&self) -> &'static Card {
        &card::CARD
    }

    async fn prepare(&self, arm: &'static Arm, site: &Site, scale: &Scale) -> Result<(), StudyError> {
        let demand = Demand::new(site.servers.len());
        self.clear(site).await?;
        for (number, server) in site.servers.iter().enumerate() {
            let session = server.control.connect().await?;
            create_schema(&session).await?;
            for product in demand.products().filter(|product| demand.server_of(*product) == number) {
                put_on_sale(&session, arms::stock_of(arm), product, demand.stock(scale)).await?;
            }
        }
        Ok(())
    }

    async fn open(&self, arm: &'static Arm, site: &Site, _: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
        arms::open(arm, site).await
    }

    async fn check(&self, _: &'static Arm, site: &Site, history: &History) -> Result<Vec<Violation>, StudyError> {
        check::check(site, history).await
    }

    fn watched(&self, arm: &'static Arm) -> Option<Held> {
        arms::watched(arm)
    }

    async fn clear(&self, site: &Site) -> Result<(), StudyError> {
        for server in &site.servers {
            let session = server.control.connect().await?;
            session.batch_execute(CLEAR).await.map_err(Error::from)?;
        }
        Ok(())
    }
}

/// Makes a shop ready to be served: the schema where there is none, and products 1 to `products` with `units` each.
///
/// A schema that is there already is used as it is, with the stock it has.
pub async fn stock_the_shop(site: &Site, products: i64, units: i64) -> Result<(), Error> {
    let demand = Demand::new(site.servers.len());
    for (number, server) in site.servers.iter().enumerate() {
        let session = server.control.connect().await?;
        if session.query_one(HAS_SCHEMA, &[]).await?.get(0) {
            continue;
        }
        create_schema(&session).await?;
        for product in (1..=products).filter(|product| demand.server_of(*product) == number) {
            put_on_sale(&session, Stock::OneRow, product, units).await?;
        }
    }
    Ok(())
}

/// Makes the schema with everything that any of the ways needs.
pub(crate) async fn create_schema(session: &Session) -> Result<(), Error> {
    session.batch_execute(SCHEMA).await?;
    for function in service::FUNCTIONS {
        session.batch_execute(function).await?;
    }
    Ok(())
}

/// Puts so many units of a product on sale.
pub(crate) async fn put_on_sale(session: &Session, stock: Stock, product: i64, units: i64) -> Result<(), Error> {
    match stock {
        Stock::OneRow => session.execute(STOCK_ONE_ROW, &[&product, &units]).await?,
        Stock::Buckets(buckets) => session.execute(STOCK_BUCKETS, &[&product, &units, &buckets]).await?,
        Stock::Tokens => session.execute(STOCK_TOKENS, &[&product, &units]).await?,
    };
    Ok(())
}
