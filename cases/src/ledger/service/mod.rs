//! The ledger as a service: one sequencer that posts for everybody, and sessions that read.
//!
//! ```text
//! post ──▶ Sequencer ── PostBatch ── admission in memory ── one transaction a flush ──▶ accounts, transfers, entries
//! audit, statement ──── Reader ──────────────────────────────────────────────────────▶ the same, in a snapshot
//! ```
//!
//! The service holds no truth: what it remembers may be lost or wrong at any moment, and the next flush finds out.

mod columns;
mod flush;
mod legs;
mod memory;
mod reader;

use std::fmt;
use std::time::{Duration, Instant};

use pgstrata_lab::study::Reply;
use pgstrata_pg::{Endpoint, Error};
use pgstrata_sequencer::{FlushFigures, Handle, Sequencer, Settings, StartError, SubmitError};

pub use flush::{Answer, PostBatch};

use super::reading::{AUDIT, STATEMENT_PAGE, Saw};
use super::teller::LEGS_OF;
use super::transfer::Request;
use reader::Reader;

/// The functions that the service's statements call; part of the schema.
pub(crate) const FUNCTIONS: [&str; 1] = [include_str!("post_batch.sql")];

/// The statements of the service, for the book.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("post.sql", flush::POST),
    ("post_batch.sql", FUNCTIONS[0]),
    ("read.sql", flush::READ),
    ("find_batch.sql", flush::FIND),
    ("legs_of.sql", LEGS_OF),
    ("statement_page.sql", STATEMENT_PAGE),
    ("audit.sql", AUDIT),
];

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoAnswer {
    /// As many wait as may. Nothing was written.
    #[error("too many requests wait")]
    Busy {
        /// When it is worth coming back.
        retry_after: Duration,
    },
    /// The deadline passed before any work was done. Nothing was written.
    #[error("the deadline passed before any work was done")]
    TooLate,
    /// The server cannot be reached, or this instance does not serve (any more). Nothing was written.
    #[error("the service is not available")]
    Unavailable,
    /// It may or may not have been done; send it again, and its key will tell.
    #[error("the outcome is unknown")]
    Unknown,
}

/// The service.
pub struct Service {
    sequencer: Sequencer<PostBatch>,
    handle: Handle<PostBatch>,
    reader: Reader,
    observed: bool,
}

impl Service {
    /// Starts on a server that has the schema. Fails if another instance posts there.
    ///
    /// `observed` says whether answers tell what was read for them.
    pub async fn start(endpoint: &Endpoint, settings: Settings, observed: bool) -> Result<Self, StartError> {
        let sequencer = Sequencer::start(endpoint.clone(), PostBatch::new(observed), settings).await?;
        let handle = sequencer.handle();
        Ok(Self { sequencer, handle, reader: Reader::new(endpoint, observed), observed })
    }

    /// Decides a request. Safe to call again with the same one, after whatever answer or none.
    ///
    /// A request that still waits in the queue at the deadline is given up.
    pub async fn post(&self, request: Request, deadline: Option<Instant>) -> Result<Answer, NoAnswer> {
        self.handle.submit(request, deadline).await.map_err(NoAnswer::from)
    }

    pub(crate) async fn audit(&self) -> Result<(Reply, Option<Box<[i64]>>), Error> {
        let mut saw = Saw::new(self.observed);
        let desk = self.reader.desk().await?;
        let reply = desk.reading.audit(&desk.session, &mut saw).await?;
        Ok((reply, saw.take()))
    }

    pub(crate) async fn statement(&self, account_id: i64) -> Result<(Reply, Option<Box<[i64]>>), Error> {
        let mut saw = Saw::new(self.observed);
        let desk = self.reader.desk().await?;
        let reply = desk.reading.statement(&desk.session, &mut saw, account_id).await?;
        Ok((reply, saw.take()))
    }

    /// What the sequencer has done so far.
    #[must_use]
    pub fn figures(&self) -> FlushFigures {
        self.sequencer.figures()
    }

    /// Decides what is queued, then ends. New requests are refused from now on.
    pub async fn stop(self) {
        self.sequencer.stop().await;
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl From<SubmitError> for NoAnswer {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull { retry_after } => Self::Busy { retry_after },
            SubmitError::DeadlinePassed => Self::TooLate,
            SubmitError::Unknown => Self::Unknown,
            SubmitError::Refused(_) | SubmitError::Unreachable | SubmitError::Deposed | SubmitError::Stopped => {
                tracing::warn!(error = %error, "request not decided");
                Self::Unavailable
            }
        }
    }
}
