//! `sharded`: the stock divided among sixteen rows, so that buyers meet less often on one of them.

use async_trait::async_trait;
use pgstrata_lab::study::{Arm, ArmKind, ClientCount, Setback};
use pgstrata_pg::sql::{Statement, ToSql};
use pgstrata_pg::{Error, Session};
use pgstrata_units::Text;

use crate::flash_sale::purchase::{Decision, Purchase};
use crate::flash_sale::till::{OpenTill, Resolve, Till, order_values, reserved};

const SELL: &str = include_str!("sharded.sql");

/// Into how many rows the stock is divided. More rows, fewer meetings; and more rows to read near the end.
pub(crate) const BUCKETS: i32 = 16;

pub(crate) const ARM: Arm = Arm {
    name: "sharded",
    title: Text { en: "stock in sixteen rows", zh: "库存拆成十六行" },
    summary: Text {
        en: "As the conditional update, but on sixteen rows; near the end it goes on to whichever row still has stock.",
        zh: "与条件更新相同，但库存分散在十六行；临近售罄时转到仍有库存的行。",
    },
    kind: ArmKind::Textbook,
    clients: ClientCount::Sessions(super::SESSIONS),
    statements: &[("sharded.sql", SELL), ("resolve.sql", Resolve::SQL)],
};

/// A session that sells so.
pub(super) struct Sharded {
    session: Session,
    sell: Statement,
    resolve: Resolve,
    first_bucket: i32,
}

#[async_trait]
impl OpenTill for Sharded {
    async fn open(session: Session, number: u32) -> Result<Self, Error> {
        let sell = session.prepare(SELL).await?;
        let resolve = Resolve::prepare(&session).await?;
        let first_bucket = number.cast_signed().rem_euclid(BUCKETS);
        Ok(Self { session, sell, resolve, first_bucket })
    }
}

#[async_trait]
impl Till for Sharded {
    async fn sell(&mut self, purchase: &Purchase) -> Result<Decision, Setback> {
        let hash = purchase.request_hash();
        let [key, product, user, hash, hold] = order_values(purchase, &hash);
        let values: [&(dyn ToSql + Sync); 6] = [key, product, user, hash, hold, &self.first_bucket];
        match self.session.query_opt(&self.sell, &values).await.map_err(Error::from)? {
            Some(order) => Ok(reserved(&order)?),
            None => self.resolve.decide(&self.session, purchase).await,
        }
    }
}
