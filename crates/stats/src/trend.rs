//! Whether a value that is read again and again rises or falls: a straight line through it, and how well its slope is
//! known.
//!
//! Readings of one process resemble the ones before them, so the line is laid through the means of a few sections of the
//! time, which do much less; the interval is Student's with the sections less two as degrees of freedom (ordinary least
//! squares, as in Draper & Smith, *Applied Regression Analysis*, 1.4).

use serde::{Deserialize, Serialize};

use crate::interval::Interval;
use crate::pairs::CONFIDENCE;
use crate::student::t_quantile;

/// Into how many sections of equal length the time is divided.
pub const SECTIONS: u32 = 12;

/// A straight line through readings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// The mean of the sections.
    pub mean: f64,
    /// How much the value rises a unit of time.
    pub slope: f64,
    /// The interval of the slope, at [`CONFIDENCE`].
    pub interval: Interval,
}

/// The trend of readings `(time, value)`; `None` if one of the [`SECTIONS`] has none.
#[must_use]
pub fn trend(readings: &[(f64, f64)]) -> Option<Trend> {
    let first = readings.iter().map(|(time, _)| *time).reduce(f64::min)?;
    let last = readings.iter().map(|(time, _)| *time).reduce(f64::max)?;
    let length = (last - first) / f64::from(SECTIONS);
    if length <= 0.0 {
        return None;
    }
    let points: Vec<(f64, f64)> = (0..SECTIONS)
        .map(|section| {
            let from = first + f64::from(section) * length;
            let until = if section + 1 == SECTIONS { f64::INFINITY } else { from + length };
            let values = readings.iter().filter(|(time, _)| (from..until).contains(time)).map(|(_, value)| *value);
            mean(values).map(|mean| (from + length / 2.0, mean))
        })
        .collect::<Option<_>>()?;
    let (middle, level) = (mean(points.iter().map(|(x, _)| *x))?, mean(points.iter().map(|(_, y)| *y))?);
    let spread: f64 = points.iter().map(|(x, _)| (x - middle).powi(2)).sum();
    let slope = points.iter().map(|(x, y)| (x - middle) * (y - level)).sum::<f64>() / spread;
    let left: f64 = points.iter().map(|(x, y)| (y - level - slope * (x - middle)).powi(2)).sum();
    let freedom = SECTIONS - 2;
    let half = t_quantile(f64::midpoint(1.0, CONFIDENCE), freedom) * (left / f64::from(freedom) / spread).sqrt();
    Some(Trend { mean: level, slope, interval: Interval { low: slope - half, high: slope + half } })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::standard_normal;
    use rand::SeedableRng as _;

    #[test]
    fn a_line_without_noise_is_found_exactly() {
        let readings: Vec<(f64, f64)> =
            (0..=240).map(|second| (f64::from(second), 5.0 + 0.25 * f64::from(second))).collect();
        let found = trend(&readings).expect("readings in every section");
        assert!((found.slope - 0.25).abs() < 1e-3, "{found:?}");
        assert!(found.interval.high - found.interval.low < 1e-2, "{found:?}");
    }

    #[test]
    fn readings_that_leave_a_section_empty_have_no_trend() {
        assert_eq!(trend(&[]), None);
        assert_eq!(trend(&[(0.0, 1.0); 50]), None, "all at once");
        assert_eq!(trend(&[(0.0, 1.0), (100.0, 1.0)]), None);
    }

    #[test]
    fn a_flat_value_is_rarely_taken_for_a_rising_one() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let rounds = 400;
        let missed = (0..rounds)
            .filter(|_| {
                let readings: Vec<(f64, f64)> =
                    (0..600).map(|second| (f64::from(second), 100.0 + standard_normal(&mut random))).collect();
                !trend(&readings).expect("full").interval.contains(0.0)
            })
            .count();
        // Nominal 5 %: 20 of 400; more than 36 would be a chance of 1 in 5,000.
        assert!(missed <= 36, "{missed} of {rounds}");
    }
}
