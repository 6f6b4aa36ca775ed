//! `for-update`: lock the stock row, then do as the naive way does. Right, and everybody stands in line.

use async_trait::async_trait;
use pgstrata_lab::observe::Observer;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::{Isolation, Text};

use super::{INVENTORY, ORDERS, PLACE_ORDER, PLACE_ORDER_WATCHED};
use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const READ: &str = include_str!("for_update_read.sql");
const WRITE: &str = include_str!("for_update_write.sql");
const READ_WATCHED: &str = include_str!("watched/for_update_read.sql");
const WRITE_WATCHED: &str = include_str!("watched/for_update_write.sql");

pub(crate) const ARM: Arm = Arm {
    name: "for-update",
    title: Text { en: "select … for update", zh: "select … for update 悲观锁" },
    summary: Text {
        en: "Locks the stock row for the whole transaction: five round trips and a flush of the log, one buyer at a time.",
        zh: "整个事务期间锁住库存行：每位买家五次往返加一次日志刷盘，逐个进行。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("for_update_read.sql", READ),
        ("place_order.sql", PLACE_ORDER),
        ("for_update_write.sql", WRITE),
        ("resolve.sql", Resolve::SQL),
    ],
};

/// A session that sells so.
pub(super) struct ForUpdate {
    session: Session,
    read: Statement,
    place_order: Statement,
    write: Statement,
    resolve: Resolve,
    observer: Observer,
}

#[async_trait]
impl OpenTill for ForUpdate {
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
impl Till for ForUpdate {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        if let Some(decision) = self.try_sell(purchase).await? {
            return Ok(decision);
        }
        self.resolve.decide(&self.session, purchase).await
    }
}

impl ForUpdate {
    async fn try_sell(&mut self, purchase: &Purchase) -> Result<Option<Decision>, Error> {
        let mut transaction = self.observer.begin(&mut self.session, Isolation::ReadCommitted).await?;
        let key = purchase.product_id.to_string();
        let left: Option<i64> =
            match transaction.look_up(INVENTORY, &[&key], &self.read, &[&purchase.product_id]).await? {
                Some(row) => row.try_get("quantity")?,
                None => None,
            };
        if left.is_none_or(|left| left == 0) {
            return Ok(None);
        }
        let hash = purchase.request_hash();
        let orders = transaction.write(ORDERS, &self.place_order, &order_values(purchase, &hash)).await?;
        let Some(order) = orders.first() else { return Ok(None) };
        transaction.write(INVENTORY, &self.write, &[&purchase.product_id]).await?;
        transaction.commit().await?;
        reserved(order).map(Some)
    }
}
