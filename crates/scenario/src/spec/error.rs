//! What is wrong with a specification, and where.

/// A mistake in a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct SpecError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub kind: SpecErrorKind,
}

/// The mistakes that can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecErrorKind {
    /// A character that begins nothing.
    #[error("unexpected character {0:?}")]
    Character(char),
    /// A quoted name that goes over the end of its line.
    #[error("a quoted name is not closed on its line")]
    OpenName,
    /// Statements without their closing brace.
    #[error("the statements are not closed by `}}`")]
    OpenStatements,
    /// A number that is too large.
    #[error("{0} is too large")]
    Number(String),
    /// Something else was expected.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// Two steps with one name.
    #[error("a second step named {0:?}")]
    DuplicateStep(String),
    /// A step that no session has.
    #[error("no session has a step named {0:?}")]
    UnknownStep(String),
    /// A marker names a step that the permutation does not hold.
    #[error("the step {0:?} that is to be waited for is not part of this permutation")]
    ForeignMarker(String),
    /// A marker names a step of the same session.
    #[error("{0:?} cannot wait for a step of its own session")]
    OwnSession(String),
    /// More sessions than can be opened.
    #[error("more than {0} sessions")]
    TooManySessions(usize),
}

impl SpecError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "a specification is `setup {sql}`, `teardown {sql}`, then sessions of `session name`, `setup {sql}`, \
         `step name {sql}`, `teardown {sql}`, then lines `permutation step step(marker) …`; names in double quotes may hold \
         anything, statements may not hold `}`"
    }
}
