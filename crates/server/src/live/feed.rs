//! One log that is being made: a task that looks, the log, and whoever reads it.
//!
//! Readers ask the log for what came after the last change they have, so there is no queue for each of them, a slow one
//! holds up nobody, and one that comes back after a lost connection is like one that was slow.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pgstrata_timeline::{Cause, Log, LogLimits, Moment, Resume};
use pgstrata_tools::mvcc::{Pace, Watch};
use pgstrata_units::memory::Holding;
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::source::{Seen, Source};
use crate::limits;
use crate::problem::Problem;

/// A log that is being made.
pub struct Feed {
    /// Drawn when it began; changes of another log do not go on from this one's.
    id: String,
    watch: Watch,
    log: Mutex<Log>,
    /// The last change; also how its end is told.
    last: watch::Sender<Progress>,
    asked: mpsc::Sender<Asked>,
    readers: AtomicUsize,
}

/// What the task that looks is asked for.
enum Asked {
    /// To look now, because of something of our own making.
    Look(Cause),
    /// What its source holds in memory.
    Holds(oneshot::Sender<Vec<Holding>>),
}

/// How far a log is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Progress {
    seq: u64,
    end: Option<Problem>,
}

/// What a reader gets next.
#[derive(Debug)]
pub enum Next {
    /// Changes that follow on the last one it has.
    Changes(Vec<Arc<pgstrata_timeline::Change>>),
    /// All that there is.
    Moment {
        /// The moment.
        moment: Moment,
        /// Whether the reader was too slow; else it had nothing yet.
        is_behind: bool,
    },
}

impl Feed {
    /// Begins a log, and looks until `stop`.
    pub fn begin(watch: Watch, source: Box<dyn Source>, stop: CancellationToken) -> Arc<Self> {
        let (asked, questions) = mpsc::channel(limits::CAUSES);
        let feed = Arc::new(Self {
            id: format!("{:016x}", rand::rng().random::<u64>()),
            watch,
            log: Mutex::new(Log::new(LogLimits { changes: limits::KEPT_CHANGES, bytes: limits::KEPT_BYTES })),
            last: watch::Sender::default(),
            asked,
            readers: AtomicUsize::new(0),
        });
        tokio::spawn(Arc::clone(&feed).look(source, questions, stop));
        feed
    }

    /// The log's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is watched.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Has the server looked at because of something of our own making. A log that is too busy for it leaves it out.
    pub fn note(&self, cause: &Cause) {
        let _ = self.asked.try_send(Asked::Look(cause.clone()));
    }

    /// Whether somebody reads.
    pub fn is_read(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.last.borrow().end.is_some()
    }

    /// A reader, to go on after a change that it has already, if it has one of this log.
    pub fn reader(self: &Arc<Self>, after: Option<u64>) -> Reader {
        self.readers.fetch_add(1, Ordering::AcqRel);
        // One that has been away for too long begins anew.
        let is_kept = |after: &u64| matches!(self.log().since(*after, 1), Resume::Changes(_));
        let after = after.filter(is_kept);
        Reader {
            feed: Arc::clone(self),
            after,
            told: self.last.subscribe(),
            patience: limits::VIEWER_BEHIND,
            is_returning: after.is_some(),
        }
    }

    /// What there is now.
    pub fn moment(&self) -> Moment {
        self.log().moment().clone()
    }

    /// The memory that it takes: its own part, and its source's once that is between two looks.
    pub async fn holds(&self) -> Vec<Holding> {
        let (answer, answered) = oneshot::channel();
        // A log that is too busy, or has ended, says nothing of its source.
        let of_source = match self.asked.try_send(Asked::Holds(answer)) {
            Ok(()) => answered.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let [moment, changes] = self.log().holds();
        let own = [Holding { what: "feed.moment", ..moment }, Holding { what: "feed.changes", ..changes }];
        own.into_iter().chain(of_source).collect()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(
        self: Arc<Self>,
        mut source: Box<dyn Source>,
        mut questions: mpsc::Receiver<Asked>,
        stop: CancellationToken,
    ) {
        let mut pace = Pace::default();
        let mut cause = Cause::Begin;
        loop {
            let began = Instant::now();
            let seen = tokio::select! {
                seen = source.look(cause) => seen,
                () = stop.cancelled() => return,
            };
            let took = began.elapsed();
            let is_changed = match seen {
                Ok(seen) => self.keep(seen),
                Err(problem) => {
                    self.last.send_modify(|progress| progress.end = Some(problem));
                    return;
                }
            };
            pace.saw(self.log().moment().items.values().map(|put| &put.item));
            let next_look = tokio::time::sleep(pace.pause(took, is_changed));
            tokio::pin!(next_look);
            cause = loop {
                tokio::select! {
                    Some(asked) = questions.recv() => match asked {
                        Asked::Look(cause) => break cause,
                        // Who has asked may have gone.
                        Asked::Holds(answer) => drop(answer.send(source.holds())),
                    },
                    () = &mut next_look => break Cause::Sample,
                    seen = source.wait() => drop(self.keep(seen)),
                    () = stop.cancelled() => return,
                }
            };
        }
    }

    /// Whether that changed anything.
    fn keep(&self, seen: Vec<Seen>) -> bool {
        let seq = {
            let mut log = self.log();
            for Seen { put, drop: gone, at, cause } in seen {
                drop(log.append(put, gone, at, cause));
            }
            log.moment().seq
        };
        self.last.send_if_modified(|progress| std::mem::replace(&mut progress.seq, seq) != seq)
    }
}

/// Somebody who reads a log, change by change.
pub struct Reader {
    feed: Arc<Feed>,
    after: Option<u64>,
    told: watch::Receiver<Progress>,
    /// Changes that it may be behind.
    patience: usize,
    /// Whether nothing was read yet after coming back.
    is_returning: bool,
}

impl Reader {
    /// The log.
    #[must_use]
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// The change after which it goes on, if it needs no moment first.
    #[must_use]
    pub fn goes_on_after(&self) -> Option<u64> {
        self.after
    }

    /// The same, and may be as far behind as changes are kept: for whoever must not miss any.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patience = limits::KEPT_CHANGES;
        self
    }

    /// The next changes, or a moment. Waits until there is something; nothing is lost if the waiting is given up.
    ///
    /// # Errors
    /// If the log has ended.
    pub async fn next(&mut self) -> Result<Next, Problem> {
        loop {
            let progress = self.told.borrow_and_update().clone();
            // Nothing is told before the first look.
            if progress.seq > 0
                && let Some(next) = self.available()
            {
                return Ok(next);
            }
            if let Some(problem) = progress.end {
                return Err(problem);
            }
            if self.told.changed().await.is_err() {
                return Err(Problem::missing("there is no log any more"));
            }
        }
    }

    fn available(&mut self) -> Option<Next> {
        let most = if self.is_returning { limits::KEPT_CHANGES } else { self.patience };
        self.is_returning = false;
        let resume = self.after.map(|after| self.feed.log().since(after, most + 1));
        match resume {
            Some(Resume::Changes(changes)) if changes.len() <= most => {
                self.after = Some(changes.last()?.seq);
                Some(Next::Changes(changes))
            }
            _ => {
                let moment = self.feed.moment();
                let is_behind = self.after.replace(moment.seq).is_some();
                Some(Next::Moment { moment, is_behind })
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.feed.readers.fetch_sub(1, Ordering::AcqRel);
    }
}
