//! Why a scenario cannot be read: where, what, and how to write it instead.

/// A mistake in a scenario's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Something other than what the language has here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What can stand here.
        expected: &'static str,
        /// What does, shortened.
        found: String,
    },
    /// A text or a block without its end.
    #[error("{what} has no end")]
    Unclosed {
        /// Which.
        what: &'static str,
    },
    /// A name that is none.
    #[error("{name:?} cannot be the name of a scenario")]
    BadName {
        /// As written.
        name: String,
    },
    /// An isolation level that PostgreSQL does not have.
    #[error("{0:?} is no isolation level")]
    UnknownLevel(String),
    /// An anomaly that the checkers do not know.
    #[error("{0:?} is no anomaly that is known here")]
    UnknownAnomaly(String),
    /// A SQLSTATE that is none.
    #[error("{0:?} is no SQLSTATE")]
    BadSqlstate(String),
    /// An expectation for a session that does nothing.
    #[error("no step is of session {0}")]
    UnknownSession(String),
    /// A step that lets go, or waits for, what does not exist.
    #[error("session {session} is not {state} here")]
    NotWaiting {
        /// Which.
        session: String,
        /// `held` or `blocked`.
        state: &'static str,
    },
    /// A scenario without steps.
    #[error("scenario {0} has no steps")]
    NoSteps(String),
    /// More than can be meant.
    #[error("a scenario has at most {0} steps")]
    TooManySteps(usize),
}

impl ParseError {
    /// How to write it instead, as one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match &self.kind {
            ParseErrorKind::Expected { .. } => {
                "a line begins with scenario, about, levels, setup, teardown, expect, invariant, permutations, fixed in, a \
                 session and a colon, or -> for what must come of the step above"
            }
            ParseErrorKind::Unclosed { .. } => {
                "close a text with \" on the same line, and a block with } on a line of its own"
            }
            ParseErrorKind::BadName { .. } => "use lower-case letters, digits and hyphens, at most 60",
            ParseErrorKind::UnknownLevel(_) => "the levels are read committed, repeatable read and serializable",
            ParseErrorKind::UnknownAnomaly(_) => {
                "write none, or a class such as G0, G1a, G1b, G1c, G-single, lost-update, G2-item, G2"
            }
            ParseErrorKind::BadSqlstate(_) => "a SQLSTATE is five digits or capital letters, like 40001",
            ParseErrorKind::UnknownSession(_) => "name a session as its steps do",
            ParseErrorKind::NotWaiting { state: "held", .. } => {
                "a release or kill follows a step of the same session with `hold at <function>`"
            }
            ParseErrorKind::NotWaiting { .. } => {
                "`resumes` follows a step of the same session that ends with -> blocks"
            }
            ParseErrorKind::NoSteps(_) => "write steps like T1: select 1",
            ParseErrorKind::TooManySteps(_) => "split it into several scenarios",
        }
    }
}
