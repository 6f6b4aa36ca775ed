//! The sections of the page, each in one language.

use std::collections::BTreeMap;

use pgstrata_stats::Moment;
use pgstrata_units::{Language, Text};
use serde_json::Value;

use super::writer::{Cell, Html};
use crate::record::{LoadShape, TrialPurpose, TrialRecord};
use crate::report::columns::{Column, scalar, witness};
use crate::report::isolation;
use crate::report::labels::{self, fill};
use crate::report::number;
use crate::report::plot::{Chart, Frame};
use crate::report::servers::ordered_settings;
use crate::report::style::Meaning;
use crate::report::summary::{ArmSummary, Broken, Summary, median, preset_name};
use crate::report::table::{claim_outcome, control_line};
use crate::study::Card;

fn section(html: &mut Html, id: &str, label: Text, language: Language) {
    html.heading(2, &format!("{id}-{language}"), label.get(language));
}

fn headings(labels: &[(Text, bool)], language: Language) -> Vec<(String, bool)> {
    labels.iter().map(|(label, is_number)| (label.get(language).to_owned(), *is_number)).collect()
}

pub(super) fn results(html: &mut Html, summary: &Summary<'_>, language: Language) {
    section(html, "results", labels::RESULTS, language);
    let heads: Vec<(String, bool)> = Column::ALL
        .iter()
        .map(|column| (column.heading(summary, language).replace(" /", "/"), column.is_numeric()))
        .collect();
    let row = |arm: &ArmSummary<'_>| -> Vec<Cell> {
        let cell = |column: &Column| {
            let (text, meaning) = column.cell(arm, summary, language);
            Cell::marked(meaning, text).aligned(column.is_numeric())
        };
        Column::ALL.iter().map(cell).collect()
    };
    let rows: Vec<Vec<Cell>> = summary.arms.iter().map(row).collect();
    html.raw("<div class=\"results\">");
    html.table(labels::RESULTS_CAPTION.get(language), &heads, &rows);
    html.raw("</div>");
}

pub(super) fn plots(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let charts: Vec<String> =
        Chart::ALL.iter().filter_map(|chart| chart.of_summary(summary, language, Frame::Embedded)).collect();
    if charts.is_empty() {
        return;
    }
    section(html, "plots", labels::PLOTS, language);
    for chart in charts {
        html.raw("<figure class=\"wide\" tabindex=\"0\">");
        html.raw(&chart);
        html.raw("</figure>");
    }
}

pub(super) fn evidence(html: &mut Html, summary: &Summary<'_>, card: &Card, language: Language) {
    section(html, "evidence", labels::EVIDENCE, language);
    let trials: usize = summary.arms.iter().map(|arm| arm.record.trials.len()).sum();
    if summary.arms.iter().all(|arm| !arm.is_violated()) {
        let text = fill(labels::NO_VIOLATIONS, language, &[("trials", &trials.to_string())]);
        html.marked(Meaning::Good, &text);
    }
    for arm in &summary.arms {
        for broken in &arm.broken {
            violation(html, arm, broken, card, language);
        }
    }
    let held: Vec<_> = card
        .invariants
        .iter()
        .filter(|invariant| {
            summary.arms.iter().all(|arm| arm.broken.iter().all(|broken| broken.invariant != invariant.id))
        })
        .collect();
    if !held.is_empty() {
        html.element("h3", "", labels::INVARIANTS_HELD.get(language));
        html.raw("<ul>");
        for invariant in held {
            html.element("li", "", &format!("{}: {}", invariant.id, invariant.statement.get(language)));
        }
        html.raw("</ul>");
    }
    failures(html, summary, language);
}

fn violation(html: &mut Html, arm: &ArmSummary<'_>, broken: &Broken<'_>, card: &Card, language: Language) {
    html.raw("<div class=\"broken\">");
    html.element("h3", "bad", &format!("✗ {} · {}", arm.name, broken.invariant));
    let invariant = card.invariants.iter().find(|invariant| invariant.id == broken.invariant);
    if let Some(invariant) = invariant {
        html.element("p", "summary", invariant.statement.get(language));
    }
    let counted = fill(
        labels::ROWS_IN_TRIALS,
        language,
        &[("count", &number::count(broken.count)), ("trials", &broken.trials.to_string())],
    );
    html.paragraph(&format!("{} ({counted})", broken.worst.found));
    witnesses(html, broken, language);
    match invariant.map(|invariant| invariant.sql) {
        Some(Some(sql)) => {
            html.element("p", "note", labels::INVARIANT_SQL.get(language));
            html.code(sql.trim_end());
        }
        Some(None) => html.element("p", "note", labels::CHECKED_BY_HISTORY.get(language)),
        None => {}
    }
    html.raw("</div>");
}

