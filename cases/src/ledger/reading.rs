//! What clients of a trial read beside posting: audits and statements; and how they write down what they saw, for the
//! check of order.

use std::collections::BTreeMap;

use pgstrata_lab::study::Reply;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use uuid::Uuid;

use super::admission::Account;

pub(crate) const AUDIT: &str = include_str!("audit.sql");
const AUDIT_OBSERVED: &str = include_str!("audit_observed.sql");
pub(crate) const STATEMENT_PAGE: &str = include_str!("statement_page.sql");

/// How many entries a page of a statement has, as `statement_page.sql` cuts them.
pub(crate) const PAGE_ENTRIES: i64 = 16;

/// A session's statements for reading.
pub(crate) struct Reading {
    audit: Statement,
    statement_page: Statement,
    pub(crate) saw: Saw,
}

/// What the last step saw; nothing unless the trial is observed.
///
/// Accounts are written as pairs of account and last entry. A statement is its account, the account's last entry, and
/// the entries of the page, each as [`element`].
#[derive(Debug, Default)]
pub(crate) struct Saw {
    observed: bool,
    numbers: Option<Box<[i64]>>,
}

/// A transfer as an element of the lists that histories are made of.
pub(crate) fn element(transfer_id: Uuid) -> i64 {
    transfer_id.as_u64_pair().1.cast_signed()
}

impl Saw {
    pub(crate) fn new(observed: bool) -> Self {
        Self { observed, numbers: None }
    }

    /// These accounts were seen as they stood.
    pub(crate) fn accounts<'a>(&mut self, accounts: impl Iterator<Item = &'a Account>) {
        if self.observed {
            self.numbers = Some(accounts.flat_map(|account| [account.account_id, account.last_entry]).collect());
        }
    }

    fn note(&mut self, numbers: impl Iterator<Item = i64>) {
        if self.observed {
            self.numbers = Some(numbers.collect());
        }
    }

    pub(crate) fn take(&mut self) -> Option<Box<[i64]>> {
        self.numbers.take()
    }
}

impl Reading {
    pub(crate) async fn prepare(session: &Session, observed: bool) -> Result<Self, Error> {
        let audit = session.prepare(if observed { AUDIT_OBSERVED } else { AUDIT }).await?;
        let statement_page = session.prepare(STATEMENT_PAGE).await?;
        Ok(Self { audit, statement_page, saw: Saw::new(observed) })
    }

    /// Adds up all balances. The answer's value is how far they are from nothing.
    pub(crate) async fn audit(&mut self, session: &Session) -> Result<Reply, Error> {
        if !self.saw.observed {
            let row = session.query_one(&self.audit, &[]).await?;
            return Ok(Reply::Accepted { value: row.try_get("difference")? });
        }
        let mut totals: BTreeMap<i16, i128> = BTreeMap::new();
        let mut seen = Vec::new();
        for row in session.query(&self.audit, &[]).await? {
            *totals.entry(row.try_get("currency")?).or_default() += i128::from(row.try_get::<_, i64>("balance")?);
            seen.extend([row.try_get::<_, i64>("account_id")?, row.try_get("last_entry")?]);
        }
        self.saw.note(seen.into_iter());
        let difference: u128 = totals.values().map(|total| total.unsigned_abs()).sum();
        Ok(Reply::Accepted { value: i64::try_from(difference).unwrap_or(i64::MAX) })
    }

    /// Reads the last page of an account's statement. The answer's value is the number of its last entry.
    pub(crate) async fn statement(&mut self, session: &Session, account_id: i64) -> Result<Reply, Error> {
        let row = session.query_one(&self.statement_page, &[&account_id]).await?;
        let last_entry: i64 = row.try_get("last_entry")?;
        let transfers: Vec<Uuid> = row.try_get("transfer_ids")?;
        self.saw.note([account_id, last_entry].into_iter().chain(transfers.into_iter().map(element)));
        Ok(Reply::Accepted { value: last_entry })
    }
}
