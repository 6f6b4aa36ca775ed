//! The growing log: the last moment, and the recent changes that lead to it.
//!
//! A [`Log`] turns whole pictures into changes, numbers them without gaps, and answers "what came after number n?" with
//! changes while it still has them, with a moment otherwise. It holds no clock and wakes nobody.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use pgstrata_units::memory::{HeapBytes as _, Holding, allocated};

use crate::change::{At, Cause, Change};
use crate::item::{Key, PutItem};
use crate::moment::Moment;
use crate::shared::SharedItem;

/// How much of the past a [`Log`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Recent changes, at most.
    pub changes: usize,
    /// The memory that they take with their items, bytes, at most; the newest change is kept whatever its size.
    pub bytes: usize,
}

impl Default for LogLimits {
    /// Some minutes of a busy server: 10,000 changes, 32 MiB.
    fn default() -> Self {
        Self { changes: 10_000, bytes: 32 << 20 }
    }
}

/// What somebody who knows the log up to some number gets to know the rest.
#[derive(Debug, Clone, PartialEq)]
pub enum Resume {
    /// The next changes, in order; none if there are none yet.
    Changes(Vec<Arc<Change>>),
    /// The present moment, because the changes in between are no longer (or were never) here.
    Moment(Moment),
}

/// The last moment of a log and the recent changes before it.
#[derive(Debug, Default)]
pub struct Log {
    limits: LogLimits,
    moment: Moment,
    recent: VecDeque<(usize, Arc<Change>)>,
    recent_bytes: usize,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new(limits: LogLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The last moment.
    #[must_use]
    pub fn moment(&self) -> &Moment {
        &self.moment
    }

    /// Takes a picture of everything there is, and appends what is different from the last moment.
    ///
    /// `None`, and nothing is appended, if a mere sample shows nothing new. Of several items with one key the last counts.
    pub fn push(&mut self, picture: Vec<PutItem>, at: At, cause: Cause) -> Option<Arc<Change>> {
        let picture: BTreeMap<Key, SharedItem> = picture.into_iter().map(|put| (put.key.clone(), put.into())).collect();
        let (put, drop) = self.moment.difference(&picture);
        if put.is_empty() && drop.is_empty() && cause == Cause::Sample {
            return None;
        }
        Some(self.append(put, drop, at, cause))
    }

    /// Appends a change of which the maker knows what is different.
    pub fn append(&mut self, put: Vec<SharedItem>, drop: Vec<Key>, at: At, cause: Cause) -> Arc<Change> {
        let change = Arc::new(Change { seq: self.moment.seq + 1, at, cause, put, drop });
        let folded = self.moment.fold(&change);
        debug_assert!(folded, "a change with the next number always folds");
        let bytes = change.whole_bytes();
        self.recent.push_back((bytes, Arc::clone(&change)));
        self.recent_bytes += bytes;
        self.forget();
        change
    }

    /// What came after change number `after`, at most `limit` changes of it.
    ///
    /// A number that this log never gave out (of another log, of the future) is answered with a moment.
    #[must_use]
    pub fn since(&self, after: u64, limit: usize) -> Resume {
        let first = self.moment.seq + 1 - self.recent.len() as u64;
        if after > self.moment.seq || after + 1 < first {
            return Resume::Moment(self.moment.clone());
        }
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        let changes = self.recent.iter().skip(skip).take(limit);
        Resume::Changes(changes.map(|(_, change)| Arc::clone(change)).collect())
    }

    /// Recent changes that are kept, and the memory that they take, bytes, as if nobody else held their items.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.recent.len(), self.recent_bytes)
    }

    /// The memory that it takes: the moment, and the recent changes. What both hold is shared out among them.
    #[must_use]
    pub fn holds(&self) -> [Holding; 2] {
        let queue = allocated(self.recent.capacity() * size_of::<(usize, Arc<Change>)>());
        let changes: usize = self.recent.iter().map(|(_, change)| change.heap_bytes()).sum();
        [
            Holding::new("log.moment", self.moment.items.len(), self.moment.heap_bytes()),
            Holding::new("log.changes", self.recent.len(), queue + changes).at_most(self.limits.changes),
        ]
    }

    fn forget(&mut self) {
        while self.recent.len() > self.limits.changes.max(1)
            || (self.recent_bytes > self.limits.bytes && self.recent.len() > 1)
        {
            let Some((bytes, _)) = self.recent.pop_front() else { return };
            self.recent_bytes -= bytes;
        }
    }
}
