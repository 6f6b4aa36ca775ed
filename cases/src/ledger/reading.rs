//! What clients of a trial read beside posting: audits and statements; and how they write down what they saw, for the
//! check of order.

use std::collections::BTreeMap;

use pgstrata_lab::study::Reply;
use pgstrata_pg::sql::Statement;
use pgstrata_pg::{Error, Session};
use uuid::Uuid;

use super::admission::Account;
use super::told::Told;

pub(crate) const AUDIT: &str = include_str!("audit.sql");
const AUDIT_OBSERVED: &str = include_str!("audit_observed.sql");
pub(crate) const STATEMENT_PAGE: &str = include_str!("statement_page.sql");

/// How many entries a page of a statement has, as `statement_page.sql` cuts them.
pub(crate) const PAGE_ENTRIES: i64 = 16;

/// A session's statements for reading.
#[derive(Debug)]
pub(crate) struct Reading {
    audit: Statement,
    statement_page: Statement,
    observed: bool,
}

/// What the last step saw; nothing unless the trial is observed.
///
/// [`ACCOUNTS`] is followed by pairs of account and last entry. [`PAGE`] is followed by an account, its last entry, and the
/// entries of the page, each as [`element`].
#[derive(Debug, Default)]
pub(crate) struct Saw {
    observed: bool,
    numbers: Option<Box<[i64]>>,
}

/// What follows are accounts as they stood.
pub(crate) const ACCOUNTS: i64 = 0;

/// What follows is the last page of a statement.
pub(crate) const PAGE: i64 = 1;

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
        let pairs = accounts.flat_map(|account| [account.account_id, account.last_entry]);
        self.note(std::iter::once(ACCOUNTS).chain(pairs));
    }

    pub(crate) fn note(&mut self, numbers: impl Iterator<Item = i64>) {
        if self.observed {
            self.numbers = Some(numbers.collect());
        }
    }

    /// This account was seen as well, if it was there.
    pub(crate) fn also(&mut self, account: Option<&Account>) {
        if let Some(account) = account.filter(|_| self.observed) {
            let before = self.numbers.take().unwrap_or_else(|| Box::new([ACCOUNTS]));
            self.numbers = Some(before.iter().copied().chain([account.account_id, account.last_entry]).collect());
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
        Ok(Self { audit, statement_page, observed })
    }

    /// Adds up all balances. The answer's value is how far they are from nothing.
    pub(crate) async fn audit(&self, session: &Session, saw: &mut Saw) -> Result<Reply, Error> {
        if !self.observed {
            let row = session.query_one(&self.audit, &[]).await?;
            return Ok(Told::Audit { difference: row.try_get("difference")? }.reply());
        }
        let mut totals: BTreeMap<i16, i128> = BTreeMap::new();
        let mut seen = vec![ACCOUNTS];
        for row in session.query(&self.audit, &[]).await? {
            *totals.entry(row.try_get("currency")?).or_default() += i128::from(row.try_get::<_, i64>("balance")?);
            seen.extend([row.try_get::<_, i64>("account_id")?, row.try_get("last_entry")?]);
        }
        saw.note(seen.into_iter());
        let difference: u128 = totals.values().map(|total| total.unsigned_abs()).sum();
        Ok(Told::Audit { difference: i64::try_from(difference).unwrap_or(i64::MAX) }.reply())
    }

    /// Reads the last page of an account's statement. The answer's value is the number of its last entry.
    pub(crate) async fn statement(&self, session: &Session, saw: &mut Saw, account_id: i64) -> Result<Reply, Error> {
        let row = session.query_one(&self.statement_page, &[&account_id]).await?;
        let last_entry: i64 = row.try_get("last_entry")?;
        let transfers: Vec<Uuid> = row.try_get("transfer_ids")?;
        saw.note([PAGE, account_id, last_entry].into_iter().chain(transfers.into_iter().map(element)));
        Ok(Told::Statement { last_entry }.reply())
    }
}
