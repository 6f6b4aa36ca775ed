//! What the rules must ask: how transactions stand, which one is part of which, who is in a multixact. Who answers (a
//! server's own functions, SQL, the log) is not known here; "not known" is always an answer.

use pgstrata_units::Xid;

use crate::header::LockMode;

/// How a transaction or subtransaction stands. A subtransaction is `Committed` once its top-level transaction is, and
/// `InProgress` until then, unless it was rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It runs.
    InProgress,
    /// It is prepared and waits for its second phase.
    Prepared,
    /// It was committed.
    Committed,
    /// It was rolled back, or its server died under it.
    Aborted,
    /// Too old to be known, or of a time that was not recorded.
    Unknown,
}

/// One of several transactions that hold a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The transaction or subtransaction.
    pub xid: Xid,
    /// How it holds the row.
    pub mode: LockMode,
    /// Whether it replaced or deleted the row, and did not only lock it.
    pub is_change: bool,
}

/// What is known of the transactions of a cluster.
pub trait Knowledge {
    /// How a transaction or subtransaction stands.
    fn status(&self, xid: Xid) -> Status;

    /// The top-level transaction that it is part of: itself if it is one. `None` if that cannot be known any more, as
    /// for a past snapshot below what the server still keeps (`pg_subtrans`).
    fn top(&self, xid: Xid) -> Option<Xid>;

    /// The members of a multixact; `None` if they cannot be known, as when it was truncated away.
    fn members(&self, multixact: u32) -> Option<Vec<Member>>;

    /// The transaction that these 32 bits mean on a page of today ([`Xid::near`] with the next id to be given out).
    fn full(&self, short: u32) -> Option<Xid>;
}

impl<K: Knowledge + ?Sized> Knowledge for &K {
    fn status(&self, xid: Xid) -> Status {
        (**self).status(xid)
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        (**self).top(xid)
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        (**self).members(multixact)
    }

    fn full(&self, short: u32) -> Option<Xid> {
        (**self).full(short)
    }
}
