//! How well a latency quantile is known, by resampling windows.
//!
//! A hundred thousand requests of one run are not a hundred thousand independent facts: they share the checkpoint,
//! the neighbour, the cache. Resampling requests gives intervals that are far too narrow. So the unit here
//! is the window, each with its own histogram, and whole runs of neighbouring windows are drawn together, because
//! windows resemble their neighbours too (Künsch, *Annals of Statistics* 17, 1989; circular blocks: Politis & Romano
//! 1992).
//!
//! To say that one arm has a lower p99 than another, do not compare two of these: put the p99 of adjacent windows into
//! pairs and [`compare`](crate::compare) them.

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::histogram::duration_text;
use crate::student::{normal_cdf, t_quantile};
use crate::{CONFIDENCE, LatencyHistogram};

/// Fewer windows than this give no interval.
pub const MIN_WINDOWS: usize = 8;

/// How many resamples a published interval is made of: its ends then vary by about a hundredth of its width.
pub const RESAMPLES: usize = 10_000;

/// A quantile of the latency of all windows together, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileEstimate {
    /// Which quantile, 0 to 1.
    pub quantile: f64,
    /// Its value in nanoseconds.
    pub value_ns: u64,
    /// The ends of its interval of confidence [`CONFIDENCE`], nanoseconds; `None` if there are fewer
    /// than [`MIN_WINDOWS`] windows with latencies.
    pub interval_ns: Option<(u64, u64)>,
    /// How many windows with latencies there are.
    pub windows: usize,
}

impl fmt::Display for QuantileEstimate {
    /// Such as `1.42 ms (1.31 ms–1.55 ms)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&duration_text(self.value_ns))?;
        match self.interval_ns {
            Some((low, high)) => write!(formatter, " ({}–{})", duration_text(low), duration_text(high)),
            None => Ok(()),
        }
    }
}

/// Estimates `quantile` (0 to 1) from the histograms of successive windows of one arm, with `resamples` resamples
/// drawn by `seed`; `None` if no window holds a latency.
///
/// The interval is the percentile interval of the circular block bootstrap, with blocks of ∛n windows. Its
/// probabilities are widened for few windows as Hesterberg proposes (*What Teachers Should Know about the Bootstrap*,
/// 2015, "expanded percentile interval").
#[must_use]
pub fn quantile_estimate(
    windows: &[LatencyHistogram],
    quantile: f64,
    resamples: usize,
    seed: u64,
) -> Option<QuantileEstimate> {
    let windows: Vec<&LatencyHistogram> = windows.iter().filter(|window| !window.is_empty()).collect();
    let pooled = LatencyHistogram::merged(windows.iter().copied());
    let value_ns = pooled.quantile_ns(quantile)?;
    let enough = windows.len() >= MIN_WINDOWS && resamples > 0;
    let interval_ns = enough.then(|| interval(&pooled, &windows, quantile, resamples, seed));
    Some(QuantileEstimate { quantile, value_ns, interval_ns, windows: windows.len() })
}

/// The expanded percentile interval of the block bootstrap.
fn interval(
    pooled: &LatencyHistogram,
    windows: &[&LatencyHistogram],
    quantile: f64,
    resamples: usize,
    seed: u64,
) -> (u64, u64) {
    let table = Cumulative::of(pooled, windows);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = vec![0; windows.len()];
    let mut found: Vec<u64> = (0..resamples)
        .map(|_| {
            draw_blocks(&mut draw, &mut random);
            table.quantile_of(&draw, quantile)
        })
        .collect();
    found.sort_unstable();
    let n = windows.len() as f64;
    let t = t_quantile(f64::midpoint(1.0, CONFIDENCE), u32::try_from(windows.len() - 1).unwrap_or(u32::MAX));
    let tail = normal_cdf(-(n / (n - 1.0)).sqrt() * t);
    let skipped = rank(tail, resamples).saturating_sub(1);
    (found[skipped], found[resamples - 1 - skipped])
}

