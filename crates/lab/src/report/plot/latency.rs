//! Latency by percentile: the far tail gets as much room as the median (x is the logarithm of 1/(1 − p)).

use pgstrata_units::Language;

use super::axis::{Axis, spread};
use super::svg::{Anchor, SERIES, Svg, bold_width, line_class, text_width};
use super::{BELOW_HEADING, WIDTH, heading, marked_name};
use crate::report::labels;
use crate::report::number;
use crate::report::summary::{ArmSummary, Summary};

/// The height of the drawing area, pixels.
const HEIGHT: f64 = 340.0;
/// Left of the drawing area, for the ticks, pixels.
const LEFT: f64 = 64.0;
/// Points of a line for each power of ten of 1/(1 − p).
const POINTS_A_DECADE: u32 = 20;
/// The last percentile that is ever shown has this many nines: no record has 10⁹ samples.
const NINES: u32 = 8;
/// Where lines begin: p10. Below lie only the luckiest operations, and they would stretch the axis.
const FIRST: f64 = 0.045_757_490_560_675_1;
/// Between labels, pixels.
const LABEL_GAP: f64 = 17.0;

/// The line of one arm.
struct Line<'a> {
    series: usize,
    arm: &'a ArmSummary<'a>,
    label: String,
    /// (powers of ten of 1/(1 − p), microseconds).
    points: Vec<(f64, f64)>,
}

pub(super) fn draw(summary: &Summary<'_>, language: Language, id: &str) -> Option<(Svg, f64)> {
    let lines: Vec<Line<'_>> = summary.arms.iter().enumerate().filter_map(|(series, arm)| line(series, arm)).collect();
    let width = |line: &Line<'_>| {
        let of_text = if line.arm.is_violated() { bold_width } else { text_width };
        of_text(&line.label, 13.0)
    };
    let widest = lines.iter().map(width).fold(0.0, f64::max);
    let right = WIDTH - widest - 40.0;
    let (top, bottom) = (BELOW_HEADING + 8.0, BELOW_HEADING + HEIGHT);
    let y = Axis::spanning(lines.iter().flat_map(|line| line.points.iter().map(|point| point.1)), (bottom, top))?;
    let reach = lines.iter().filter_map(|line| line.points.last()).map(|point| point.0).fold(1.0, f64::max);
    let x = Axis::between(FIRST, reach, (LEFT, right));

    let title = labels::PLOT_LATENCY.get(language);
    let mut svg = Svg::new(id, WIDTH, title, &description(&lines));
    let mut note = labels::PLOT_LATENCY_NOTE.get(language).to_owned();
    if y.is_logarithmic {
        note = format!("{note} · {}", labels::LOG_AXIS.get(language));
    }
    heading(&mut svg, title, &note);
    grid(&mut svg, &x, &y, reach, right);
    let wanted: Vec<f64> = lines.iter().map(|line| line.points.last().map_or(bottom, |point| y.at(point.1))).collect();
    let placed = spread(&wanted, LABEL_GAP, (top, bottom));
    for (line, label_y) in lines.iter().zip(placed) {
        draw_line(&mut svg, line, (&x, &y), (right + 24.0, label_y));
    }
    Some((svg, bottom + 28.0))
}

fn line<'a>(series: usize, arm: &'a ArmSummary<'a>) -> Option<Line<'a>> {
    let points: Vec<(f64, f64)> = (0..=NINES * POINTS_A_DECADE)
        .map(|step| FIRST + f64::from(step) / f64::from(POINTS_A_DECADE))
        .map_while(|powers| Some((powers, arm.latency_us(1.0 - 10_f64.powf(-powers))?)))
        .collect();
    let label = match arm.latency_us_p99 {
        Some(p99) => format!("{}  p99 {}", marked_name(arm), number::duration_us(p99)),
        None => marked_name(arm),
    };
    (points.len() > 1).then_some(Line { series, arm, label, points })
}

fn grid(svg: &mut Svg, x: &Axis, y: &Axis, reach: f64, right: f64) {
    let (top, bottom) = (BELOW_HEADING, BELOW_HEADING + HEIGHT);
    for tick in y.ticks() {
        svg.line("grid", (LEFT, y.at(tick)), (right, y.at(tick)));
        svg.text("muted", Anchor::End, (LEFT - 8.0, y.at(tick) + 4.0), &round_duration(tick));
    }
    for (powers, label) in percentiles().into_iter().filter(|(powers, _)| *powers <= reach + 1e-9) {
        svg.line("grid", (x.at(powers), top), (x.at(powers), bottom));
        svg.text("muted", Anchor::Middle, (x.at(powers), bottom + 18.0), &label);
    }
    svg.line("axis", (LEFT, bottom), (right, bottom));
}

/// A tick of 1, 2 or 5 times a power of ten, without needless decimals: `20 ms`.
fn round_duration(us: f64) -> String {
    if us == 0.0 {
        return "0".to_owned();
    }
    let (value, unit) = match us {
        us if us >= 999_999.0 => (us / 1e6, "s"),
        us if us >= 999.999 => (us / 1e3, "ms"),
        us => (us, "µs"),
    };
    format!("{}{}{unit}", (value * 1e6).round() / 1e6, number::UNIT_SPACE)
}

/// The percentiles that are marked: (powers of ten of 1/(1 − p), label).
fn percentiles() -> Vec<(f64, String)> {
    let mut marks = vec![
        (FIRST, "p10".to_owned()),
        (2_f64.log10(), "p50".to_owned()),
        (1.0, "p90".to_owned()),
        (2.0, "p99".to_owned()),
    ];
    marks.extend((3..=NINES).map(|nines| (f64::from(nines), format!("p99.{}", "9".repeat(nines as usize - 2)))));
    marks
}

fn draw_line(svg: &mut Svg, line: &Line<'_>, (x, y): (&Axis, &Axis), label: (f64, f64)) {
    let points: Vec<(f64, f64)> = line.points.iter().map(|(powers, us)| (x.at(*powers), y.at(*us))).collect();
    let mut class = line_class(line.series);
    if line.arm.is_violated() {
        class.push_str(" d2");
    }
    svg.polyline(&class, &points);
    let last = line.points.last().map_or(0.0, |point| point.0);
    for (powers, _) in percentiles().into_iter().skip(1).filter(|(powers, _)| *powers <= last) {
        if let Some(us) = line.arm.latency_us(1.0 - 10_f64.powf(-powers)) {
            svg.mark(line.series, "mark", (x.at(powers), y.at(us)), 4.0);
        }
    }
    if let Some(end) = points.last() {
        svg.polyline("leader", &[(end.0 + 4.0, end.1), (label.0 - 16.0, label.1), (label.0 - 10.0, label.1)]);
    }
    svg.mark(line.series % SERIES, "mark", (label.0 - 4.0, label.1), 4.5);
    let class = if line.arm.is_violated() { "bad" } else { "" };
    svg.text(class, Anchor::Start, (label.0 + 6.0, label.1 + 4.5), &line.label);
}

fn description(lines: &[Line<'_>]) -> String {
    let arms: Vec<String> = lines
        .iter()
        .map(|line| {
            let of = |name: &str, us: Option<f64>| us.map(|us| format!(" {name} {}", number::duration_us(us)));
            let percentiles = [
                of("p50", line.arm.latency_us_p50),
                of("p99", line.arm.latency_us_p99),
                of("p99.9", line.arm.latency_us(0.999)),
            ];
            format!("{}{}", line.arm.name, percentiles.into_iter().flatten().collect::<String>())
        })
        .collect();
    arms.join("; ")
}
