//! The result table of a record as Markdown, for splicing into README and book.

use pgstrata_units::Language;

use super::columns::Column;
use super::escape::{self, markdown_cell};
use super::labels::{self, fill};
use super::number;
use super::servers::servers_text;
use super::summary::{Summary, preset_name};
use super::table::{claim_outcome, control_line};
use crate::record::Record;

/// The columns that a page has room for.
const COLUMNS: [Column; 8] = [
    Column::Arm,
    Column::Kind,
    Column::Throughput,
    Column::Ratio,
    Column::P50,
    Column::P99,
    Column::ServerCpu,
    Column::Wal,
];

/// The table, its claims, and where the figures come from with the command that gets them again.
#[must_use]
pub fn table(record: &Record, language: Language) -> String {
    let summary = Summary::new(record);
    let mut out = String::new();
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&row(COLUMNS.iter().map(|column| markdown_cell(&column.heading(&summary, language))).collect()));
    out.push_str(&row(COLUMNS
        .iter()
        .map(|column| (if column.is_numeric() { "---:" } else { "---" }).to_owned())
        .collect()));
    for arm in &summary.arms {
        let cell = |column: &Column| {
            let text = markdown_cell(&column.cell(arm, &summary, language).0);
            if *column == Column::Arm { format!("`{text}`") } else { text }
        };
        out.push_str(&row(COLUMNS.iter().map(cell).collect()));
    }
    claims(&mut out, &summary, language);
    out.push('\n');
    out.push_str(&origin(&summary, language));
    out
}

fn claims(out: &mut String, summary: &Summary<'_>, language: Language) {
    for (number, claim) in summary.claims.iter().enumerate() {
        if number == 0 {
            out.push('\n');
        }
        let (meaning, outcome) = claim_outcome(&claim.outcome, claim.target, claim.unit, language);
        for part in ["- ", meaning.symbol(), " ", &markdown_cell(claim.statement), " ", &markdown_cell(&outcome), "\n"]
        {
            out.push_str(part);
        }
    }
}

/// The paragraph below the table.
fn origin(summary: &Summary<'_>, language: Language) -> String {
    let record = summary.record;
    let machine = &record.machine;
    let (_, control) = control_line(summary, language);
    let validity = if summary.invalid.is_empty() {
        labels::STATUS_VALID.get(language).to_owned()
    } else {
        format!("**{}**: {}", labels::INVALID.get(language), summary.invalid.join("; "))
    };
    let settings: Vec<String> = servers_text(record).iter().map(|server| server.replace('`', "'")).collect();
    let memory = number::bytes(machine.memory_bytes as f64);
    let values = [
        ("date", record.started_at.get(..10).unwrap_or(&record.started_at)),
        ("preset", preset_name(record.preset)),
        ("cpus", &machine.cpus.to_string()),
        ("cpu", &markdown_cell(machine.cpu_model.trim())),
        ("memory", &memory),
        ("settings", &escape::terminal(&settings.join("; "))),
        ("control", &markdown_cell(&control)),
        ("validity", &validity),
        ("version", &record.build.version),
        ("commit", &markdown_cell(&record.build.commit)),
    ];
    format!(
        "{}\n\n```sh\n{}\n```\n",
        fill(labels::MARKDOWN_ORIGIN, language, &values),
        escape::terminal(&record.command)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_table_of_the_fixture_looks_as_it_did() {
        insta::assert_snapshot!("table-en", table(&fixture::load(), Language::English));
        insta::assert_snapshot!("table-zh", table(&fixture::load(), Language::Chinese));
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_heading_whatever_the_names_hold() {
        let mut record = fixture::load();
        record.arms[1].arm = "a|b`c\n| d".to_owned();
        let text = table(&record, Language::English);
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<usize> = text.lines().take_while(|line| !line.is_empty()).map(cells).collect();
        assert_eq!(rows, vec![COLUMNS.len() + 1; record.arms.len() + 2]);
    }
}
