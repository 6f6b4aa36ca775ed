//! Who bought lately, as a hint: with it the database is asked about the few who may have an order already, and not
//! about everybody.
//!
//! Nothing depends on the hint being right. Where it forgets, `buy_batch` meets the unique index, and asks about the
//! whole batch; where it remembers too much, the database is asked in vain.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::flash_sale::purchase::Purchase;

/// How many buyers are remembered at most, 16 bytes each and some room: about 150 MB. Who comes after that is not
/// remembered, and his second purchase costs a batch its short way.
const LIMIT: usize = 1 << 22;

/// Remembers buyers.
#[derive(Debug, Default)]
pub(crate) struct Recollection {
    buyers: Mutex<HashSet<(i64, i64)>>,
}

impl Recollection {
    /// The places, from 1, of those requests that may have an order already. A repeated key comes from the same buyer.
    pub(crate) fn may_be_known<'a>(&self, purchases: impl Iterator<Item = &'a Purchase>) -> Vec<i32> {
        let buyers = self.buyers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |purchase: &Purchase| buyers.contains(&(purchase.product_id, purchase.user_id));
        (1..).zip(purchases).filter(|(_, purchase)| known(purchase)).map(|(place, _)| place).collect()
    }

    /// Remembers that these have an order now.
    pub(crate) fn remember<'a>(&self, purchases: impl Iterator<Item = &'a Purchase>) {
        let mut buyers = self.buyers.lock().unwrap_or_else(PoisonError::into_inner);
        for purchase in purchases {
            if buyers.len() >= LIMIT {
                return;
            }
            buyers.insert((purchase.product_id, purchase.user_id));
        }
    }
}
