//! Everything a person sees of a run, as pure functions of its [`Record`].
//!
//! Nothing here prints, reads a clock or an environment, or opens a file. The statistics were judged before;
//! a view withholds a figure that must not be believed, and never makes one up.

mod columns;
pub mod difference;
pub mod escape;
#[cfg(test)]
pub(crate) mod fixture;
mod html;
mod isolation;
mod labels;
mod markdown;
mod number;
pub mod plot;
mod servers;
mod style;
pub mod summary;
mod table;

use pgstrata_units::Language;

use crate::error::LabError;
use crate::record::Record;
use crate::study::Card;

pub use style::{Meaning, Style, columns as text_columns, wrap};

/// The record for a terminal: the table, and below it all that one must know to believe it.
#[must_use]
pub fn terminal(record: &Record, card: &Card, style: &Style) -> String {
    table::render(record, card, *style)
}

/// The record as one self-contained page. It holds both languages and opens in `language`.
#[must_use]
pub fn html(record: &Record, card: &Card, language: Language) -> String {
    html::page(record, card, language)
}

/// The result table as Markdown, in English.
#[must_use]
pub fn markdown(record: &Record) -> String {
    markdown::table(record, Language::English)
}

/// The result table as Markdown in a language.
#[must_use]
pub fn markdown_in(record: &Record, language: Language) -> String {
    markdown::table(record, language)
}

/// Two records side by side, for a terminal. Differences get an interval but no verdict.
///
/// # Errors
/// If the records are not of the same study.
pub fn compare(before: &Record, after: &Record, style: &Style) -> Result<String, LabError> {
    if before.study == after.study {
        Ok(difference::render(before, after, *style))
    } else {
        Err(LabError::usage(
            format!("the records are of two studies, {} and {}", before.study, after.study),
            "name two records of the same study",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_two_studies_are_not_set_side_by_side() {
        let record = fixture::load();
        let mut other = record.clone();
        other.study = "ledger".to_owned();
        let error = compare(&record, &other, &Style::default()).expect_err("they have nothing in common");
        assert!(matches!(error, LabError::Usage { .. }), "{error}");
        assert!(compare(&record, &record, &Style::default()).is_ok());
    }
}
