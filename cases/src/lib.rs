//! Module 09: ten industry cases, each runnable, judged, and compared with the ways of doing it that it replaces.
//!
//! A case is a [`Study`]; this crate has no command line, prints nothing and knows no other module.

pub mod flash_sale;
#[cfg(test)]
mod ground;
pub mod ledger;

use std::sync::Arc;

use pgstrata_lab::study::Study;

/// Every case, in the order of the plan's ids.
#[must_use]
pub fn studies() -> Vec<Arc<dyn Study>> {
    vec![Arc::new(flash_sale::FlashSale), Arc::new(ledger::Ledger)]
}
