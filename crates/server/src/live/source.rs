//! Where logs come from: the seam between this crate and the observer.

use async_trait::async_trait;
use pgstrata_timeline::{At, Cause, Key, SharedItem};
use pgstrata_units::memory::Holding;

use pgstrata_tools::mvcc::Watch;

use crate::problem::Problem;

/// Something that looks at a server.
#[async_trait]
pub trait Source: Send {
    /// Looks now, because of `cause`. A server that is away is no error: it is shown.
    ///
    /// # Errors
    /// If what is watched is no more, so that there is no use in looking again.
    async fn look(&mut self, cause: Cause) -> Result<Vec<Seen>, Problem>;

    /// Waits for what is found without looking: the next record of the server's own log. Nothing is lost if the waiting is
    /// given up.
    async fn wait(&mut self) -> Vec<Seen> {
        std::future::pending().await
    }

    /// The memory that it takes, by what is bounded.
    fn holds(&self) -> Vec<Holding> {
        Vec::new()
    }
}

/// One of the things that a look has found, in order.
#[derive(Debug)]
pub struct Seen {
    /// Items that are new, or differ.
    pub put: Vec<SharedItem>,
    /// Items that are no more.
    pub drop: Vec<Key>,
    /// When.
    pub at: At,
    /// Why.
    pub cause: Cause,
}

/// Begins to look at things.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Something that looks at this.
    ///
    /// # Errors
    /// If there is no such thing, or the server is not to be had.
    async fn open(&self, watch: &Watch) -> Result<Box<dyn Source>, Problem>;
}
