//! The ways of selling, one file each, in the order in which they are shown.

mod coalesced;
mod coalesced_http;
pub(crate) mod conditional;
mod early_lock_release;
mod for_update;
mod naive;
mod optimistic;
mod sharded;
mod tokens;

use std::sync::Arc;

use pgstrata_history::Model;
use pgstrata_lab::observe::Held;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, Rig, StudyError};

use crate::flash_sale::till;

/// The statement that the ways with several round trips write their orders with.
const PLACE_ORDER: &str = include_str!("place_order.sql");

/// The same where the transaction is written down.
const PLACE_ORDER_WATCHED: &str = include_str!("watched/place_order.sql");

/// The tables, as those who write transactions down name them.
const INVENTORY: &str = "flash_sale.inventory";
const ORDERS: &str = "flash_sale.orders";

/// How many clients, each with a session, compete for the hot row.
const SESSIONS: u32 = 32;

/// All of them.
pub(crate) static ARMS: [Arm; 9] = [
    naive::ARM,
    for_update::ARM,
    optimistic::ARM,
    conditional::ARM,
    sharded::ARM,
    tokens::ARM,
    early_lock_release::ARM,
    coalesced::ARM,
    coalesced_http::ARM,
];

/// What the stock of a trial is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stock {
    /// One row a product.
    OneRow,
    /// So many rows a product.
    Buckets(i32),
    /// One row a unit.
    Tokens,
}

/// What the stock of an arm is kept in.
pub(crate) fn stock_of(arm: &Arm) -> Stock {
    match arm.name {
        "sharded" => Stock::Buckets(sharded::BUCKETS),
        "tokens" => Stock::Tokens,
        _ => Stock::OneRow,
    }
}

/// What the transactions of an arm are held to where they are written down. Neither the naive way's isolation level nor
/// its locks promise as much as a sale needs: that each one is as if it were alone.
pub(crate) fn watched(arm: &Arm) -> Option<Held> {
    let tables = &[("flash_sale", "inventory"), ("flash_sale", "orders")];
    matches!(arm.name, "naive" | "for-update").then_some(Held { model: Model::Serializable, tables })
}

/// What the clients of an arm share.
pub(crate) async fn open(arm: &Arm, site: &Site) -> Result<Arc<dyn Rig>, StudyError> {
    Ok(match arm.name {
        "naive" => till::rig::<naive::Naive>(site),
        "for-update" => till::rig::<for_update::ForUpdate>(site),
        "optimistic" => till::rig::<optimistic::Optimistic>(site),
        "conditional" => till::rig::<conditional::Conditional>(site),
        "sharded" => till::rig::<sharded::Sharded>(site),
        "tokens" => till::rig::<tokens::Tokens>(site),
        "early-lock-release" => early_lock_release::rig(site).await?,
        "coalesced" => coalesced::rig(site).await?,
        "coalesced-http" => coalesced_http::rig(site).await?,
        unknown => return Err(StudyError::new("open the arm", format!("the flash sale has no arm `{unknown}`"))),
    })
}
