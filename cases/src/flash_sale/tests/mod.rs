//! The flash sale against a real PostgreSQL: what is sold, what is told, and what is left after a crash.

mod crash;
mod front_door;
mod reservation;
mod selling;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use pgstrata_lab::history::{Event, History, Outcome};
use pgstrata_lab::invariants;
use pgstrata_lab::study::{Arm, DEFAULT_SKEW, Preset, Scale, Study, Violation};
use pgstrata_pg::Session;
use pgstrata_sequencer::Settings;

use super::arms::Stock;
use super::service::{Service, ServiceSettings};
use super::{FlashSale, card, create_schema, put_on_sale};
use crate::ground::{Ground, SEED, ask, carry_out, count, until};

impl Ground {
    /// A product 0 with so many units, and the service before it.
    async fn shop(&self, units: i64, settings: &ServiceSettings) -> Service {
        let session = self.session().await;
        create_schema(&session).await.expect("the schema");
        put_on_sale(&session, Stock::OneRow, 0, units).await.expect("a product");
        let endpoints: Vec<_> = self.site.servers.iter().map(|server| server.endpoint.clone()).collect();
        Service::start(&endpoints, settings).await.expect("the service")
    }

    /// Keeps the stock row locked until the session commits, so that whatever is being decided stands still.
    async fn hold_the_stock_row(&self) -> Session {
        let holder = self.session().await;
        holder.batch_execute("begin; select from flash_sale.inventory for update").await.expect("locked");
        holder
    }

    /// What the card's queries find.
    async fn violations(&self) -> Vec<Violation> {
        invariants::evaluate(&self.site, card::CARD.invariants).await.expect("invariants can be evaluated")
    }
}

fn arm(name: &str) -> &'static Arm {
    card::CARD.arm(name).expect("an arm of this name")
}

/// A sale of half as many units as there are operations.
fn scarce(operations: u64) -> Scale {
    Scale { preset: Preset::Ci, operations, scarce: true, skew: DEFAULT_SKEW, observed: false, seed: SEED }
}

/// Settings of a service whose reservations do not expire and whose instances do not wait for each other.
fn patient() -> ServiceSettings {
    ServiceSettings { sequencer: Settings { queue_limit: 4_096, ..Settings::default() }, ..ServiceSettings::default() }
}

async fn until_a_purchase_waits(holder: &Session) {
    let blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    until("a purchase waits for the stock row", async || {
        let row = holder.query_one(blocked, &[]).await.expect("a row");
        row.get::<_, i64>(0) > 0
    })
    .await;
}

/// Everything that is to be judged after a trial.
async fn judge(ground: &Ground, arm: &'static Arm, history: &History) -> Vec<Violation> {
    let mut violations = ground.violations().await;
    violations.extend(FlashSale.check(arm, &ground.site, history).await.expect("a judgement"));
    violations
}
