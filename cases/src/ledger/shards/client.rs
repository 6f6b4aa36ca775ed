//! One client of the two-server arms: an operation becomes one transaction of the coordinator, or one read of both servers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pgstrata_coordinator::{AbortReason, Branch, CommitError, Coordinator, Reading, SnapshotError, Transaction};
use pgstrata_lab::study::{Client, Operation, Reply, Setback};
use pgstrata_pg::sql::{Row, ToSql};
use pgstrata_pg::{Error, ErrorClass, Kind};
use uuid::Uuid;

use super::accounts::{SERVERS, clearing, joint, server_of};
use super::arms::{AUDIT, AUDIT_FOR_SHARE, Audit, POST_PART, Way};
use super::workload::{ShardedWorkload, Work};
use crate::ledger::admission::{Account, Posting, admit};
use crate::ledger::reading::{ACCOUNTS, PAGE, STATEMENT_PAGE, Saw, element};
use crate::ledger::teller::{FIND, known, read_accounts};
use crate::ledger::told::Told;
use crate::ledger::transfer::{Body, Decision, Receipt, Refusal, Request};

/// A withdrawal was refused because a joint account was overdrawn already, which it must never be. The study's own reason
/// beside those of [`Refusal`].
pub(super) const JOINT_OVERDRAWN: i64 = 101;

/// How long a client waits before it asks a server again that was not there.
const AWAY_PAUSE: Duration = Duration::from_millis(20);

/// How long a client waits for the outcome of a key.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(10);

/// A client; all of them share the coordinator.
pub(super) struct ShardClient {
    coordinator: Arc<Coordinator>,
    way: Way,
    workload: ShardedWorkload,
    saw: Saw,
}

/// What was read for a request: the accounts of all servers, and the day that limits count by.
struct Found {
    accounts: HashMap<i64, Account>,
    today: i32,
    /// The request is in the books of a server already.
    decided: Option<Decision>,
}

/// How one attempt ended short of a decision.
enum Stop {
    Error(Error),
    Commit(CommitError),
    Snapshot(SnapshotError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<CommitError> for Stop {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

#[async_trait]
impl Client for ShardClient {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        self.saw.take();
        let ended = match self.workload.work(operation) {
            Work::Post(request) => self.post(&request, None).await,
            Work::Withdraw { request, pair, server } => self.post(&request, Some((pair, server))).await,
            Work::Statement { account_id } => self.statement(account_id).await,
            Work::Audit => self.audit().await,
        };
        match ended {
            Ok(reply) => Ok(reply),
            Err(stop) => Err(self.setback(operation.key, stop).await),
        }
    }

    fn seen(&mut self) -> Option<Box<[i64]>> {
        self.saw.take()
    }
}

impl ShardClient {
    pub(super) fn new(coordinator: Arc<Coordinator>, way: Way, workload: ShardedWorkload, observed: bool) -> Self {
        Self { coordinator, way, workload, saw: Saw::new(observed) }
    }

    /// Decides a request; with a pair, only if both of its accounts together still hold something afterwards.
    async fn post(&mut self, request: &Request, pair: Option<(u64, usize)>) -> Result<Reply, Stop> {
        let mut transaction = self.coordinator.begin(request.key, self.way.isolation, None).await;
        let found = match self.read(&mut transaction, request, pair).await {
            Ok(found) => found,
            Err(error) => {
                transaction.roll_back().await;
                return Err(error.into());
            }
        };
        if let Some(decision) = found.decided {
            transaction.roll_back().await;
            // It may have been seen on one server before the other has it.
            self.coordinator.look_up(request.key, Instant::now() + LOOK_UP_LIMIT).await?;
            return Ok(decision.reply());
        }
        self.saw.accounts(found.accounts.values());
        let postings = match Self::admit_over_both(request, pair, &found) {
            Ok(postings) => postings,
            Err(reason) => {
                // No commit confirms what was read; that the locks were held until now does.
                transaction.release().await?;
                if self.way.audit == Audit::EachByItself {
                    // Nothing was locked.
                    self.saw.take();
                }
                return Ok(Reply::Rejected { reason });
            }
        };
        match write(&transaction, request, found.today, postings).await {
            Ok(receipt) => {
                transaction.commit().await?;
                Ok(Decision::Posted(receipt).reply())
            }
            Err(error) => {
                transaction.roll_back().await;
                Err(error.into())
            }
        }
    }

    /// Reads the accounts of a request, server by server in their order and account by account in theirs.
    async fn read(
        &self,
        transaction: &mut Transaction,
        request: &Request,
        pair: Option<(u64, usize)>,
    ) -> Result<Found, Error> {
        let Body::Post { legs, .. } = &request.body else { return Ok(Found::nothing()) };
        let mut found = Found::nothing();
        for server in 0..SERVERS {
            let here: Vec<i64> =
                legs.iter().map(|leg| leg.account_id).filter(|account| server_of(*account) == server).collect();
            let (sql, wanted) = match pair {
                Some((pair, debited)) if debited != server => (self.way.read_remote, vec![joint(pair, server)]),
                _ => (self.way.read, here),
            };
            if wanted.is_empty() {
                continue;
            }
            let branch = transaction.open(server).await?;
            let (read, find) = (branch.statement(sql).await?, branch.statement(FIND).await?);
            let session = branch.session();
            let (accounts, key): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&wanted], [&request.key]);
            // One round trip; the server takes them in this order, so that a key is looked for under the locks.
            let (rows, known_row) =
                tokio::join!(biased; session.query(&read, &accounts), session.query_opt(&find, &key));
            // The first error says why; the second only that there was one.
            let rows = rows.map_err(Error::from)?;
            found.note(&rows, known_row.map_err(Error::from)?.as_ref(), request)?;
        }
        Ok(found)
    }

