//! What a user should know beside the picture itself: a code that the page translates, and the sentence in English.
//!
//! In [`pgstrata_timeline::Server::notes`] a note is one line, `code: sentence`. Codes are never renamed.

use std::fmt::Display;

/// A note as one line.
#[must_use]
pub fn note(code: &str, sentence: impl Display) -> String {
    format!("{code}: {sentence}")
}

/// The code of a note, and its sentence.
#[must_use]
pub fn split(note: &str) -> (&str, &str) {
    note.split_once(": ").unwrap_or((note, ""))
}
