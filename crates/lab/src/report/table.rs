//! A record as text for a terminal: the result table, and below it all that one must know to believe it.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use pgstrata_units::{Language, Text};

use super::columns::{Column, witness};
use super::isolation;
use super::labels::{self, fill};
use super::number;
use super::servers::servers_text;
use super::style::{Meaning, Style, columns, wrap};
use super::summary::{Broken, ClaimOutcome, Summary, preset_name};
use crate::record::Record;
use crate::study::Card;

/// Columns of the heading that stands left of each line below the table.
const MARGIN: usize = 2;

/// The whole report of a record.
#[must_use]
pub fn render(record: &Record, card: &Card, style: Style) -> String {
    let summary = Summary::new(record);
    let mut page = Page::new(style);
    page.line(&style.bold(&run_line(record, style)));
    page.blank();
    let (shown, hidden) = fitting_columns(&summary, style);
    page.block(&result_table(&summary, style, &shown));
    if !hidden.is_empty() {
        let names: Vec<String> =
            hidden.iter().map(|column| column.heading(&summary, style.language).replace("/ ", "/")).collect();
        let text = fill(
            labels::HIDDEN_COLUMNS,
            style.language,
            &[("count", &hidden.len().to_string()), ("names", &names.join(", "))],
        );
        page.paragraph(&text, |line| style.faint(line));
    }
    violations(&summary, &mut page);
    isolation::show(record, &mut page);
    faults(&summary, &mut page);
    claims(&summary, card, &mut page);
    trust(&summary, &mut page);
    origin(record, &mut page);
    page.out
}

/// `flash-sale (09-01), preset full, 2026-11-23T01:02:03Z, 412 s`.
fn run_line(record: &Record, style: Style) -> String {
    style.text(&fill(
        labels::RUN_LINE,
        style.language,
        &[
            ("study", &record.study),
            ("system", &record.system.to_string()),
            ("preset", preset_name(record.preset)),
            ("started", &record.started_at),
            ("seconds", &number::duration_us(record.seconds * 1e6)),
        ],
    ))
}

/// The columns that fit, and those that do not.
fn fitting_columns(summary: &Summary<'_>, style: Style) -> (Vec<Column>, Vec<Column>) {
    let mut shown = Column::ALL.to_vec();
    let mut hidden = Vec::new();
    for given_up in Column::GIVEN_UP {
        if table_width(summary, style, &shown) <= usize::from(style.width) {
            break;
        }
        shown.retain(|column| *column != given_up);
        hidden.push(given_up);
    }
    (shown, hidden)
}

fn table_width(summary: &Summary<'_>, style: Style, shown: &[Column]) -> usize {
    let cell_width = |column: Column| {
        let heading = heading_lines(column, summary, style).iter().map(|line| columns(line)).max().unwrap_or(0);
        let cells = summary.arms.iter().map(|arm| columns(&style.text(&column.cell(arm, summary, style.language).0)));
        cells.max().unwrap_or(0).max(heading)
    };
    shown.iter().map(|column| cell_width(*column) + 2).sum()
}

/// The lines of a heading. Those of narrow columns are broken after a space, where the label has one.
fn heading_lines(column: Column, summary: &Summary<'_>, style: Style) -> Vec<String> {
    let heading = style.text(&column.heading(summary, style.language));
    match column {
        Column::Ratio => vec![heading],
        _ => heading.split(' ').map(ToOwned::to_owned).collect(),
    }
}

fn result_table(summary: &Summary<'_>, style: Style, shown: &[Column]) -> String {
    let mut table = plain_table(style);
    table.set_header(shown.iter().map(|column| {
        let heading = Cell::new(heading_lines(*column, summary, style).join("\n"));
        aligned(if style.color { heading.add_attribute(Attribute::Bold) } else { heading }, *column)
    }));
    for arm in &summary.arms {
        table.add_row(shown.iter().map(|column| {
            let (text, meaning) = column.cell(arm, summary, style.language);
            aligned(colored(Cell::new(style.text(&text)), meaning, style), *column)
        }));
    }
    table.to_string()
}

