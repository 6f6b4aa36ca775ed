//! The exact track: the lives of a table's versions from the server's log, as changes of the timeline.
//!
//! An [`Exact`] follows the physical replication stream, folds it into a [`History`], and says after each record that
//! concerns the watched tables what is different. Between records nothing happens to a version but hints. What the log
//! does not have (reads, snapshots, waits) is the observer's business; the two are merged by whoever keeps the log.

mod convert;
mod pages;
mod shown;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use pgstrata_pg::Endpoint;
use pgstrata_pg::replication::{Fed, FeedOptions, WalFeed};
use pgstrata_timeline::{At, Cause, Item, Key, Origin, SharedItem, Verdict, Viewer};
use pgstrata_tuple::Status;
use pgstrata_units::memory::{HeapBytes as _, Holding};
use pgstrata_units::{Lsn, Snapshot, Xid};
use pgstrata_wal::Record;
use pgstrata_wal::history::{Happened, History, Limits, Seed, VersionId};
use pgstrata_wal::replay::{Outcome as PageOutcome, Touched};

use self::pages::Pages;
use self::shown::Shown;
use self::tables::Tables;
use super::connection::Connection;
use super::error::MvccError;
use super::sample::now_us;

const SEED: &str = include_str!("../sql/exact_seed.sql");

/// Microseconds from 1970 to 2000, from where the server counts in its log.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// How to follow.
#[derive(Clone, Debug)]
pub struct ExactOptions {
    /// How much is remembered.
    pub limits: Limits,
    /// Pages of a table that are read when it begins to be watched, so that versions of before are known; and that are told
    /// of, with their line pointers, from then on.
    pub pages: u32,
    /// How the log is followed.
    pub feed: FeedOptions,
}

impl Default for ExactOptions {
    /// 20,000 versions with 16 MB of rows; the first 256 pages of a table.
    fn default() -> Self {
        let limits = Limits { versions: 20_000, row_bytes: 16 << 20, transactions: 50_000, ..Limits::default() };
        Self { limits, pages: 256, feed: FeedOptions::default() }
    }
}

/// What is different, and since when and why.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactChange {
    /// Items that are new or differ; all of [`Origin::Exact`].
    pub put: Vec<SharedItem>,
    /// Items that are no more: forgotten to make room, or no longer watched.
    pub drop: Vec<Key>,
    /// When it came here, and up to where the log is told with it.
    pub at: At,
    /// The record, or what became of the connection.
    pub cause: Cause,
}

/// Follows the log for some tables.
#[derive(Debug)]
pub struct Exact {
    connection: Connection,
    feed: WalFeed,
    history: History,
    tables: Tables,
    /// Versions that a transaction made, ended or locked: they look different when it ends.
    concerned: BTreeMap<Xid, BTreeSet<VersionId>>,
    /// The same the other way round: with many versions, only those that a record touches are looked at.
    concerning: BTreeMap<VersionId, BTreeSet<Xid>>,
    shown: Shown,
    pages: Pages,
    /// Pages with a number below are told of with their line pointers.
    pages_most: u32,
    /// A watched table got another file, which is to be looked for.
    is_moved: bool,
}

impl Exact {
    /// Begins to follow a server's log. Needs a role with the attribute `REPLICATION` and `wal_level` above `minimal`.
    ///
    /// # Errors
    /// [`MvccError::Server`] with a hint if the log is not to be had.
    pub async fn begin(endpoint: &Endpoint, options: ExactOptions) -> Result<Self, MvccError> {
        let mut connection = Connection::open(endpoint).await?;
        let feed = WalFeed::open(endpoint, options.feed).await?;
        let row = connection.row(SEED, &[]).await.map_err(|trouble| trouble.error("say who runs"))?;
        let unreadable = |what: &str| MvccError::Usage(format!("the server's {what} cannot be read"));
        let lsn = row.get::<_, &str>("lsn").parse().map_err(|_| unreadable("position"))?;
        let snapshot = row.get::<_, &str>("snapshot").parse().map_err(|_| unreadable("snapshot"))?;
        let history = History::begin(Seed { lsn, snapshot }, options.limits, feed.identity().logs_hints);
        let (concerned, concerning, shown) = (BTreeMap::new(), BTreeMap::new(), Shown::default());
        let (tables, pages, pages_most) = (Tables::new(options.pages), Pages::default(), options.pages);
        Ok(Self { connection, feed, history, tables, concerned, concerning, shown, pages, pages_most, is_moved: false })
    }

