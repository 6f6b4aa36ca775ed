//! What a user of the library may choose, with its bounds and why they are what they are.
//!
//! Limits that nobody needs to choose stand where they are used.

use std::time::Duration;

// #region settings
/// How one shard's sequencer behaves. `Settings { shard: 7, ..Settings::default() }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which shard this is; one instance at a time writes for a shard of a database.
    pub shard: i32,
    /// Who this instance is, for the people who read `pgstrata_sequencer.shard` or the error of a refused start.
    pub instance: String,
    /// What to do at the start when another instance has the shard.
    pub takeover: Takeover,
    /// How many requests may wait for a flush; one more is answered with `QueueFull`.
    ///
    /// With a flush rate of 100,000 requests/s, 65,536 requests are 0.65 s of waiting.
    pub queue_limit: usize,
    /// How many requests one flush takes at most.
    ///
    /// The work grows with the batch while the commit does not: at 8,192 requests the commit's share of a flush is a
    /// few per cent, and a larger batch only makes everybody wait longer.
    pub batch_limit: usize,
    /// How long one flush may go without an answer before its session counts as lost.
    pub flush_limit: Duration,
    /// How long a flush waits for a row that somebody else has locked (`lock_timeout`); then it is tried again.
    pub lock_limit: Duration,
    /// How long requests wait for a lost server to come back. Then those in doubt are answered with `Unknown`, all
    /// others with `Unreachable`, and so are new ones until the server is back; the sequencer keeps trying.
    pub reconnect_limit: Duration,
    /// How often the same requests are tried when the server undoes their flush for a passing reason (deadlock,
    /// serialization, lock timeout), or when it dies under them before the commit was sent.
    pub attempt_limit: u32,
    /// How often one batch may be cut in two to single out the requests whose statement fails; a piece that still
    /// fails after that is refused whole. One bad request among `n` takes log2(n) cuts, 13 for 8,192, and each cut two
    /// further flushes.
    pub isolation_limit: u32,
    /// How long `Sequencer::stop` goes on flushing what is queued.
    pub drain_limit: Duration,
}
// #endregion settings

/// What a start does when another instance has the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Refuses with `StartError::Held`: a second instance is usually a mistake.
    Refuse,
    /// Waits so long for the other one to end, then refuses.
    Wait(Duration),
    /// Deposes the other one: begins a new epoch (after which no flush of his commits), ends his session, and waits
    /// so long for the lock. Needs the other one's role, or `pg_signal_backend`.
    Depose(Duration),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shard: 0,
            instance: format!("process {}", std::process::id()),
            takeover: Takeover::Refuse,
            queue_limit: 65_536,
            batch_limit: 8_192,
            flush_limit: Duration::from_secs(30),
            lock_limit: Duration::from_secs(5),
            reconnect_limit: Duration::from_secs(30),
            attempt_limit: 3,
            isolation_limit: 256,
            drain_limit: Duration::from_secs(10),
        }
    }
}

impl Takeover {
    /// How long a start may wait for another instance.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Refuse => Duration::ZERO,
            Self::Wait(limit) | Self::Depose(limit) => limit,
        }
    }
}
