//! The sessions of the service that read: a few, shared by all callers, and opened again after they were lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgstrata_pg::{Endpoint, Error, Session};
use tokio::sync::Mutex;

use crate::ledger::reading::Reading;

/// One session for audits and long statements would make everybody wait for one of them.
const SESSIONS: usize = 4;

/// One attempt to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Sessions for reading.
#[derive(Debug)]
pub(super) struct Reader {
    endpoint: Endpoint,
    observed: bool,
    desks: [Mutex<Option<Arc<ReadingDesk>>>; SESSIONS],
    next: AtomicUsize,
}

/// A session with its statements.
#[derive(Debug)]
pub(super) struct ReadingDesk {
    pub(super) session: Session,
    pub(super) reading: Reading,
}

impl Reader {
    pub(super) fn new(endpoint: &Endpoint, observed: bool) -> Self {
        let endpoint = endpoint.with_application_name("ledger reader").with_connect_limit(CONNECT_LIMIT);
        Self { endpoint, observed, desks: std::array::from_fn(|_| Mutex::new(None)), next: AtomicUsize::new(0) }
    }

    /// The next session in turn; opened if it is not there or was lost.
    pub(super) async fn desk(&self) -> Result<Arc<ReadingDesk>, Error> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % SESSIONS;
        let mut desk = self.desks[turn].lock().await;
        if let Some(open) = desk.as_ref().filter(|open| !open.session.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let session = self.endpoint.connect().await?;
        let reading = Reading::prepare(&session, self.observed).await?;
        let opened = Arc::new(ReadingDesk { session, reading });
        *desk = Some(Arc::clone(&opened));
        Ok(opened)
    }
}
