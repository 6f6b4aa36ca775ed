//! What a sequencer and a barrier count about themselves. Totals since the start; nothing is reset.

use std::time::Duration;

/// What a sequencer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct FlushFigures {
    /// Flushes that committed, so the commits (and flushes of the server's log) that the library caused.
    pub batches: u64,
    /// Requests answered from a committed flush.
    pub requests: u64,
    /// The most requests in one committed flush.
    pub max_batch: u64,
    /// The time of all committed flushes, from `begin` until the answer to `commit`, µs.
    pub flush_us: u64,
    /// The longest of them, µs.
    pub max_flush_us: u64,
    /// The most requests that waited at once.
    pub queue_peak: u64,
    /// Requests waiting now.
    pub queued: u64,
    /// Flushes tried again because the server undid them for a passing reason.
    pub retries: u64,
    /// Batches cut in two to single out a request whose statement fails.
    pub splits: u64,
    /// Requests answered with `Refused`.
    pub refused: u64,
    /// Requests answered with `DeadlinePassed`.
    pub expired: u64,
    /// Requests dropped without work because nobody waited for them any more.
    pub abandoned: u64,
    /// Times that the session was lost and opened again.
    pub reconnects: u64,
    /// Commits left without an answer whose outcome the reconnected session found out.
    pub resolved: u64,
    /// Requests answered with `Unknown`.
    pub unknowns: u64,
}

impl FlushFigures {
    /// Requests per flush, or 0 before the first.
    #[must_use]
    pub fn mean_batch(&self) -> f64 {
        if self.batches == 0 { 0.0 } else { self.requests as f64 / self.batches as f64 }
    }

    /// The mean time of a flush, or zero before the first.
    #[must_use]
    pub fn mean_flush(&self) -> Duration {
        Duration::from_micros(self.flush_us.checked_div(self.batches).unwrap_or(0))
    }

    pub(crate) fn committed(&mut self, requests: usize, took: Duration) {
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.batches += 1;
        self.requests += requests;
        self.max_batch = self.max_batch.max(requests);
        self.flush_us = self.flush_us.saturating_add(took_us);
        self.max_flush_us = self.max_flush_us.max(took_us);
    }
}

/// What a barrier has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BarrierFigures {
    /// Synchronous commits made.
    pub flushes: u64,
    /// Waits that ended well.
    pub waits: u64,
    /// Waits that ended with [`crate::Unknown`].
    pub unknowns: u64,
    /// Times that the session was lost and opened again.
    pub reconnects: u64,
}