/// A table with one rule below its heading.
pub(super) fn plain_table(style: Style) -> Table {
    let rule = if style.unicode { '─' } else { '-' };
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill(rule)));
    table.set_content_arrangement(ContentArrangement::Disabled);
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn aligned(cell: Cell, column: Column) -> Cell {
    cell.set_alignment(if column.is_numeric() { CellAlignment::Right } else { CellAlignment::Left })
}

fn colored(cell: Cell, meaning: Meaning, style: Style) -> Cell {
    match meaning {
        _ if !style.color => cell,
        Meaning::Good => cell.fg(Color::DarkGreen),
        Meaning::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        Meaning::Unsure => cell.fg(Color::DarkYellow),
        Meaning::Neutral => cell,
    }
}

fn violations(summary: &Summary<'_>, page: &mut Page) {
    let style = page.style;
    page.heading(labels::VIOLATIONS);
    if summary.arms.iter().all(|arm| !arm.is_violated()) {
        let trials: usize = summary.arms.iter().map(|arm| arm.record.trials.len()).sum();
        let text = fill(labels::NO_VIOLATIONS, style.language, &[("trials", &trials.to_string())]);
        page.marked(Meaning::Good, &text);
        return;
    }
    for arm in &summary.arms {
        for broken in &arm.broken {
            page.marked(Meaning::Bad, &format!("{} {}: {}", arm.name, broken.invariant, broken.worst.found));
            witnesses(broken, page);
        }
    }
}

fn witnesses(broken: &Broken<'_>, page: &mut Page) {
    let style = page.style;
    for row in &broken.worst.witnesses {
        page.indented(&witness(row));
    }
    let more = broken.worst.count.saturating_sub(broken.worst.witnesses.len() as u64);
    if more > 0 {
        page.indented(&fill(labels::MORE_WITNESSES, style.language, &[("count", &number::count(more))]));
    }
}

fn faults(summary: &Summary<'_>, page: &mut Page) {
    let style = page.style;
    if summary.arms.iter().all(|arm| arm.faults.is_empty()) {
        return;
    }
    page.heading(labels::FAULTS);
    let names = summary.arms.iter().filter(|arm| !arm.faults.is_empty()).map(|arm| columns(&style.text(arm.name)));
    let width = names.max().unwrap_or(0);
    for arm in summary.arms.iter().filter(|arm| !arm.faults.is_empty()) {
        let kinds: Vec<String> = arm
            .faults
            .iter()
            .map(|fault| {
                let mut parts = vec![fill(
                    labels::FAULT_LINE,
                    style.language,
                    &[("count", &fault.count.to_string()), ("fault", fault.fault)],
                )];
                if let Some(recovery) = fault.recovery_us_median {
                    parts.push(fill(labels::RECOVERY, style.language, &[("time", &number::duration_us(recovery))]));
                }
                if fault.unhealed > 0 {
                    parts.push(fill(labels::UNHEALED, style.language, &[("count", &fault.unhealed.to_string())]));
                }
                parts.join(", ")
            })
            .collect();
        page.entry(arm.name, width, &kinds.join(" · "));
    }
}

fn claims(summary: &Summary<'_>, card: &Card, page: &mut Page) {
    if summary.claims.is_empty() {
        return;
    }
    let style = page.style;
    page.heading(labels::CLAIMS);
    for claim in &summary.claims {
        let (meaning, outcome) = claim_outcome(&claim.outcome, claim.target, claim.unit, style.language);
        page.marked(meaning, &format!("{}: {outcome}", claim.name));
        let known = card.claims.iter().find(|known| known.name == claim.name);
        page.indented(known.map_or(claim.statement, |known| known.statement.get(style.language)));
    }
}

/// An outcome in words: `missed, measured 91 000 req/s, target 100 000 req/s`.
#[must_use]
pub fn claim_outcome(outcome: &ClaimOutcome, target: f64, unit: &str, language: Language) -> (Meaning, String) {
    let with_unit = |value: f64| number::with_unit(value, unit);
    let measured = |measured: f64| {
        fill(
            labels::MEASURED_OF_TARGET,
            language,
            &[("measured", &with_unit(measured)), ("target", &with_unit(target))],
        )
    };
    let comma = if language == Language::Chinese { "，" } else { ", " };
    match outcome {
        ClaimOutcome::Held { measured: value } => {
            (Meaning::Good, format!("{}{comma}{}", labels::HELD.get(language), measured(*value)))
        }
        ClaimOutcome::Missed { measured: value } => {
            (Meaning::Bad, format!("{}{comma}{}", labels::MISSED.get(language), measured(*value)))
        }
        ClaimOutcome::Inconclusive { why } => {
            let target = fill(labels::TARGET, language, &[("target", &with_unit(target))]);
            (Meaning::Unsure, format!("{}{comma}{target}: {why}", labels::INCONCLUSIVE.get(language)))
        }
    }
}