/// Rows of equal shape as a table, others as text.
fn witnesses(html: &mut Html, broken: &Broken<'_>, language: Language) {
    let rows = &broken.worst.witnesses;
    let Some(first) = rows.first() else { return };
    let names: Option<Vec<&String>> = first.as_object().map(|fields| fields.keys().collect());
    let same = |names: &Vec<&String>| {
        !names.is_empty()
            && rows.iter().all(|row| row.as_object().is_some_and(|fields| fields.keys().eq(names.iter().copied())))
    };
    let Some(names) = names.filter(same) else {
        html.raw("<ul>");
        for row in rows {
            html.element("li", "", &witness(row));
        }
        html.raw("</ul>");
        return;
    };
    let heads: Vec<(String, bool)> = names.iter().map(|name| ((*name).clone(), false)).collect();
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .filter_map(Value::as_object)
        .map(|fields| fields.values().map(|value| Cell::text(scalar(value))).collect())
        .collect();
    let mut caption = fill(labels::WITNESS_CAPTION, language, &[("id", broken.invariant)]);
    let more = broken.worst.count.saturating_sub(rows.len() as u64);
    if more > 0 {
        caption = format!("{caption} ({})", fill(labels::MORE_WITNESSES, language, &[("count", &number::count(more))]));
    }
    html.table(&caption, &heads, &cells);
}

/// What operations failed of.
fn failures(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let mut rows = Vec::new();
    for arm in &summary.arms {
        let mut texts: BTreeMap<&str, u64> = BTreeMap::new();
        for (text, count) in arm.record.trials.iter().flat_map(|trial| &trial.failures) {
            *texts.entry(text).or_default() += count;
        }
        for (text, count) in texts {
            rows.push(vec![Cell::text(arm.name), Cell::number(number::count(count)), Cell::text(text)]);
        }
    }
    if !rows.is_empty() {
        let heads = [(labels::ARM, false), (labels::COUNT, true), (labels::ERROR_TEXT, false)];
        html.table(labels::FAILURES_CAPTION.get(language), &headings(&heads, language), &rows);
    }
}

pub(super) fn claims(html: &mut Html, summary: &Summary<'_>, card: &Card, language: Language) {
    if summary.claims.is_empty() {
        return;
    }
    section(html, "claims", labels::CLAIMS, language);
    let heads = [(labels::CLAIM, false), (labels::OUTCOME, false)];
    let rows: Vec<Vec<Cell>> = summary
        .claims
        .iter()
        .map(|claim| {
            let statement = card.claims.iter().find(|known| known.name == claim.name);
            let statement = statement.map_or(claim.statement, |known| known.statement.get(language));
            let (meaning, outcome) = claim_outcome(&claim.outcome, claim.target, claim.unit, language);
            vec![Cell::text(statement), Cell::marked(meaning, format!("{} {outcome}", meaning.symbol()))]
        })
        .collect();
    html.raw("<div class=\"claims\">");
    html.table(labels::CLAIMS_CAPTION.get(language), &headings(&heads, language), &rows);
    html.raw("</div>");
    claim_trials(html, summary, language);
}

fn claim_trials(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let heads = [
        (labels::ARM, false),
        (labels::OFFERED_LOAD, false),
        (labels::THROUGHPUT, true),
        (labels::OUTCOMES, true),
        (labels::DROPPED, true),
        (labels::P50, true),
        (labels::P99, true),
        (labels::P999, true),
        (labels::SERVER_CPU_PER_ACCEPTED, true),
    ];
    let mut rows = Vec::new();
    for arm in &summary.arms {
        for trial in arm.record.trials.iter().filter(|trial| trial.purpose == TrialPurpose::Claim) {
            rows.push(claim_trial(arm, trial, language));
        }
    }
    if !rows.is_empty() {
        html.table(labels::CLAIM_TRIALS.get(language), &headings(&heads, language), &rows);
    }
}

