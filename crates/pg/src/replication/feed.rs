//! Records of a server's log as it flushes them, over lost connections and restarts, to a reader who may be slow.
//!
//! A task receives, puts records together and hands them on through a queue that is bounded by bytes and by number. When
//! it is full nothing more is read from the server, which keeps its log (with a slot as long as it takes, without one as
//! long as `wal_keep_size` and the checkpoints let it); signs of life go on for half a minute, so the server does not hang up on
//! a reader who is only slow. On one who is stuck it does, and the feed connects anew when he goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgstrata_units::Lsn;
use pgstrata_wal::{Assembler, Record, Timeline};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::error::ReplicationError;
use super::stream::{PhysicalStream, Sent, ServerIdentity};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorClass, Kind};

/// How many records are handed on at once at most: what the server sends in one message wakes the reader once.
const BATCH_RECORDS: usize = 64;
/// How many batches wait for the reader at most: 4,096 records.
const QUEUE_BATCHES: usize = 64;
/// Messages that come faster than this are not read one by one.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How long nothing is read then: a busy server sends each commit by itself, and to be woken for each takes more time of the
/// processors, which the server may need, than to read them.
const REST: Duration = Duration::from_millis(10);
/// How many bytes of records wait for the reader at most; a batch that is longer waits alone.
const QUEUE_BYTES: u32 = 16 << 20;
/// The longest time between two signs of life.
const STATUS_PAUSE: Duration = Duration::from_secs(10);
/// How long a reader who takes nothing is covered for. A server that is told to stop waits until its receivers have all; behind
/// a reader who is stuck it must not wait longer than its own patience (`wal_sender_timeout`) after this.
const STUCK_LIMIT: Duration = Duration::from_secs(30);
/// The pause before a connection is tried anew, at first and at most.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How to follow.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// From which position on; `None`: from what is flushed when the feed is opened.
    pub from: Option<Lsn>,
    /// The name of a temporary slot that keeps the log from being removed while the connection lasts. A reader that
    /// stops reading then lets the server's disk fill.
    pub slot: Option<String>,
    /// How long a lost server is tried before the feed ends with an error.
    pub retry_limit: Duration,
}

impl Default for FeedOptions {
    /// From now on, without a slot, trying a lost server for a minute.
    fn default() -> Self {
        Self { from: None, slot: None, retry_limit: Duration::from_mins(1) }
    }
}

/// What a feed tells.
#[derive(Debug)]
pub enum Fed {
    /// A record.
    Record(Box<Record>),
    /// Everything up to here was told: the log is flushed so far, at this time of the server's clock (microseconds since
    /// 2000-01-01).
    UpTo {
        /// The position.
        lsn: Lsn,
        /// The time.
        time_us: i64,
    },
    /// The log goes on in another timeline: a standby was promoted.
    Timeline {
        /// Which.
        timeline: Timeline,
        /// From where.
        from: Lsn,
    },
    /// The connection was lost; what was committed meanwhile will come.
    Lost {
        /// What the system or the server said.
        reason: String,
    },
    /// The connection is back.
    Back {
        /// From where it goes on.
        lsn: Lsn,
    },
}

/// A feed of records; dropping it ends the connection.
#[derive(Debug)]
pub struct WalFeed {
    identity: ServerIdentity,
    from: Lsn,
    queue: mpsc::Receiver<Queued>,
    /// What was taken out of the queue together and not told yet, with the room that it takes.
    ready: VecDeque<Fed>,
    room: Option<OwnedSemaphorePermit>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Queued {
    fed: Result<Vec<Fed>, Error>,
    /// Given back when the reader has taken all of it.
    room: Option<OwnedSemaphorePermit>,
}

impl WalFeed {
    /// Connects and begins to follow. Needs the role attribute `REPLICATION` and a free `max_wal_senders`.
    ///
    /// # Errors
    /// Those of connecting, and [`ReplicationError`] in [`Kind::Replication`], with a hint.
    pub async fn open(endpoint: &Endpoint, options: FeedOptions) -> Result<Self, Error> {
        let endpoint = endpoint.with_application_name("pgstrata feed");
        let mut stream = PhysicalStream::connect(&endpoint).await?;
        let identity = stream.identity().clone();
        let from = options.from.unwrap_or(identity.flushed);
        let mut follower = Follower::new(endpoint, options, identity.clone(), from);
        follower.start(&mut stream).await?;
        let (sender, queue) = mpsc::channel(QUEUE_BATCHES);
        let task =
            tokio::spawn(follower.run(stream, Outlet { sender, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)) }));
        Ok(Self { identity, from, queue, ready: VecDeque::new(), room: None, task })
    }

    /// Who the server is, as it said when the feed was opened.
    #[must_use]
    pub const fn identity(&self) -> &ServerIdentity {
        &self.identity
    }

    /// The first record that comes begins here or later.
    #[must_use]
    pub const fn from(&self) -> Lsn {
        self.from
    }

    /// What comes next, waiting for it; `None` after an error. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Result<Option<Fed>, Error> {
        // Whoever reads a long batch lets others have their turn as often as one who takes each record out of the queue.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(fed) = self.take_ready() {
                return Ok(Some(fed));
            }
            let Some(queued) = self.queue.recv().await else { return Ok(None) };
            self.unpack(queued)?;
        }
    }

    /// What has come already; `None` if nothing has.
    pub fn next_at_once(&mut self) -> Result<Option<Fed>, Error> {
        loop {
            if let Some(fed) = self.take_ready() {
                return Ok(Some(fed));
            }
            let Ok(queued) = self.queue.try_recv() else { return Ok(None) };
            self.unpack(queued)?;
        }
    }

    fn unpack(&mut self, queued: Queued) -> Result<(), Error> {
        (self.ready, self.room) = (queued.fed?.into(), queued.room);
        Ok(())
    }

    fn take_ready(&mut self) -> Option<Fed> {
        let fed = self.ready.pop_front();
        if self.ready.is_empty() {
            self.room = None;
        }
        fed
    }
}