/// Draws as many windows as there are, in circular blocks of ∛n neighbours.
fn draw_blocks(draw: &mut [usize], random: &mut ChaCha8Rng) {
    let n = draw.len();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cube root, at least 1")]
    let length = (n as f64).cbrt().round() as usize;
    for block in draw.chunks_mut(length) {
        let start = random.random_range(0..n);
        for (offset, window) in block.iter_mut().enumerate() {
            *window = (start + offset) % n;
        }
    }
}

/// Which of `count` sorted values the quantile is, from 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
fn rank(quantile: f64, count: usize) -> usize {
    ((quantile * count as f64).ceil() as usize).clamp(1, count)
}

/// For each bucket of the pooled histogram, how many latencies of each window lie in it or below: with this a quantile
/// of any mixture of windows is a binary search instead of a merge.
struct Cumulative {
    values: Vec<u64>,
    counts: Vec<Vec<u64>>,
}

impl Cumulative {
    fn of(pooled: &LatencyHistogram, windows: &[&LatencyHistogram]) -> Self {
        let values: Vec<u64> = pooled.buckets().map(|(value, _)| value).collect();
        let cumulate = |window: &&LatencyHistogram| {
            let mut buckets = window.buckets().peekable();
            let mut sum = 0;
            let below = |&value: &u64| {
                while let Some((_, count)) = buckets.next_if(|&(bucket, _)| bucket <= value) {
                    sum += count;
                }
                sum
            };
            values.iter().map(below).collect()
        };
        let counts = windows.iter().map(cumulate).collect();
        Self { values, counts }
    }

    /// The quantile of the windows of `draw`, each as often as it was drawn.
    fn quantile_of(&self, draw: &[usize], quantile: f64) -> u64 {
        let below = |bucket: usize| draw.iter().map(|&window| self.counts[window][bucket]).sum::<u64>();
        let last = self.values.len() - 1;
        let target = quantile * below(last) as f64;
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = usize::midpoint(low, high);
            if (below(middle) as f64) < target { low = middle + 1 } else { high = middle }
        }
        self.values[low]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(values: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::new();
        for &value in values {
            histogram.record_ns(value);
        }
        histogram
    }

    #[test]
    fn identical_windows_leave_no_doubt() {
        let windows = vec![window(&[1_000_000, 2_000_000, 3_000_000]); 10];
        let estimate = quantile_estimate(&windows, 0.5, 200, 1).expect("latencies were counted");
        assert_eq!(estimate.interval_ns, Some((estimate.value_ns, estimate.value_ns)));
        assert_eq!(estimate.to_string(), "2.00 ms (2.00 ms–2.00 ms)");
    }

    #[test]
    fn few_windows_give_a_value_without_an_interval() {
        let estimate = quantile_estimate(&[window(&[10]), window(&[])], 0.5, 200, 1).expect("latencies were counted");
        assert_eq!((estimate.value_ns, estimate.interval_ns, estimate.windows), (10, None, 1));
        assert_eq!(estimate.to_string(), "10 ns");
        assert_eq!(quantile_estimate(&[window(&[])], 0.5, 200, 1), None);
    }

    #[test]
    fn a_seed_gives_the_same_interval_again() {
        let windows: Vec<LatencyHistogram> = (1..=20).map(|level| window(&[level * 100, level * 200])).collect();
        let estimate = |seed| quantile_estimate(&windows, 0.9, 100, seed);
        assert_eq!(estimate(1), estimate(1));
    }

    proptest! {
        #[test]
        fn drawing_every_window_once_gives_the_pooled_quantile(
            windows in proptest::collection::vec(proptest::collection::vec(0..5_000_u64, 1..20), 1..6),
            quantile in 0.0..=1.0,
        ) {
            let windows: Vec<LatencyHistogram> = windows.iter().map(|values| window(values)).collect();
            let pooled = LatencyHistogram::merged(&windows);
            let every: Vec<usize> = (0..windows.len()).collect();
            let table = Cumulative::of(&pooled, &windows.iter().collect::<Vec<_>>());
            // A quantile of exactly 0 is the lower end of its bucket in the histogram.
            prop_assume!(quantile > 0.0);
            prop_assert_eq!(Some(table.quantile_of(&every, quantile)), pooled.quantile_ns(quantile));
        }
    }
}