    fn admit_over_both(request: &Request, pair: Option<(u64, usize)>, found: &Found) -> Result<Vec<Posting>, i64> {
        let Body::Post { kind, legs } = &request.body else { return Err(Refusal::Unbalanced as i64) };
        if let Some((pair, server)) = pair {
            let held = |server| found.accounts.get(&joint(pair, server)).map_or(0, |account| account.balance);
            let together: i64 = (0..SERVERS).map(held).sum();
            if together < 0 {
                return Err(JOINT_OVERDRAWN);
            }
            let leaves = legs.iter().find(|leg| leg.account_id == joint(pair, server)).map_or(0, |leg| leg.amount);
            if together + leaves < 0 {
                return Err(Refusal::InsufficientFunds as i64);
            }
        }
        admit(*kind, legs, |id| found.accounts.get(&id).copied()).map_err(|refusal| refusal as i64)
    }

    /// Reads the last page of an account's statement on its server.
    ///
    /// One server is all that it reads, and yet it must not read it as it stands: a transfer may be committed on the other
    /// server, where somebody has acted on it, and not on this one. So the account is locked first, which waits for what
    /// is prepared; and then it is read by a statement of its own, whose snapshot is younger than the lock.
    async fn statement(&mut self, account_id: i64) -> Result<Reply, Stop> {
        let mut transaction = self.coordinator.begin(Uuid::now_v7(), self.way.isolation, None).await;
        let page = match transaction.open(server_of(account_id)).await {
            Ok(branch) => self.statement_page(branch, account_id).await,
            Err(error) => Err(error),
        };
        let (last_entry, transfers) = match page {
            Ok(page) => page,
            Err(error) => {
                transaction.roll_back().await;
                return Err(error.into());
            }
        };
        match self.way.lock_statement {
            // A lock is a write to the server, and nobody needs its commit on disk.
            Some(_) => transaction.release().await?,
            None => {
                transaction.commit().await?;
            }
        }
        self.saw.note([PAGE, account_id, last_entry].into_iter().chain(transfers.into_iter().map(element)));
        Ok(Told::Statement { last_entry }.reply())
    }

    async fn statement_page(&self, branch: &Branch, account_id: i64) -> Result<(i64, Vec<Uuid>), Error> {
        if let Some(lock) = self.way.lock_statement {
            branch.query(lock, &[&vec![account_id]]).await?;
        }
        let row = branch.query_one(STATEMENT_PAGE, &[&account_id]).await?;
        Ok((row.try_get("last_entry")?, row.try_get("transfer_ids")?))
    }

