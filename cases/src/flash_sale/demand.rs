//! Who wants what in a trial: each operation's purchase, and how much stock there is. Pure functions of seed and number.

use pgstrata_lab::study::{Operation, Scale};

use super::purchase::Purchase;

/// One hot product for each server; product `p` lives on server `p % servers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    servers: usize,
}

/// Random buyers come from so many, about 10^12: two of them are hardly ever the same.
const USER_BITS: u32 = 40;

/// One in this many operations is a regular's; regulars come again and meet the limit.
const REGULAR_SHARE: u64 = 1024;

/// How many regulars there are.
const REGULARS: u64 = 256;

impl Demand {
    /// Demand on a site of `servers` servers.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        Self { servers: servers.max(1) }
    }

    /// The products on sale.
    pub fn products(self) -> impl Iterator<Item = i64> {
        (1..).take(self.servers)
    }

    /// The server that a product lives on.
    #[must_use]
    pub fn server_of(self, product_id: i64) -> usize {
        server_of(product_id, self.servers)
    }

    /// What an operation asks for. Independent bits of its draw decide on product, kind of buyer and buyer.
    #[must_use]
    pub fn purchase(self, operation: &Operation) -> Purchase {
        let draw = operation.draw;
        let products = self.servers as u64;
        let is_regular = (draw >> 54).is_multiple_of(REGULAR_SHARE);
        // Above the regulars, so that a random buyer is never one of them.
        let user = if is_regular { draw % REGULARS } else { REGULARS + (draw & ((1 << USER_BITS) - 1)) };
        let product = 1 + (draw >> USER_BITS) % products;
        Purchase { key: operation.key, product_id: product.cast_signed(), user_id: user.cast_signed() }
    }

    /// Units of each product: half of what may be asked for when the sale is to sell out, otherwise more than all of it.
    #[must_use]
    pub fn stock(self, scale: &Scale) -> i64 {
        let each = scale.operations / self.servers as u64;
        // The draw does not divide demand quite evenly among products.
        let units = if scale.scarce { (each / 2).max(1) } else { each + each / 4 + 1_000 };
        i64::try_from(units).unwrap_or(i64::MAX)
    }
}

/// The server, of so many, that a product lives on.
#[must_use]
pub fn server_of(product_id: i64, servers: usize) -> usize {
    let remainder = product_id.unsigned_abs() % servers.max(1) as u64;
    usize::try_from(remainder).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pgstrata_lab::history::operation;
    use pgstrata_lab::study::{DEFAULT_SKEW, Preset};

    use super::*;

    #[test]
    fn about_one_operation_in_a_thousand_is_a_regulars() {
        let demand = Demand::new(1);
        let users: Vec<i64> = (0..200_000).map(|number| demand.purchase(&operation(5, number)).user_id).collect();
        let regulars = users.iter().filter(|user| **user < REGULARS.cast_signed()).count();
        assert!((100..400).contains(&regulars), "{regulars}");
        let others: HashSet<_> = users.iter().filter(|user| **user >= REGULARS.cast_signed()).collect();
        assert!(others.len() + regulars > 199_990, "random buyers are different people");
    }

    #[test]
    fn every_product_has_buyers_and_a_server() {
        let demand = Demand::new(3);
        let asked: HashSet<i64> = (0..1_000).map(|number| demand.purchase(&operation(1, number)).product_id).collect();
        assert_eq!(asked, demand.products().collect());
        let servers: HashSet<usize> = demand.products().map(|product| demand.server_of(product)).collect();
        assert_eq!(servers.len(), 3);
    }

    #[test]
    fn scarce_stock_runs_out_and_abundant_stock_lasts() {
        let scale = |scarce| Scale {
            preset: Preset::Ci,
            operations: 100,
            scarce,
            skew: DEFAULT_SKEW,
            observed: false,
            seed: 1,
        };
        assert!(Demand::new(2).stock(&scale(true)) * 2 < 100);
        assert!(Demand::new(2).stock(&scale(false)) * 2 > 100);
    }
}
