//! Latencies without a cap, small enough to put every window of a run into its record.
//!
//! A wrapper of `hdrhistogram` that cannot be set up wrongly: no configuration, no bound, no lost value. It knows
//! nothing of clocks and of intended starts; the load loop subtracts.

use std::fmt;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The quantiles that tables show; 1 is the maximum.
pub const STANDARD_QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Significant decimal digits: a value is known to one part in a thousand.
const DIGITS: u8 = 3;

/// A histogram of latencies in nanoseconds.
///
/// The unit is the nanosecond because the clock gives it and it costs nothing: at three significant digits only
/// values below 2 µs gain buckets from it, 8 KiB more than microseconds would take. The histogram grows
/// with its largest value, up to every `u64` (432 KiB), so no latency is ever clipped: a stall of a minute
/// counts as a minute.
///
/// In JSON it is `{"unit":"ns","digits":3,"values":[…],"counts":[…]}`: the lower ends of the buckets that are not
/// empty, the first as it is and each further one as its distance from the one before, and how many values
/// each bucket holds. Reading gives the same histogram, which can be merged with others.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(Histogram<u64>);

impl LatencyHistogram {
    /// An empty histogram.
    ///
    /// # Panics
    /// Never: the number of digits is one that `hdrhistogram` accepts.
    #[must_use]
    pub fn new() -> Self {
        // `Histogram::new` gives a histogram that grows.
        Self(Histogram::new(DIGITS).expect("three digits are accepted"))
    }

    /// Counts one latency.
    pub fn record_ns(&mut self, latency_ns: u64) {
        self.record_many(latency_ns, 1);
    }

    fn record_many(&mut self, latency_ns: u64, count: u64) {
        // The only error of a growing histogram is one too large for the address space; this one ends at 432 KiB.
        if self.0.record_n(latency_ns, count).is_err() {
            unreachable!("a histogram of three digits fits into memory");
        }
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.0.add(&other.0).is_err() {
            unreachable!("a growing histogram takes every value of another");
        }
    }

    /// The latencies of several histograms together.
    #[must_use]
    pub fn merged<'a>(histograms: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::new();
        for histogram in histograms {
            all.merge(histogram);
        }
        all
    }

    /// How many latencies were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mean in nanoseconds; `None` if nothing was counted.
    #[must_use]
    pub fn mean_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.mean())
    }

    /// The largest latency in nanoseconds, rounded up to the end of its bucket; `None` if nothing was counted.
    #[must_use]
    pub fn max_ns(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.0.max())
    }

    /// The latency in nanoseconds that the share `quantile` (0 to 1) of all latencies does not exceed, rounded up to
    /// the end of its bucket; `None` if nothing was counted.
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (!self.is_empty()).then(|| self.0.value_at_quantile(quantile))
    }

    /// The [`STANDARD_QUANTILES`]; empty if nothing was counted.
    #[must_use]
    pub fn percentiles(&self) -> Vec<Percentile> {
        let percentile = |quantile| Some(Percentile { quantile, value_ns: self.quantile_ns(quantile)? });
        STANDARD_QUANTILES.into_iter().filter_map(percentile).collect()
    }

    /// The buckets that are not empty: (highest value in nanoseconds, how many), from the fastest to the slowest.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for LatencyHistogram {
    /// The same latencies at the resolution of the buckets, however far either has grown.
    fn eq(&self, other: &Self) -> bool {
        self.buckets().eq(other.buckets())
    }
}

/// A quantile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// The share of latencies that do not exceed the value, 0 to 1.
    pub quantile: f64,
    /// The value in nanoseconds.
    pub value_ns: u64,
}

impl Percentile {
    /// The name that tables show: `p50`, `p99.9`, `max`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.quantile >= 1.0 {
            return "max".to_owned();
        }
        // Rounded, because 0.999 × 100 is not 99.9 in binary.
        format!("p{}", (self.quantile * 100_000.0).round() / 1000.0)
    }
}

impl fmt::Display for Percentile {
    /// Such as `p99 1.42 ms`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name(), duration_text(self.value_ns))
    }
}

