//! What the history knew of transactions at a position, as the rules of visibility ask for it.

use pgstrata_tuple::{Knowledge, Member, Status};
use pgstrata_units::{Lsn, Xid};

use super::History;

/// A history up to a position. Which transaction a part belongs to is told by all records, also by later ones: it never
/// changes.
#[derive(Clone, Copy)]
pub struct AsOf<'a> {
    history: &'a History,
    lsn: Lsn,
}

impl<'a> AsOf<'a> {
    pub(super) const fn new(history: &'a History, lsn: Lsn) -> Self {
        Self { history, lsn }
    }
}

impl Knowledge for AsOf<'_> {
    fn status(&self, xid: Xid) -> Status {
        self.history.transactions.status_at(xid, self.lsn)
    }

    fn top(&self, xid: Xid) -> Option<Xid> {
        self.history.transactions.top(xid)
    }

    fn members(&self, multixact: u32) -> Option<Vec<Member>> {
        self.history.members(multixact).map(<[Member]>::to_vec)
    }

    fn full(&self, short: u32) -> Option<Xid> {
        self.history.transactions.full(short)
    }
}