impl Drop for WalFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the task puts what it has; knows how to wait for room while the server is kept patient.
struct Outlet {
    sender: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// The reader has gone.
struct Unread;

impl Outlet {
    async fn put(&self, fed: Result<Vec<Fed>, Error>) -> Result<(), Unread> {
        let bytes = fed.as_ref().map_or(0, |fed| fed.iter().fold(0, |sum: u32, fed| sum.saturating_add(length(fed))));
        let bytes = bytes.min(QUEUE_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.ok();
        self.sender.send(Queued { fed, room }).await.map_err(|_| Unread)
    }
}

/// Bytes of a record.
fn length(fed: &Fed) -> u32 {
    if let Fed::Record(record) = fed { record.header.length } else { 0 }
}

/// What follows the log.
struct Follower {
    endpoint: Endpoint,
    options: FeedOptions,
    identity: ServerIdentity,
    assembler: Assembler,
    /// Records before here were told already, or not asked for.
    told: Lsn,
    /// The flushed position told last.
    flushed: Lsn,
}

impl Follower {
    fn new(endpoint: Endpoint, options: FeedOptions, identity: ServerIdentity, from: Lsn) -> Self {
        let assembler = Assembler::from_page_of(from, identity.segment_size);
        Self { endpoint, options, identity, assembler, told: from, flushed: Lsn(0) }
    }

    /// Lets a fresh connection send from the page where we are.
    async fn start(&mut self, stream: &mut PhysicalStream) -> Result<(), Error> {
        let (expected, found) = (self.identity.system, stream.identity().system);
        if expected != found {
            let error = ReplicationError::OtherSystem { expected, found };
            return Err(Error::new("follow the log", Kind::Replication(error)));
        }
        if let Some(slot) = &self.options.slot {
            stream.keep_log(slot).await?;
        }
        self.assembler = Assembler::from_page_of(self.told, self.identity.segment_size);
        let timeline = stream.identity().timeline;
        stream.start(self.assembler.position(), timeline, self.options.slot.as_deref()).await
    }

