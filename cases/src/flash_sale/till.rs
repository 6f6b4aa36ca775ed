//! What the ways of selling have in common when each client has a session of its own: connecting, routing, and what to
//! tell a request that sold nothing.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_lab::observe::Observer;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Client, Operation, Reply, Rig, Setback, StudyError};
use pgstrata_pg::sql::{Row, Statement, ToSql};
use pgstrata_pg::{Error, Session};

use super::demand::Demand;
use super::purchase::{Decision, Purchase, Reservation};

/// How long a reservation can be paid in a trial: longer than any trial, so that no unit returns unasked.
pub(crate) const HOLD_SECONDS: f64 = 3_600.0;

/// One way of selling, as one client has it on one server.
#[async_trait]
pub(crate) trait Till: Send + 'static {
    /// Decides one purchase. Safe to call again with the same one.
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback>;
}

/// A till that needs nothing but a session.
#[async_trait]
pub(crate) trait OpenTill: Till + Sized {
    /// Prepares its statements. `number` is the client's, for those who spread clients over rows.
    async fn open(session: Session, number: u32) -> Result<Self, Error>;

    /// The same for a way whose transactions can be written down; others are opened without.
    async fn open_observed(session: Session, number: u32, _: Observer) -> Result<Self, Error> {
        Self::open(session, number).await
    }
}

/// A rig whose clients have a till on each server.
struct Tills<T> {
    site: Site,
    till: PhantomData<fn() -> T>,
}

/// The rig of a way of selling.
pub(crate) fn rig<T: OpenTill>(site: &Site) -> Arc<dyn Rig> {
    Arc::new(Tills::<T> { site: site.clone(), till: PhantomData })
}

#[async_trait]
impl<T: OpenTill> Rig for Tills<T> {
    async fn client(&self, number: u32) -> Result<Box<dyn Client>, StudyError> {
        let mut tills = Vec::with_capacity(self.site.servers.len());
        for (place, server) in self.site.servers.iter().enumerate() {
            let observer = self.site.observer(place, number);
            tills.push(T::open_observed(server.endpoint.connect().await?, number, observer).await?);
        }
        Ok(Box::new(Buyer::new(tills)))
    }
}

/// A client that goes to the till of the server that its product lives on.
pub(crate) struct Buyer<T> {
    tills: Vec<T>,
    demand: Demand,
}

impl<T> Buyer<T> {
    pub(crate) fn new(tills: Vec<T>) -> Self {
        let demand = Demand::new(tills.len());
        Self { tills, demand }
    }
}

#[async_trait]
impl<T: Till> Client for Buyer<T> {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let purchase = self.demand.purchase(operation);
        let till = &mut self.tills[self.demand.server_of(purchase.product_id)];
        Ok(till.sell(&purchase).await?.reply())
    }
}

/// The values of a purchase in the order in which every statement that writes an order takes them.
pub(crate) fn order_values<'a>(purchase: &'a Purchase, hash: &'a i64) -> [&'a (dyn ToSql + Sync); 5] {
    [&purchase.key, &purchase.product_id, &purchase.user_id, hash, &HOLD_SECONDS]
}

/// The decision that goes with an order that was just written.
pub(crate) fn reserved(row: &Row) -> Result<Decision, Error> {
    let reservation = Reservation { order_id: row.try_get("order_id")?, expires_at: row.try_get("expires_at")? };
    Ok(Decision::Reserved(reservation))
}

/// Finds out why nothing was sold.
pub(crate) struct Resolve {
    statement: Statement,
}

impl Resolve {
    pub(crate) const SQL: &'static str = include_str!("arms/resolve.sql");

    pub(crate) async fn prepare(session: &Session) -> Result<Self, Error> {
        Ok(Self { statement: session.prepare(Self::SQL).await? })
    }

    /// The decision on a purchase that sold nothing, or [`Setback::Conflict`] when it only lost a race.
    pub(crate) async fn decide(&self, session: &Session, purchase: &Purchase) -> Result<Decision, Setback> {
        let values: [&(dyn ToSql + Sync); 3] = [&purchase.key, &purchase.product_id, &purchase.user_id];
        let row = session.query_opt(&self.statement, &values).await.map_err(Error::from)?;
        let Some(row) = row else { return Ok(Decision::NoSuchProduct) };
        decide(&row, purchase).map_err(Error::from)?.ok_or(Setback::Conflict)
    }
}

fn decide(row: &Row, purchase: &Purchase) -> Result<Option<Decision>, pgstrata_pg::sql::ClientError> {
    if let Some(order_id) = row.try_get::<_, Option<i64>>("order_id")? {
        if row.try_get::<_, i64>("request_hash")? != purchase.request_hash() {
            return Ok(Some(Decision::KeyReused));
        }
        let expires_at = row.try_get("expires_at")?;
        return Ok(Some(Decision::Reserved(Reservation { order_id, expires_at })));
    }
    if row.try_get("user_has_order")? {
        return Ok(Some(Decision::LimitReached));
    }
    let quantity: i64 = row.try_get("quantity")?;
    Ok((quantity == 0).then_some(Decision::SoldOut))
}
