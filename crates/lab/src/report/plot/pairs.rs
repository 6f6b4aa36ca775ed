//! The ratio of every pair of windows in the order in which they ran: what the interval of a comparison is made
//! of, and whether the machine drifted meanwhile.

use pgstrata_units::Language;

use super::axis::{Axis, spread};
use super::svg::{Anchor, Svg, line_class, text_width};
use super::{BELOW_HEADING, WIDTH, heading};
use crate::record::PairRecord;
use crate::report::labels::{self, fill};
use crate::report::number;
use crate::report::summary::Summary;

/// The height of the drawing area, pixels.
const HEIGHT: f64 = 300.0;
/// Left of the drawing area, for the ticks, pixels.
const LEFT: f64 = 64.0;
/// Between labels, pixels.
const LABEL_GAP: f64 = 17.0;

/// The ratios of one arm.
struct Series {
    number: usize,
    label: String,
    ratios: Vec<f64>,
    mean: f64,
}

pub(super) fn draw(summary: &Summary<'_>, language: Language, id: &str) -> Option<(Svg, f64)> {
    let all = series(summary, language);
    let longest = all.iter().map(|series| series.ratios.len()).max()?;
    let widest = all.iter().map(|series| text_width(&series.label, 13.0)).fold(0.0, f64::max);
    let right = WIDTH - widest - 40.0;
    let (top, bottom) = (BELOW_HEADING + 8.0, BELOW_HEADING + HEIGHT);
    // One always belongs to the picture.
    let every = all.iter().flat_map(|series| series.ratios.iter().copied()).chain([1.0]);
    let y = Axis::spanning(every, (bottom, top))?;
    let x = |pair: usize| LEFT + 14.0 + (right - LEFT - 28.0) * pair as f64 / (longest.max(2) - 1) as f64;

    let baseline = summary.baseline.unwrap_or_default();
    let title = fill(labels::PLOT_PAIRS, language, &[("baseline", baseline)]);
    let mut svg =
        Svg::new(id, WIDTH, &title, &all.iter().map(|series| series.label.as_str()).collect::<Vec<_>>().join("; "));
    let mut note = fill(labels::PLOT_PAIRS_NOTE, language, &[("baseline", baseline)]);
    if y.is_logarithmic {
        note = format!("{note} · {}", labels::LOG_AXIS.get(language));
    }
    heading(&mut svg, &title, &note);
    for tick in y.ticks() {
        let class = if (tick - 1.0).abs() < 1e-9 { "axis" } else { "grid" };
        svg.line(class, (LEFT, y.at(tick)), (right, y.at(tick)));
        svg.text("muted", Anchor::End, (LEFT - 8.0, y.at(tick) + 4.0), &format!("×{}", (tick * 1e6).round() / 1e6));
    }
    for pair in (0..longest).filter(|pair| longest <= 20 || (pair + 1).is_multiple_of(5)) {
        svg.text("muted", Anchor::Middle, (x(pair), bottom + 18.0), &(pair + 1).to_string());
    }
    let placed = spread(&all.iter().map(|series| y.at(series.mean)).collect::<Vec<_>>(), LABEL_GAP, (top, bottom));
    for (series, label_y) in all.iter().zip(placed) {
        let points: Vec<(f64, f64)> =
            series.ratios.iter().enumerate().map(|(pair, ratio)| (x(pair), y.at(*ratio))).collect();
        svg.polyline(&format!("{} thin", line_class(series.number)), &points);
        for point in &points {
            svg.mark(series.number, "mark", *point, 3.5);
        }
        let label_x = right + 24.0;
        if let Some(end) = points.last() {
            svg.polyline("leader", &[(end.0 + 5.0, end.1), (label_x - 16.0, label_y), (label_x - 10.0, label_y)]);
        }
        svg.mark(series.number, "mark", (label_x - 4.0, label_y), 4.5);
        svg.text("", Anchor::Start, (label_x + 6.0, label_y + 4.5), &series.label);
    }
    svg.text("muted", Anchor::Start, (LEFT, bottom + 36.0), labels::PAIRS_X.get(language));
    Some((svg, bottom + 46.0))
}

/// The arms that have a ratio, and the control.
fn series(summary: &Summary<'_>, language: Language) -> Vec<Series> {
    let mut all = Vec::new();
    for (number, arm) in summary.arms.iter().enumerate() {
        let comparison = summary.record.comparisons.iter().find(|comparison| comparison.arm == arm.name);
        if let (Some(ratio), Some(comparison)) = (&arm.ratio, comparison) {
            let label = format!("{}  {}", arm.name, number::ratio(ratio.ratio));
            all.extend(one(number, label, &comparison.pairs, ratio.ratio));
        } else if let Some(control) = summary.record.control.as_ref().filter(|control| control.arm == arm.name) {
            let ratio = control.control.comparison.ratio;
            let label = format!("{}  {}", labels::CONTROL.get(language), number::ratio(ratio));
            all.extend(one(number, label, &control.pairs, ratio));
        }
    }
    all
}

fn one(number: usize, label: String, pairs: &[PairRecord], mean: f64) -> Option<Series> {
    let ratios: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.throughput.candidate / pair.throughput.baseline)
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .collect();
    (!ratios.is_empty()).then_some(Series { number, label, ratios, mean })
}
