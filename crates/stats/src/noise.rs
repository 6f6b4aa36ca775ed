//! Seeded noise that looks like a shared machine, for simulations that prove the statistics.
//!
//! Real measurements never pass through here.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The spread of the logarithm of throughput over one-second windows, measured on a busy two-core machine
/// (sixty identical windows: coefficient of variation 31.8 %).
pub const MEASURED_SPREAD: f64 = 0.32;

/// The correlation of each of those windows with the one before it.
pub const MEASURED_CORRELATION: f64 = 0.5;

/// An endless first-order autoregressive series: each value resembles the one before it.
///
/// x₀ ~ N(0, spread²) and xₖ₊₁ = ρ·xₖ + √(1 − ρ²)·ε with ε ~ N(0, spread²), so that every value has the same
/// distribution and values k apart have the correlation ρᵏ (Box & Jenkins, *Time Series Analysis*, 3.2.3).
#[derive(Clone, Debug)]
pub struct Autoregressive {
    correlation: f64,
    spread: f64,
    last: f64,
    random: ChaCha8Rng,
}

impl Autoregressive {
    /// A series whose values have the standard deviation `spread` and the given correlation with their predecessor.
    ///
    /// # Panics
    /// If `correlation` lies outside (−1, 1) or `spread` is negative.
    #[must_use]
    pub fn new(correlation: f64, spread: f64, seed: u64) -> Self {
        assert!(correlation.abs() < 1.0, "a series with correlation {correlation} is not stationary");
        assert!(spread >= 0.0, "a standard deviation cannot be {spread}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let last = spread * standard_normal(&mut random);
        Self { correlation, spread, last, random }
    }

    /// The next value.
    pub fn draw(&mut self) -> f64 {
        let value = self.last;
        let innovation = (1.0 - self.correlation * self.correlation).sqrt() * self.spread;
        self.last = self.correlation * value + innovation * standard_normal(&mut self.random);
        value
    }
}

impl Iterator for Autoregressive {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        Some(self.draw())
    }
}

/// A standard normal number (Box & Muller 1958).
pub fn standard_normal(random: &mut impl rand::Rng) -> f64 {
    // The logarithm needs a number above zero; `random` gives [0, 1).
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_has_the_spread_and_the_correlation_it_was_asked_for() {
        const LENGTH: usize = 100_000;
        let series: Vec<f64> = Autoregressive::new(0.8, 0.3, 7).take(LENGTH).collect();
        let mean = series.iter().sum::<f64>() / LENGTH as f64;
        let variance = series.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / LENGTH as f64;
        let covariance = series.windows(2).map(|two| (two[0] - mean) * (two[1] - mean)).sum::<f64>() / LENGTH as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance.sqrt() - 0.3).abs() < 0.01, "{variance}");
        assert!((covariance / variance - 0.8).abs() < 0.02, "{}", covariance / variance);
    }

    #[test]
    fn a_seed_gives_the_same_series_again() {
        let series = |seed| Autoregressive::new(0.5, 1.0, seed).take(10).collect::<Vec<_>>();
        assert_eq!(series(3), series(3));
        assert_ne!(series(3), series(4));
    }
}