    /// The history so far, for questions about the past.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Watches a table (or its partitions) by name or OID from now on, none with `None`. What is on its pages now is told at
    /// once where `pageinspect` is to be had; else versions become known as records bring them.
    ///
    /// # Errors
    /// [`MvccError::NoTable`], [`MvccError::Lost`], [`MvccError::Refused`].
    pub async fn watch(&mut self, table: Option<&str>) -> Result<ExactChange, MvccError> {
        for relation in self.tables.files() {
            self.history.unfollow(relation);
        }
        let mut drop = self.shown.clear();
        drop.extend(std::mem::take(&mut self.concerned).into_keys().map(transaction_key));
        self.concerning.clear();
        drop.extend(self.pages.forget());
        self.tables.forget();
        let mut happened = Happened::default();
        if let Some(name) = table {
            self.tables.look(&mut self.connection, name).await?;
            happened = self.read_pages().await?;
        }
        let mut change = self.convert(&happened, Cause::Begin, self.history.told());
        drop.retain(|key| !change.put.iter().any(|put| put.key == *key));
        change.drop.extend(drop);
        Ok(change)
    }

    /// What the log tells next about the watched tables, waiting for it; `None` after an error. Giving up the wait loses
    /// nothing.
    ///
    /// # Errors
    /// [`MvccError::Server`] when the log cannot be followed any more: it was removed, or is another server's.
    pub async fn next(&mut self) -> Result<Option<ExactChange>, MvccError> {
        loop {
            if self.is_moved {
                self.tables.look_again(&mut self.connection).await?;
                let happened = self.read_pages().await?;
                self.is_moved = false;
                return Ok(Some(self.convert(&happened, Cause::Begin, self.history.told())));
            }
            let Some(fed) = self.feed.next().await? else { return Ok(None) };
            let change = match fed {
                Fed::Record(record) => self.take(&record),
                Fed::Lost { reason } => Some(self.news(Cause::Connection { is_up: false, reason })),
                Fed::Back { lsn } => {
                    let reason = format!("the log is followed from {lsn}");
                    Some(self.news(Cause::Connection { is_up: true, reason }))
                }
                Fed::Timeline { timeline, from } => {
                    let reason = format!("timeline {timeline} begins at {from}");
                    Some(self.news(Cause::Connection { is_up: true, reason }))
                }
                Fed::UpTo { lsn, .. } => {
                    self.history.told_up_to(lsn);
                    None
                }
            };
            if change.is_some() {
                return Ok(change);
            }
        }
    }

    /// What a transaction begun at a position would have seen of the watched tables: a viewer, and its verdicts on all
    /// versions that were there. `None` if the position is before the history began, or too long ago.
    #[must_use]
    pub fn seen_at(&self, lsn: Lsn) -> Option<(Viewer, Vec<Verdict>)> {
        let snapshot: Snapshot = self.history.snapshot_at(lsn)?;
        let id = format!("lsn:{lsn}");
        let mut verdicts = Vec::new();
        for relation in self.tables.files() {
            for (version, judgement) in self.history.seen_at(relation, lsn)? {
                let Some(key) = self.shown.key(version) else { continue };
                verdicts.push(Verdict {
                    viewer: id.clone(),
                    version: key.clone(),
                    is_visible: judgement.visible,
                    reason: judgement.reason.as_str().to_owned(),
                });
            }
        }
        Some((Viewer { id, snapshot, is_own: false }, verdicts))
    }

    /// The memory that it takes, by what is bounded.
    #[must_use]
    pub fn holds(&self) -> Vec<Holding> {
        let mut holds = self.history.holds();
        let shown = self.shown.heap_bytes() + self.concerned.heap_bytes() + self.concerning.heap_bytes();
        holds.push(Holding::new("exact.shown", self.shown.len(), shown));
        holds.push(self.pages.holds());
        holds
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.connection.close().await;
    }

    fn take(&mut self, record: &Record) -> Option<ExactChange> {
        let Ok(happened) = self.history.apply(record) else {
            tracing::warn!(lsn = %record.lsn, manager = %record.header.manager, "a record of the log cannot be read");
            return None;
        };
        self.is_moved |= self.tables.have_moved(record);
        if happened.is_empty() {
            return None;
        }
        let xid = self.history.transactions().full(record.header.xid).unwrap_or_default().0;
        let cause = Cause::Record { lsn: record.lsn, name: String::new(), xid };
        let mut change = self.convert(&happened, cause, record.end);
        if change.put.is_empty() && change.drop.is_empty() {
            return None;
        }
        if let Cause::Record { name, .. } = &mut change.cause {
            *name = name_of(record);
        }
        Some(change)
    }

    fn news(&self, cause: Cause) -> ExactChange {
        let at = At { unix_us: now_us(), lsn: Some(self.history.told()) };
        ExactChange { put: Vec::new(), drop: Vec::new(), at, cause }
    }

