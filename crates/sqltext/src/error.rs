//! What is wrong with a source, in PostgreSQL's own words, and where.

use serde::{Deserialize, Serialize};

use crate::position::Span;

/// SQL that PostgreSQL's grammar refuses, or that this crate's conventions refuse.
///
/// Such a source has no programs. SQL that is right but cannot be analysed is no error: it is said in
/// [`crate::Unanalysed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{span}: {message}")]
pub struct SqlError {
    /// Where: the token that the grammar did not expect.
    pub span: Span,
    /// PostgreSQL's own words, such as `syntax error at or near "form"`, where they are its grammar's.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}
