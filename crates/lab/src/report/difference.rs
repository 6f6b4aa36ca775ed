//! Two records side by side, for `pgstrata record compare`.
//!
//! This is not a comparison in the sense of the lab: windows of different runs are not paired, so there are
//! ratios with intervals but no verdicts.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::labels::{self, fill};
use super::number;
use super::style::{Meaning, Style, columns};
use super::summary::{ArmSummary, Summary, median, preset_name};
use super::table::{Page, plain_table};
use crate::record::{LoadShape, Record};

/// Resamples of a bootstrap; the ends of its interval are then good to about one part in a hundred of its width.
const RESAMPLES: usize = 10_000;

/// Windows that each record needs for an interval.
const LEAST_WINDOWS: usize = 5;

/// An arm in two records.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmDifference {
    /// The arm.
    pub arm: String,
    /// What each record says: old, new.
    pub sides: [Side; 2],
    /// New over old with a 95 % interval, where both have enough windows: (ratio, low, high).
    pub ratio: Option<(f64, f64, f64)>,
}

/// What one record says of an arm.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// It has no such arm.
    Absent,
    /// The arm broke these invariants.
    Violated(String),
    /// Nothing was measured undisturbed.
    Unmeasured,
    /// The median of its windows, decided operations per second.
    Measured(f64),
}

/// Something else that differs: (what, old, new).
pub type Change = (String, String, String);

/// The arms of two records, those of the old one first.
#[must_use]
pub fn arms(old: &Record, new: &Record) -> Vec<ArmDifference> {
    let (old, new) = (Summary::new(old), Summary::new(new));
    let mut names: Vec<&str> = old.arms.iter().map(|arm| arm.name).collect();
    names.extend(new.arms.iter().map(|arm| arm.name).filter(|name| !old.arms.iter().any(|arm| arm.name == *name)));
    let find = |summary: &Summary<'_>, name: &str| summary.arms.iter().position(|arm| arm.name == name);
    names
        .into_iter()
        .map(|name| {
            let [before, after] = [&old, &new].map(|summary| find(summary, name).map(|at| &summary.arms[at]));
            let seed = old.record.seed ^ new.record.seed.rotate_left(32);
            let ratio = before.zip(after).and_then(|(before, after)| ratio(before, after, seed));
            ArmDifference { arm: name.to_owned(), sides: [side(before), side(after)], ratio }
        })
        .collect()
}

fn side(arm: Option<&ArmSummary<'_>>) -> Side {
    match arm {
        None => Side::Absent,
        Some(arm) if arm.is_violated() => Side::Violated(arm.broken_ids()),
        Some(arm) => arm.throughput.as_ref().map_or(Side::Unmeasured, |throughput| Side::Measured(throughput.median)),
    }
}

/// The ratio of medians with the percentile interval of an unpaired bootstrap (Efron and Tibshirani, An
/// Introduction to the Bootstrap, §13.3). The seed makes it the same at every call.
fn ratio(old: &ArmSummary<'_>, new: &ArmSummary<'_>, seed: u64) -> Option<(f64, f64, f64)> {
    let [old, new] = [old, new].map(|arm| arm.throughput.as_ref().map(|throughput| throughput.windows.as_slice()));
    let (old, new) = (old?, new?);
    let too_few = old.len().min(new.len()) < LEAST_WINDOWS;
    if too_few || old.iter().chain(new).any(|window| *window <= 0.0) {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ratios: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| Some(resampled(new, &mut random)? / resampled(old, &mut random)?)).collect();
    ratios.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    let observed = sorted_median(new)? / sorted_median(old)?;
    Some((observed, *ratios.get(tail)?, *ratios.get(RESAMPLES - 1 - tail)?))
}

fn resampled(windows: &[f64], random: &mut impl Rng) -> Option<f64> {
    let drawn: Vec<f64> = windows.iter().map(|_| windows[random.random_range(0..windows.len())]).collect();
    sorted_median(&drawn)
}

fn sorted_median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median(&sorted)
}

/// What else differs between two runs: machine, build, preset, servers, settings, load.
#[must_use]
pub fn changes(old: &Record, new: &Record) -> Vec<Change> {
    let [old, new] = [old, new].map(facts);
    let mut names: Vec<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let absent = || "–".to_owned();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            let of = |facts: &BTreeMap<String, String>| facts.get(name).cloned().unwrap_or_else(absent);
            (name.clone(), of(&old), of(&new))
        })
        .collect()
}

/// Everything that should be the same for two runs to be set side by side.
fn facts(record: &Record) -> BTreeMap<String, String> {
    let machine = &record.machine;
    let mut facts = BTreeMap::from([
        ("machine host".to_owned(), machine.host.clone()),
        ("machine processors".to_owned(), format!("{} × {}", machine.cpus, machine.cpu_model)),
        ("machine memory".to_owned(), number::bytes(machine.memory_bytes as f64)),
        ("machine kernel".to_owned(), machine.kernel.clone()),
        ("machine load average".to_owned(), format!("{:.2}", machine.load_average)),
        ("pgstrata version".to_owned(), record.build.version.clone()),
        ("pgstrata commit".to_owned(), record.build.commit.clone()),
        ("pgstrata profile".to_owned(), record.build.profile.clone()),
        ("preset".to_owned(), preset_name(record.preset).to_owned()),
        ("study".to_owned(), record.study.clone()),
        ("servers".to_owned(), record.servers.len().to_string()),
        ("validity".to_owned(), record.validity.to_string()),
    ]);
    for (number, server) in record.servers.iter().enumerate() {
        facts.insert(format!("server {} version", number + 1), server.version.clone());
        for (name, value) in &server.settings {
            facts.insert(format!("server {} {name}", number + 1), value.clone());
        }
    }
    for arm in &record.arms {
        if let Some(trial) = super::summary::undisturbed(&arm.trials).first() {
            let load = match trial.load {
                LoadShape::Closed { clients } => format!("{clients} clients"),
                LoadShape::Open { rate, clients } => format!("{rate}/s, {clients} clients"),
            };
            facts.insert(format!("load of {}", arm.arm), format!("{load}, windows of {} s", trial.seconds.round()));
        }
    }
    facts
}

