//! Scales: from values to pixels, with round ticks.

/// A linear or logarithmic axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// The pixels of `low` and of `high`.
    pixels: (f64, f64),
    /// Whether equal factors, not equal differences, are equally far apart.
    pub(super) is_logarithmic: bool,
}

/// From this ratio of the largest to the smallest value on, an axis is logarithmic.
const LOGARITHMIC_FROM: f64 = 20.0;

impl Axis {
    /// An axis for `values` (above zero): logarithmic if they span more than a factor of 20, else from zero.
    pub(super) fn spanning(values: impl Iterator<Item = f64>, pixels: (f64, f64)) -> Option<Self> {
        let (least, most) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if most == 0.0 {
            None
        } else if most / least > LOGARITHMIC_FROM {
            Some(Self::logarithmic(least, most, pixels))
        } else {
            Some(Self::linear(most, pixels))
        }
    }

    /// From zero to a little above `most`.
    pub(super) fn linear(most: f64, pixels: (f64, f64)) -> Self {
        let step = step(most);
        Self { low: 0.0, high: (most / step).ceil().max(1.0) * step, pixels, is_logarithmic: false }
    }

    /// From exactly `low` to exactly `high`.
    pub(super) const fn between(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        Self { low, high, pixels, is_logarithmic: false }
    }

    /// Between steps of 1, 2 and 5 that hold `least` and `most`.
    pub(super) fn logarithmic(least: f64, most: f64, pixels: (f64, f64)) -> Self {
        let below = 10_f64.powf(least.log10().floor());
        let low = [5.0, 2.0, 1.0].map(|digit| digit * below).into_iter().find(|low| *low <= least).unwrap_or(below);
        let under = 10_f64.powf(most.log10().floor());
        let high =
            [1.0, 2.0, 5.0, 10.0].map(|digit| digit * under).into_iter().find(|high| *high >= most).unwrap_or(most);
        let high = if high > low { high } else { low * 10.0 };
        Self { low, high, pixels, is_logarithmic: true }
    }

    /// The pixel of a value; values outside lie on the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.is_logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.pixels.0 + share.clamp(0.0, 1.0) * (self.pixels.1 - self.pixels.0)
    }

    /// Round values to mark.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if !self.is_logarithmic {
            let step = step(self.high);
            return (0..=20)
                .map(|number| f64::from(number) * step)
                .take_while(|tick| *tick <= self.high * 1.0001)
                .collect();
        }
        let decades = (self.high / self.low).log10();
        let digits: &[f64] = if decades <= 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let first = self.low.log10().floor();
        (0..20)
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powf(first + f64::from(decade))))
            .filter(|tick| *tick >= self.low * 0.9999 && *tick <= self.high * 1.0001)
            .collect()
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides `most` into four to ten parts.
fn step(most: f64) -> f64 {
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= rough * 0.9999).unwrap_or(10.0);
    digit * power
}

/// Moves labels apart: positions at least `gap` from each other and within `room`, near where they were wanted.
///
/// The order of the labels stays. With more labels than room they are spread evenly.
pub(super) fn spread(wanted: &[f64], gap: f64, room: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let needed = gap * wanted.len().saturating_sub(1) as f64;
    let gap = if needed > room.1 - room.0 { (room.1 - room.0) / (wanted.len() as f64 - 1.0) } else { gap };
    // Groups of labels that touch share one shift: each is centred on the mean of what its labels wanted.
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for label in order {
        groups.push((centre(wanted, &[label], gap, room), vec![label]));
        while let [.., before, last] = groups.as_slice() {
            let reach = |group: &(f64, Vec<usize>)| gap * (group.1.len() as f64 - 1.0) / 2.0;
            if last.0 - reach(last) - (before.0 + reach(before)) >= gap - 1e-9 {
                break;
            }
            let joined: Vec<usize> = [before.1.as_slice(), last.1.as_slice()].concat();
            groups.truncate(groups.len() - 2);
            groups.push((centre(wanted, &joined, gap, room), joined));
        }
    }
    let mut placed = vec![0.0; wanted.len()];
    for (centre, labels) in groups {
        let first = centre - gap * (labels.len() as f64 - 1.0) / 2.0;
        for (number, label) in labels.into_iter().enumerate() {
            placed[label] = first + gap * number as f64;
        }
    }
    placed
}

fn centre(wanted: &[f64], labels: &[usize], gap: f64, room: (f64, f64)) -> f64 {
    let reach = gap * (labels.len() as f64 - 1.0) / 2.0;
    let mean = labels.iter().map(|label| wanted[*label]).sum::<f64>() / labels.len() as f64;
    mean.max(room.0 + reach).min(room.1 - reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_logarithmic_only_when_values_span_more_than_twenty() {
        let axis = |values: &[f64]| Axis::spanning(values.iter().copied(), (0.0, 100.0)).expect("values");
        assert!(axis(&[241.0, 114_016.0]).is_logarithmic);
        assert!(!axis(&[600.0, 5_500.0]).is_logarithmic);
        assert!(Axis::spanning([0.0, f64::NAN].into_iter(), (0.0, 1.0)).is_none());
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Axis::linear(5_526.0, (0.0, 1.0)).ticks(), [0.0, 2_000.0, 4_000.0, 6_000.0]);
        assert_eq!(Axis::logarithmic(241.0, 114_016.0, (0.0, 1.0)).ticks(), [1e3, 1e4, 1e5]);
        assert_eq!(Axis::logarithmic(3.0, 70.0, (0.0, 1.0)).ticks(), [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn labels_that_would_touch_are_moved_apart_and_stay_in_order() {
        assert_eq!(spread(&[10.0, 50.0], 16.0, (0.0, 100.0)), [10.0, 50.0]);
        assert_eq!(spread(&[50.0, 50.0, 50.0], 16.0, (0.0, 100.0)), [34.0, 50.0, 66.0]);
        assert_eq!(spread(&[99.0, 98.0], 16.0, (0.0, 100.0)), [100.0, 84.0]);
        assert_eq!(spread(&[0.0, 0.0, 0.0], 80.0, (0.0, 100.0)), [0.0, 50.0, 100.0]);
    }
}
