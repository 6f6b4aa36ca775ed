//! Throughput of each arm: the median, its interval, and every window that it comes from.

use pgstrata_units::Language;

use super::axis::Axis;
use super::svg::{Anchor, SERIES, Svg, bold_width, text_width};
use super::{BELOW_HEADING, WIDTH, heading, marked_name, name_width};
use crate::report::labels::{self, fill};
use crate::report::number;
use crate::report::summary::{ArmSummary, Summary};

/// The height of one arm's row, pixels.
const ROW: f64 = 36.0;
/// Between the columns, pixels.
const GAP: f64 = 14.0;
/// Broken invariants that are named; the others are counted, so that the plot keeps its room.
const NAMED_MOST: usize = 6;

pub(super) fn draw(summary: &Summary<'_>, language: Language, id: &str) -> Option<(Svg, f64)> {
    if summary.arms.iter().all(|arm| arm.throughput.is_none() && !arm.is_violated()) {
        return None;
    }
    let columns = Columns::of(summary, language);
    let values = summary.arms.iter().filter_map(|arm| arm.throughput.as_ref());
    let every = values.flat_map(|throughput| throughput.windows.iter().copied());
    let axis = Axis::spanning(every, columns.plot).unwrap_or(Axis::between(0.0, 1.0, columns.plot));
    let title = labels::PLOT_THROUGHPUT.get(language);
    let mut svg = Svg::new(id, WIDTH, title, &description(summary, language));
    heading(&mut svg, title, &note(summary, &axis, language));

    let bottom = BELOW_HEADING + ROW * summary.arms.len() as f64;
    for tick in axis.ticks() {
        let x = axis.at(tick);
        svg.line("grid", (x, BELOW_HEADING), (x, bottom));
        svg.text("muted", Anchor::Middle, (x, bottom + 18.0), &number::significant(tick));
    }
    svg.line("axis", (columns.plot.0, bottom), (columns.plot.1, bottom));
    for (series, arm) in summary.arms.iter().enumerate() {
        let middle = BELOW_HEADING + ROW * (series as f64 + 0.5);
        row(&mut svg, series, arm, &axis, &columns, middle, (summary, language));
    }
    Some((svg, bottom + 28.0))
}

/// Where the parts of a row lie.
struct Columns {
    plot: (f64, f64),
    /// The left edge of the texts right of the plot.
    text_start: f64,
    /// The right edge of the numbers.
    number_end: f64,
    /// The left edge of the ratios.
    ratio_start: f64,
}

impl Columns {
    fn of(summary: &Summary<'_>, language: Language) -> Self {
        let arms = || summary.arms.iter();
        let names = arms().map(name_width).fold(0.0, f64::max);
        let numbers = arms().filter_map(number_text).map(|text| bold_width(&text, 13.0)).fold(0.0, f64::max);
        let ratios = arms().map(|arm| text_width(&ratio_text(arm, summary, language), 13.0)).fold(0.0, f64::max);
        let without = arms().filter(|arm| arm.throughput.is_none());
        let reasons = without.map(|arm| bold_width(&reason(arm, language), 13.0)).fold(0.0, f64::max);
        let text_start = WIDTH - (numbers + GAP + ratios).max(reasons);
        let number_end = text_start + numbers;
        Self { plot: (names + GAP, text_start - 2.0 * GAP), text_start, number_end, ratio_start: number_end + GAP }
    }
}

fn number_text(arm: &ArmSummary<'_>) -> Option<String> {
    arm.throughput.as_ref().map(|throughput| format!("{}/s", number::significant(throughput.median)))
}

/// Why an arm has no figure.
fn reason(arm: &ArmSummary<'_>, language: Language) -> String {
    if arm.is_violated() {
        let mut ids: Vec<String> = arm.broken.iter().map(|broken| broken.invariant.to_owned()).collect();
        if ids.len() > NAMED_MOST {
            let more = ids.split_off(NAMED_MOST).len();
            ids.push(format!("+{more}"));
        }
        fill(labels::NO_FIGURE, language, &[("ids", &ids.join(", "))])
    } else {
        labels::NOT_MEASURED.get(language).to_owned()
    }
}

fn ratio_text(arm: &ArmSummary<'_>, summary: &Summary<'_>, language: Language) -> String {
    match &arm.ratio {
        Some(ratio) => number::ratio_with_interval(ratio.ratio, ratio.low, ratio.high),
        None if summary.baseline == Some(arm.name) => labels::BASELINE.get(language).to_owned(),
        None => String::new(),
    }
}

fn row(
    svg: &mut Svg,
    series: usize,
    arm: &ArmSummary<'_>,
    axis: &Axis,
    columns: &Columns,
    middle: f64,
    (summary, language): (&Summary<'_>, Language),
) {
    let baseline = middle + 4.5;
    let name_class = if arm.is_violated() { "bad" } else { "" };
    svg.text(name_class, Anchor::Start, (0.0, baseline), &marked_name(arm));
    let (left, right) = columns.plot;
    let Some(throughput) = &arm.throughput else {
        svg.rect("ground", Some("hatch"), (left, middle - 11.0), (right - left, 22.0));
        // Beside the hatch, never on it: text must stay readable.
        let class = if arm.is_violated() { "bad" } else { "muted" };
        svg.text(class, Anchor::Start, (columns.text_start, baseline), &reason(arm, language));
        return;
    };
    let colour = series % SERIES;
    for window in &throughput.windows {
        svg.mark(series, "window", (axis.at(*window), middle + 9.5), 2.4);
    }
    let interval = throughput.interval;
    svg.line(&format!("interval k{colour}"), (axis.at(interval.low), middle), (axis.at(interval.high), middle));
    svg.mark(series, "mark", (axis.at(throughput.median), middle), 5.5);
    svg.text("value", Anchor::End, (columns.number_end, baseline), &number_text(arm).unwrap_or_default());
    svg.text("muted", Anchor::Start, (columns.ratio_start, baseline), &ratio_text(arm, summary, language));
}

fn note(summary: &Summary<'_>, axis: &Axis, language: Language) -> String {
    let mut measured = summary.arms.iter().filter_map(|arm| arm.throughput.as_ref());
    let sentence = if measured.all(|throughput| throughput.interval.is_95_percent) {
        labels::PLOT_THROUGHPUT_NOTE
    } else {
        labels::PLOT_THROUGHPUT_NOTE_RANGE
    };
    let mut note = sentence.get(language).to_owned();
    if axis.is_logarithmic {
        note.push_str(" · ");
        note.push_str(labels::LOG_AXIS.get(language));
    }
    note
}

fn description(summary: &Summary<'_>, language: Language) -> String {
    let arms: Vec<String> = summary
        .arms
        .iter()
        .map(|arm| match number_text(arm) {
            Some(number) => format!("{} {number} {}", arm.name, ratio_text(arm, summary, language)),
            None => format!("{} {}", arm.name, reason(arm, language)),
        })
        .collect();
    arms.join("; ")
}
