//! Which cells the grid has, and in which order they are measured.

use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::strategy::Strategy;
use crate::advisor::ranking::Features;

/// Shares of rows that are only read. `TxnSails`' simple rule takes read committed for the first two, serializable for
/// the third and snapshot isolation for the last.
const READ_SHARES: [f64; 4] = [0.2, 0.5, 0.7, 0.9];

/// Exponents of Zipf's law: even, mild, as web caches have it, and one row in most transactions.
const SKEWS: [f64; 4] = [0.0, 0.6, 0.9, 1.2];

/// Rows of a transaction.
const LENGTHS: [u32; 3] = [2, 5, 10];

/// Clients.
const CLIENTS: [u32; 5] = [2, 4, 8, 16, 32];

/// The most clients that any cell has.
pub(crate) const CLIENTS_MOST: u32 = 32;

/// How a grid is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The length of one slice: one strategy in one round of one cell.
    pub slice: Duration,
    /// How many rounds a cell has; in each, every strategy is measured once, in an order drawn by lot.
    pub rounds: u32,
}

impl Default for Pace {
    /// 240 cells of six strategies in 24 minutes.
    fn default() -> Self {
        Self { slice: Duration::from_millis(250), rounds: 4 }
    }
}

/// All 240 cells, in an order drawn by lot: what drifts while the grid is measured is no property of a cell.
#[must_use]
pub fn cells(seed: u64) -> Vec<Features> {
    let mut cells = Vec::new();
    for read_share in READ_SHARES {
        for skew in SKEWS {
            for length in LENGTHS {
                for clients in CLIENTS {
                    cells.push(Features { read_share, skew, length, clients });
                }
            }
        }
    }
    cells.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    cells
}

/// The order of strategies in each round of a cell.
pub(crate) fn orders(seed: u64, cell: &Features, rounds: u32) -> Vec<[Strategy; 6]> {
    let place = [cell.read_share.to_bits(), cell.skew.to_bits(), u64::from(cell.length), u64::from(cell.clients)];
    let own = place.iter().fold(seed, |seed, number| seed.rotate_left(17) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut random = ChaCha8Rng::seed_from_u64(own);
    let mut order = Strategy::ALL;
    (0..rounds)
        .map(|_| {
            order.shuffle(&mut random);
            order
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_at_least_200_different_cells_and_the_lot_loses_none() {
        let cells = cells(1);
        assert_eq!(cells.len(), 240);
        let different = (1..cells.len()).all(|place| !cells[..place].contains(&cells[place]));
        assert!(different);
        assert!(self::cells(2).iter().all(|cell| cells.contains(cell)));
        assert_ne!(self::cells(2), cells);
        assert!(cells.iter().all(|cell| cell.clients <= CLIENTS_MOST));
    }

    #[test]
    fn every_round_measures_every_strategy_once() {
        let cell = cells(1)[0];
        let orders = orders(1, &cell, 8);
        for order in &orders {
            assert!(Strategy::ALL.iter().all(|strategy| order.contains(strategy)));
        }
        assert!(orders.iter().any(|order| *order != orders[0]), "the order is drawn anew");
        assert_eq!(orders, super::orders(1, &cell, 8));
    }
}
