//! The logs that are being made, by what they watch: shared by all who watch the same, ended when nobody does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pgstrata_timeline::Cause;
use pgstrata_tools::mvcc::{Viewers, Watch};
use pgstrata_units::memory::Holding;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::feed::{Feed, Reader};
use super::source::Sources;
use crate::limits;
use crate::problem::{Code, Problem};

/// The logs that are being made; cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    sources: Box<dyn Sources>,
    /// By what they watch, as JSON.
    feeds: Mutex<HashMap<String, Kept>>,
    viewers: Arc<Semaphore>,
    stop: CancellationToken,
}

struct Kept {
    feed: Arc<Feed>,
    stop: CancellationToken,
    /// Since when nobody reads.
    idle_since: Option<Instant>,
}

impl Hub {
    /// No logs yet.
    #[must_use]
    pub fn new(sources: Box<dyn Sources>) -> Self {
        let shared = Arc::new(Shared {
            sources,
            feeds: Mutex::default(),
            viewers: Arc::new(Semaphore::new(limits::VIEWERS)),
            stop: CancellationToken::new(),
        });
        tokio::spawn(sweep(Arc::downgrade(&shared), shared.stop.clone()));
        Self(shared)
    }

    /// A place for one more viewer.
    ///
    /// # Errors
    /// [`Code::LimitReached`] if there are as many as may be.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0.viewers).try_acquire_owned().map_err(|_| {
            Problem::new(Code::LimitReached, format!("{} pages are looking already", limits::VIEWERS))
                .hint("close a page of the workbench")
        })
    }

    /// A reader of the log of `watch`; it goes on after change `after` of log `log` if that is the one.
    ///
    /// # Errors
    /// If the log cannot be begun, or there are too many.
    pub async fn read(&self, watch: Watch, log: Option<&str>, after: Option<u64>) -> Result<Reader, Problem> {
        let watch = checked(watch)?;
        let name = serde_json::to_string(&watch).map_err(|error| Problem::internal("name a log", &error))?;
        // One at a time begins a log, so that two viewers of the same never begin two.
        let mut feeds = self.0.feeds.lock().await;
        feeds.retain(|_, kept| !kept.feed.has_ended());
        if let Some(kept) = feeds.get_mut(&name) {
            kept.idle_since = None;
            let after = after.filter(|_| log == Some(kept.feed.id()));
            return Ok(kept.feed.reader(after));
        }
        if feeds.len() >= limits::FEEDS {
            return Err(Problem::new(Code::LimitReached, format!("{} things are watched already", limits::FEEDS))
                .hint("close a page of the workbench that watches another table or row"));
        }
        let source = self.0.sources.open(&watch).await?;
        let stop = self.0.stop.child_token();
        let feed = Feed::begin(watch, source, stop.clone());
        let reader = feed.reader(None);
        feeds.insert(name, Kept { feed, stop, idle_since: None });
        Ok(reader)
    }

    /// Puts something of our own making into every log.
    pub async fn note(&self, cause: Cause) {
        for kept in self.0.feeds.lock().await.values() {
            kept.feed.note(&cause);
        }
    }

    /// How many logs are being made.
    pub async fn feeds(&self) -> usize {
        self.0.feeds.lock().await.len()
    }

    /// What each log watches, and the memory that it takes.
    pub async fn holds(&self) -> Vec<(Watch, Vec<Holding>)> {
        let feeds: Vec<_> = self.0.feeds.lock().await.values().map(|kept| Arc::clone(&kept.feed)).collect();
        let mut holds = Vec::with_capacity(feeds.len());
        for feed in feeds {
            holds.push((feed.watch().clone(), feed.holds().await));
        }
        holds
    }

    /// Is cancelled when the logs end.
    #[must_use]
    pub fn stopped(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Ends all logs and viewers.
    pub fn close(&self) {
        self.0.stop.cancel();
    }
}

/// The watch in its usual form, so that equal ones are equal.
fn checked(mut watch: Watch) -> Result<Watch, Problem> {
    let bad = |detail: &str| Problem::new(Code::BadRequest, detail);
    let names = [&watch.table, &watch.row];
    if names.into_iter().flatten().any(|name| name.is_empty() || name.chars().count() > limits::NAME_CHARACTERS) {
        return Err(bad("a table's or a row's name is empty or too long"));
    }
    if watch.row.is_some() && watch.table.is_none() {
        return Err(bad("a row is one of a table").hint("say which table"));
    }
    if let Viewers::Only(pids) = &mut watch.viewers {
        pids.sort_unstable();
        pids.dedup();
        if pids.len() > limits::EYES {
            return Err(bad("too many viewers").hint(format!("at most {}", limits::EYES)));
        }
    }
    Ok(watch)
}

/// Ends logs that nobody has read for a while.
async fn sweep(shared: std::sync::Weak<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(limits::FEED_LINGER / 4);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let Some(shared) = shared.upgrade() else { return };
        shared.feeds.lock().await.retain(|_, kept| {
            if kept.feed.is_read() {
                kept.idle_since = None;
                return true;
            }
            let since = *kept.idle_since.get_or_insert_with(Instant::now);
            let is_kept = since.elapsed() < limits::FEED_LINGER;
            if !is_kept {
                kept.stop.cancel();
            }
            is_kept
        });
    }
}
