//! `conditional`: one statement that takes a unit if there is one and writes its order.

use async_trait::async_trait;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::Text;

use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

pub(super) const SELL: &str = include_str!("conditional.sql");

pub(crate) const ARM: Arm = Arm {
    name: "conditional",
    title: Text { en: "one conditional update", zh: "单条条件更新" },
    summary: Text {
        en: "Takes a unit and writes its order in one statement. The row stays locked only for the flush of the log.",
        zh: "一条语句完成扣减与下单，行锁只保持到日志刷盘。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[("conditional.sql", SELL), ("resolve.sql", Resolve::SQL)],
};

/// A session that sells so.
pub(super) struct Conditional {
    session: Session,
    sell: Statement,
    resolve: Resolve,
}

#[async_trait]
impl OpenTill for Conditional {
    async fn open(session: Session, _: u32) -> Result<Self, Error> {
        let sell = session.prepare(SELL).await?;
        let resolve = Resolve::prepare(&session).await?;
        Ok(Self { session, sell, resolve })
    }
}

#[async_trait]
impl Till for Conditional {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        let hash = purchase.request_hash();
        let order = self.session.query_opt(&self.sell, &order_values(purchase, &hash)).await.map_err(Error::from)?;
        match order {
            Some(order) => Ok(reserved(&order)?),
            None => self.resolve.decide(&self.session, purchase).await,
        }
    }
}
