//! `naive`: read the stock, look at it, write it back. Two buyers who read the same number sell the same unit.

use async_trait::async_trait;
use pgstrata_lab::observe::Observer;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::{Isolation, Text};

use super::{INVENTORY, ORDERS, PLACE_ORDER, PLACE_ORDER_WATCHED};
use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const READ: &str = include_str!("naive_read.sql");
const WRITE: &str = include_str!("naive_write.sql");
const READ_WATCHED: &str = include_str!("watched/naive_read.sql");
const WRITE_WATCHED: &str = include_str!("watched/naive_write.sql");

pub(crate) const ARM: Arm = Arm {
    name: "naive",
    title: Text { en: "read, check, write", zh: "先读后写" },
    summary: Text {
        en: "Reads the stock, checks it in the program, writes back what it computed. It sells units twice.",
        zh: "读取库存，在程序里判断，再写回算出的数。同一件商品会被卖两次。",
    },
    kind: ArmKind::Broken,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("naive_read.sql", READ),
        ("place_order.sql", PLACE_ORDER),
        ("naive_write.sql", WRITE),
        ("resolve.sql", Resolve::SQL),
    ],
};

/// A session that sells so.
pub(super) struct Naive {
    session: Session,
    read: Statement,
    place_order: Statement,
    write: Statement,
    resolve: Resolve,
    observer: Observer,
}

#[async_trait]
impl OpenTill for Naive {
    async fn open(session: Session, number: u32) -> Result<Self, Error> {
        Self::open_observed(session, number, Observer::new(None, number)).await
    }

    async fn open_observed(session: Session, _: u32, observer: Observer) -> Result<Self, Error> {
        let read = session.prepare(observer.choose(READ, READ_WATCHED)).await?;
        let place_order = session.prepare(observer.choose(PLACE_ORDER, PLACE_ORDER_WATCHED)).await?;
        let write = session.prepare(observer.choose(WRITE, WRITE_WATCHED)).await?;
        let resolve = Resolve::prepare(&session).await?;
        Ok(Self { session, read, place_order, write, resolve, observer })
    }
}

#[async_trait]
impl Till for Naive {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        if let Some(decision) = self.try_sell(purchase).await? {
            return Ok(decision);
        }
        self.resolve.decide(&self.session, purchase).await
    }
}

impl Naive {
    async fn try_sell(&mut self, purchase: &Purchase) -> Result<Option<Decision>, Error> {
        let mut transaction = self.observer.begin(&mut self.session, Isolation::ReadCommitted).await?;
        let key = purchase.product_id.to_string();
        let left: Option<i64> =
            match transaction.look_up(INVENTORY, &[&key], &self.read, &[&purchase.product_id]).await? {
                Some(row) => row.try_get("quantity")?,
                None => None,
            };
        let Some(left) = left.filter(|left| *left > 0) else { return Ok(None) };
        let hash = purchase.request_hash();
        let orders = transaction.write(ORDERS, &self.place_order, &order_values(purchase, &hash)).await?;
        let Some(order) = orders.first() else { return Ok(None) };
        transaction.write(INVENTORY, &self.write, &[&purchase.product_id, &(left - 1)]).await?;
        transaction.commit().await?;
        reserved(order).map(Some)
    }
}
