//! What the analysis found, in words: for a terminal, as an architecture decision record in Markdown, as a page of HTML.
//!
//! Pure functions of the report and the workload that it is about, shared by the command line and the workbench. Nothing
//! is decided here, and no fact is here that is not in the report.

mod adr;
mod code;
mod cycle;
mod document;
mod lanes;
mod mistake;
mod phrases;
mod scene;
mod text;

pub use adr::{Adr, Made, adr_document, adr_html, adr_markdown, adr_notes};
pub use code::{ProgramCode, code};
pub use cycle::cycle;
pub use document::{Block, Document};
pub use lanes::lanes;
pub use mistake::{excerpt, mistake};
pub use phrases::{dependency_sentence, kind_name, promotion_sentence, statement_text, tried, verdict_word};
pub use scene::Scene;
pub use text::{text, unanalysed};