fn claim_trial(arm: &ArmSummary<'_>, trial: &TrialRecord, language: Language) -> Vec<Cell> {
    let dash = || "–".to_owned();
    let latency = |quantile: f64| {
        let ns = trial.latency.quantile_ns(quantile);
        Cell::number(ns.map_or_else(dash, |ns| number::duration_us(ns as f64 / 1e3)))
    };
    let counts = trial.counts;
    let outcomes = [counts.ok, counts.rejected, counts.failed, counts.unknown].map(number::short_count).join("/");
    // A rate of an arm that broke an invariant is not to be shown here either.
    let rate = if arm.is_violated() { dash() } else { number::significant(counts.decided() as f64 / trial.seconds) };
    vec![
        Cell::text(arm.name),
        Cell::text(load(trial.load, language)),
        Cell::number(rate),
        Cell::number(outcomes),
        Cell::number(number::count(trial.dropped)),
        latency(0.5),
        latency(0.99),
        latency(0.999),
        Cell::number(trial.server_cpu_us_per_accepted.map_or_else(dash, number::duration_us)),
    ]
}

/// How load was offered, in words.
fn load(shape: LoadShape, language: Language) -> String {
    match shape {
        LoadShape::Closed { clients } => {
            fill(labels::CLOSED_LOOP, language, &[("clients", &number::count(u64::from(clients)))])
        }
        LoadShape::Open { rate, clients } => fill(
            labels::OPEN_LOOP,
            language,
            &[("rate", &number::significant(rate)), ("clients", &number::count(u64::from(clients)))],
        ),
    }
}

/// What came of watching transactions; nothing where nothing was watched.
pub(super) fn watched(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let lines = isolation::lines(summary.record, language);
    if lines.is_empty() {
        return;
    }
    section(html, "isolation", labels::ISOLATION, language);
    for (meaning, text) in &lines {
        html.marked(*meaning, text);
    }
}

pub(super) fn faults(html: &mut Html, summary: &Summary<'_>, language: Language) {
    if summary.arms.iter().all(|arm| arm.faults.is_empty()) {
        return;
    }
    section(html, "faults", labels::FAULTS, language);
    let heads = [
        (labels::ARM, false),
        (labels::FAULT, false),
        (labels::COUNT, true),
        (labels::RECOVERY_MEDIAN, true),
        (labels::NOT_RECOVERED, true),
    ];
    let mut rows = Vec::new();
    for arm in &summary.arms {
        for fault in &arm.faults {
            rows.push(vec![
                Cell::text(arm.name),
                Cell::text(fault.fault),
                Cell::number(number::count(fault.count as u64)),
                Cell::number(fault.recovery_us_median.map_or_else(|| "–".to_owned(), number::duration_us)),
                Cell::number(number::count(fault.unhealed as u64)),
            ]);
        }
    }
    html.table(labels::FAULTS_CAPTION.get(language), &headings(&heads, language), &rows);
    each_fault(html, summary, language);
}

fn each_fault(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let heads = [
        (labels::ARM, false),
        (labels::FAULT, false),
        (labels::AT, true),
        (labels::RECOVERED_AFTER, true),
        (labels::ACHIEVED, false),
    ];
    let mut rows = Vec::new();
    for arm in &summary.arms {
        for fault in arm.record.trials.iter().flat_map(|trial| &trial.faults) {
            let recovery = fault.healed_ms.map(|healed| number::duration_us((healed - fault.at_ms) * 1e3));
            rows.push(vec![
                Cell::text(arm.name),
                Cell::text(&*fault.fault),
                Cell::number(number::duration_us(fault.at_ms * 1e3)),
                Cell::number(recovery.unwrap_or_else(|| "–".to_owned())),
                Cell::text(&*fault.achieved),
            ]);
        }
    }
    let title = labels::EACH_FAULT.get(language);
    html.raw(&format!("<details><summary>{title}</summary>"));
    html.table(title, &headings(&heads, language), &rows);
    html.raw("</details>");
}

pub(super) fn trust(html: &mut Html, summary: &Summary<'_>, language: Language) {
    section(html, "trust", labels::HOW_JUDGED, language);
    html.element("h3", "", labels::VALIDITY.get(language));
    if summary.invalid.is_empty() {
        html.marked(Meaning::Good, labels::VALID.get(language));
    } else {
        html.marked(Meaning::Bad, labels::INVALID.get(language));
        html.raw("<ul>");
        for reason in &summary.invalid {
            html.element("li", "", reason);
        }
        html.raw("</ul>");
    }
    html.element("h3", "", labels::CONTROL.get(language));
    let (meaning, control) = control_line(summary, language);
    html.marked(meaning, &control);
    if let Some(effect) = summary.minimal_detectable() {
        let text = fill(labels::DETECTABLE_LINE, language, &[("percent", &number::percent(effect))]);
        html.paragraph(&format!("{}: {text}", labels::DETECTABLE.get(language)));
    }
    sentinels(html, summary, language);
}

