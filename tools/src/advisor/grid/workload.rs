//! The grid's transactions: which rows, and which of them are written.
//!
//! A transaction touches `length` different rows, drawn by Zipf's law; each is only read with the probability of the
//! read share, and written otherwise. What is written depends on all that was read, so nothing may change meanwhile.

use rand::{Rng, RngExt};

use crate::advisor::ranking::{Features, ROWS};

/// One row of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// Its key.
    pub(crate) id: i64,
    /// Whether it is written.
    pub(crate) is_written: bool,
}

/// Draws the rows of transactions.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    read_share: f64,
    length: usize,
    /// The probability of this rank or a lower one.
    cumulative: Vec<f64>,
}

/// Spreads neighbouring ranks over the table's pages: it has no factor in common with [`ROWS`].
const SPREAD: usize = 619;

impl Draws {
    pub(crate) fn new(features: &Features) -> Self {
        let weights = (1..=ROWS).map(|rank| f64::from(rank).powf(-features.skew));
        let total: f64 = weights.clone().sum();
        let mut sum = 0.0;
        let cumulative = weights.map(|weight| {
            sum += weight / total;
            sum
        });
        Self { read_share: features.read_share, length: features.length as usize, cumulative: cumulative.collect() }
    }

    /// The rows of one transaction, in the order of their keys.
    pub(crate) fn transaction(&self, random: &mut impl Rng) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::with_capacity(self.length);
        while rows.len() < self.length {
            let id = self.id(random.random());
            if rows.iter().all(|row| row.id != id) {
                rows.push(Row { id, is_written: random.random::<f64>() >= self.read_share });
            }
        }
        rows.sort_unstable();
        rows
    }

    fn id(&self, uniform: f64) -> i64 {
        let rank = self.cumulative.partition_point(|sum| *sum < uniform).min(self.cumulative.len() - 1);
        i64::try_from(rank * SPREAD % self.cumulative.len() + 1).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn rows_are_different_ordered_and_as_skewed_as_asked_for() {
        let features = Features { read_share: 0.7, skew: 1.2, length: 5, clients: 1 };
        let draws = Draws::new(&features);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (mut counts, mut written) = (HashMap::new(), 0);
        for _ in 0..2_000 {
            let rows = draws.transaction(&mut random);
            assert!(rows.len() == 5 && rows.is_sorted_by(|a, b| a.id < b.id), "{rows:?}");
            for row in rows {
                assert!((1..=i64::from(ROWS)).contains(&row.id));
                *counts.entry(row.id).or_insert(0) += 1;
                written += i32::from(row.is_written);
            }
        }
        let hottest = counts.values().max().copied().unwrap_or(0);
        assert!(hottest > 1_500, "the first rank is in most transactions: {hottest}");
        assert!((2_700..3_300).contains(&written), "three in ten are written: {written}");
    }

    #[test]
    fn every_rank_has_a_row_of_its_own() {
        let draws = Draws::new(&Features { read_share: 0.0, skew: 0.0, length: 1, clients: 1 });
        let ids: std::collections::HashSet<i64> =
            (0..ROWS).map(|rank| draws.id((f64::from(rank) + 0.5) / f64::from(ROWS))).collect();
        assert_eq!(ids.len(), ROWS as usize);
    }
}
