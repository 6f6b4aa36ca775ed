//! How much consoles may take.

use pgstrata_pg::simple::Keep;

/// How much consoles may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Consoles side by side.
    pub consoles: usize,
    /// Characters of a console's name.
    pub name_chars: usize,
    /// Bytes of a text that is sent.
    pub text_bytes: usize,
    /// How much of a result is kept.
    pub keep: Keep,
    /// Notices of a statement that are kept.
    pub notices: usize,
    /// Statements that a console remembers beside its last.
    pub past_statements: usize,
    /// Events that a listener may be behind.
    pub events: usize,
    /// Orders to a console that may queue up.
    pub orders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            consoles: 16,
            name_chars: 40,
            text_bytes: 100_000,
            keep: Keep { rows: 500, value_bytes: 4_000 },
            notices: 50,
            past_statements: 200,
            events: 1_000,
            orders: 8,
        }
    }
}
