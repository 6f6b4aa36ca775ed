//! Charts of a record as SVG: one function each, from a summary to a document or nothing.
//!
//! A chart that would show nothing is not drawn. Every chart has a title and a description for screen readers,
//! labels beside the marks instead of a legend where that is possible, and marks that differ in shape.

mod axis;
mod latency;
mod pairs;
mod svg;
mod throughput;
mod timeline;

use pgstrata_units::Language;

use super::summary::{ArmSummary, Summary};
use crate::record::Record;

pub use svg::{Frame, STYLE_SHEET};

/// The width of every chart, pixels.
const WIDTH: f64 = 860.0;

/// One of the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// Throughput per arm with intervals.
    Throughput,
    /// Latency by percentile.
    Latency,
    /// Operations over time with the faults marked.
    Timeline,
    /// The ratio of each pair of windows.
    Pairs,
}

impl Chart {
    /// All charts, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Throughput, Self::Latency, Self::Timeline, Self::Pairs];

    /// The chart's name in ids and file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Timeline => "timeline",
            Self::Pairs => "pairs",
        }
    }

    /// The chart as SVG; none if the record holds nothing that it could show.
    #[must_use]
    pub fn draw(self, record: &Record, language: Language, frame: Frame) -> Option<String> {
        self.of_summary(&Summary::new(record), language, frame)
    }

    pub(super) fn of_summary(self, summary: &Summary<'_>, language: Language, frame: Frame) -> Option<String> {
        let id = format!("{}-{}", self.name(), language.code());
        let (svg, height) = match self {
            Self::Throughput => throughput::draw(summary, language, &id)?,
            Self::Latency => latency::draw(summary, language, &id)?,
            Self::Timeline => timeline::draw(summary, language, &id)?,
            Self::Pairs => pairs::draw(summary, language, &id)?,
        };
        Some(svg.finish(height, frame))
    }
}

/// The title and the note of a chart.
fn heading(svg: &mut svg::Svg, title: &str, note: &str) {
    svg.text("title", svg::Anchor::Start, (0.0, 20.0), title);
    svg.text("muted", svg::Anchor::Start, (0.0, 40.0), note);
}

/// Where the first thing below a heading may be drawn.
const BELOW_HEADING: f64 = 56.0;

/// An arm's name with a sign if it broke an invariant.
fn marked_name(arm: &ArmSummary<'_>) -> String {
    if arm.is_violated() { format!("✗ {}", arm.name) } else { arm.name.to_owned() }
}

/// About how wide that is drawn, pixels: what broke an invariant stands in bold.
fn name_width(arm: &ArmSummary<'_>) -> f64 {
    let width = if arm.is_violated() { svg::bold_width } else { svg::text_width };
    width(&marked_name(arm), 13.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_charts_of_the_fixture_look_as_they_did() {
        let record = fixture::load();
        for language in Language::ALL {
            for chart in Chart::ALL {
                let svg = chart.draw(&record, language, Frame::Standalone).expect("the fixture has something to show");
                let name = format!("{}-{language}.svg", chart.name());
                insta::assert_binary_snapshot!(name.as_str(), svg.into_bytes());
            }
        }
    }

    /// How wide `DejaVu Sans Bold`, the widest of the common fonts, draws a text of 13 pixels.
    fn drawn_width(text: &str) -> f64 {
        let advance = |sign: char| match sign {
            'i' | 'l' => 0.343,
            ' ' => 0.348,
            'I' => 0.372,
            ',' => 0.380,
            ':' => 0.400,
            'f' => 0.435,
            't' => 0.478,
            'r' => 0.493,
            '+' | '✗' => 0.838,
            sign if sign.len_utf8() > 1 => 1.0,
            _ => 0.716,
        };
        text.chars().map(advance).sum::<f64>() * 13.0
    }

    #[test]
    fn the_reason_why_an_arm_has_no_figure_is_within_the_chart_however_much_it_broke() {
        for broken in [1, 5, 12] {
            let mut record = fixture::load();
            for trial in record.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
                let Some(violation) = trial.violations.first().cloned() else { continue };
                let numbered = (1..=broken).map(|number| format!("I{number}"));
                trial.violations =
                    numbered.map(|invariant| crate::study::Violation { invariant, ..violation.clone() }).collect();
            }
            for language in Language::ALL {
                let svg = Chart::Throughput.draw(&record, language, Frame::Embedded).expect("something to show");
                let reason = svg.lines().find(|line| line.starts_with("<text class=\"bad\"") && line.contains("I1"));
                let (start, text) = reason
                    .and_then(|line| line.split_once(" x=\"")?.1.split_once('"'))
                    .and_then(|(x, rest)| Some((x.parse::<f64>().ok()?, rest.split(['<', '>']).nth(1)?)))
                    .expect("a reason");
                let end = start + drawn_width(text);
                assert!(end <= WIDTH, "{text}: {start} to {end}");
                assert!(start > 2.0 * WIDTH / 5.0, "the plot has kept its room: {start}");
            }
        }
    }

    #[test]
    fn broken_invariants_are_in_the_order_in_which_people_count() {
        let mut record = fixture::load();
        let trial = record.arms.iter_mut().flat_map(|arm| &mut arm.trials).find(|trial| !trial.violations.is_empty());
        let trial = trial.expect("the fixture has a violation");
        let violation = trial.violations[0].clone();
        let numbered = ["I12", "I9", "I1", "A2", "I3"].map(str::to_owned);
        trial.violations = numbered.map(|invariant| crate::study::Violation { invariant, ..violation.clone() }).into();
        let summary = Summary::new(&record);
        let broken = summary.arms.iter().find(|arm| arm.broken.len() > 3).expect("it broke them");
        assert_eq!(broken.broken_ids(), "A2, I1, I3, I9, I12");
    }

    #[test]
    fn a_record_without_trials_has_no_charts() {
        let mut record = fixture::load();
        record.arms.clear();
        record.comparisons.clear();
        record.control = None;
        for chart in Chart::ALL {
            assert!(chart.draw(&record, Language::English, Frame::Standalone).is_none(), "{}", chart.name());
        }
    }

    #[test]
    fn names_from_outside_cannot_become_markup() {
        let mut record = fixture::load();
        for arm in &mut record.arms {
            arm.arm = format!("<script>{}</script>", arm.arm);
        }
        for comparison in &mut record.comparisons {
            comparison.arm = format!("<script>{}</script>", comparison.arm);
            comparison.baseline = "<script>optimistic</script>".to_owned();
        }
        for chart in Chart::ALL {
            let svg = chart.draw(&record, Language::English, Frame::Embedded).expect("something to show");
            assert!(!svg.contains("<script"), "{}", chart.name());
        }
    }

    #[test]
    fn no_chart_has_a_coordinate_that_is_no_number() {
        let mut record = fixture::load();
        for trial in record.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
            trial.seconds = 0.0;
            trial.counts = crate::history::OutcomeCounts::default();
        }
        for chart in Chart::ALL {
            let svg = chart.draw(&record, Language::English, Frame::Embedded).unwrap_or_default();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", chart.name());
        }
    }
}
