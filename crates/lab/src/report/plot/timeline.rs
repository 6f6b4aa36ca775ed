//! Operations over time, one panel for each arm that met a fault, with the faults marked.

use pgstrata_units::Language;

use super::axis::Axis;
use super::svg::{Anchor, Svg, text_width};
use super::{BELOW_HEADING, WIDTH, heading, marked_name};
use crate::record::{FaultRecord, TIMELINE_SLICE_MS, TrialRecord};
use crate::report::labels::{self, fill};
use crate::report::number;
use crate::report::summary::{ArmSummary, Faults, Summary};

/// Steps of a panel at most; longer trials put several slices into one.
const STEPS: usize = 240;
/// Panels at most; a record has more only if someone runs very many arms.
const PANELS: usize = 12;
/// The parts of a panel, pixels: the arm's name, the marks of the faults, the plot, the room below.
const NAME: f64 = 18.0;
const MARKS: f64 = 12.0;
const PLOT: f64 = 60.0;
const BELOW: f64 = 16.0;
/// Faults of a panel that get a line; more lines would hide what they mark, and the shades show the moments too.
const LINES: usize = 30;
/// A row of the legend, pixels.
const LEGEND_ROW: f64 = 20.0;
/// Where plots begin and end, pixels; the ticks lie left of it.
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 12.0;
/// The shape of the first kind of fault: a triangle that points at the moment.
const FIRST_SHAPE: usize = 4;
/// How far a fault whose recovery was instant is still visible, pixels.
const LEAST_WIDTH: f64 = 1.5;

/// One arm's trial.
struct Panel<'a> {
    arm: &'a ArmSummary<'a>,
    trial: &'a TrialRecord,
}

pub(super) fn draw(summary: &Summary<'_>, language: Language, id: &str) -> Option<(Svg, f64)> {
    let all: Vec<Panel<'_>> = summary.arms.iter().filter_map(panel).collect();
    let panels = &all[..all.len().min(PANELS)];
    let slices = panels.iter().map(|panel| panel.trial.timeline.len()).max()?;
    let seconds = slices as f64 * TIMELINE_SLICE_MS as f64 / 1e3;
    let x = Axis::between(0.0, seconds, (LEFT, RIGHT));

    let title = labels::PLOT_TIMELINE.get(language);
    let mut svg = Svg::new(id, WIDTH, title, &description(panels, language));
    heading(&mut svg, title, labels::PLOT_TIMELINE_NOTE.get(language));
    let kinds = kinds(panels);
    let mut top = legend(&mut svg, &kinds, language);
    for panel in panels {
        draw_panel(&mut svg, panel, &kinds, &x, top, language);
        top += NAME + MARKS + PLOT + BELOW;
    }
    for tick in x.ticks() {
        svg.text("muted", Anchor::Middle, (x.at(tick), top - 4.0), &number::count(rounded(tick)));
    }
    svg.text("muted", Anchor::Start, (LEFT, top + 14.0), labels::SECONDS.get(language));
    if all.len() > panels.len() {
        let more = fill(labels::MORE_ARMS, language, &[("count", &(all.len() - panels.len()).to_string())]);
        svg.text("muted", Anchor::End, (WIDTH, top + 14.0), &more);
    }
    Some((svg, top + 24.0))
}

/// The trial of an arm that met the most faults.
fn panel<'a>(arm: &'a ArmSummary<'a>) -> Option<Panel<'a>> {
    let trials = arm.record.trials.iter().filter(|trial| !trial.faults.is_empty() && trial.timeline.len() > 1);
    trials.max_by_key(|trial| trial.faults.len()).map(|trial| Panel { arm, trial })
}