fn trust(summary: &Summary<'_>, page: &mut Page) {
    let style = page.style;
    page.blank();
    page.labelled(labels::CONTROL, &[control_line(summary, style.language)]);
    if let Some(effect) = summary.minimal_detectable() {
        let text = fill(labels::DETECTABLE_LINE, style.language, &[("percent", &number::percent(effect))]);
        page.labelled(labels::DETECTABLE, &[(Meaning::Neutral, text)]);
    }
    if summary.invalid.is_empty() {
        page.labelled(labels::VALIDITY, &[(Meaning::Good, labels::VALID.get(style.language).to_owned())]);
    } else {
        let mut lines = vec![(Meaning::Bad, labels::INVALID.get(style.language).to_owned())];
        lines.extend(summary.invalid.iter().map(|reason| (Meaning::Neutral, format!("· {reason}"))));
        page.labelled(labels::VALIDITY, &lines);
    }
}

/// The control in words, and what it means.
#[must_use]
pub fn control_line(summary: &Summary<'_>, language: Language) -> (Meaning, String) {
    let Some(control) = &summary.control else {
        return (Meaning::Unsure, labels::NO_CONTROL.get(language).to_owned());
    };
    let ratio = number::ratio_with_interval(control.ratio.ratio, control.ratio.low, control.ratio.high);
    let pairs = control.ratio.pairs.to_string();
    let confidence = number::significant(control.confidence * 100.0);
    let values = [
        ("arm", control.arm),
        ("ratio", &*ratio),
        ("pairs", &*pairs),
        ("confidence", confidence.trim_end_matches(".0")),
    ];
    if control.clean {
        (Meaning::Good, fill(labels::CONTROL_CLEAN, language, &values))
    } else {
        (Meaning::Bad, fill(labels::CONTROL_BIASED, language, &values))
    }
}

fn origin(record: &Record, page: &mut Page) {
    let style = page.style;
    let machine = &record.machine;
    let line = fill(
        labels::MACHINE_LINE,
        style.language,
        &[
            ("cpu", machine.cpu_model.trim()),
            ("cpus", &machine.cpus.to_string()),
            ("memory", &number::bytes(machine.memory_bytes as f64)),
            ("kernel", &machine.kernel),
            ("load", &format!("{:.2}", machine.load_average)),
        ],
    );
    page.labelled(labels::MACHINE, &[(Meaning::Neutral, line)]);
    let settings: Vec<(Meaning, String)> =
        servers_text(record).into_iter().map(|server| (Meaning::Neutral, server)).collect();
    page.labelled(labels::SETTINGS, &settings);
    page.labelled(labels::SEED, &[(Meaning::Neutral, record.seed.to_string())]);
    // Never wrapped: it is there to be copied.
    let label = style.faint(&pad(&style.label(labels::COMMAND), label_width(style)));
    page.line(&format!("{label}  {}", style.text(&record.command)));
}

