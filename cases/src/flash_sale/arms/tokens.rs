//! `tokens`: one row for each unit, taken with `skip locked`. Nobody waits for anybody.

use async_trait::async_trait;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use pgstrata_units::Text;

use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const SELL: &str = include_str!("tokens.sql");

pub(crate) const ARM: Arm = Arm {
    name: "tokens",
    title: Text { en: "a row a unit, skip locked", zh: "一件一行，skip locked" },
    summary: Text {
        en: "Each unit is a row; a buyer takes the first one that is not locked. No waiting, but a row for each unit and \
             dead rows to step over.",
        zh: "每件商品一行，买家取走第一件未被锁住的。无需等待，但要为每件商品存一行，并越过死行。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[("tokens.sql", SELL), ("resolve.sql", Resolve::SQL)],
};

/// A session that sells so.
pub(super) struct Tokens {
    session: Session,
    sell: Statement,
    resolve: Resolve,
}

#[async_trait]
impl OpenTill for Tokens {
    async fn open(session: Session, _: u32) -> Result<Self, Error> {
        let sell = session.prepare(SELL).await?;
        let resolve = Resolve::prepare(&session).await?;
        Ok(Self { session, sell, resolve })
    }
}

#[async_trait]
impl Till for Tokens {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        let hash = purchase.request_hash();
        let order = self.session.query_opt(&self.sell, &order_values(purchase, &hash)).await.map_err(Error::from)?;
        match order {
            Some(order) => Ok(reserved(&order)?),
            None => self.resolve.decide(&self.session, purchase).await,
        }
    }
}