    /// Adds up all balances of both servers. The answer's value is how far they are from nothing.
    async fn audit(&mut self) -> Result<Reply, Stop> {
        let mut total = Total::default();
        match self.way.audit {
            Audit::EachByItself | Audit::Barrier => {
                let reading = match self.way.audit {
                    Audit::Barrier => Reading::Barrier,
                    _ => Reading::PerShard(self.way.isolation),
                };
                let snapshots = self.coordinator.snapshots(reading).await.map_err(Stop::Snapshot)?;
                for server in 0..SERVERS {
                    total.add(snapshots.branch(server), AUDIT).await?;
                }
                snapshots.close().await;
            }
            Audit::ForShare => {
                let mut transaction = self.coordinator.begin(Uuid::now_v7(), self.way.isolation, None).await;
                for server in 0..SERVERS {
                    let read = match transaction.open(server).await {
                        Ok(branch) => total.add(branch, AUDIT_FOR_SHARE).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = read {
                        transaction.roll_back().await;
                        return Err(error.into());
                    }
                }
                // All locks were held at one moment, which is when the audit took place.
                transaction.release().await?;
            }
        }
        self.saw.note(std::iter::once(ACCOUNTS).chain(total.seen.iter().copied()));
        Ok(Told::Audit { difference: total.difference() }.reply())
    }

    /// What the lab is to do about it.
    async fn setback(&self, key: Uuid, stop: Stop) -> Setback {
        let error = match stop {
            Stop::Commit(CommitError::Aborted(AbortReason::KeyDecided(_)) | CommitError::Unfinished) => {
                // Asking for the key completes its commit; the next attempt finds it in the books.
                let asked = self.coordinator.look_up(key, Instant::now() + LOOK_UP_LIMIT).await;
                return if asked.is_ok() { Setback::Conflict } else { Setback::Unknown };
            }
            Stop::Commit(CommitError::Unknown) => return Setback::Unknown,
            Stop::Commit(CommitError::Aborted(reason)) => match reason {
                AbortReason::Participant { source, .. } | AbortReason::Home(source) => source,
                AbortReason::Overruled => return Setback::Conflict,
                _ => Error::new("work with a coordinator that was deposed", Kind::SessionClosed),
            },
            Stop::Error(error) | Stop::Snapshot(SnapshotError::Shard { source: error, .. }) => error,
            Stop::Snapshot(_) => Error::new("open snapshots", Kind::SessionClosed),
        };
        if matches!(error.class(), ErrorClass::ServerLost | ErrorClass::NotConnected) {
            tokio::time::sleep(AWAY_PAUSE).await;
            // Nothing was decided, so it is certain that nothing was done.
            return Setback::Database(Error::new("reach a shard", Kind::SessionClosed));
        }
        Setback::Database(error)
    }
}

impl Found {
    fn nothing() -> Self {
        Self { accounts: HashMap::new(), today: 0, decided: None }
    }

    fn note(&mut self, rows: &[Row], known_row: Option<&Row>, request: &Request) -> Result<(), Error> {
        let (accounts, today) = read_accounts(rows)?;
        self.accounts.extend(accounts);
        self.today = self.today.max(today);
        if let Some(row) = known_row {
            self.decided = Some(known(row, request)?);
        }
        Ok(())
    }
}

/// What an audit has added up so far.
#[derive(Default)]
struct Total {
    currencies: BTreeMap<i16, i128>,
    /// Pairs of account and last entry.
    seen: Vec<i64>,
}

impl Total {
    async fn add(&mut self, branch: &Branch, sql: &'static str) -> Result<(), Error> {
        for row in branch.query(sql, &[]).await? {
            let (account, balance): (i64, i64) = (row.try_get("account_id")?, row.try_get("balance")?);
            *self.currencies.entry(row.try_get("currency")?).or_default() += i128::from(balance);
            if account > 0 {
                self.seen.extend([account, row.try_get("last_entry")?]);
            }
        }
        Ok(())
    }

    fn difference(&self) -> i64 {
        let difference: u128 = self.currencies.values().map(|total| total.unsigned_abs()).sum();
        i64::try_from(difference).unwrap_or(i64::MAX)
    }
}

/// Writes each server's part of a transfer that was admitted.
async fn write(
    transaction: &Transaction,
    request: &Request,
    today: i32,
    mut postings: Vec<Posting>,
) -> Result<Receipt, Error> {
    postings.sort_unstable_by_key(|posting| posting.account_id);
    let (hash, kind, reversal_of) = (request.hash(), request.kind() as i16, request.reversal_of());
    let mut first: Option<(i64, i64)> = None;
    for server in 0..SERVERS {
        let here: Vec<&Posting> = postings.iter().filter(|posting| server_of(posting.account_id) == server).collect();
        if here.is_empty() {
            continue;
        }
        let mut owed: BTreeMap<i16, i64> = BTreeMap::new();
        for posting in &here {
            *owed.entry(posting.currency.0).or_default() -= posting.amount;
        }
        owed.retain(|_, amount| *amount != 0);
        let currencies: Vec<i16> = owed.keys().copied().collect();
        let clearings: Vec<i64> =
            currencies.iter().map(|currency| clearing(crate::ledger::transfer::Currency(*currency))).collect();
        let amounts: Vec<i64> = owed.into_values().collect();
        let column = |value: fn(&Posting) -> i64| here.iter().map(|posting| value(posting)).collect::<Vec<i64>>();
        let columns = [
            column(|posting| posting.account_id),
            column(|posting| posting.amount),
            column(|posting| posting.balance),
            column(|posting| posting.spent),
        ];
        let values: [&(dyn ToSql + Sync); 12] = [
            &request.key,
            &hash,
            &kind,
            &reversal_of,
            &today,
            &columns[0],
            &columns[1],
            &columns[2],
            &columns[3],
            &clearings,
            &currencies,
            &amounts,
        ];
        for row in transaction.branch(server)?.query(POST_PART, &values).await? {
            let entry: (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let is_clearing = clearings.contains(&entry.0);
            if !is_clearing && first.is_none_or(|smallest| entry < smallest) {
                first = Some(entry);
            }
        }
    }
    let entry = first.map_or(0, |(_, number)| number);
    Ok(Receipt { transfer_id: request.key, entry })
}
