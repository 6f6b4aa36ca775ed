//! Everything a person sees of a run, as pure functions of its [`Record`].
//!
//! Nothing here prints, reads a clock or an environment, or opens a file. The statistics were judged before;
//! a view withholds a figure that must not be believed, and never makes one up.

mod columns;
pub mod difference;
mod escape;
#[cfg(test)]
pub(crate) mod fixture;
mod html;
mod labels;
mod markdown;
mod number;
pub mod plot;
mod style;
pub mod summary;
mod table;

use pgstrata_units::Language;

use crate::record::Record;
use crate::study::Card;

pub use style::{Meaning, Style};

/// The record for a terminal: the table, and below it all that one must know to believe it.
#[must_use]
pub fn terminal(record: &Record, card: &Card, style: &Style) -> String {
    table::render(record, card, style)
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
#[must_use]
pub fn compare(before: &Record, after: &Record, style: &Style) -> String {
    difference::render(before, after, style)
}