    async fn run(mut self, mut stream: PhysicalStream, outlet: Outlet) {
        loop {
            let Err(error) = self.follow(&mut stream, &outlet).await else { return };
            if !may_come_back(&error) {
                // The reader may have gone too; then nobody is there to tell.
                let _ = outlet.put(Err(error)).await;
                return;
            }
            if outlet.put(Ok(vec![Fed::Lost { reason: reason_of(&error) }])).await.is_err() {
                return;
            }
            let outcome = match self.come_back().await {
                Ok(again) => {
                    stream = again;
                    outlet.put(Ok(vec![Fed::Back { lsn: self.told }])).await
                }
                Err(error) => {
                    // As above.
                    let _ = outlet.put(Err(error)).await;
                    return;
                }
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    /// Connects anew, at most for the limit.
    async fn come_back(&mut self) -> Result<PhysicalStream, Error> {
        let began = Instant::now();
        let mut pause = RETRY_PAUSE.0;
        loop {
            let error = match self.try_again().await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            if !may_come_back(&error) || began.elapsed() + pause >= self.options.retry_limit {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    async fn try_again(&mut self) -> Result<PhysicalStream, Error> {
        let mut stream = PhysicalStream::connect(&self.endpoint).await?;
        self.start(&mut stream).await?;
        Ok(stream)
    }

    /// Tells what comes until the connection ends with an error, or the reader goes.
    async fn follow(&mut self, stream: &mut PhysicalStream, outlet: &Outlet) -> Result<(), Error> {
        let pause = status_pause(stream.identity().patience_ms);
        let mut status = tokio::time::interval(pause);
        let mut last = None::<Instant>;
        loop {
            let sent = tokio::select! {
                _ = status.tick() => {
                    self.report(stream).await?;
                    continue;
                }
                sent = stream.next() => sent?,
            };
            let mut fed = Vec::new();
            let gathered = self.gather(stream, sent, &mut fed).await;
            if !self.hand_on(stream, fed, outlet, &mut status).await? {
                return Ok(());
            }
            if gathered? {
                self.report(stream).await?;
            }
            if last.replace(Instant::now()).is_some_and(|last| last.elapsed() < BUSY_PAUSE) {
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// Takes a message, and those that have come already; whether the server waits for an answer.
    async fn gather(&mut self, stream: &mut PhysicalStream, first: Sent, fed: &mut Vec<Fed>) -> Result<bool, Error> {
        let (mut sent, mut wants_answer) = (first, false);
        loop {
            wants_answer |= matches!(sent, Sent::Keepalive { wants_answer: true, .. });
            fed.extend(self.take(stream, sent).await?);
            if fed.len() >= BATCH_RECORDS {
                return Ok(wants_answer);
            }
            let Some(more) = stream.next_at_once().await? else { return Ok(wants_answer) };
            sent = more;
        }
    }

    /// Hands on; false if the reader has gone. While he is slow the server must not take us for dead.
    async fn hand_on(
        &self,
        stream: &mut PhysicalStream,
        fed: Vec<Fed>,
        outlet: &Outlet,
        status: &mut tokio::time::Interval,
    ) -> Result<bool, Error> {
        let mut fed = fed.into_iter();
        loop {
            let batch: Vec<Fed> = fed.by_ref().take(BATCH_RECORDS).collect();
            if batch.is_empty() {
                return Ok(true);
            }
            let mut put = std::pin::pin!(outlet.put(Ok(batch)));
            let began = Instant::now();
            loop {
                tokio::select! {
                    biased;
                    done = &mut put => match done {
                        Ok(()) => break,
                        Err(Unread) => return Ok(false),
                    },
                    _ = status.tick(), if began.elapsed() < STUCK_LIMIT => self.report(stream).await?,
                }
            }
        }
    }

    async fn report(&self, stream: &mut PhysicalStream) -> Result<(), Error> {
        stream.report(self.told, self.options.slot.as_ref().map(|_| self.told)).await
    }

    /// What one message of the server amounts to.
    async fn take(&mut self, stream: &mut PhysicalStream, sent: Sent) -> Result<Vec<Fed>, Error> {
        let mut fed = Vec::new();
        match sent {
            Sent::Log { lsn, bytes, flushed, time_us } => {
                self.assembler.give(lsn, &bytes).map_err(unreadable)?;
                while let Some(record) = self.assembler.next_record().map_err(unreadable)? {
                    if record.lsn >= self.told {
                        self.told = record.end;
                        fed.push(Fed::Record(Box::new(record)));
                    }
                }
                if self.assembler.position() >= flushed {
                    self.flushed = flushed;
                    fed.push(Fed::UpTo { lsn: flushed, time_us });
                }
            }
            Sent::Keepalive { flushed, time_us, .. } => {
                if self.assembler.position() >= flushed && self.flushed != flushed {
                    self.flushed = flushed;
                    fed.push(Fed::UpTo { lsn: flushed, time_us });
                }
            }
            Sent::NextTimeline { timeline, from } => {
                // What the old timeline left unfinished is not part of the new one.
                self.told = self.told.min(from);
                self.assembler = Assembler::from_page_of(self.told, self.identity.segment_size);
                self.identity.timeline = timeline;
                let slot = self.options.slot.clone();
                stream.start(self.assembler.position(), timeline, slot.as_deref()).await?;
                fed.push(Fed::Timeline { timeline, from });
            }
        }
        Ok(fed)
    }
}

/// A third of the server's patience, at most [`STATUS_PAUSE`].
fn status_pause(patience_ms: u64) -> Duration {
    match patience_ms {
        0 => STATUS_PAUSE,
        patience => STATUS_PAUSE.min(Duration::from_millis(patience / 3)).max(Duration::from_millis(10)),
    }
}

fn unreadable(error: pgstrata_wal::StreamError) -> Error {
    Error::new("follow the log", Kind::Replication(error.into()))
}

/// Whether a new connection may help.
fn may_come_back(error: &Error) -> bool {
    match error.kind() {
        Kind::Replication(ReplicationError::Ended) | Kind::Io(_) | Kind::SessionClosed => true,
        Kind::Replication(ReplicationError::Refused(message)) | Kind::LogInRefused(message) => {
            // Shutting down or starting; or senders, or our slot, still taken by the connection that was lost.
            message.sqlstate.starts_with("57P") || ["53300", "42710", "55006"].contains(&message.sqlstate.as_str())
        }
        _ => error.class() == ErrorClass::NotConnected,
    }
}

/// The error with its causes, in a line.
fn reason_of(error: &Error) -> String {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        reason = format!("{reason}: {next}");
        cause = next.source();
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_comes_three_times_within_the_servers_patience() {
        assert_eq!(status_pause(60_000), STATUS_PAUSE);
        assert_eq!(status_pause(3_000), Duration::from_secs(1));
        assert_eq!(status_pause(0), STATUS_PAUSE);
        assert_eq!(status_pause(1), Duration::from_millis(10));
    }
}