/// The width of the labels left of the last lines.
fn label_width(style: Style) -> usize {
    let all = [
        labels::CONTROL,
        labels::DETECTABLE,
        labels::VALIDITY,
        labels::MACHINE,
        labels::SETTINGS,
        labels::SEED,
        labels::COMMAND,
    ];
    all.iter().map(|label| columns(&style.label(*label))).max().unwrap_or(0)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Lines as they are put together.
pub(super) struct Page {
    pub(super) style: Style,
    pub(super) out: String,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { style, out: String::new() }
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub(super) fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    pub(super) fn heading(&mut self, label: Text) {
        self.blank();
        self.line(&self.style.bold(&self.style.label(label)));
    }

    /// Wrapped text; each line goes through `paint`.
    pub(super) fn paragraph(&mut self, text: &str, paint: impl Fn(&str) -> String) {
        for line in wrap(&self.style.text(text), usize::from(self.style.width)) {
            self.line(&paint(&line));
        }
    }

    /// A line with the symbol of its meaning, wrapped under itself.
    pub(super) fn marked(&mut self, meaning: Meaning, text: &str) {
        let symbol = self.style.text(meaning.symbol());
        let indent = MARGIN + columns(&symbol) + 1;
        for (number, line) in self.wrapped(text, indent).iter().enumerate() {
            let line = self.style.paint(meaning, line);
            if number == 0 {
                let symbol = self.style.paint(meaning, &symbol);
                self.line(&format!("{}{symbol} {line}", " ".repeat(MARGIN)));
            } else {
                self.line(&format!("{}{line}", " ".repeat(indent)));
            }
        }
    }

    /// A faint line below a marked one.
    pub(super) fn indented(&mut self, text: &str) {
        let indent = MARGIN + 4;
        for line in self.wrapped(text, indent) {
            let line = self.style.faint(&line);
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    /// A name in a column of this width, and what is said of it.
    pub(super) fn entry(&mut self, name: &str, width: usize, text: &str) {
        let name = format!("{}{}  ", " ".repeat(MARGIN), pad(&self.style.text(name), width));
        let indent = columns(&name);
        for (number, line) in self.wrapped(text, indent).iter().enumerate() {
            let lead = if number == 0 { name.clone() } else { " ".repeat(indent) };
            self.line(&format!("{lead}{line}"));
        }
    }

    /// A label and its lines, in two columns.
    pub(super) fn labelled(&mut self, label: Text, texts: &[(Meaning, String)]) {
        let width = label_width(self.style);
        let mut label = self.style.faint(&pad(&self.style.label(label), width));
        for (meaning, text) in texts {
            let text = match meaning {
                Meaning::Neutral => text.clone(),
                marked => format!("{} {text}", marked.symbol()),
            };
            for line in self.wrapped(&text, width + 2) {
                let line = self.style.paint(*meaning, &line);
                self.line(&format!("{label}  {line}"));
                label = " ".repeat(width);
            }
        }
    }

    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        wrap(&self.style.text(text), usize::from(self.style.width).saturating_sub(indent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn shown(style: Style) -> String {
        render(&fixture::load(), fixture::CARD, style)
    }

    #[test]
    fn the_report_of_the_fixture_looks_as_it_did() {
        insta::assert_snapshot!("wide", shown(Style { width: 190, ..Style::default() }));
        insta::assert_snapshot!("narrow", shown(Style { width: 80, unicode: false, ..Style::default() }));
        insta::assert_snapshot!("chinese", shown(Style { language: Language::Chinese, ..Style::default() }));
    }

    #[test]
    fn no_line_but_the_command_is_wider_than_the_terminal() {
        for width in [72, 80, 100, 120, 160, 220] {
            for language in Language::ALL {
                let text = shown(Style { width, language, ..Style::default() });
                for line in text.lines().filter(|line| !line.contains("pgstrata run")) {
                    assert!(columns(line) <= usize::from(width), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_violated_arm_shows_what_it_violated_in_place_of_a_figure() {
        let text = shown(Style::default());
        let naive = text.lines().find(|line| line.trim_start().starts_with("naive")).expect("a row");
        assert!(naive.contains("✗ violated I1, I3") && !naive.contains("652"), "{naive}");
    }

    #[test]
    fn without_colour_there_is_no_escape_sequence_and_with_it_the_words_are_the_same() {
        let plain = shown(Style::default());
        let colored = shown(Style { color: true, ..Style::default() });
        assert!(!plain.contains('\u{1b}') && colored.contains('\u{1b}'));
        let mut stripped = String::new();
        for (number, part) in colored.split('\u{1b}').enumerate() {
            stripped.push_str(if number == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) });
        }
        let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&stripped), words(&plain));
    }

    #[test]
    fn nothing_from_a_record_can_drive_the_terminal() {
        let mut record = fixture::load();
        for trial in record.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
            for violation in &mut trial.violations {
                violation.found = "\u{1b}]0;owned\u{7}".to_owned();
                violation.witnesses = vec![serde_json::json!({"\u{1b}[2J": "\u{9b}31m"})];
            }
        }
        record.command = "pgstrata run \u{1b}[31m".to_owned();
        let text = render(&record, fixture::CARD, Style::default());
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'));
    }
}