/// The kinds of faults in the panels, in order.
fn kinds<'a>(panels: &[Panel<'a>]) -> Vec<&'a str> {
    let mut kinds: Vec<&str> =
        panels.iter().flat_map(|panel| &panel.trial.faults).map(|fault| fault.fault.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// What areas and marks mean; gives the bottom of the last row.
fn legend(svg: &mut Svg, kinds: &[&str], language: Language) -> f64 {
    let areas = [
        ("area k2", None, labels::ACCEPTED),
        ("ground", Some("hatch-rejected"), labels::REJECTED),
        ("ground", Some("hatch-bad"), labels::FAILED_OR_UNKNOWN),
    ];
    let mut at = (0.0, BELOW_HEADING + 4.0);
    let mut next = |width: f64| {
        if at.0 + width > WIDTH {
            at = (0.0, at.1 + LEGEND_ROW);
        }
        let place = at;
        at.0 += width + 20.0;
        place
    };
    let mut bottom = 0.0;
    for (class, hatch, label) in areas {
        let label = label.get(language);
        let (x, y) = next(28.0 + text_width(label, 12.0));
        svg.rect(class, hatch, (x, y - 8.0), (22.0, 12.0));
        svg.text("muted", Anchor::Start, (x + 28.0, y + 2.5), label);
        bottom = y;
    }
    for (number, kind) in kinds.iter().enumerate() {
        let (x, y) = next(14.0 + text_width(kind, 12.0));
        svg.shape(FIRST_SHAPE + number, "fault-mark", (x + 5.0, y - 2.0), 4.5);
        svg.text("muted", Anchor::Start, (x + 14.0, y + 2.5), kind);
        bottom = y;
    }
    bottom + LEGEND_ROW
}

fn draw_panel(svg: &mut Svg, panel: &Panel<'_>, kinds: &[&str], x: &Axis, top: f64, language: Language) {
    let class = if panel.arm.is_violated() { "bad" } else { "value" };
    svg.text(class, Anchor::Start, (0.0, top + 12.0), &marked_name(panel.arm));
    svg.text("muted", Anchor::End, (WIDTH, top + 12.0), &faults_text(&panel.arm.faults, language));
    let plot = (top + NAME + MARKS, top + NAME + MARKS + PLOT);
    let steps = steps(&panel.trial.timeline);
    let most = steps.rates.iter().map(|rate| rate.iter().sum()).fold(0.0, f64::max);
    let y = Axis::linear(if most > 0.0 { most } else { 1.0 }, (plot.1, plot.0));
    for tick in [0.0, y.ticks().last().copied().unwrap_or(1.0)] {
        svg.line("grid", (LEFT, y.at(tick)), (RIGHT, y.at(tick)));
        svg.text("muted", Anchor::End, (LEFT - 8.0, y.at(tick) + 4.0), &number::significant(tick));
    }
    for fault in &panel.trial.faults {
        let from = x.at(fault.at_ms / 1e3);
        let until = fault.healed_ms.map_or(RIGHT, |healed| x.at(healed / 1e3));
        svg.rect("away", None, (from, plot.0), ((until - from).max(LEAST_WIDTH), PLOT));
    }
    for (layer, (class, hatch)) in
        [("area k2", None), ("ground", Some("hatch-rejected")), ("ground", Some("hatch-bad"))].into_iter().enumerate()
    {
        let below = |rate: &[f64; 3]| rate[..layer].iter().sum::<f64>();
        let above = |rate: &[f64; 3]| rate[..=layer].iter().sum::<f64>();
        if steps.rates.iter().any(|rate| rate[layer] > 0.0) {
            svg.area(class, hatch, &outline(&steps, x, &y, above, below));
        }
    }
    svg.line("axis", (LEFT, plot.1), (RIGHT, plot.1));
    draw_faults(svg, &panel.trial.faults, kinds, x, plot);
}

/// A timeline in at most [`STEPS`] steps.
struct Steps {
    /// How long a step is, seconds.
    seconds: f64,
    /// Operations per second: accepted, rejected, failed or unknown.
    rates: Vec<[f64; 3]>,
}

fn steps(timeline: &[(u32, u32, u32)]) -> Steps {
    let slices = timeline.len().div_ceil(STEPS).max(1);
    let slice_seconds = TIMELINE_SLICE_MS as f64 / 1e3;
    let rates = timeline.chunks(slices).map(|chunk| {
        let seconds = chunk.len() as f64 * slice_seconds;
        let sum = |part: fn(&(u32, u32, u32)) -> u32| chunk.iter().map(|slice| f64::from(part(slice))).sum::<f64>();
        [sum(|slice| slice.0), sum(|slice| slice.1), sum(|slice| slice.2)].map(|operations| operations / seconds)
    });
    Steps { seconds: slices as f64 * slice_seconds, rates: rates.collect() }
}

/// The outline of one layer: along its upper edge and back along the lower one.
fn outline(
    steps: &Steps,
    x: &Axis,
    y: &Axis,
    above: impl Fn(&[f64; 3]) -> f64,
    below: impl Fn(&[f64; 3]) -> f64,
) -> Vec<(f64, f64)> {
    let edge = |height: &dyn Fn(&[f64; 3]) -> f64| {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (number, rate) in steps.rates.iter().enumerate() {
            let (from, level) = (x.at(number as f64 * steps.seconds), y.at(height(rate)));
            // A level that goes on needs no corner.
            if let Some(last) = points.last_mut().filter(|last| (last.1 - level).abs() < 0.05) {
                last.0 = x.at((number + 1) as f64 * steps.seconds);
                continue;
            }
            points.extend([(from, level), (x.at((number + 1) as f64 * steps.seconds), level)]);
        }
        points
    };
    let mut points = edge(&above);
    points.extend(edge(&below).into_iter().rev());
    points
}

/// Every fault gets the mark of its kind.
fn draw_faults(svg: &mut Svg, faults: &[FaultRecord], kinds: &[&str], x: &Axis, plot: (f64, f64)) {
    for fault in faults {
        let at = x.at(fault.at_ms / 1e3);
        if faults.len() <= LINES {
            svg.line("fault", (at, plot.0 - 4.0), (at, plot.1));
        }
        let kind = kinds.iter().position(|kind| *kind == fault.fault).unwrap_or_default();
        svg.shape(FIRST_SHAPE + kind, "fault-mark", (at, plot.0 - 6.0), if faults.len() <= LINES { 4.5 } else { 2.5 });
    }
}

fn faults_text(faults: &[Faults<'_>], language: Language) -> String {
    let kinds: Vec<String> = faults
        .iter()
        .map(|fault| {
            let count = fault.count.to_string();
            let line = fill(labels::FAULT_LINE, language, &[("count", &count), ("fault", fault.fault)]);
            match fault.recovery_us_median {
                Some(us) => {
                    format!("{line}, {}", fill(labels::RECOVERY, language, &[("time", &number::duration_us(us))]))
                }
                None => line,
            }
        })
        .collect();
    kinds.join(" · ")
}

fn description(panels: &[Panel<'_>], language: Language) -> String {
    let arms: Vec<String> = panels
        .iter()
        .map(|panel| format!("{}: {}", panel.arm.name, faults_text(&panel.arm.faults, language)))
        .collect();
    arms.join("; ")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a tick in seconds is small and positive")]
fn rounded(tick: f64) -> u64 {
    tick.round() as u64
}