/// A duration with three significant digits in the unit that suits it.
pub(crate) fn duration_text(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    // One decimal less from where rounding reaches the next power of ten.
    let decimals = [9.995, 99.95].into_iter().filter(|&limit| value < limit).count();
    format!("{value:.decimals$} {unit}")
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
struct Sparse {
    unit: Unit,
    digits: u8,
    values: Vec<u64>,
    counts: Vec<u64>,
}

/// The unit is written out, so that a record explains itself.
#[derive(Serialize, Deserialize)]
enum Unit {
    #[serde(rename = "ns")]
    Nanoseconds,
}

impl Serialize for LatencyHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sparse = Sparse { unit: Unit::Nanoseconds, digits: DIGITS, values: Vec::new(), counts: Vec::new() };
        let mut last = 0;
        for (highest, count) in self.buckets() {
            let value = self.0.lowest_equivalent(highest);
            sparse.values.push(value - last);
            sparse.counts.push(count);
            last = value;
        }
        sparse.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sparse { unit: Unit::Nanoseconds, digits, values, counts } = Sparse::deserialize(deserializer)?;
        if digits != DIGITS {
            return Err(D::Error::custom(format!("a histogram of {digits} digits, expected {DIGITS}")));
        }
        if values.len() != counts.len() {
            return Err(D::Error::custom(format!("{} values with {} counts", values.len(), counts.len())));
        }
        if counts.contains(&0) {
            return Err(D::Error::custom("a bucket that holds nothing"));
        }
        let mut histogram = Self::new();
        let (mut value, mut total) = (0_u64, 0_u64);
        for (gap, count) in values.into_iter().zip(counts) {
            let sums = value.checked_add(gap).zip(total.checked_add(count));
            (value, total) = sums.ok_or_else(|| D::Error::custom("a histogram whose values or counts overflow"))?;
            histogram.record_many(value, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(values: &[u64]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::new();
        for &value in values {
            histogram.record_ns(value);
        }
        histogram
    }

    fn again(histogram: &LatencyHistogram) -> LatencyHistogram {
        let json = serde_json::to_string(histogram).expect("a histogram can be written");
        serde_json::from_str(&json).expect("what was written can be read")
    }

    #[test]
    fn nothing_counted_has_no_figures() {
        let empty = LatencyHistogram::new();
        assert!(empty.is_empty() && empty.count() == 0 && empty.percentiles().is_empty());
        assert_eq!((empty.mean_ns(), empty.max_ns(), empty.quantile_ns(0.5)), (None, None, None));
        assert_eq!(again(&empty), empty);
    }

    #[test]
    fn the_standard_percentiles_of_a_thousand_latencies() {
        let thousand = histogram(&(1..=1000).collect::<Vec<_>>());
        let shown: Vec<String> = thousand.percentiles().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["p50 500 ns", "p90 900 ns", "p95 950 ns", "p99 990 ns", "p99.9 999 ns", "max 1.00 µs"]);
        assert_eq!(thousand.mean_ns(), Some(500.5));
    }

    #[test]
    fn the_longest_latency_imaginable_is_not_clipped() {
        let stalled = histogram(&[1_000, u64::MAX]);
        assert_eq!(stalled.max_ns(), Some(u64::MAX));
        assert_eq!(again(&stalled), stalled);
    }

    #[test]
    fn durations_are_shown_with_three_digits() {
        let check = |ns, expected: &str| assert_eq!(duration_text(ns), expected);
        check(0, "0 ns");
        check(999, "999 ns");
        check(1_420, "1.42 µs");
        check(14_200_000, "14.2 ms");
        check(142_000_000, "142 ms");
        check(61_000_000_000, "61.0 s");
        check(9_996, "10.0 µs");
    }

    #[test]
    fn a_histogram_explains_itself_in_json() {
        let json = serde_json::to_string(&histogram(&[10, 10, 12, 5_000])).expect("a histogram can be written");
        assert_eq!(json, r#"{"unit":"ns","digits":3,"values":[10,2,4988],"counts":[2,1,1]}"#);
    }

    #[test]
    fn damaged_json_is_refused() {
        let check = |json: &str| assert!(serde_json::from_str::<LatencyHistogram>(json).is_err(), "{json}");
        check(r#"{"unit":"us","digits":3,"values":[],"counts":[]}"#);
        check(r#"{"unit":"ns","digits":2,"values":[],"counts":[]}"#);
        check(r#"{"unit":"ns","digits":3,"values":[1],"counts":[]}"#);
        check(r#"{"unit":"ns","digits":3,"values":[1],"counts":[0]}"#);
        check(r#"{"unit":"ns","digits":3,"values":[1,18446744073709551615],"counts":[1,1]}"#);
        check(r#"{"unit":"ns","digits":3,"values":[1,1],"counts":[1,18446744073709551615]}"#);
    }

    proptest! {
        // Histograms that reach to the end of `u64` are slow to walk through in an unoptimised build.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_record_gives_the_same_histogram_and_merges_like_it(left: Vec<u64>, right: Vec<u64>) {
            let (left, right) = (histogram(&left), histogram(&right));
            prop_assert_eq!(&again(&left), &left);
            let mut merged = left.clone();
            merged.merge(&right);
            let mut merged_again = again(&left);
            merged_again.merge(&again(&right));
            prop_assert_eq!(merged.count(), left.count() + right.count());
            prop_assert_eq!(merged.percentiles(), merged_again.percentiles());
            prop_assert_eq!(merged, merged_again);
        }

        #[test]
        fn a_quantile_is_right_to_one_part_in_a_thousand(
            mut values in proptest::collection::vec(0..10_000_000_000_u64, 1..200),
            quantile in 0.001..=1.0,
        ) {
            let found = histogram(&values).quantile_ns(quantile).expect("something was counted");
            values.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank of at most 200")]
            let rank = (quantile * values.len() as f64).ceil() as usize;
            let exact = values[rank.max(1) - 1];
            prop_assert!(found >= exact && found - exact <= exact / 1000 + 1, "{found} for {exact}");
        }
    }
}
