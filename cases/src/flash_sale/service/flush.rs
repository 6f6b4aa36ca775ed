//! What one flush of the sequencer does: `buy_batch` for each product of the batch, and each request's answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use pgstrata_pg::sql::{ClientError, Row, Statement};
use pgstrata_pg::{Error, Session};
use pgstrata_sequencer::Flush;

use super::gate::Gate;
use super::lineup::{Call, line_up};
use super::recollection::Recollection;
use crate::flash_sale::purchase::{Decision, Purchase, Reservation};

pub(crate) const BUY: &str = include_str!("buy.sql");

/// Decides purchases by the batch.
#[derive(Debug)]
pub struct BuyBatch {
    hold_seconds: f64,
    recollection: Recollection,
    gate: Arc<Gate>,
}

/// How a batch dealt with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was decided.
    Decided(Decision),
    /// Too many different requests of this buyer or key came at once; it was not looked at, and nothing was written.
    TurnedAway,
}

impl BuyBatch {
    pub(crate) fn new(hold: Duration, gate: Arc<Gate>) -> Self {
        Self { hold_seconds: hold.as_secs_f64(), recollection: Recollection::default(), gate }
    }

    async fn call(&self, session: &Session, buy: &Statement, batch: &[Purchase], call: &Call) -> Result<Row, Error> {
        let purchases = || call.places.iter().map(|place| &batch[*place]);
        let keys: Vec<uuid::Uuid> = purchases().map(|purchase| purchase.key).collect();
        let users: Vec<i64> = purchases().map(|purchase| purchase.user_id).collect();
        let hashes: Vec<i64> = purchases().map(Purchase::request_hash).collect();
        let ask = self.recollection.may_be_known(purchases());
        let row = session.query_one(buy, &[&call.product_id, &keys, &users, &hashes, &ask, &self.hold_seconds]).await?;
        Ok(row)
    }

    /// Writes down for later requests what this call has sold. The flush may still fail: both only lead to the database
    /// being asked.
    fn note_sold(&self, batch: &[Purchase], call: &Call, decisions: &[Decision]) {
        let sold = || {
            let decided = call.places.iter().map(|place| &batch[*place]).zip(decisions);
            decided.filter(|(_, decision)| matches!(decision, Decision::Reserved(_))).map(|(purchase, _)| purchase)
        };
        self.recollection.remember(sold());
        self.gate.note_sold(call.product_id, sold());
    }
}

#[async_trait]
impl Flush for BuyBatch {
    type Request = Purchase;
    type Answer = Answer;
    type Prepared = Statement;

    async fn prepare(&self, session: &Session) -> Result<Statement, Error> {
        Ok(session.prepare(BUY).await?)
    }

    async fn flush(&self, session: &Session, buy: &Statement, batch: &[Purchase]) -> Result<Vec<Answer>, Error> {
        let lineup = line_up(batch);
        let mut answers = vec![Answer::TurnedAway; batch.len()];
        // All are sent before the first is answered; the server takes them in this order.
        let rows = try_join_all(lineup.calls.iter().map(|call| self.call(session, buy, batch, call))).await?;
        for (call, row) in lineup.calls.iter().zip(&rows) {
            let purchases: Vec<&Purchase> = call.places.iter().map(|place| &batch[*place]).collect();
            let decisions = decide(row, &purchases)?;
            self.note_sold(batch, call, &decisions);
            for (place, decision) in call.places.iter().zip(decisions) {
                answers[*place] = Answer::Decided(decision);
            }
        }
        for (place, first) in lineup.repetitions {
            answers[place] = answers[first];
        }
        Ok(answers)
    }
}

/// What the table knows about a request.
#[derive(Clone, Copy)]
struct Known {
    /// Its place in the call, from 1.
    place: i32,
    /// The order under its key; none if the buyer has an order under another key.
    order: Option<(i64, i64, SystemTime)>,
}

/// Each request's decision, from the row that `buy_batch` answers with.
fn decide(row: &Row, purchases: &[&Purchase]) -> Result<Vec<Decision>, ClientError> {
    if !row.try_get::<_, bool>("product_exists")? {
        return Ok(vec![Decision::NoSuchProduct; purchases.len()]);
    }
    let expires_at: SystemTime = row.try_get("expires_at")?;
    let first_order_id: i64 = row.try_get("first_order_id")?;
    let mut left: i64 = row.try_get("sold")?;
    let mut known = read_known(row)?.into_iter().peekable();
    let mut decisions = Vec::with_capacity(purchases.len());
    for (offset, purchase) in (0..).zip(purchases) {
        let decision = match known.next_if(|known| i64::from(known.place) == offset + 1) {
            Some(Known { order: Some((order_id, hash, expires_at)), .. }) if hash == purchase.request_hash() => {
                Decision::Reserved(Reservation { order_id, expires_at })
            }
            Some(Known { order: Some(_), .. }) => Decision::KeyReused,
            Some(Known { order: None, .. }) => Decision::LimitReached,
            None if left > 0 => {
                left -= 1;
                Decision::Reserved(Reservation { order_id: first_order_id + offset, expires_at })
            }
            None => Decision::SoldOut,
        };
        decisions.push(decision);
    }
    Ok(decisions)
}

fn read_known(row: &Row) -> Result<Vec<Known>, ClientError> {
    let places: Vec<i32> = row.try_get("known_places")?;
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let orders: Vec<Option<i64>> = row.try_get("known_order_ids")?;
    let hashes: Vec<Option<i64>> = row.try_get("known_request_hashes")?;
    let expiries: Vec<Option<SystemTime>> = row.try_get("known_expires_at")?;
    let mut known: Vec<Known> = places
        .into_iter()
        .zip(orders.into_iter().zip(hashes).zip(expiries))
        .map(|(place, ((order, hash), expiry))| {
            let order = order.zip(hash).zip(expiry).map(|((order, hash), expiry)| (order, hash, expiry));
            Known { place, order }
        })
        .collect();
    known.sort_unstable_by_key(|known| known.place);
    Ok(known)
}
