//! What a coordinator counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one instance has done so far, and what its resolver saw last.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Figures {
    /// Transactions that were committed on several shards.
    pub committed: u64,
    /// Transactions that were committed on one shard alone, without a second phase.
    pub committed_alone: u64,
    /// Transactions that were rolled back, those among them that the caller wanted so.
    pub aborted: u64,
    /// Attempts of [`crate::Coordinator::run`] after the first.
    pub retries: u64,
    /// Prepared transactions that the resolver committed, because that was the decision.
    pub resolved_commits: u64,
    /// Prepared transactions that the resolver rolled back.
    pub resolved_aborts: u64,
    /// Decisions forgotten.
    pub forgotten: u64,
    /// Barrier snapshots that were opened again because a commit was found interrupted.
    pub barrier_retries: u64,
    /// Prepared transactions of the realm when the resolver last looked, those of transactions under way among them.
    pub prepared: u64,
    /// The age of the oldest of them, milliseconds.
    pub oldest_prepared_ms: u64,
    /// How often the resolver found one older than `Settings::alarm_after`.
    pub alarms: u64,
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// The same, shared by everybody who counts.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Figures {
                Figures { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters!(
    committed,
    committed_alone,
    aborted,
    retries,
    resolved_commits,
    resolved_aborts,
    forgotten,
    barrier_retries,
    prepared,
    oldest_prepared_ms,
    alarms,
);

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
