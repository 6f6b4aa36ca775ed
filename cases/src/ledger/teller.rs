//! What the ways of keeping the books have in common when each client has a session of its own: a transaction that reads
//! the accounts, asks [`admission`](super::admission), and writes. The ways differ in what they read with, and in the
//! isolation level.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Client, Operation, Reply, Rig, Scale, Setback, StudyError};
use pgstrata_pg::sql::{ClientError, GenericClient, Row, Statement, ToSql};
use pgstrata_pg::{Error, Session};

use super::admission::{Account, Posting, admit};
use super::reading::{Reading, Saw};
use super::transfer::{Body, Currency, Decision, Kind, Leg, Receipt, Refusal, Request};
use super::workload::{Work, Workload};

pub(crate) const FIND: &str = include_str!("find.sql");
pub(crate) const LEGS_OF: &str = include_str!("legs_of.sql");
pub(crate) const POST: &str = include_str!("arms/post.sql");

/// What tells one of these ways from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Sets the isolation level of the session.
    pub(crate) isolation: &'static str,
    /// Reads the accounts of a transfer.
    pub(crate) read: &'static str,
}

/// The rig of one of these ways.
pub(crate) fn rig(way: Way, site: &Site, scale: &Scale) -> Arc<dyn Rig> {
    Arc::new(Tellers { way, site: site.clone(), workload: Workload::new(scale), observed: scale.observed })
}

struct Tellers {
    way: Way,
    site: Site,
    workload: Workload,
    observed: bool,
}

#[async_trait]
impl Rig for Tellers {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        let session = self.site.first().endpoint.connect().await?;
        let teller = Teller::open(session, self.way, self.observed).await?;
        Ok(Box::new(Customer { teller, workload: self.workload.clone() }))
    }
}

/// A client with a session of its own.
struct Customer {
    teller: Teller,
    workload: Workload,
}

#[async_trait]
impl Client for Customer {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let teller = &mut self.teller;
        match self.workload.work(operation) {
            Work::Post(request) => Ok(teller.post(&request).await?.reply()),
            Work::Statement { account_id } => {
                Ok(teller.reading.statement(&teller.session, &mut teller.saw, account_id).await?)
            }
            Work::Audit => Ok(teller.reading.audit(&teller.session, &mut teller.saw).await?),
        }
    }

    fn seen(&mut self) -> Option<Box<[i64]>> {
        self.teller.saw.take()
    }
}

/// A session that posts transfers one by one.
pub(crate) struct Teller {
    session: Session,
    read: Statement,
    find: Statement,
    legs_of: Statement,
    post: Statement,
    reading: Reading,
    saw: Saw,
}

impl Teller {
    pub(crate) async fn open(session: Session, way: Way, observed: bool) -> Result<Self, Error> {
        session.batch_execute(way.isolation).await?;
        let read = session.prepare(way.read).await?;
        let find = session.prepare(FIND).await?;
        let legs_of = session.prepare(LEGS_OF).await?;
        let post = session.prepare(POST).await?;
        let reading = Reading::prepare(&session, observed).await?;
        Ok(Self { session, read, find, legs_of, post, reading, saw: Saw::new(observed) })
    }

    /// Decides a request. Safe to call again with the same one.
    pub(crate) async fn post(&mut self, request: &Request) -> Result<Decision, Error> {
        let transaction = self.session.transaction().await?;
        let legs = match &request.body {
            Body::Post { legs, .. } => Ok(legs.clone()),
            Body::Reverse { transfer_id } => {
                opposite(&transaction.query(&self.legs_of, &[&[transfer_id].as_slice()]).await?)?
            }
        };
        let accounts: Vec<i64> = legs.iter().flatten().map(|leg| leg.account_id).collect();
        // One round trip; the server takes them in this order, so that a key is looked for under the locks.
        let (wanted, key): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&accounts], [&request.key]);
        let (rows, found) =
            tokio::try_join!(transaction.query(&self.read, &wanted), transaction.query_opt(&self.find, &key))?;
        let (accounts, today) = read_accounts(&rows)?;
        self.saw.take();
        let decision = if let Some(row) = found {
            // What was read here may include what this request did when it was sent before.
            known(&row, request)?
        } else {
            self.saw.accounts(accounts.values());
            match legs.and_then(|legs| admit(request.kind(), &legs, |id| accounts.get(&id).copied())) {
                Ok(postings) => write(&transaction, &self.post, request, today, postings).await?,
                Err(refusal) => Decision::Refused(refusal),
            }
        };
        // Also when nothing was written: what was read to refuse a request counts only when the commit says so.
        transaction.commit().await?;
        Ok(decision)
    }
}

