//! What a workload is to the ranking: four numbers that a person can estimate, and what follows from them.

use serde::{Deserialize, Serialize};

/// How many rows the grid's transactions choose from; expectations of collisions are counted over as many.
pub const ROWS: u32 = 1_000;

/// A workload, as far as the ranking knows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The share of a transaction's rows that it only reads, 0 to 1.
    pub read_share: f64,
    /// How unevenly rows are asked for: the exponent of Zipf's law, 0 for evenly.
    pub skew: f64,
    /// How many rows a transaction touches.
    pub length: u32,
    /// How many clients send transactions at once, one after the other without a pause.
    pub clients: u32,
}

/// How many numbers [`Features::numbers`] gives.
const NUMBERS: usize = 7;

impl Features {
    /// Written rows for each row that is read, as `TxnSails` counts them (VLDB 2025): every row is read, and those that are
    /// not only read are written.
    #[must_use]
    pub fn write_read_ratio(&self) -> f64 {
        1.0 - self.read_share
    }

    /// The chance that two requests for a row are for the same one: the sum of the squared probabilities of Zipf's law.
    #[must_use]
    pub fn collision(&self) -> f64 {
        let weight = |rank: u32| f64::from(rank).powf(-self.skew);
        let total: f64 = (1..=ROWS).map(weight).sum();
        (1..=ROWS).map(|rank| (weight(rank) / total).powi(2)).sum()
    }

    /// The chance that a request for a row is for the most wanted one.
    #[must_use]
    pub fn hottest(&self) -> f64 {
        1.0 / (1..=ROWS).map(|rank| f64::from(rank).powf(-self.skew)).sum::<f64>()
    }

    /// How many pairs of rows of which at least one is written a transaction is expected to share with the transactions
    /// of the other clients that run beside it.
    #[must_use]
    pub fn conflicts(&self) -> f64 {
        let length = f64::from(self.length);
        let writing = 1.0 - self.read_share.powi(2);
        f64::from(self.clients.saturating_sub(1)) * length * length * writing * self.collision()
    }

    /// What the model learns from: the four numbers, and three that follow from them and spare it the search.
    pub(crate) fn numbers(&self) -> [f64; NUMBERS] {
        let only_reads = self.read_share.powi(self.length.try_into().unwrap_or(i32::MAX));
        [
            self.read_share,
            self.skew,
            f64::from(self.length),
            f64::from(self.clients).ln(),
            self.conflicts().max(1e-6).ln(),
            only_reads,
            self.collision().ln(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: Features = Features { read_share: 0.5, skew: 0.0, length: 2, clients: 9 };

    #[test]
    fn even_requests_collide_once_in_as_many_as_there_are_rows() {
        assert!((EVEN.collision() - 1.0 / f64::from(ROWS)).abs() < 1e-12);
        // Eight others, two rows against two, three pairs of four with a write in them.
        assert!((EVEN.conflicts() - 8.0 * 4.0 * 0.75 / 1_000.0).abs() < 1e-12);
    }

    #[test]
    fn whoever_is_alone_or_only_reads_meets_nobody() {
        assert!(Features { clients: 1, ..EVEN }.conflicts().abs() < 1e-12);
        assert!(Features { read_share: 1.0, ..EVEN }.conflicts().abs() < 1e-12);
    }

    #[test]
    fn skew_makes_collisions_more_likely() {
        let at = |skew| Features { skew, ..EVEN }.collision();
        assert!(at(0.6) > at(0.0) && at(1.2) > at(0.6) && at(1.2) < 1.0);
    }
}
