//! The complete service around the coalesced way of selling: reserve, pay, expire; look-up; several servers.
//!
//! ```text
//!              ┌ Gate ── sold out, no need to ask
//! purchase ──▶ │
//!              └ Sequencer ── BuyBatch ── one transaction a flush ──▶ orders, inventory
//! find, pay ─────────────────── Desk ──▶ orders
//! Sweeper ───────────── another Desk ──▶ orders, inventory ; reopens the Gate
//! ```
//!
//! Every server has one of each, and product `p` lives on server `p % servers`. The service holds no truth: whatever it
//! remembers (latch, hints, queue) may be lost at any moment, and another instance goes on from the tables. [`http`] is
//! its front door.

mod desk;
mod flush;
mod gate;
pub mod http;
mod lineup;
mod recollection;
mod sweeper;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use pgstrata_pg::{Endpoint, Error, ErrorClass};
use pgstrata_sequencer::{FlushFigures, Handle, Sequencer, Settings, StartError, SubmitError};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub use desk::{Order, OrderState, Stock};
pub use flush::{Answer, BuyBatch};

use super::demand::server_of;
use super::purchase::{Decision, Purchase};
use desk::Desk;
use gate::{Gate, Latch, Next, Word};

/// The functions that the service's statements call; part of the schema.
pub(crate) const FUNCTIONS: [&str; 2] = [include_str!("buy_batch.sql"), include_str!("expire_reservations.sql")];

/// The statements of the service, for the book.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("buy.sql", flush::BUY),
    ("buy_batch.sql", FUNCTIONS[0]),
    ("expire.sql", desk::EXPIRE),
    ("expire_reservations.sql", FUNCTIONS[1]),
    ("find.sql", desk::FIND),
    ("pay.sql", desk::PAY),
    ("product.sql", desk::PRODUCT),
];

// #region settings
/// How the service behaves.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// How long a reservation can be paid.
    pub hold: Duration,
    /// How often expired reservations are returned to stock. A unit is out of sale for at most this longer.
    pub sweep_interval: Duration,
    /// How long "sold out" may be said without asking the database, when nobody told us that stock returned.
    pub latch_window: Duration,
    /// The sequencers' settings; the shard is set by the service, one for each server.
    pub sequencer: Settings,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            hold: Duration::from_mins(10),
            sweep_interval: Duration::from_secs(1),
            latch_window: Duration::from_secs(1),
            sequencer: Settings::default(),
        }
    }
}
// #endregion settings

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// As many wait as may. Nothing was written.
    #[error("too many requests wait")]
    Busy {
        /// When it is worth coming back.
        retry_after: Duration,
    },
    /// The deadline passed before any work was done. Nothing was written.
    #[error("the deadline passed before any work was done")]
    TooLate,
    /// The server cannot be reached, or this instance does not serve (any more). Nothing was written.
    #[error("the service is not available")]
    Unavailable,
    /// It may or may not have been done; look it up by the key, or send it again.
    #[error("the outcome is unknown")]
    Unknown,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// The order is paid, by this request or an earlier one.
    Paid(Order),
    /// It came too late: the reservation has expired.
    Late(Order),
    /// There is no such order.
    NoSuchOrder,
}

/// The service.
pub struct Service {
    shards: Vec<Shard>,
    /// Ends the sweepers, also when the service is dropped.
    sweeping: DropGuard,
}

/// What the service has on one server.
struct Shard {
    sequencer: Sequencer<BuyBatch>,
    handle: Handle<BuyBatch>,
    gate: Arc<Gate>,
    /// For users, who wait.
    desk: Desk,
    /// For the sweeper and the gate, whose statements may take long.
    back_office: Arc<Desk>,
    sweeper: JoinHandle<()>,
}

