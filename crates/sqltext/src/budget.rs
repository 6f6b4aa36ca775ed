//! How much one statement may bring in: functions that call functions and views of views grow without bound.

use std::cell::Cell;

/// Functions, triggers and views that one statement may bring in, with all that those bring in.
pub const EXPANSIONS_MAX: usize = 200;

/// Statements of one program; what comes after is not analysed, and that is said.
pub const STATEMENTS_MAX: usize = 200_000;

thread_local! {
    static EXPANSIONS: Cell<usize> = const { Cell::new(0) };
}

/// A statement of a program begins.
pub fn renew() {
    EXPANSIONS.set(0);
}

/// Whether one more function, trigger or view may be brought in.
pub fn spend() -> bool {
    EXPANSIONS.set(EXPANSIONS.get() + 1);
    EXPANSIONS.get() <= EXPANSIONS_MAX
}
