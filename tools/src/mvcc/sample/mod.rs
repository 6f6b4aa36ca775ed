//! The parts of a picture, each asked of the server by a statement of its own. What one part cannot see is said in a note, and the
//! other parts are shown all the same.

pub(crate) mod horizon;
pub(crate) mod knowledge;
pub(crate) mod pages;
pub(crate) mod seen;
pub(crate) mod serializable;
pub(crate) mod sessions;
pub(crate) mod snapshots;
pub(crate) mod table;
pub(crate) mod verdicts;
pub(crate) mod versions;
pub(crate) mod visualizer;

pub(crate) mod waits;

use std::time::{SystemTime, UNIX_EPOCH};

use pgstrata_timeline::{Item, Origin, PutItem};
use pgstrata_units::Xid;

use super::connection::Trouble;
use super::note::note;

/// What is being put together.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub items: Vec<PutItem>,
    pub notes: Vec<String>,
}

impl Picture {
    pub fn put(&mut self, origin: Origin, item: Item) {
        self.items.push(item.known(origin));
    }

    pub fn note(&mut self, code: &str, sentence: impl std::fmt::Display) {
        let line = note(code, sentence);
        if !self.notes.contains(&line) {
            self.notes.push(line);
        }
    }

    /// The answer, or a note that this part is not to be seen; a lost connection ends the sample.
    pub fn or_note<T: Default>(&mut self, code: &str, answer: Result<T, Trouble>) -> Result<T, Trouble> {
        match answer {
            Err(Trouble::Refused { message, .. }) => {
                self.note(code, message);
                Ok(T::default())
            }
            answer => answer,
        }
    }
}

/// Microseconds since 1970 by this machine's clock.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A limit as `limit $1` takes it.
pub(crate) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// The transaction with these 32 bits, as views have them; `None` for none.
pub(crate) fn full(short: Option<i64>, next: Xid) -> Option<Xid> {
    let short = u32::try_from(short?).ok().filter(|short| *short != 0)?;
    Xid::near(short, next)
}

/// A 64-bit id as SQL's `bigint` has it.
pub(crate) fn bigint(xid: Xid) -> i64 {
    xid.0.cast_signed()
}

/// A number that SQL counts and that is never negative.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