impl Service {
    /// Starts on these servers, which have the schema. Fails if another instance serves one of them.
    pub async fn start(endpoints: &[Endpoint], settings: &ServiceSettings) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let starting = endpoints.iter().enumerate().map(|(number, endpoint)| {
            let shard = i32::try_from(number).unwrap_or(i32::MAX);
            Shard::start(shard, endpoint, settings, stop.clone())
        });
        let sweeping = stop.clone().drop_guard();
        Ok(Self { shards: try_join_all(starting).await?, sweeping })
    }

    /// Decides a purchase. Safe to call again with the same one, after whatever answer or none.
    ///
    /// A request that still waits in the queue at the deadline is given up.
    pub async fn purchase(&self, purchase: &Purchase, deadline: Option<Instant>) -> Result<Decision, Refusal> {
        let shard = self.shard_of(purchase.product_id);
        let Word::Ask(pass) = shard.gate.ask(purchase, Instant::now()) else { return Ok(Decision::SoldOut) };
        match shard.handle.submit(*purchase, deadline).await {
            Ok(Answer::Decided(decision)) => {
                if decision == Decision::SoldOut
                    && let Next::LoadKeys(latch) = shard.gate.sold_out(purchase.product_id, pass, Instant::now())
                {
                    tokio::spawn(load_keys(Arc::clone(&shard.back_office), latch, purchase.product_id));
                }
                Ok(decision)
            }
            Ok(Answer::TurnedAway) => Err(Refusal::Busy { retry_after: Duration::from_secs(1) }),
            Err(error) => Err(error.into()),
        }
    }

    /// The order of a key. The key does not tell the server, so all are asked at once.
    pub async fn find(&self, key: Uuid) -> Result<Option<Order>, Refusal> {
        let found = try_join_all(self.shards.iter().map(|shard| shard.desk.find(key)))
            .await
            .map_err(|error| refuse_reading(&error))?;
        Ok(found.into_iter().flatten().next())
    }

    /// Pays a reservation. Safe to call again.
    pub async fn pay(&self, key: Uuid) -> Result<Payment, Refusal> {
        let Some(order) = self.find(key).await? else { return Ok(Payment::NoSuchOrder) };
        let desk = &self.shard_of(order.product_id).desk;
        let paid = desk.pay(key).await.map_err(|error| refuse_writing(&error))?;
        // Not to be paid now: it was paid before, or it is too late. It is asked again because it may have been paid,
        // or returned to stock, since it was found.
        let order = if paid { Some(Order { state: OrderState::Paid, ..order }) } else { self.find(key).await? };
        Ok(match order {
            Some(order) if order.state == OrderState::Paid => Payment::Paid(order),
            Some(order) => Payment::Late(order),
            None => Payment::NoSuchOrder,
        })
    }

    /// A product and what is left of it.
    pub async fn product(&self, product_id: i64) -> Result<Option<Stock>, Refusal> {
        self.shard_of(product_id).desk.product(product_id).await.map_err(|error| refuse_reading(&error))
    }

    /// Whether every server answers.
    pub async fn is_healthy(&self) -> bool {
        join_all(self.shards.iter().map(|shard| shard.desk.ping())).await.iter().all(Result::is_ok)
    }

    /// What the sequencers have done so far, one for each server.
    #[must_use]
    pub fn figures(&self) -> Vec<FlushFigures> {
        self.shards.iter().map(|shard| shard.sequencer.figures()).collect()
    }

    /// Decides what is queued, then ends. New requests are refused from now on.
    pub async fn stop(self) {
        drop(self.sweeping);
        join_all(self.shards.into_iter().map(Shard::stop)).await;
    }

    fn shard_of(&self, product_id: i64) -> &Shard {
        &self.shards[server_of(product_id, self.shards.len())]
    }
}

impl Shard {
    async fn start(
        shard: i32,
        endpoint: &Endpoint,
        settings: &ServiceSettings,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let gate = Arc::new(Gate::new(settings.latch_window));
        let back_office = Arc::new(Desk::new(endpoint));
        let flush = BuyBatch::new(settings.hold, Arc::clone(&gate));
        let batch_limit = settings.sequencer.batch_limit.min(flush::BATCH_LIMIT);
        let of_shard = Settings { shard, batch_limit, ..settings.sequencer.clone() };
        let sequencer = Sequencer::start(endpoint.clone(), flush, of_shard).await?;
        let handle = sequencer.handle();
        let sweeper = sweeper::run(Arc::clone(&back_office), Arc::clone(&gate), settings.sweep_interval, stop);
        let desk = Desk::new(endpoint);
        Ok(Self { sequencer, handle, gate, desk, back_office, sweeper: tokio::spawn(sweeper) })
    }

    async fn stop(self) {
        self.sequencer.stop().await;
        // It was told to stop; a sweep that is under way may finish.
        let _ = self.sweeper.await;
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull { retry_after } => Self::Busy { retry_after },
            SubmitError::DeadlinePassed => Self::TooLate,
            SubmitError::Unknown => Self::Unknown,
            SubmitError::Refused(_) | SubmitError::Unreachable | SubmitError::Deposed | SubmitError::Stopped => {
                tracing::warn!(error = %error, "purchase not decided");
                Self::Unavailable
            }
        }
    }
}

/// Reads the keys that have an order of a product, for its latch.
async fn load_keys(desk: Arc<Desk>, latch: Arc<Latch>, product_id: i64) {
    let keys = desk.known_keys(product_id).await;
    if let Err(error) = &keys {
        tracing::warn!(error = %error, "sold-out latch stays open: its keys could not be read");
    }
    latch.complete(keys.ok());
}

fn refuse_reading(error: &Error) -> Refusal {
    tracing::warn!(error = %error, "question not answered");
    Refusal::Unavailable
}

fn refuse_writing(error: &Error) -> Refusal {
    tracing::warn!(error = %error, "payment not confirmed");
    if error.class() == ErrorClass::ServerLost { Refusal::Unknown } else { Refusal::Unavailable }
}