/// The answer to a key that is in the books.
pub(crate) fn known(row: &Row, request: &Request) -> Result<Decision, ClientError> {
    if row.try_get::<_, i64>("request_hash")? != request.hash() {
        return Ok(Decision::Refused(Refusal::KeyReused));
    }
    Ok(Decision::Posted(Receipt { transfer_id: request.key, entry: row.try_get("entry")? }))
}

/// The legs that take a transfer back, from the rows of `legs_of.sql`.
pub(crate) fn opposite(rows: &[Row]) -> Result<Result<Vec<Leg>, Refusal>, ClientError> {
    let Some(first) = rows.first() else { return Ok(Err(Refusal::NoSuchTransfer)) };
    let kind: i16 = first.try_get("kind")?;
    if kind == Kind::Reversal as i16 || kind == Kind::Opening as i16 {
        return Ok(Err(Refusal::NotReversible));
    }
    if first.try_get("is_reversed")? {
        return Ok(Err(Refusal::AlreadyReversed));
    }
    let leg = |row: &Row| {
        let amount = -row.try_get::<_, i64>("amount")?;
        Ok(Leg { account_id: row.try_get("account_id")?, currency: Currency(row.try_get("currency")?), amount })
    };
    rows.iter().map(leg).collect::<Result<_, _>>().map(Ok)
}

/// Accounts as `read.sql` gives them, and the day that their limits count by.
pub(crate) fn read_accounts(rows: &[Row]) -> Result<(HashMap<i64, Account>, i32), ClientError> {
    let mut accounts = HashMap::with_capacity(rows.len());
    let mut today = 0;
    for row in rows {
        let account = Account {
            account_id: row.try_get("account_id")?,
            currency: Currency(row.try_get("currency")?),
            is_open: row.try_get("is_open")?,
            balance: row.try_get("balance")?,
            floor: row.try_get("floor")?,
            daily_limit: row.try_get("daily_limit")?,
            spent: row.try_get("spent")?,
            last_entry: row.try_get("last_entry")?,
            revision: row.try_get("revision")?,
        };
        today = row.try_get("today")?;
        accounts.insert(account.account_id, account);
    }
    Ok((accounts, today))
}

/// Writes a transfer that was admitted.
async fn write(
    client: &impl GenericClient,
    post: &Statement,
    request: &Request,
    today: i32,
    mut postings: Vec<Posting>,
) -> Result<Decision, Error> {
    postings.sort_unstable_by_key(|posting| posting.account_id);
    let column = |value: fn(&Posting) -> i64| postings.iter().map(value).collect::<Vec<i64>>();
    let (hash, kind) = (request.hash(), request.kind() as i16);
    let columns = [
        column(|posting| posting.account_id),
        column(|posting| posting.amount),
        column(|posting| posting.balance),
        column(|posting| posting.spent),
    ];
    let reversal_of = request.reversal_of();
    let values: [&(dyn ToSql + Sync); 9] =
        [&request.key, &hash, &kind, &reversal_of, &today, &columns[0], &columns[1], &columns[2], &columns[3]];
    let rows = client.query(post, &values).await?;
    let entries = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let entries: Vec<(i64, i64)> = entries.collect::<Result<_, ClientError>>()?;
    debug_assert_eq!(entries.len(), postings.len(), "each account that was read is there");
    let entry = entries.iter().min().map_or(0, |(_, number)| *number);
    Ok(Decision::Posted(Receipt { transfer_id: request.key, entry }))
}
