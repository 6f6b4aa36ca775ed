//! What people do with accounts beside moving money: open them, freeze and close them, set limits, read statements.
//!
//! Changes are noticed by every way of posting, the sequencer's memory included: they raise the account's revision.

use std::time::SystemTime;

use pgstrata_pg::sql::{ClientError, GenericClient, Row};
use pgstrata_pg::{Error, ErrorClass};
use uuid::Uuid;

use super::transfer::Currency;

const OPEN: &str = include_str!("open.sql");
const SET_STATUS: &str = include_str!("set_status.sql");
const SET_LIMITS: &str = include_str!("set_limits.sql");
pub(crate) const STATEMENT: &str = include_str!("statement.sql");

/// The most entries of a statement's page.
pub const PAGE_MOST: u16 = 1_000;

/// Whether an account takes part in transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Open,
    /// Not for now.
    Frozen,
    /// Never again; it is empty.
    Closed,
}

/// What may leave an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The least that the balance may be, minor units; none if it may owe any amount.
    pub floor: Option<i64>,
    /// The most that may leave on one day (UTC), minor units; none for no limit.
    pub daily: Option<i64>,
}

/// What became of a change to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is so now.
    Done,
    /// There is no such account.
    NoSuchAccount,
    /// There is one of this number already; it stays as it is.
    AccountExists,
    /// The balance does not allow it: it is under the new floor, or not zero in an account to be closed.
    BalanceForbids,
}

/// A page of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What the account is kept in.
    pub currency: Currency,
    /// The balance before the first entry of the whole statement.
    pub opening_balance: i64,
    /// The balance after its last one.
    pub closing_balance: i64,
    /// The entries of this page.
    pub lines: Vec<Line>,
    /// Where the next page begins, if there is one.
    pub next: Option<i64>,
}

/// One entry as it stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number on the account.
    pub number: i64,
    /// The transfer.
    pub transfer_id: Uuid,
    /// What the transfer was for, by the number in `ledger.transfer_kinds`.
    pub kind: i16,
    /// Minor units, above zero credits.
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// When it was posted.
    pub posted_at: SystemTime,
}

/// Opens an account with nothing in it.
pub async fn open(
    client: &impl GenericClient,
    account_id: i64,
    currency: Currency,
    limits: Limits,
) -> Result<Changed, Error> {
    let row = client.query_opt(OPEN, &[&account_id, &currency.0, &limits.floor, &limits.daily]).await;
    match changed(row.map(|row| u64::from(row.is_some())))? {
        Changed::NoSuchAccount => Ok(Changed::AccountExists),
        other => Ok(other),
    }
}

/// Opens, freezes or closes an account.
pub async fn set_status(client: &impl GenericClient, account_id: i64, status: Status) -> Result<Changed, Error> {
    let name = match status {
        Status::Open => "open",
        Status::Frozen => "frozen",
        Status::Closed => "closed",
    };
    changed(client.execute(SET_STATUS, &[&account_id, &name]).await)
}

/// Changes what may leave an account.
pub async fn set_limits(client: &impl GenericClient, account_id: i64, limits: Limits) -> Result<Changed, Error> {
    changed(client.execute(SET_LIMITS, &[&account_id, &limits.floor, &limits.daily]).await)
}

/// The entries of an account from one time until another, a page of at most `most` of them after the entry `after`.
///
/// None if there is no such account. A statement whose end is past does not change any more, once the transfers that
/// were under way then have ended.
pub async fn statement(
    client: &impl GenericClient,
    account_id: i64,
    (from, until): (SystemTime, SystemTime),
    after: i64,
    most: u16,
) -> Result<Option<Statement>, Error> {
    let most = i64::from(most.clamp(1, PAGE_MOST));
    let rows = client.query(STATEMENT, &[&account_id, &from, &until, &after, &most]).await?;
    Ok(page(&rows, most)?)
}

fn page(rows: &[Row], most: i64) -> Result<Option<Statement>, ClientError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        // The row of an account without entries in that time.
        let Some(number) = row.try_get("number")? else { continue };
        lines.push(Line {
            number,
            transfer_id: row.try_get("transfer_id")?,
            kind: row.try_get("kind")?,
            amount: row.try_get("amount")?,
            balance: row.try_get("balance")?,
            posted_at: row.try_get("posted_at")?,
        });
    }
    let there_is_more = i64::try_from(lines.len()).is_ok_and(|found| found > most);
    if there_is_more {
        lines.pop();
    }
    Ok(Some(Statement {
        currency: Currency(first.try_get("currency")?),
        opening_balance: first.try_get("opening_balance")?,
        closing_balance: first.try_get("closing_balance")?,
        next: lines.last().filter(|_| there_is_more).map(|line| line.number),
        lines,
    }))
}

fn changed(rows: Result<u64, ClientError>) -> Result<Changed, Error> {
    match rows.map_err(Error::from) {
        Ok(0) => Ok(Changed::NoSuchAccount),
        Ok(_) => Ok(Changed::Done),
        Err(error) if error.class() == ErrorClass::ConstraintViolation => Ok(Changed::BalanceForbids),
        Err(error) => Err(error),
    }
}
