//! `naive`: read the stock, look at it, write it back. Two buyers who read the same number sell the same unit.

use async_trait::async_trait;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::Text;

use super::PLACE_ORDER;
use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const READ: &str = include_str!("naive_read.sql");
const WRITE: &str = include_str!("naive_write.sql");

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
}

#[async_trait]
impl OpenTill for Naive {
    async fn open(session: Session, _: u32) -> Result<Self, Error> {
        let read = session.prepare(READ).await?;
        let place_order = session.prepare(PLACE_ORDER).await?;
        let write = session.prepare(WRITE).await?;
        let resolve = Resolve::prepare(&session).await?;
        Ok(Self { session, read, place_order, write, resolve })
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
        let transaction = self.session.transaction().await?;
        let left: Option<i64> = match transaction.query_opt(&self.read, &[&purchase.product_id]).await? {
            Some(row) => row.try_get("quantity")?,
            None => None,
        };
        let Some(left) = left.filter(|left| *left > 0) else { return Ok(None) };
        let hash = purchase.request_hash();
        let Some(order) = transaction.query_opt(&self.place_order, &order_values(purchase, &hash)).await? else {
            return Ok(None);
        };
        transaction.execute(&self.write, &[&purchase.product_id, &(left - 1)]).await?;
        transaction.commit().await?;
        reserved(&order).map(Some)
    }
}