/// What the probes read, over all trials.
fn sentinels(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let readings: Vec<_> =
        summary.arms.iter().flat_map(|arm| &arm.record.trials).flat_map(|trial| &trial.sentinels).collect();
    let heads = [
        (labels::MOMENT, false),
        (labels::FDATASYNC, true),
        (labels::TIMER, true),
        (labels::FOREIGN_CPU, true),
        (labels::STEAL, true),
    ];
    let mut rows = Vec::new();
    for moment in Moment::ALL {
        let of = |figure: fn(&pgstrata_stats::SentinelReading) -> f64| {
            let mut values: Vec<f64> =
                readings.iter().filter(|reading| reading.moment == moment).map(|reading| figure(reading)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let Some(fdatasync) = median(&of(|reading| reading.fdatasync_us)) else { continue };
        let most = |figure| of(figure).last().copied().unwrap_or(0.0);
        rows.push(vec![
            Cell::text(labels::moment(moment).get(language)),
            Cell::number(number::duration_us(fdatasync)),
            Cell::number(number::duration_us(most(|reading| reading.timer_overshoot_us))),
            Cell::number(number::percent(most(|reading| reading.foreign_cpu_share))),
            Cell::number(number::percent(most(|reading| reading.steal_share))),
        ]);
    }
    if !rows.is_empty() {
        html.table(labels::SENTINELS_CAPTION.get(language), &headings(&heads, language), &rows);
    }
}

pub(super) fn origin(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let record = summary.record;
    section(html, "again", labels::REPRODUCE, language);
    html.code(&record.command);
    html.element("p", "note", labels::REPRODUCE_NOTE.get(language));
    section(html, "where", labels::WHERE, language);
    let machine = &record.machine;
    let label = |text: Text| text.get(language);
    html.facts([
        (label(labels::STARTED), record.started_at.clone()),
        (label(labels::TOOK), number::duration_us(record.seconds * 1e6)),
        (label(labels::PRESET), preset_name(record.preset).to_owned()),
        (label(labels::SEED_FACT), record.seed.to_string()),
        (label(labels::BUILD), format!("{} ({}, {})", record.build.version, record.build.commit, record.build.profile)),
        (label(labels::HOST), machine.host.clone()),
        (label(labels::PROCESSORS), format!("{} × {}", machine.cpus, machine.cpu_model)),
        (label(labels::MEMORY), number::bytes(machine.memory_bytes as f64)),
        (label(labels::KERNEL), machine.kernel.clone()),
        (label(labels::LOAD), format!("{:.2}", machine.load_average)),
    ]);
    for (number, server) in record.servers.iter().enumerate() {
        let name = fill(labels::SERVER, language, &[("number", &(number + 1).to_string())]);
        let owner = if server.private { labels::PRIVATE } else { labels::ATTACHED };
        let caption = format!("{name} ({}): {}", owner.get(language), server.version);
        let heads = [(labels::SETTING, false), (labels::VALUE, false)];
        let rows: Vec<Vec<Cell>> = ordered_settings(server)
            .into_iter()
            .map(|(name, value)| vec![Cell::text(name), Cell::text(value)])
            .collect();
        html.table(&caption, &headings(&heads, language), &rows);
    }
    figures(html, summary, language);
}

/// The study's own figures: the median over the trials of each purpose.
fn figures(html: &mut Html, summary: &Summary<'_>, language: Language) {
    let heads = [(labels::ARM, false), (labels::TRIALS_OF, false), (labels::FIGURE, false), (labels::VALUE, true)];
    let mut rows = Vec::new();
    for arm in &summary.arms {
        let mut values: BTreeMap<(&str, &str, &str), Vec<f64>> = BTreeMap::new();
        for trial in &arm.record.trials {
            for figure in &trial.figures {
                let purpose = labels::purpose(trial.purpose).get(language);
                values.entry((purpose, &figure.name, &figure.unit)).or_default().push(figure.value);
            }
        }
        for ((purpose, name, unit), mut all) in values {
            all.sort_by(f64::total_cmp);
            let value = median(&all).map_or_else(|| "–".to_owned(), |value| number::with_unit(value, unit));
            rows.push(vec![Cell::text(arm.name), Cell::text(purpose), Cell::text(name), Cell::number(value)]);
        }
    }
    if !rows.is_empty() {
        html.table(labels::FIGURES_CAPTION.get(language), &headings(&heads, language), &rows);
    }
}
