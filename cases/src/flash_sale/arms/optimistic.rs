//! `optimistic`: the plan's `version` column. Nobody waits with a lock in hand; whoever lost the race begins again.

use async_trait::async_trait;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::Text;

use super::PLACE_ORDER;
use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const READ: &str = include_str!("optimistic_read.sql");
const UPDATE: &str = include_str!("optimistic_update.sql");

pub(crate) const ARM: Arm = Arm {
    name: "optimistic",
    title: Text { en: "optimistic version column", zh: "乐观锁 version 列" },
    summary: Text {
        en: "The plan's SQL: updates the row if its version is the one that was read. On a hot row nearly all lose, and \
             try again.",
        zh: "计划中的 SQL：仅当版本号与读取时相同才更新。在热点行上几乎人人落败，然后重试。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[
        ("optimistic_read.sql", READ),
        ("optimistic_update.sql", UPDATE),
        ("place_order.sql", PLACE_ORDER),
        ("resolve.sql", Resolve::SQL),
    ],
};

/// A session that sells so.
pub(super) struct Optimistic {
    session: Session,
    read: Statement,
    update: Statement,
    place_order: Statement,
    resolve: Resolve,
}

#[async_trait]
impl OpenTill for Optimistic {
    async fn open(session: Session, _: u32) -> Result<Self, Error> {
        let read = session.prepare(READ).await?;
        let update = session.prepare(UPDATE).await?;
        let place_order = session.prepare(PLACE_ORDER).await?;
        let resolve = Resolve::prepare(&session).await?;
        Ok(Self { session, read, update, place_order, resolve })
    }
}

#[async_trait]
impl Till for Optimistic {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        if let Some(decision) = self.try_sell(purchase).await? {
            return Ok(decision);
        }
        self.resolve.decide(&self.session, purchase).await
    }
}

impl Optimistic {
    async fn try_sell(&mut self, purchase: &Purchase) -> Result<Option<Decision>, Error> {
        let Some(stock) = self.session.query_opt(&self.read, &[&purchase.product_id]).await? else { return Ok(None) };
        if stock.try_get::<_, i64>("quantity")? == 0 {
            return Ok(None);
        }
        let version: i64 = stock.try_get("version")?;
        let transaction = self.session.transaction().await?;
        // No row: the race is lost. The resolving statement finds stock left and says "conflict".
        if transaction.query_opt(&self.update, &[&purchase.product_id, &version]).await?.is_none() {
            return Ok(None);
        }
        let hash = purchase.request_hash();
        let Some(order) = transaction.query_opt(&self.place_order, &order_values(purchase, &hash)).await? else {
            return Ok(None);
        };
        transaction.commit().await?;
        reserved(&order).map(Some)
    }
}
