//! Everything the service asks one server outside the sequencer: look-ups, payments, stock, and the sweep.
//!
//! One session, shared by all callers (their statements are pipelined), and opened again after it was lost. A caller
//! whose statement was under way then gets an error that says whether something may have been written. Nobody waits for
//! longer than [`LIMIT`], whatever has become of the server.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use pgstrata_pg::sql::{ClientError, Row, Statement, ToSql};
use pgstrata_pg::{Endpoint, Error, Kind, Session};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::gate::KEY_LIMIT;

pub(crate) const FIND: &str = include_str!("find.sql");
pub(crate) const PAY: &str = include_str!("pay.sql");
pub(crate) const PRODUCT: &str = include_str!("product.sql");
pub(crate) const EXPIRE: &str = include_str!("expire.sql");
const KNOWN_KEYS: &str = include_str!("known_keys.sql");

/// One attempt to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long one question may take, connecting and the questions before it included.
const LIMIT: Duration = Duration::from_secs(10);

/// How long reading the keys of a product may take; nobody waits for it.
const KEYS_LIMIT: Duration = Duration::from_mins(1);

/// An order as a user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub order_id: i64,
    /// What was bought.
    pub product_id: i64,
    /// Who bought.
    pub user_id: i64,
    /// Until when it can be paid.
    pub expires_at: SystemTime,
    /// What has become of it.
    pub state: OrderState,
}

/// What has become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// It waits to be paid.
    Reserved,
    /// It is paid, for good.
    Paid,
    /// It was not paid in time; its unit is back in stock, or will be in a moment.
    Expired,
}

/// A product and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The units that there were.
    pub initial: i64,
    /// The units that are left.
    pub available: i64,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    pub(crate) product_id: i64,
    pub(crate) returned: i64,
}

/// The service's second session on a server.
#[derive(Debug)]
pub(crate) struct Desk {
    endpoint: Endpoint,
    open: Mutex<Option<Arc<OpenDesk>>>,
}

/// A session with its statements.
#[derive(Debug)]
struct OpenDesk {
    session: Session,
    find: Statement,
    pay: Statement,
    product: Statement,
    expire: Statement,
    known_keys: Statement,
}

impl OpenDesk {
    async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let session = endpoint.connect().await?;
        let find = session.prepare(FIND).await?;
        let pay = session.prepare(PAY).await?;
        let product = session.prepare(PRODUCT).await?;
        let expire = session.prepare(EXPIRE).await?;
        let known_keys = session.prepare(KNOWN_KEYS).await?;
        Ok(Self { session, find, pay, product, expire, known_keys })
    }
}

impl Desk {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let endpoint = endpoint.with_application_name("flash sale desk").with_connect_limit(CONNECT_LIMIT);
        Self { endpoint, open: Mutex::new(None) }
    }

    /// The session; a new one if there is none or it is lost. One attempt: the caller's user can ask again.
    async fn session(&self) -> Result<Arc<OpenDesk>, Error> {
        let mut open = self.open.lock().await;
        if let Some(desk) = &*open
            && !desk.session.is_closed()
        {
            return Ok(Arc::clone(desk));
        }
        let desk = Arc::new(OpenDesk::connect(&self.endpoint).await?);
        *open = Some(Arc::clone(&desk));
        Ok(desk)
    }

    /// Asks a question with the session, for at most `limit`. A session that does not answer is not used again.
    async fn ask<T>(
        &self,
        limit: Duration,
        question: impl AsyncFnOnce(Arc<OpenDesk>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let asking = async { question(self.session().await?).await };
        if let Ok(answer) = tokio::time::timeout(limit, asking).await {
            return answer;
        }
        // Unless somebody is just opening another one.
        if let Ok(mut open) = self.open.try_lock() {
            *open = None;
        }
        Err(Error::new("get an answer", Kind::Timeout { limit_ms: limit.as_millis() }))
    }

    /// Whether the server answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.ask(LIMIT, async |desk| Ok(desk.session.batch_execute("select").await?)).await
    }

    pub(crate) async fn find(&self, key: Uuid) -> Result<Option<Order>, Error> {
        self.ask(LIMIT, async |desk| {
            let row = desk.session.query_opt(&desk.find, &[&key]).await?;
            Ok(row.as_ref().map(read_order).transpose()?)
        })
        .await
    }

    /// Pays a reservation; says whether there was one to pay.
    pub(crate) async fn pay(&self, key: Uuid) -> Result<bool, Error> {
        self.ask(LIMIT, async |desk| Ok(desk.session.query_opt(&desk.pay, &[&key]).await?.is_some())).await
    }

    pub(crate) async fn product(&self, product_id: i64) -> Result<Option<Stock>, Error> {
        self.ask(LIMIT, async |desk| {
            let Some(row) = desk.session.query_opt(&desk.product, &[&product_id]).await? else { return Ok(None) };
            Ok(Some(Stock { initial: row.try_get("initial")?, available: row.try_get("quantity")? }))
        })
        .await
    }

    /// Returns at most `limit` expired reservations of one product to stock; none when nothing is due.
    pub(crate) async fn expire(&self, limit: i32) -> Result<Option<Sweep>, Error> {
        self.ask(LIMIT, async |desk| {
            let row = desk.session.query_one(&desk.expire, &[&limit]).await?;
            let product_id: Option<i64> = row.try_get("product_id")?;
            let returned = row.try_get("returned")?;
            Ok(product_id.map(|product_id| Sweep { product_id, returned }))
        })
        .await
    }

    /// Every key that has an order of a product, or one more than the gate keeps.
    pub(crate) async fn known_keys(&self, product_id: i64) -> Result<Vec<Uuid>, Error> {
        self.ask(KEYS_LIMIT, async |desk| {
            let limit = i64::try_from(KEY_LIMIT).unwrap_or(i64::MAX).saturating_add(1);
            let parameters: [&(dyn ToSql + Sync); 2] = [&product_id, &limit];
            let mut rows = pin!(desk.session.query_raw(&desk.known_keys, parameters).await?);
            let mut keys = Vec::new();
            while let Some(row) = rows.try_next().await? {
                keys.push(row.try_get("key")?);
            }
            Ok(keys)
        })
        .await
    }
}

fn read_order(row: &Row) -> Result<Order, ClientError> {
    let state = match row.try_get("state")? {
        "reserved" => OrderState::Reserved,
        "paid" => OrderState::Paid,
        _ => OrderState::Expired,
    };
    Ok(Order {
        order_id: row.try_get("order_id")?,
        product_id: row.try_get("product_id")?,
        user_id: row.try_get("user_id")?,
        expires_at: row.try_get("expires_at")?,
        state,
    })
}