    /// Reads the pages of the watched tables as they are, and asks how the transactions on them ended.
    async fn read_pages(&mut self) -> Result<Happened, MvccError> {
        let mut happened = Happened::default();
        for relation in self.tables.files() {
            self.history.follow(relation);
            for (id, page) in self.tables.pages(&mut self.connection, relation).await? {
                let seeded = self.history.seed_page(id, page);
                happened.versions.extend(seeded.versions);
                happened.forgotten.extend(seeded.forgotten);
                happened.pages.push(Touched { page: id, outcome: PageOutcome::Restored });
            }
            let known = self.history.versions().of(relation).map(|version| version.id);
            happened.versions.extend(known.filter(|id| !self.shown.has(*id)));
        }
        let unknown = self.unknown_makers(&happened);
        for (xid, status) in tables::statuses(&mut self.connection, &unknown).await? {
            self.history.learn(xid, status);
        }
        for (id, members) in tables::members(&mut self.connection, &self.history, &happened.versions).await? {
            self.history.learn_multixact(id, members);
        }
        Ok(happened)
    }

    /// Transactions of before that versions name, and that nothing is known of.
    fn unknown_makers(&self, happened: &Happened) -> Vec<Xid> {
        let named = happened.versions.iter().filter_map(|id| self.history.versions().get(*id));
        let headers = named.filter_map(|version| version.latest()?.header);
        let transactions = self.history.transactions();
        let xids = headers.flat_map(|header| {
            let xmax = if header.is_xmax_multi() { 0 } else { header.xmax };
            [transactions.full(header.xmin), transactions.full(xmax)]
        });
        let unknown = |xid: &Xid| transactions.status_at(*xid, self.history.told()) == Status::Unknown;
        xids.flatten().filter(unknown).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The items that differ after what happened.
    fn convert(&mut self, happened: &Happened, cause: Cause, end: Lsn) -> ExactChange {
        let mut versions: BTreeSet<VersionId> = happened.versions.iter().copied().collect();
        // An item of a transaction differs when something happened to it, and is new with the first version that it concerns.
        let mut transactions = BTreeSet::new();
        for id in &versions {
            let Some(version) = self.history.versions().get(*id) else { continue };
            for xid in version.xmin.into_iter().chain(version.states.iter().filter_map(|state| state.by)) {
                let is_known = self.history.transactions().life(xid).is_some();
                if is_known && self.concerning.entry(*id).or_default().insert(xid) {
                    self.concerned.entry(xid).or_default().insert(*id);
                    transactions.insert(xid);
                }
            }
        }
        for xid in &happened.transactions {
            if let Some(concerned) = self.concerned.get(xid) {
                versions.extend(concerned);
                transactions.insert(*xid);
            }
        }
        let mut put = Vec::new();
        for id in versions {
            let Some(version) = self.history.versions().get(id) else { continue };
            let Some(table) = self.tables.of(version.relation) else { continue };
            let item = convert::version(&self.history, version, table);
            let (page, offset) = self.shown.show(version, &item);
            match self.shown.version(id).filter(|_| version.removed.is_none()) {
                Some(shown) => self.pages.arrived(page, offset, shown),
                None => self.pages.left(page, offset, id),
            }
            put.push(Item::Version(item).known(Origin::Exact).into());
        }
        for xid in transactions {
            put.extend(
                convert::transaction(&self.history, xid)
                    .map(|item| SharedItem::from(Item::Transaction(item).known(Origin::Exact))),
            );
        }
        let mut drop = self.drop_forgotten(&happened.forgotten);
        for touched in happened.pages.iter().filter(|touched| touched.page.block < self.pages_most) {
            let Some(table) = self.tables.of(touched.page.relation) else { continue };
            let (of_page, gone) = self.pages.tell(&self.history, touched.page, table, &self.shown);
            put.extend(of_page);
            drop.extend(gone);
        }
        let at = At { unix_us: now_us(), lsn: Some(end) };
        ExactChange { put, drop, at, cause }
    }

    fn drop_forgotten(&mut self, forgotten: &[VersionId]) -> Vec<Key> {
        let mut drop = Vec::new();
        for id in forgotten {
            if let Some((key, page, offset)) = self.shown.hide(*id) {
                self.pages.left(page, offset, *id);
                drop.push(key);
            }
            for xid in self.concerning.remove(id).into_iter().flatten() {
                let Some(ids) = self.concerned.get_mut(&xid) else { continue };
                ids.remove(id);
                if ids.is_empty() {
                    self.concerned.remove(&xid);
                    drop.push(transaction_key(xid));
                }
            }
        }
        drop
    }
}

/// As `pg_waldump` has it: `Heap/UPDATE`.
fn name_of(record: &Record) -> String {
    let kind = record.kind_name().map_or_else(|| format!("{:02X}", record.header.operation_code()), str::to_owned);
    format!("{}/{kind}", record.header.manager)
}

fn transaction_key(xid: Xid) -> Key {
    Key(format!("transaction/{xid}"))
}

/// A table that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub leaf: super::sample::table::Leaf,
    pub columns: super::sample::table::Columns,
}