/// Two records as text for a terminal.
#[must_use]
pub fn render(old: &Record, new: &Record, style: Style) -> String {
    let mut page = Page::new(style);
    page.line(&style.bold(&style.label(labels::DIFFERENCE)));
    for (label, record) in [(labels::OLD, old), (labels::NEW, new)] {
        let build = &record.build;
        let text = format!(
            "{}: {} {} ({} {})",
            label.get(style.language),
            record.study,
            record.started_at,
            build.version,
            build.commit
        );
        page.line(&style.text(&text));
    }
    page.blank();
    page.block(&table(&arms(old, new), style));
    page.blank();
    page.marked(Meaning::Unsure, labels::NOT_PAIRED.get(style.language));
    page.heading(labels::CHANGED);
    let changes = changes(old, new);
    if changes.is_empty() {
        page.marked(Meaning::Good, labels::NOTHING_CHANGED.get(style.language));
    }
    let width = changes.iter().map(|change| columns(&change.0)).max().unwrap_or(0);
    for (what, before, after) in changes {
        page.entry(&what, width, &format!("{before} → {after}"));
    }
    page.out
}

fn table(arms: &[ArmDifference], style: Style) -> String {
    let mut table = plain_table(style);
    let heads = [
        (style.label(labels::ARM), CellAlignment::Left),
        (style.label(labels::OLD_PER_SECOND), CellAlignment::Right),
        (style.label(labels::NEW_PER_SECOND), CellAlignment::Right),
        (style.label(labels::NEW_OVER_OLD), CellAlignment::Left),
    ];
    table.set_header(heads.map(|(text, alignment)| Cell::new(text).set_alignment(alignment)));
    for arm in arms {
        let [old, new] = arm
            .sides
            .each_ref()
            .map(|side| Cell::new(style.text(&side_text(side, style))).set_alignment(CellAlignment::Right));
        let ratio = match (arm.ratio, &arm.sides) {
            (Some((ratio, low, high)), _) => number::ratio_with_interval(ratio, low, high),
            (None, [Side::Absent, _] | [_, Side::Absent]) => labels::ONLY_IN_ONE.get(style.language).to_owned(),
            (None, [Side::Measured(_), Side::Measured(_)]) => labels::TOO_FEW_WINDOWS.get(style.language).to_owned(),
            (None, _) => "–".to_owned(),
        };
        table.add_row([Cell::new(style.text(&arm.arm)), old, new, Cell::new(style.text(&ratio))]);
    }
    table.to_string()
}

fn side_text(side: &Side, style: Style) -> String {
    match side {
        Side::Absent | Side::Unmeasured => "–".to_owned(),
        Side::Violated(ids) => format!("✗ {}", fill(labels::VIOLATED, style.language, &[("ids", ids)])),
        Side::Measured(median) => number::significant(*median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// The fixture again, a tenth faster and with other circumstances.
    fn other() -> Record {
        let mut other = fixture::load();
        other.machine.kernel = "Linux 6.12.1".to_owned();
        other.servers[0].settings.insert("shared_buffers".to_owned(), "1GB".to_owned());
        for trial in other.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
            trial.counts.ok = trial.counts.ok * 11 / 10;
        }
        other.arms.remove(4);
        other
    }

    #[test]
    fn two_records_side_by_side_look_as_they_did() {
        let style = Style { width: 100, ..Style::default() };
        insta::assert_snapshot!(render(&fixture::load(), &other(), style));
    }

    #[test]
    fn a_tenth_more_in_every_window_is_inside_the_interval() {
        let all = arms(&fixture::load(), &other());
        let coalesced = all.iter().find(|arm| arm.arm == "coalesced").and_then(|arm| arm.ratio);
        let (ratio, low, high) = coalesced.expect("both have windows");
        assert!(low < 1.1 && 1.1 < high && (1.08..1.12).contains(&ratio), "{ratio} [{low}, {high}]");
    }

    #[test]
    fn a_violated_arm_has_no_figure_and_no_ratio_here_either() {
        let all = arms(&fixture::load(), &other());
        assert_eq!(all[0].sides, [Side::Violated("I1, I3".to_owned()), Side::Violated("I1, I3".to_owned())]);
        assert_eq!(all[0].ratio, None);
    }

    #[test]
    fn a_record_does_not_differ_from_itself() {
        let record = fixture::load();
        assert_eq!(changes(&record, &record), []);
        let no_verdict = render(&record, &record, Style::default());
        assert!(!no_verdict.contains("faster") && !no_verdict.contains("slower"));
    }
}
